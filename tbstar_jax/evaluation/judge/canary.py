"""A judge that drifts is found out: fixed edits of known order, judged again.

Models behind a name change without notice, and with them all scores. A ladder's rungs
are edits of one photo from useless to perfect, drawn by a program, so their pictures
never change: when their scores do, it was the judge.
"""

import dataclasses
import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.files import json_text, write_whole
from tbstar_jax.evaluation.judge.config import JudgeConfig
from tbstar_jax.evaluation.judge.item import Item
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.judgement import JudgementStatus
from tbstar_jax.evaluation.judge.modes import SCALES
from tbstar_jax.vlm.schema import NotValidError, read_as
from tbstar_jax.vlm.strict_json import NotJsonError, read_json

MAX_MOVE = 0.03
"""Largest move of the mean that passes, of the scale's length: 0.3 of 0 to 10."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rung:
    """One fixed edit.

    Attributes:
      item: the request; its name is the rung's.
      answer: the edit.
      rank: 0 for the worst; higher is better.
    """

    item: Item
    answer: UInt8[np.ndarray, "h w 3"]
    rank: int


@runtime_checkable
class Ladder(Protocol):
    """Draws fixed edits."""

    def __call__(self, num: int) -> Sequence[Rung]:
        """Draws the first `num` rungs, the same at every call."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CanaryScore:
    """A rung, judged.

    Attributes:
      prompt: the rung's name.
      rank: its place.
      content: SHA-256 of request and pictures.
      status: of the judgement.
      overall: its score; None unless ok.
    """

    prompt: str
    rank: int
    content: str
    status: JudgementStatus
    overall: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Canary:
    """All rungs, judged at one time.

    Attributes:
      judge: fingerprint.
      model: as the server names it.
      date: as given.
      scale: length of the judge's scale.
      scores: by rung.
    """

    judge: str
    model: str
    date: str
    scale: float
    scores: tuple[CanaryScore, ...]

    @property
    def mean(self) -> float:
        """Mean over all rungs; every one has a score."""
        return statistics.fmean(self._known())

    def by_rank(self) -> dict[int, float]:
        """Mean score of each rank, worst first."""
        ranks: dict[int, list[float]] = {}
        for score, value in zip(self.scores, self._known(), strict=True):
            ranks.setdefault(score.rank, []).append(value)
        return {rank: statistics.fmean(ranks[rank]) for rank in sorted(ranks)}

    def _known(self) -> list[float]:
        values = [one.overall for one in self.scores if one.overall is not None]
        assert len(values) == len(self.scores), "check_canary comes first"
        return values


def run_canary(config: JudgeConfig, ladder: Ladder, num: int, date: str) -> Canary:
    """Judges the rungs anew: the cache is neither read nor written.

    Args:
      config: the judge.
      ladder: draws the rungs.
      num: of them.
      date: of today, as it shall be recorded.

    Raises:
      UserError: the judge may only be replayed, or compares pairs.
    """
    if config.replay or config.mode == "pairwise":
        raise UserError(
            "the canary asks the judge itself and needs single scores: it cannot run "
            f"with replay, or in mode pairwise (replay {config.replay}, mode "
            f"{config.mode})"
        )
    judge = Judge(dataclasses.replace(config, cache=None))
    scores, model = [], config.model
    for rung in ladder(num):
        found = judge.judge("canary", rung.item, rung.answer)
        model = found.model
        scores.append(
            CanaryScore(
                prompt=rung.item.prompt,
                rank=rung.rank,
                content=found.content,
                status=found.status,
                overall=found.overall,
            )
        )
    lowest, highest = SCALES[config.mode]
    return Canary(
        judge=judge.fingerprint,
        model=model,
        date=date,
        scale=highest - lowest,
        scores=tuple(scores),
    )


def check_canary(previous: Canary | None, current: Canary) -> None:
    """Fails where the judge is not what it was.

    Args:
      previous: of an earlier run; None: there is none, and only the order is checked.
      current: of this one.

    Raises:
      UserError: a rung has no score, a better rank has a lower mean score, the best is
        no better than the worst, the mean moved by more than `MAX_MOVE` of the scale,
        or the two are not of the same judge and rungs.
    """
    for canary in filter(None, (previous, current)):
        _require_scores(canary)
    _require_order(current)
    if previous is None:
        return
    if previous.judge != current.judge:
        raise UserError(
            "the canaries are of different judges (model, mode, words or settings), so "
            "they say nothing about drift; start a new record"
        )
    if [one.content for one in previous.scores] != [
        one.content for one in current.scores
    ]:
        raise UserError(
            "the canary's pictures are not those of the record; start a new record"
        )
    move = current.mean - previous.mean
    if abs(move) > MAX_MOVE * current.scale + 1e-9:
        raise UserError(
            f"the judge has drifted: the canary's mean is {current.mean:.2f}, but was "
            f"{previous.mean:.2f} on {previous.date} ({previous.model}, now "
            f"{current.model}); scores of the two dates must not be compared"
        )


def write_canary(canary: Canary, path: Path) -> None:
    """Stores a canary as JSON, to compare later ones with."""
    write_whole(path, json_text(dataclasses.asdict(canary)).encode())


def read_canary(path: Path) -> Canary | None:
    """Reads a stored canary; None where there is none yet.

    Raises:
      UserError: the file holds something else.
    """
    if not path.exists():
        return None
    try:
        return read_as(Canary, read_json(path.read_bytes()), "the canary")
    except (NotJsonError, NotValidError) as error:
        raise UserError(
            f"{path} holds no canary: {error}; move it away to start a new record"
        ) from error


def _require_scores(canary: Canary) -> None:
    failed = [one for one in canary.scores if one.overall is None]
    if failed or not canary.scores:
        raise UserError(
            f"the canary of {canary.date} has {len(failed)} of {len(canary.scores)} "
            "rungs without a score"
            + (f", first {failed[0].prompt} ({failed[0].status})" if failed else "")
            + "; a judge cannot be checked without them"
        )


def _require_order(canary: Canary) -> None:
    means = list(canary.by_rank().items())
    if means[-1][1] <= means[0][1]:
        raise UserError(
            f"the judge does not see the canary's order: the best rank scores "
            f"{means[-1][1]:.2f}, the worst {means[0][1]:.2f}"
        )
    for (low, mean), (high, next_mean) in itertools.pairwise(means):
        if next_mean < mean:
            raise UserError(
                f"the canary's order is broken: rank {high} scores {next_mean:.2f}, "
                f"but the worse rank {low} {mean:.2f}"
            )
