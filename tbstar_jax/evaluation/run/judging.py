"""The pictures of a run before a judge."""

import dataclasses
import datetime
import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.folder import find_output, find_outputs
from tbstar_jax.evaluation.cases.case import Language, Prompt
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.files import json_text, write_whole
from tbstar_jax.evaluation.judge.agreement import Difference, difference
from tbstar_jax.evaluation.judge.canary import CanaryResult
from tbstar_jax.evaluation.judge.config import JudgeConfig
from tbstar_jax.evaluation.judge.item import content_of, item_of
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.modes import SCALES
from tbstar_jax.evaluation.judge.pairs import SIGNS
from tbstar_jax.evaluation.judge.pairwise import Comparison, Tally, tally
from tbstar_jax.evaluation.judge.quirks import reference_number
from tbstar_jax.evaluation.judge.rejudge import rejudge
from tbstar_jax.evaluation.judge.run import Work, compare_all, judge_all
from tbstar_jax.evaluation.judge.summary import Summary, summarise
from tbstar_jax.evaluation.run.judged_content import contents_now
from tbstar_jax.evaluation.run.run_folder import (
    JUDGEMENTS_FILE,
    JUDGES_FILE,
    Run,
)
from tbstar_jax.evaluation.scores.prompt import decode_answer
from tbstar_jax.evaluation.statistics.davidson import Matches, Ranking, rank
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tbstar_jax.evaluation.statistics.sample import Sample
from tbstar_jax.vlm.schema import NotValidError, read_as

COMPARISONS_FILE = "comparisons.jsonl"
_UNSUPPORTED = "unsupported by the server"


@runtime_checkable
class Check(Protocol):
    """Says whether a judge still judges as it did, before it is asked."""

    def __call__(self, config: JudgeConfig) -> CanaryResult:
        """Asks it about fixed pictures; a result that is not good is no exception."""


def judge_run(run: Run, config: JudgeConfig, check: Check) -> None:
    """Judges a run's pictures into its journal, those it has no judgement of.

    The first of several answers to a prompt is judged.

    Args:
      run: finished.
      config: the judge.
      check: asked first, where anything is to be judged. What it finds is written down
        in either case; nothing is judged where it is not good.

    Raises:
      UserError: the judge is not what it was, see `judge_all`, or the server answered
        nothing.
    """
    judge = Judge(config)
    pending = _pending(run, judge)
    # Before the canary: what is not there should be known before requests are paid.
    if pending:
        judge.require_there()
    cases = CaseFolder(run.cases, None)
    found = find_outputs(run.outputs, run.prompts).paths
    canary = check(config) if pending else None
    if canary is not None and canary.unstructured:
        judge.forgo_structure()
    _write_judge(run, judge, canary)
    if canary is not None:
        canary.require_good()
    work = (_work(run, cases, found, prompt) for prompt in pending)
    try:
        judged = judge_all(judge, work, run.folder / JUDGEMENTS_FILE)
    finally:
        _write_judge(run, judge, canary)
    if judged and not any(one.is_settled for one in judged):
        raise UserError(
            f"the judge {config.model} answered none of {len(judged)} requests "
            f"({judged[0].status}: {judged[0].detail}); check the server and run again"
        )


def _pending(run: Run, judge: Judge) -> list[str]:
    """Prompts whose picture the judge has not judged, as it is now."""
    settled = {
        one.prompt: one.content
        for one in run.judgements()
        if one.judge == judge.fingerprint and one.is_settled
    }
    now = _contents(run, settled)
    return [id for id in run.prompts if id not in settled or settled[id] != now[id]]


def _write_judge(run: Run, judge: Judge, canary: CanaryResult | None) -> None:
    """Notes how the judge is asked, and what the canary found; None: it had no need."""
    config = judge.config
    told, key = run.judges(), judge.fingerprint
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    # The earlier entry stays: most of its judgements are of that date.
    entry = {**config.provenance(), "since": date, **told.get(key, {})}
    entry["bug_compatible"] = config.bug_compatible
    if judge.is_unstructured:
        entry["structured"] = _UNSUPPORTED
    if canary is not None:
        entry["canary"] = dataclasses.asdict(canary)
    write_whole(run.folder / JUDGES_FILE, json_text({**told, key: entry}).encode())


def judgements_now(run: Run) -> tuple[list[Judgement], int]:
    """Judgements of a run's pictures as they are now, and how many are of others.

    A picture that was replaced is another: what a judge said of the old one is no score
    of the new one.
    """
    judgements = run.judgements()
    if not judgements:
        return [], 0
    contents = _contents(run, dict.fromkeys(one.prompt for one in judgements))
    kept = [one for one in judgements if one.content == contents[one.prompt]]
    return kept, len(judgements) - len(kept)


def _contents(run: Run, prompts: Iterable[str]) -> dict[str, str]:
    """`content_of` prompts and their answers, as they are now."""
    paths = {id: find_output(run.outputs, id) for id in prompts}
    if not paths:
        return {}
    found = {id: path for id, path in paths.items() if path is not None}

    @functools.cache
    def cases() -> CaseFolder:
        return CaseFolder(run.cases, None)

    def content(id: str) -> str:
        work = _work(run, cases(), found, id)
        return content_of(work.item, (work.answer,))

    return contents_now(run.folder, run.cases, paths, content)


def judge_summaries(
    runs: Iterable[Run], judgements: Iterable[Judgement], expected: Mapping[str, str]
) -> tuple[Summary, ...]:
    """Sums judgements up, with what is noted of their judges.

    Args:
      runs: that the judgements are of.
      judgements: see `judge.summary.summarise`; of mocks, too.
      expected: task of every prompt that should be judged.

    Raises:
      UserError: see `summarise`, or a run's `judges.json` is damaged.
    """
    found = list(judgements)
    told = {run.name: run.judges() for run in runs}
    summaries = []
    for one in summarise(found, expected) if found else ():
        entry = told.get(one.system, {}).get(one.judge, {})
        reference = None
        if entry.get("bug_compatible") is True:
            own = [x for x in found if (x.system, x.judge) == (one.system, one.judge)]
            reference = reference_number(own, expected, one.mode)
        summaries.append(
            dataclasses.replace(
                one,
                canary=_canary(entry.get("canary")),
                reference=reference,
                is_unstructured=entry.get("structured") == _UNSUPPORTED,
            )
        )
    return tuple(summaries)


def canary_failures(run: Run) -> list[str]:
    """Why judges of a run were not asked: one sentence each.

    Raises:
      UserError: `judges.json` is damaged.
    """
    found = {
        str(told.get("model", "a judge")): _canary(told.get("canary"))
        for told in run.judges().values()
    }
    return [
        f"{model} has judged nothing of {run.name} since {result.date}, because its "
        f"canary failed: {result.detail}"
        for model, result in found.items()
        if result is not None and not result.is_good
    ]


def _canary(entry: Any) -> CanaryResult | None:
    if entry is None:
        return None
    try:
        return read_as(CanaryResult, entry, "the canary")
    except NotValidError as error:
        raise UserError(f"{JUDGES_FILE} is damaged ({error}); delete it") from error


def judge_samples(run: Run) -> dict[str, Sample]:
    """A run's scores by its judges, to compare with another run's prompt by prompt.

    Returns:
      Label (score, model and judge) to the values of the prompts that were judged `ok`
      as they are now: O, and SC and PQ of modes that have them. Two runs judged alike
      have the same labels; prompts that only one has are for the caller to leave out.
    """
    told = run.judges()
    groups: dict[tuple[str, str], list[tuple[Judgement, float]]] = {}
    for one in judgements_now(run)[0]:
        if one.status != "ok":
            continue
        model = told.get(one.judge, {}).get("model", one.model)
        judge = f"{model}: {one.label}, {one.judge[:8]}"
        scores = {"O": one.overall, "SC": one.semantic, "PQ": one.quality}
        for name, score in scores.items():
            if score is not None:
                groups.setdefault((judge, name), []).append((one, score))
    return {
        f"{name} ({judge})": Sample(
            values=np.array([score for _, score in rows], np.float64),
            prompts=tuple(one.prompt for one, _ in rows),
            cases=tuple(one.case for one, _ in rows),
            tasks=tuple(one.task for one, _ in rows),
            languages=tuple(one.language for one, _ in rows),
            tags=tuple(frozenset() for _ in rows),
        )
        for (judge, name), rows in groups.items()
    }


def judge_difference(run: Run, first: JudgeConfig, second: JudgeConfig) -> Difference:
    """How far two judges of one run agree, from its journal; nobody is asked.

    Raises:
      UserError: they give scores on different scales, or have judged no picture in
        common.
    """
    scales = [SCALES.get(one.mode) for one in (first, second)]
    if scales[0] != scales[1] or None in scales:
        raise UserError(
            f"the modes {first.mode} and {second.mode} have no common scale, so their "
            "scores cannot be compared"
        )
    judgements = judgements_now(run)[0]
    mine = [
        [one for one in judgements if one.judge == config.fingerprint()]
        for config in (first, second)
    ]
    for config, found in zip((first, second), mine, strict=True):
        if not found:
            raise UserError(
                f"{run.folder} has no judgements of {config.model} ({config.label()}) "
                "of its pictures as they are; judge it first"
            )
    return difference(*mine)


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
    judge, journal = Judge(config), runs[0].folder / COMPARISONS_FILE
    judge.require_there(journal)
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
    return compare_all(judge, work, journal)


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
        outcomes=[SIGNS[one.verdict] for one in judged],
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
