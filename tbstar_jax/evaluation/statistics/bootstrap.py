"""Percentile intervals of means over a benchmark.

The macro mean is the mean over tasks of each task's mean. Cases are drawn anew within
their task, and every value of a case moves with it, so that both languages of a scene,
or all votes on it, count as one draw (evaluation.md 4.6). The micro mean is that of all
values; its cases are drawn from all tasks together.

A value that is NaN is left out and counted. A mean with an infinite value (PSNR of
equal pictures) is infinite.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from tbstar_jax.evaluation.statistics.resample import (
    BootstrapConfig,
    Interval,
    draw_counts,
    percentiles,
)
from tbstar_jax.evaluation.statistics.sample import Sample, codes_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slices:
    """One measure from every side.

    Attributes:
      macro: mean over tasks of the task's mean.
      micro: mean over prompts.
      tasks: mean of each task.
      languages: macro mean of the prompts in each language.
      tags: mean over the prompts with each tag, `name=value`.
    """

    macro: Interval
    micro: Interval
    tasks: Mapping[str, Interval]
    languages: Mapping[str, Interval]
    tags: Mapping[str, Interval]


def slices(sample: Sample, config: BootstrapConfig) -> Slices:
    """Computes every slice of a sample."""
    languages = np.array(sample.languages, dtype=object)
    tags = sorted(frozenset().union(*sample.tags))
    return Slices(
        macro=macro_interval(sample, config),
        micro=micro_interval(sample, config),
        tasks=task_intervals(sample, config),
        languages={
            language: macro_interval(sample.where(languages == language), config)
            for language in sorted(set(sample.languages))
        },
        tags={
            tag: micro_interval(
                sample.where(np.array([tag in row for row in sample.tags])), config
            )
            for tag in tags
        },
    )


def macro_interval(sample: Sample, config: BootstrapConfig) -> Interval:
    """Mean over tasks of the task's mean.

    Tasks without a value are left out of the mean. Where a task that is in it has a
    single case, its spread is unknown and the interval is NaN.
    """
    strata = _strata(sample)
    if not strata:
        return _nothing(len(sample))
    mean = np.mean([stratum.mean for stratum in strata.values()]).item()
    if min(len(stratum.counts) for stratum in strata.values()) < 2:
        ends = (float("nan"), float("nan"))
    else:
        total = np.zeros(config.num_resamples)
        for task, stratum in strata.items():
            total += stratum.resampled(config, task)
        ends = _ends(total / len(strata), config)
    return _interval(mean, ends, list(strata.values()), len(sample))


def micro_interval(sample: Sample, config: BootstrapConfig) -> Interval:
    """Mean over all values; cases are drawn from all tasks together."""
    return _single(_stratum(sample), len(sample), config, stratum="")


def task_intervals(sample: Sample, config: BootstrapConfig) -> dict[str, Interval]:
    """Mean of each task, by name."""
    tasks = np.array(sample.tasks, dtype=object)
    intervals = {}
    for task in sorted(set(sample.tasks)):
        own = sample.where(tasks == task)
        intervals[task] = _single(_stratum(own), len(own), config, stratum=task)
    return intervals


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Stratum:
    """Cases that are drawn together, as four numbers each.

    Attributes:
      sums: of the finite values.
      above: how many values are +inf.
      below: how many are -inf.
      counts: how many values there are.
    """

    sums: Float[np.ndarray, " cases"]
    above: Float[np.ndarray, " cases"]
    below: Float[np.ndarray, " cases"]
    counts: Float[np.ndarray, " cases"]

    @property
    def mean(self) -> float:
        """Of all values."""
        return self._means(np.ones((1, len(self.counts)))).item()

    def resampled(self, config: BootstrapConfig, stratum: str) -> np.ndarray:
        """The mean in each resample, `[resamples]`."""
        return self._means(draw_counts(len(self.counts), config, stratum))

    def _means(self, drawn: np.ndarray) -> np.ndarray:
        # An infinite summand would turn into NaN where its case is drawn zero times.
        means = drawn @ self.sums / (drawn @ self.counts)
        if not (self.above.any() or self.below.any()):
            return means
        means[drawn @ self.above > 0] += np.inf
        below = drawn @ self.below > 0
        with np.errstate(invalid="ignore"):  # both signs: no mean
            means[below] -= np.inf
        return means


def _stratum(sample: Sample) -> _Stratum | None:
    """None where no value is a number."""
    kept = sample.where(~np.isnan(sample.values))
    if not len(kept):
        return None
    _, case = codes_of(kept.cases)
    finite = np.isfinite(kept.values)
    return _Stratum(
        sums=np.bincount(case, np.where(finite, kept.values, 0.0)),
        above=np.bincount(case, kept.values == np.inf),
        below=np.bincount(case, kept.values == -np.inf),
        counts=np.bincount(case).astype(np.float64),
    )


def _strata(sample: Sample) -> dict[str, _Stratum]:
    tasks = np.array(sample.tasks, dtype=object)
    found = {task: _stratum(sample.where(tasks == task)) for task in sorted(set(tasks))}
    return {task: stratum for task, stratum in found.items() if stratum is not None}


def _single(
    found: _Stratum | None, size: int, config: BootstrapConfig, stratum: str
) -> Interval:
    if found is None:
        return _nothing(size)
    ends = (float("nan"), float("nan"))
    if len(found.counts) > 1:
        ends = _ends(found.resampled(config, stratum), config)
    return _interval(found.mean, ends, [found], size)


def _ends(resampled: np.ndarray, config: BootstrapConfig) -> tuple[float, float]:
    low, high = percentiles(resampled, config.level)
    return low.item(), high.item()


def _interval(
    mean: float, ends: tuple[float, float], strata: list[_Stratum], size: int
) -> Interval:
    num_prompts = int(sum(stratum.counts.sum() for stratum in strata))
    return Interval(
        mean=mean,
        low=ends[0],
        high=ends[1],
        num_prompts=num_prompts,
        num_cases=sum(len(stratum.counts) for stratum in strata),
        num_left_out=size - num_prompts,
    )


def _nothing(size: int) -> Interval:
    nan = float("nan")
    return Interval(
        mean=nan, low=nan, high=nan, num_prompts=0, num_cases=0, num_left_out=size
    )
