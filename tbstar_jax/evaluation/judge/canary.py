"""A judge that drifts is found out: fixed edits of known order, judged again.

Models behind a name change without notice, and with them all scores. A ladder's rungs
are edits of one photo from useless to perfect, drawn by a program, so their pictures
never change: when their scores do, it was the judge.

Every judged run starts with the canary: a judge that has drifted, or sees no order, is
not asked further. Pairs have none, since their verdicts have no scale.
"""

import dataclasses
import itertools
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.files import json_text, write_whole
from tbstar_jax.evaluation.judge.config import JudgeConfig
from tbstar_jax.evaluation.judge.item import Item
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.judgement import JudgementStatus
from tbstar_jax.evaluation.judge.modes import SCALES
from tbstar_jax.evaluation.judge.run import Work, judge_all
from tbstar_jax.vlm.schema import NotValidError, read_as
from tbstar_jax.vlm.strict_json import NotJsonError, read_json

MAX_MOVE = 0.03
"""Largest move of the mean that passes, of the scale's length: 0.3 of 0 to 10."""

NUM_LADDERS_LEFT = 0.5
"""Least share of ladders with a score for every rung; the others are left out."""

Outcome: TypeAlias = Literal[
    "first", "unmoved", "moved", "order", "failed", "off", "not applicable"
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rung:
    """One fixed edit.

    Attributes:
      item: the request; its name is the ladder's, a slash, and the rung's.
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
      unstructured: whether the server was found to support no structured output.
    """

    judge: str
    model: str
    date: str
    scale: float
    scores: tuple[CanaryScore, ...]
    unstructured: bool | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class CanaryResult:
    """What a canary says of a judge.

    Attributes:
      outcome: `first`: in order, and nothing to compare with; `unmoved`: in order, and
        as it was; `moved`: the mean is another; `order`: a better rank has a lower
        mean, or the best is no better than the worst; `failed`: too few rungs have a
        score, or the record is of another judge or other pictures; `off`: nobody
        wanted one; `not applicable`: pairs, or replies that are only replayed.
      detail: one sentence.
      date: of this canary.
      mean: over the rungs that count; None where none do.
      since: date of the record it was compared with; None without.
      shift: of the mean since then, over the same rungs; None without.
      by_rank: mean score of each rank, worst first.
      num_rungs: that count.
      num_asked: all.
      unstructured: as `Canary`.
    """

    outcome: Outcome
    detail: str
    date: str
    mean: float | None = None
    since: str | None = None
    shift: float | None = None
    by_rank: tuple[float, ...] = ()
    num_rungs: int = 0
    num_asked: int = 0
    unstructured: bool | None = None

    @property
    def is_good(self) -> bool:
        """Whether the judge may be asked further."""
        return self.outcome not in ("moved", "order", "failed")

    def require_good(self) -> None:
        """Ends a judged run before it begins.

        Raises:
          UserError: the judge may not be asked further.
        """
        if not self.is_good:
            raise UserError(
                f"nothing was judged: {self.detail}; to judge all the same, write "
                "`canary: off` in the judge's file, and the report will say so"
            )


def canary_of_run(
    config: JudgeConfig, ladder: Ladder, num: int, date: str, record: Path
) -> CanaryResult:
    """The canary of a judged run: compared with a record, which the first one makes.

    Replies are kept beside the record for a day, so that several runs of one day ask
    for them once.

    Args:
      config: the judge.
      ladder: draws the rungs.
      num: of them.
      date: of today.
      record: shared between runs.

    Raises:
      UserError: see `run_canary` and `read_canary`.
    """
    previous = read_canary(record)
    journal = record.with_name(f"{record.stem}.{date}.jsonl")
    current = run_canary(config, ladder, num, date, journal)
    result = compare_canaries(previous, current)
    if previous is None and result.is_good:
        write_canary(current, record)
    return result


def run_canary(
    config: JudgeConfig,
    ladder: Ladder,
    num: int,
    date: str,
    journal: Path | None = None,
) -> Canary:
    """Judges the rungs; the cache of the replies is neither read nor written.

    Args:
      config: the judge.
      ladder: draws the rungs.
      num: of them.
      date: of today, as it shall be recorded.
      journal: of this date: rungs that it holds are not asked again; None asks all.

    Raises:
      UserError: the judge may only be replayed, compares pairs, or answers nothing.
    """
    if config.replay or config.mode == "pairwise":
        raise UserError(
            "the canary asks the judge itself and needs single scores: it cannot run "
            f"with replay, or in mode pairwise (replay {config.replay}, mode "
            f"{config.mode})"
        )
    judge = Judge(dataclasses.replace(config, cache=None))
    judge.require_there(journal)
    rungs = ladder(num)
    work = [Work(system="canary", item=one.item, answer=one.answer) for one in rungs]
    with tempfile.TemporaryDirectory() as folder:
        judged = judge_all(judge, work, journal or Path(folder) / "canary.jsonl")
    lowest, highest = SCALES[config.mode]
    return Canary(
        judge=judge.fingerprint,
        model=judged[-1].model if judged else config.model,
        date=date,
        scale=highest - lowest,
        scores=tuple(
            CanaryScore(
                prompt=one.prompt,
                rank=rung.rank,
                content=one.content,
                status=one.status,
                overall=one.overall,
            )
            for rung, one in zip(rungs, judged, strict=True)
        ),
        unstructured=judge.is_unstructured,
    )


def compare_canaries(previous: Canary | None, current: Canary) -> CanaryResult:
    """Says whether the judge is what it was, and sees the rungs' order.

    A ladder with a rung that has no score, now or then, is left out: its other rungs
    would shift the mean of their ranks.

    Args:
      previous: of an earlier run; None: there is none, and only the order is checked.
      current: of this one.
    """
    told = _not_comparable(previous, current)
    kept = _kept(filter(None, (previous, current)))
    now = [one for one in current.scores if _ladder(one) in kept]
    ranks = _by_rank(now)
    mean = statistics.fmean(_overall(now)) if now else None
    shift: float | None = None
    outcome: Outcome = "failed"
    if told is None:
        told = _too_few(filter(None, (current, previous)), kept)
    if told is None and previous is not None:
        then = [one for one in previous.scores if _ladder(one) in kept]
        shift = statistics.fmean(_overall(now)) - statistics.fmean(_overall(then))
    if told is None:
        outcome, told = _verdict(previous, current, ranks, mean or 0.0, shift)
    return CanaryResult(
        outcome=outcome,
        detail=told,
        date=current.date,
        mean=mean,
        since=None if previous is None else previous.date,
        shift=shift,
        by_rank=tuple(ranks.values()),
        num_rungs=len(now),
        num_asked=len(current.scores),
        unstructured=current.unstructured,
    )


def check_canary(previous: Canary | None, current: Canary) -> CanaryResult:
    """`compare_canaries`, which fails where the judge is not what it was.

    Raises:
      UserError: the result is not good; the sentence says why.
    """
    result = compare_canaries(previous, current)
    if not result.is_good:
        raise UserError(result.detail)
    return result


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
    except (OSError, NotJsonError, NotValidError) as error:
        raise UserError(
            f"{path} holds no canary: {error}; move it away to start a new record"
        ) from error


def _not_comparable(previous: Canary | None, current: Canary) -> str | None:
    if previous is None:
        return None
    if previous.judge != current.judge:
        return (
            "the canaries are of different judges (model, mode, words or settings), so "
            "they say nothing about drift; start a new record"
        )
    if [one.content for one in previous.scores] != [
        one.content for one in current.scores
    ]:
        return (
            f"the canary's pictures are not those of the record of {previous.date}; "
            "move it away to start a new record"
        )
    return None


def _kept(canaries: Iterable[Canary]) -> set[str]:
    """Ladders all of whose rungs have a score in all canaries."""
    scores = [one for canary in canaries for one in canary.scores]
    failed = {_ladder(one) for one in scores if one.overall is None}
    return {_ladder(one) for one in scores} - failed


def _too_few(canaries: Iterable[Canary], kept: set[str]) -> str | None:
    for canary in canaries:
        ladders = {_ladder(one) for one in canary.scores}
        if ladders and len(kept) >= NUM_LADDERS_LEFT * len(ladders):
            continue
        failed = [one for one in canary.scores if one.overall is None]
        first = f", first {failed[0].prompt} ({failed[0].status})" if failed else ""
        return (
            f"the canary of {canary.date} has {len(failed)} of {len(canary.scores)} "
            f"rungs without a score{first}; a judge cannot be checked without them"
        )
    return None


def _verdict(
    previous: Canary | None,
    current: Canary,
    ranks: dict[int, float],
    mean: float,
    shift: float | None,
) -> tuple[Outcome, str]:
    broken = _broken_order(ranks)
    if broken is not None:
        return "order", broken
    if previous is None or shift is None:
        return "first", f"the first record: mean {mean:.2f}, in order"
    if abs(shift) > MAX_MOVE * current.scale + 1e-9:
        return "moved", (
            f"the judge has drifted: the canary's mean is {mean:.2f}, but was "
            f"{mean - shift:.2f} on {previous.date} ({previous.model}, now "
            f"{current.model}); scores of the two dates must not be compared"
        )
    return "unmoved", (
        f"the judge is as it was on {previous.date}: mean {mean:.2f}, then "
        f"{mean - shift:.2f}"
    )


def _broken_order(ranks: dict[int, float]) -> str | None:
    means = list(ranks.items())
    if means[-1][1] <= means[0][1]:
        return (
            f"the judge does not see the canary's order: the best rank scores "
            f"{means[-1][1]:.2f}, the worst {means[0][1]:.2f}"
        )
    for (low, mean), (high, next_mean) in itertools.pairwise(means):
        if next_mean < mean:
            return (
                f"the canary's order is broken: rank {high} scores {next_mean:.2f}, "
                f"but the worse rank {low} {mean:.2f}"
            )
    return None


def _by_rank(scores: Sequence[CanaryScore]) -> dict[int, float]:
    """Mean score of each rank, worst first."""
    ranks: dict[int, list[float]] = {}
    for score, value in zip(scores, _overall(scores), strict=True):
        ranks.setdefault(score.rank, []).append(value)
    return {rank: statistics.fmean(ranks[rank]) for rank in sorted(ranks)}


def _overall(scores: Iterable[CanaryScore]) -> list[float]:
    return [one.overall for one in scores if one.overall is not None]


def _ladder(score: CanaryScore) -> str:
    """All but the last part of a rung's name."""
    return score.prompt.rpartition("/")[0]
