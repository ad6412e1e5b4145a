"""One system on two sets of cases: the gap between two independent samples.

    first - second, the mean over tasks k of  mean(first in k) - mean(second in k)

Only tasks that both samples have a number for enter: another mix of tasks would be
taken for a gap. Cases of both samples are drawn anew, independently, within their task,
both languages of a case together; a case of one sample is never one of the other's,
even under the same id. How intervals are made: `strata.py`.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tbstar_jax.evaluation.statistics.sample import Sample
from tbstar_jax.evaluation.statistics.strata import (
    Stratum,
    interval_ends,
    strata_of,
    stratum_of,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gap:
    """A first sample less a second one, in the unit of the measure.

    Attributes:
      mean: difference of the means; NaN where both are infinite alike.
      low: lower end of its interval; NaN where a stratum of either has a single case.
      high: upper end; likewise.
      means: of the first and of the second, over the tasks of both.
      num_prompts: values in each of them.
      num_cases: cases these belong to: they were drawn anew.
      tasks_left_out: tasks that only one of the two has a number for.
    """

    mean: float
    low: float
    high: float
    means: tuple[float, float]
    num_prompts: tuple[int, int]
    num_cases: tuple[int, int]
    tasks_left_out: tuple[str, ...]


def macro_gap(first: Sample, second: Sample, config: BootstrapConfig) -> Gap | None:
    """Mean over tasks of the difference; None where they have no task in common."""
    one, other = strata_of(first), strata_of(second)
    common = [task for task in one if task in other]
    if not common:
        return None
    return _gap(
        {task: one[task] for task in common},
        {task: other[task] for task in common},
        _bounds(first, second),
        tuple(sorted(one.keys() ^ other.keys())),
        config,
    )


def micro_gap(first: Sample, second: Sample, config: BootstrapConfig) -> Gap | None:
    """Difference of the means over prompts; cases are drawn from all tasks together.

    None where the samples have no task in common.
    """
    tasks = [set(strata_of(sample)) for sample in (first, second)]
    common = tasks[0] & tasks[1]
    kept = [
        sample.where(np.array([task in common for task in sample.tasks], bool))
        for sample in (first, second)
    ]
    one, other = (stratum_of(sample) for sample in kept)
    if one is None or other is None:
        return None
    left_out = tuple(sorted(tasks[0] ^ tasks[1]))
    return _gap({"": one}, {"": other}, _bounds(first, second), left_out, config)


def _bounds(first: Sample, second: Sample) -> tuple[float, float]:
    """Between which a difference lies."""
    return first.bounds[0] - second.bounds[1], first.bounds[1] - second.bounds[0]


def _gap(
    first: Mapping[str, Stratum],
    second: Mapping[str, Stratum],
    bounds: tuple[float, float],
    tasks_left_out: tuple[str, ...],
    config: BootstrapConfig,
) -> Gap:
    """Of strata of the same names, at least one."""
    strata = (first.values(), second.values())
    with np.errstate(invalid="ignore"):  # infinities of both signs: no mean
        one, other = (np.mean([part.mean for part in side]).item() for side in strata)
    # The names choose the draws: one name on both sides would pair the resamples.
    low, high = interval_ends(
        one - other,
        {f"first {name}": part for name, part in first.items()},
        {f"second {name}": part for name, part in second.items()},
        bounds,
        config,
    )
    prompts = [sum(part.num_prompts for part in side) for side in strata]
    cases = [sum(part.num_cases for part in side) for side in strata]
    return Gap(
        mean=one - other,
        low=low,
        high=high,
        means=(one, other),
        num_prompts=(prompts[0], prompts[1]),
        num_cases=(cases[0], cases[1]),
        tasks_left_out=tasks_left_out,
    )
