"""Krippendorff's alpha: how far raters agree beyond chance, missing votes allowed.

    alpha = 1 - (n - 1) sum_ck o_ck d_ck / sum_ck n_c n_k d_ck

over the coincidences o of the values of units that two or more raters judged
(Krippendorff, 2011, "Computing Krippendorff's Alpha-Reliability", sections C and D).
d is 1 for two different values (nominal), or the square of how many judgements lie
between the two, each end counting half (ordinal).
"""

import dataclasses
from typing import Literal

import numpy as np
from jaxtyping import Float

from tbstar_jax.evaluation.statistics.resample import (
    BootstrapConfig,
    draw_counts,
    percentiles,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agreement:
    """Alpha and its interval.

    Attributes:
      alpha: 1 agreement, 0 chance, negative below chance; NaN where no unit has two
        raters or every judgement is the same.
      low: of the interval over units; NaN where it cannot be had.
      high: likewise.
      num_units: units with two or more judgements.
      num_judgements: on these units.
      num_single: units with one judgement, which say nothing.
      num_undefined: resamples in which every judgement was the same; left out.
    """

    alpha: float
    low: float
    high: float
    num_units: int
    num_judgements: int
    num_single: int
    num_undefined: int


def krippendorff_alpha(
    ratings: Float[np.ndarray, "raters units"],
    scale: Literal["nominal", "ordinal"],
    config: BootstrapConfig,
) -> Agreement:
    """Computes alpha, and an interval by drawing units anew.

    Args:
      ratings: one value per rater and unit; NaN where a rater gave none.
      scale: whether the order of the values counts.
      config: of the interval.
    """
    given = ~np.isnan(ratings)
    num_raters = given.sum(0)
    pairable = num_raters > 1
    coincidences = _coincidences(ratings[:, pairable])
    alpha, low, high, num_undefined = float("nan"), float("nan"), float("nan"), 0
    num_units = int(pairable.sum())
    if num_units:
        alpha = _alpha(coincidences.sum(0)[None], scale).item()
    if num_units > 1:
        drawn = draw_counts(num_units, config, "")
        resampled = _alpha(np.tensordot(drawn, coincidences, 1), scale)
        defined = resampled[~np.isnan(resampled)]
        num_undefined = len(resampled) - len(defined)
        if len(defined):
            ends = percentiles(defined, config.level)
            low, high = ends[0].item(), ends[1].item()
    return Agreement(
        alpha=alpha,
        low=low,
        high=high,
        num_units=num_units,
        num_judgements=int(num_raters[pairable].sum()),
        num_single=int((num_raters == 1).sum()),
        num_undefined=num_undefined,
    )


def _coincidences(ratings: np.ndarray) -> np.ndarray:
    """Pairs of values in each unit, weighted by 1 / (raters - 1): `[units, v, v]`."""
    values = np.unique(ratings[~np.isnan(ratings)])
    counts = (ratings[:, :, None] == values).sum(0).astype(np.float64)  # [units, v]
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs -= counts[:, :, None] * np.eye(len(values))
    return pairs / (counts.sum(1) - 1)[:, None, None]


def _alpha(
    coincidences: np.ndarray, scale: Literal["nominal", "ordinal"]
) -> np.ndarray:
    """Alpha of each table, `[..., v, v] -> [...]`; NaN where only one value occurs."""
    totals = coincidences.sum(-1)  # n_c, [..., v]
    one, other = totals[..., :, None], totals[..., None, :]
    if scale == "nominal":
        distance = 1 - np.eye(totals.shape[-1])
    else:
        # From half of c, over all between, to half of k; counted from below.
        middle = np.cumsum(totals, -1) - totals / 2
        distance = (middle[..., :, None] - middle[..., None, :]) ** 2
    observed = (coincidences * distance).sum((-2, -1))
    expected = (one * other * distance).sum((-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha = 1 - (totals.sum(-1) - 1) * observed / expected
    return np.where(expected > 0, alpha, np.nan)
