"""The pictures of a run before a judge."""

from collections.abc import Mapping
from pathlib import Path

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.folder import find_outputs
from tbstar_jax.evaluation.cases.case import Language, Prompt
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.judge.agreement import Difference
from tbstar_jax.evaluation.judge.config import JudgeConfig
from tbstar_jax.evaluation.judge.item import item_of
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.rejudge import rejudge
from tbstar_jax.evaluation.judge.run import Work, judge_all
from tbstar_jax.evaluation.run.run_folder import JUDGEMENTS_FILE, Run
from tbstar_jax.evaluation.scores.prompt import decode_answer


def judge_run(run: Run, config: JudgeConfig) -> None:
    """Judges a run's pictures into its journal, those it has no judgement of.

    Raises:
      UserError: see `judge_all`.
    """
    cases = CaseFolder(run.cases, None)
    found = find_outputs(run.outputs, run.prompts).paths
    work = (_work(run, cases, found, prompt) for prompt in run.prompts)
    judge_all(Judge(config), work, run.folder / JUDGEMENTS_FILE)


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
