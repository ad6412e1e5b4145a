"""Cases drawn anew: how often each is drawn, for all resamples at once.

Of n cases, n - 1 are drawn with replacement. The variance of a mean over resamples is
then s^2 / n with s^2 the unbiased variance over cases; n draws would give (n - 1) / n
of it, which matters where a task has five cases (McCarthy and Snowden, 1985; Rao and
Wu, 1988, "Resampling inference with complex survey data", JASA 83, section 3).
"""

import dataclasses
import functools
import zlib

import numpy as np
from jaxtyping import Float

_CHUNK = 200
"""Resamples at a time: they stay in the cache."""

_MOST_KEPT = 1_000_000
"""Counts that are kept, of one stratum: 8 MB; a split of 80 cases needs 200 MB."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BootstrapConfig:
    """How intervals are made.

    Attributes:
      num_resamples: draws of the data.
      level: of the interval, in (0, 1).
      seed: of the draws.
    """

    num_resamples: int = 10_000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_resamples < 1:
            raise ValueError(f"num_resamples is {self.num_resamples}, not positive")
        if not 0 < self.level < 1:
            raise ValueError(f"level is {self.level}, not between 0 and 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and how far it may be off.

    Attributes:
      mean: of what was measured; NaN where nothing was.
      low: lower end; NaN where a single case says nothing about its spread.
      high: upper end; likewise.
      num_prompts: values in the mean.
      num_cases: cases they belong to: these were drawn anew.
      num_left_out: NaN values, not in the mean.
    """

    mean: float
    low: float
    high: float
    num_prompts: int
    num_cases: int
    num_left_out: int


def draw_counts(
    num_cases: int, config: BootstrapConfig, stratum: str
) -> Float[np.ndarray, "resamples cases"]:
    """How often each case is in each resample; read-only.

    A report has as many measures as draws are the same for, so they are kept.

    Args:
      num_cases: two or more.
      config: number and seed of the draws.
      stratum: what the cases belong to; strata are drawn independently, and one is
        drawn the same whichever others are there.
    """
    if num_cases < 2:
        raise ValueError(f"{num_cases} case cannot be resampled")
    if num_cases * config.num_resamples > _MOST_KEPT:
        return _drawn(num_cases, config, stratum)
    return _kept(num_cases, config, stratum)


def _drawn(
    num_cases: int, config: BootstrapConfig, stratum: str
) -> Float[np.ndarray, "resamples cases"]:
    generator = np.random.default_rng([config.seed, zlib.crc32(stratum.encode())])
    counts = np.empty((config.num_resamples, num_cases))
    for start in range(0, config.num_resamples, _CHUNK):
        part = counts[start : start + _CHUNK]
        drawn = generator.integers(0, num_cases, (len(part), num_cases - 1))
        drawn += np.arange(len(part))[:, None] * num_cases
        part.ravel()[:] = np.bincount(drawn.ravel(), minlength=part.size)
    counts.flags.writeable = False
    return counts


_kept = functools.lru_cache(maxsize=192)(_drawn)


def percentiles(
    resampled: Float[np.ndarray, "resamples ..."], level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of the percentile interval along the first dim.

    Order statistics, not interpolated: infinite means stay infinite.
    """
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], 0, method="inverted_cdf")
    return np.asarray(low), np.asarray(high)
