"""Two judges, or one at two dates, compared on the pictures both have judged."""

import dataclasses
import statistics
from collections.abc import Callable, Iterable, Mapping

from scipy import stats

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.judgement import Judgement


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far two judges agree in one score.

    Attributes:
      num: pictures.
      exact: share with equal scores, in [0, 1].
      within_one: share at most 1 apart.
      spearman: rank correlation, in [-1, 1]; None for fewer than two pictures, or where
        a judge gives them all the same.
      mean_shift: mean of the second minus the first.
      mean_distance: mean of the absolute difference.
    """

    num: int
    exact: float
    within_one: float
    spearman: float | None
    mean_shift: float
    mean_distance: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difference:
    """Two sets of judgements.

    Attributes:
      num_both: pictures that both judged with status ok.
      num_first: that only the first did.
      num_second: that only the second did.
      scores: agreement in `overall`, `semantic` and `quality`, where both have them.
    """

    num_both: int
    num_first: int
    num_second: int
    scores: Mapping[str, Agreement]


_SCORES: Mapping[str, Callable[[Judgement], float | None]] = {
    "overall": lambda one: one.overall,
    "semantic": lambda one: one.semantic,
    "quality": lambda one: one.quality,
}


def difference(first: Iterable[Judgement], second: Iterable[Judgement]) -> Difference:
    """Compares two sets of judgements of the same pictures.

    Args:
      first: by one judge.
      second: by another, or at another date.

    Raises:
      UserError: they have no picture in common, judged two prompts' pictures twice, or
        judged different pictures under one name.
    """
    one, two = _by_picture(first), _by_picture(second)
    both = [key for key in one if key in two]
    for key in both:
        if one[key].content != two[key].content:
            raise UserError(
                f"the picture of {key[0]} for {key[1]} is not the one that was judged "
                "before, so the judges cannot be compared on it"
            )
    answered = [
        key for key in both if one[key].status == "ok" and two[key].status == "ok"
    ]
    if not answered:
        raise UserError("the two judges have no picture in common")
    scores = {}
    for name, score in _SCORES.items():
        pairs = [(score(one[key]), score(two[key])) for key in answered]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        if known:
            scores[name] = agreement([a for a, _ in known], [b for _, b in known])
    return Difference(
        num_both=len(answered),
        num_first=sum(x.status == "ok" for x in one.values()) - len(answered),
        num_second=sum(x.status == "ok" for x in two.values()) - len(answered),
        scores=scores,
    )


def agreement(first: list[float], second: list[float]) -> Agreement:
    """Compares two lists of scores of the same pictures, at least one."""
    shifts = [b - a for a, b in zip(first, second, strict=True)]
    distances = [abs(shift) for shift in shifts]
    spearman = None
    if len(set(first)) > 1 and len(set(second)) > 1:
        spearman = float(stats.spearmanr(first, second).statistic)
    return Agreement(
        num=len(shifts),
        exact=statistics.fmean(distance == 0 for distance in distances),
        within_one=statistics.fmean(distance <= 1 for distance in distances),
        spearman=spearman,
        mean_shift=statistics.fmean(shifts),
        mean_distance=statistics.fmean(distances),
    )


def _by_picture(
    judgements: Iterable[Judgement],
) -> dict[tuple[str, str], Judgement]:
    found: dict[tuple[str, str], Judgement] = {}
    for one in judgements:
        key = (one.system, one.prompt)
        if key in found:
            raise UserError(
                f"{one.system} has two judgements for {one.prompt}; compare the files "
                "of one judge each"
            )
        found[key] = one
    return found
