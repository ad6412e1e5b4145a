"""Bootstrap intervals of means over a benchmark.

The macro mean is the mean over tasks of each task's mean. Cases are drawn anew within
their task, and every value of a case moves with it, so that both languages of a scene,
or all votes on it, count as one draw (evaluation.md 4.6). The micro mean is that of all
values; its cases are drawn from all tasks together.

A value that is NaN is left out and counted. How intervals are made: `strata.py`.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tbstar_jax.evaluation.statistics.resample import BootstrapConfig, Interval
from tbstar_jax.evaluation.statistics.sample import Sample
from tbstar_jax.evaluation.statistics.strata import (
    Stratum,
    interval_ends,
    strata_of,
    stratum_of,
)


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
    strata = strata_of(sample)
    if not strata:
        return _nothing(len(sample))
    return _interval(strata, sample, config)


def micro_interval(sample: Sample, config: BootstrapConfig) -> Interval:
    """Mean over all values; cases are drawn from all tasks together."""
    found = stratum_of(sample)
    return (
        _nothing(len(sample))
        if found is None
        else _interval({"": found}, sample, config)
    )


def task_intervals(sample: Sample, config: BootstrapConfig) -> dict[str, Interval]:
    """Mean of each task, by name."""
    tasks = np.array(sample.tasks, dtype=object)
    return {
        task: macro_interval(sample.where(tasks == task), config)
        for task in sorted(set(sample.tasks))
    }


def macro_mean(sample: Sample) -> float:
    """`macro_interval`'s mean alone, without a resample; NaN where nothing has one."""
    means = list(task_means(sample).values())
    return np.mean(means).item() if means else float("nan")


def task_means(sample: Sample) -> dict[str, float]:
    """`task_intervals`' means alone, of the tasks that have one."""
    return {task: stratum.mean for task, stratum in strata_of(sample).items()}


def _interval(
    strata: Mapping[str, Stratum], sample: Sample, config: BootstrapConfig
) -> Interval:
    """Of the mean over strata, at least one."""
    found = strata.values()
    mean = np.mean([stratum.mean for stratum in found]).item()
    low, high = interval_ends(mean, strata, {}, sample.bounds, config)
    num_prompts = sum(stratum.num_prompts for stratum in found)
    return Interval(
        mean=mean,
        low=low,
        high=high,
        num_prompts=num_prompts,
        num_cases=sum(stratum.num_cases for stratum in found),
        num_left_out=len(sample) - num_prompts,
    )


def _nothing(size: int) -> Interval:
    nan = float("nan")
    return Interval(
        mean=nan, low=nan, high=nan, num_prompts=0, num_cases=0, num_left_out=size
    )
