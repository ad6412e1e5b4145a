"""What a judge's comparisons of two systems come to: wins, ties, losses, GSB, cost."""

import collections
import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence

from tbstar_jax.evaluation.judge.pairwise import Comparison, Tally, tally
from tbstar_jax.evaluation.statistics.gsb import gsb_interval, win_rate_of
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig, Interval

SIGNS: Mapping[str | None, int] = {"a": 1, "tie": 0, "b": -1}
"""Of verdicts, for the first system."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairResult:
    """Some comparisons of one system with another.

    Attributes:
      counted: the verdicts; the first system is a.
      gsb: (wins - losses) / verdicts, in [-1, 1]; NaN without a verdict.
      win_rate: (wins + ties / 2) / verdicts, in [0, 1]; likewise.
    """

    counted: Tally
    gsb: Interval
    win_rate: Interval


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairSummary:
    """All comparisons of one system with another.

    Attributes:
      first: a system.
      second: another.
      overall: all of them.
      tasks: by task.
      languages: by language of the instruction.
    """

    first: str
    second: str
    overall: PairResult
    tasks: Mapping[str, PairResult]
    languages: Mapping[str, PairResult]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spent:
    """What comparisons took.

    Attributes:
      num_asked: comparisons that the judge was asked about.
      tokens: mean of one of them, read and written, all orders and votes together; None
        where none was asked.
      cost: of all of them, as first paid; None where prices were not known, or were in
        several currencies.
      currency: of the cost; None without one.
    """

    num_asked: int
    tokens: float | None
    cost: float | None
    currency: str | None


def summarise_pairs(
    comparisons: Iterable[Comparison], config: BootstrapConfig
) -> tuple[PairSummary, ...]:
    """Counts the comparisons of every two systems.

    Args:
      comparisons: by one judge, those without a verdict among them.
      config: of the intervals; cases are drawn anew with both their languages.
    """
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for one in comparisons:
        groups.setdefault((one.system_a, one.system_b), []).append(one)
    return tuple(
        PairSummary(
            first=first,
            second=second,
            overall=_result(found, config),
            tasks={
                task: _result([one for one in found if one.task == task], config)
                for task in sorted({one.task for one in found})
            },
            languages={
                name: _result([one for one in found if one.language == name], config)
                for name in sorted({one.language for one in found})
            },
        )
        for (first, second), found in groups.items()
    )


def spent(comparisons: Iterable[Comparison]) -> Spent:
    """Sums tokens and money up; pairs that lack a picture cost nothing."""
    asked = [one for one in comparisons if one.votes]
    costs = [one.cost for one in asked if one.cost is not None]
    currencies = {one.currency for one in asked}
    is_priced = bool(asked) and len(costs) == len(asked) and len(currencies) == 1
    return Spent(
        num_asked=len(asked),
        tokens=statistics.fmean(one.tokens for one in asked) if asked else None,
        cost=sum(costs) if is_priced else None,
        currency=asked[0].currency if is_priced else None,
    )


def failures(comparisons: Iterable[Comparison]) -> Mapping[str, int]:
    """How many comparisons without a verdict have which status."""
    return collections.Counter(one.status for one in comparisons if one.verdict is None)


def _result(comparisons: Sequence[Comparison], config: BootstrapConfig) -> PairResult:
    judged = [one for one in comparisons if one.verdict is not None]
    gsb = gsb_interval(judged, [SIGNS[one.verdict] for one in judged], config)
    return PairResult(counted=tally(comparisons), gsb=gsb, win_rate=win_rate_of(gsb))
