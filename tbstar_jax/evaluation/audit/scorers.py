"""What is audited: scores of pictures, by whoever gives them.

A column is one score; higher is better. Columns of deterministic scores are named by
the score, those of a judge by the judge's name and the score.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.audit.ladders import COPY, CaseLadder
from tbstar_jax.evaluation.cases.case import Language, Prompt
from tbstar_jax.evaluation.judge.config import JudgeConfig
from tbstar_jax.evaluation.judge.item import item_of
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.modes import SCALES, VIE_MODES
from tbstar_jax.evaluation.judge.run import Work, judge_all
from tbstar_jax.evaluation.run.scoring import Candidate, Job, score_all
from tbstar_jax.metrics.similarity import psnr, ssim

Scores: TypeAlias = Mapping[tuple[str, str], float | None]
"""Score by case id and step; None where there is none."""


@runtime_checkable
class Scorer(Protocol):
    """Gives scores to pictures."""

    def __call__(
        self, ladders: Iterable[CaseLadder], folder: Path
    ) -> Mapping[str, Scores]:
        """Scores every picture of every ladder.

        Args:
          ladders: drawn one by one; not to be kept.
          folder: for what is to be resumed.

        Returns:
          Scores by column.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelScorer:
    """The project's own scores: C, E and P.

    Attributes:
      num_workers: processes.
      with_reader: whether texts are read by OCR where it is installed.
    """

    num_workers: int
    with_reader: bool

    def __call__(
        self, ladders: Iterable[CaseLadder], folder: Path
    ) -> Mapping[str, Scores]:
        """Scores by `scores.prompt.score_answer`; resumes from `scores.jsonl`."""
        cases: dict[str, str] = {}
        records = score_all(
            _jobs(ladders, cases),
            folder / "scores.jsonl",
            with_reader=self.with_reader,
            num_workers=self.num_workers,
            total=0,
            title="audit",
        )
        fields = {"C": "consistency", "E": "edit", "P": "preservation"}
        return {
            column: {
                (cases[prompt], step): getattr(record, field)
                for (step, prompt, _), record in records.items()
            }
            for column, field in fields.items()
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaselineScorer:
    """What a score that knows nothing of edits sees: whole pictures compared."""

    def __call__(
        self, ladders: Iterable[CaseLadder], folder: Path
    ) -> Mapping[str, Scores]:
        """PSNR and SSIM to the source, PSNR to the reference."""
        del folder
        found: dict[str, dict[tuple[str, str], float | None]] = {
            "PSNR source": {},
            "SSIM source": {},
            "PSNR reference": {},
        }
        for ladder in ladders:
            source, reference = ladder.case.source, ladder.case.reference
            for step in ladder.steps:
                key = (ladder.case.id, step.name)
                found["PSNR source"][key] = float(psnr(source, step.image))
                found["SSIM source"][key] = float(ssim(source, step.image))
                found["PSNR reference"][key] = float(psnr(reference, step.image))
        return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeScorer:
    """A judge behind a name: SC, PQ and O of the VIEScore modes, O alone of others.

    Attributes:
      name: of its columns and files: letters, digits, `-`, `_` and `.`.
      config: the judge; not of mode `pairwise`.
      language: of the instructions.
    """

    name: str
    config: JudgeConfig
    language: Language

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w-][\w.-]*", self.name):
            raise UserError(
                f"a judge cannot be called {self.name!r} here, since files are named "
                "after it; use letters, digits, '-', '_' and '.'"
            )
        if self.config.mode == "pairwise":
            raise UserError(
                "the judge's mode is pairwise, which gives no picture a score that an "
                f"audit could use; choose one of {', '.join(SCALES)}"
            )

    def require_ready(self, folder: Path) -> None:
        """Checks what judging needs: key, words and a server that listens.

        Args:
          folder: of the audit; where all was asked before, nobody need listen.

        Raises:
          UserError: one of them is not there.
        """
        config = self.config
        if not config.replay:
            # The same pixels are judged past the cache, so replies at hand do not do.
            config = dataclasses.replace(config, cache=None)
        Judge(config).require_there(self._again(folder))

    def __call__(
        self, ladders: Iterable[CaseLadder], folder: Path
    ) -> Mapping[str, Scores]:
        """Judges by `judge_all`; resumes from `<name>.jsonl` and `<name>-again.jsonl`.

        The same pixels are judged again past the cache, which would repeat the first
        answer; where the judge may only be replayed they are not judged.

        Raises:
          UserError: as `judge_all`.
        """
        copies: list[Work] = []
        judgements = judge_all(
            Judge(self.config),
            self._work(ladders, copies),
            folder / f"{self.name}.jsonl",
        )
        if not self.config.replay:
            anew = Judge(dataclasses.replace(self.config, cache=None))
            judgements += judge_all(anew, copies, self._again(folder))
        fields = {"O": "overall"}
        if self.config.mode in VIE_MODES:
            fields = {"SC": "semantic", "PQ": "quality", **fields}
        return {
            f"{self.name} {column}": {
                (one.case, one.system): _score(one, field) for one in judgements
            }
            for column, field in fields.items()
        }

    def _again(self, folder: Path) -> Path:
        """The journal of pixels judged twice, which is written last."""
        return folder / f"{self.name}-again.jsonl"

    def _work(
        self, ladders: Iterable[CaseLadder], copies: list[Work]
    ) -> Iterator[Work]:
        for ladder in ladders:
            item = item_of(Prompt(case=ladder.case, language=self.language))
            for step in ladder.steps:
                work = Work(system=step.name, item=item, answer=step.image)
                if step.name == COPY:
                    copies.append(work)
                else:
                    yield work


def _jobs(ladders: Iterable[CaseLadder], cases: dict[str, str]) -> Iterator[Job]:
    """A job per case; notes to which case its prompt belongs."""
    for ladder in ladders:
        case = ladder.case
        cases[Prompt(case=case, language="en").id] = case.id
        yield (
            case,
            tuple(
                Candidate(
                    system=step.name,
                    languages=("en",),
                    picture=step.image,
                    output="",
                )
                for step in ladder.steps
            ),
        )


def _score(judgement: Judgement, field: str) -> float | None:
    score: float | None = getattr(judgement, field)
    return score
