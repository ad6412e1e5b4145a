"""The pictures of a run before a judge."""

import datetime
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.folder import find_output, find_outputs
from tbstar_jax.evaluation.cases.case import Language, Prompt
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.files import json_text, write_whole
from tbstar_jax.evaluation.judge.agreement import Difference
from tbstar_jax.evaluation.judge.config import JudgeConfig
from tbstar_jax.evaluation.judge.item import content_of, item_of
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.pairwise import Comparison, Tally, tally
from tbstar_jax.evaluation.judge.rejudge import rejudge
from tbstar_jax.evaluation.judge.run import Work, compare_all, judge_all
from tbstar_jax.evaluation.run.run_folder import (
    JUDGEMENTS_FILE,
    JUDGES_FILE,
    Run,
)
from tbstar_jax.evaluation.scores.prompt import decode_answer
from tbstar_jax.evaluation.statistics.davidson import Matches, Ranking, rank
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

COMPARISONS_FILE = "comparisons.jsonl"


def judge_run(run: Run, config: JudgeConfig) -> None:
    """Judges a run's pictures into its journal, those it has no judgement of.

    Raises:
      UserError: see `judge_all`; or the server answered nothing.
    """
    cases = CaseFolder(run.cases, None)
    found = find_outputs(run.outputs, run.prompts).paths
    work = (_work(run, cases, found, prompt) for prompt in run.prompts)
    judge = Judge(config)
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    told = {judge.fingerprint: {**config.provenance(), "since": date}}
    # The earlier entry stays: most of its judgements are of that date.
    write_whole(run.folder / JUDGES_FILE, json_text(told | run.judges()).encode())
    judged = judge_all(judge, work, run.folder / JUDGEMENTS_FILE)
    if judged and not any(one.is_settled for one in judged):
        raise UserError(
            f"the judge {config.model} answered none of {len(judged)} requests "
            f"({judged[0].status}: {judged[0].detail}); check the server and run again"
        )


def judgements_now(run: Run) -> tuple[list[Judgement], int]:
    """Judgements of a run's pictures as they are now, and how many are of others.

    A picture that was replaced is another: what a judge said of the old one is no score
    of the new one.
    """
    judgements = run.judgements()
    if not judgements:
        return [], 0
    prompts = dict.fromkeys(one.prompt for one in judgements)
    cases = CaseFolder(run.cases, None)
    paths = {id: find_output(run.outputs, id) for id in prompts}
    found = {id: path for id, path in paths.items() if path is not None}
    contents = {}
    for id in prompts:
        work = _work(run, cases, found, id)
        contents[id] = content_of(work.item, (work.answer,))
    kept = [one for one in judgements if one.content == contents[one.prompt]]
    return kept, len(judgements) - len(kept)


def judge_again(run: Run, config: JudgeConfig, label: str) -> Difference:
    """Judges again what the run's journal holds, into `judgements-<label>.jsonl`.

    Raises:
      UserError: see `rejudge`.
    """
    cases = CaseFolder(run.cases, None)
    found = find_outputs(run.outputs, run.prompts).paths

    def work_of(judgement: Judgement) -> Work:
        return _work(run, cases, found, judgement.prompt)

    journal = run.folder / f"judgements-{label}.jsonl"
    _, moved = rejudge(config, run.folder / JUDGEMENTS_FILE, work_of, journal, label)
    return moved


def compare_runs(runs: Sequence[Run], config: JudgeConfig) -> list[Comparison]:
    """Asks a judge which of every two runs' pictures is better, prompt by prompt.

    Args:
      runs: two or more on the same cases; `comparisons.jsonl` of the first is written.
      config: of mode `pairwise`.

    Raises:
      UserError: two runs of one name, or see `compare_all`.
    """
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise UserError(
            f"the runs are named {', '.join(names)}, but a comparison needs a name for "
            "each; run one of them again with another --name"
        )
    cases = CaseFolder(runs[0].cases, None)
    common = [id for id in runs[0].prompts if all(id in run.prompts for run in runs)]
    found = {run.name: find_outputs(run.outputs, common).paths for run in runs}
    work = (
        (
            _work(first, cases, found[first.name], prompt),
            _work(second, cases, found[second.name], prompt),
        )
        for prompt in common
        for first, second in itertools.combinations(runs, 2)
    )
    return compare_all(Judge(config), work, runs[0].folder / COMPARISONS_FILE)


def ranked(
    comparisons: Sequence[Comparison], config: BootstrapConfig
) -> tuple[Ranking, Tally]:
    """Strengths with ties (Davidson), cases drawn anew, and how verdicts came about.

    Raises:
      UserError: no verdict at all, or systems that nothing links.
    """
    judged = [one for one in comparisons if one.verdict is not None]
    if not judged:
        raise UserError(
            f"none of {len(comparisons)} comparisons has a verdict; the first: "
            f"{comparisons[0].status} ({comparisons[0].detail})"
        )
    matches = Matches(
        first=[one.system_a for one in judged],
        second=[one.system_b for one in judged],
        outcomes=[{"a": 1, "tie": 0, "b": -1}[str(one.verdict)] for one in judged],
        clusters=[one.case for one in judged],
    )
    return rank(matches, config), tally(comparisons)


def _work(
    run: Run, cases: CaseFolder, found: Mapping[str, Path], prompt_id: str
) -> Work:
    case_id, _, name = prompt_id.rpartition("/")
    language: Language = "zh" if name == "zh" else "en"
    item = item_of(Prompt(case=cases[case_id], language=language))
    answer = None
    if prompt_id in found:
        try:
            answer = decode_answer(found[prompt_id])
        except UserError:
            answer = None  # its score record says so
    return Work(system=run.name, item=item, answer=answer)
