"""The same cases twice: two languages of one system, two systems on one benchmark."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.statistics.bootstrap import (
    macro_interval,
    micro_interval,
    task_intervals,
)
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig, Interval
from tbstar_jax.evaluation.statistics.sample import Sample, codes_of

_CHUNK = 1_000
"""Sign flips at a time: bounds the memory."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """A first system against a second one, on the prompts of both.

    Attributes:
      macro: first minus second, mean over tasks of the task's mean.
      micro: the same, mean over prompts.
      tasks: the same of each task.
      wins: share of prompts on which the first is better by more than `tolerance`.
      ties: share on which they differ by no more.
      losses: share on which the second is better.
      tolerance: in the unit of the measure.
      p_value: how often swapping the systems at random, case by case, gives a macro
        difference at least as large; NaN where a difference is infinite.
      num_common: prompts that both have a number for.
      num_undefined: prompts of both where one has NaN; left out.
      num_first_only: prompts that the second lacks; left out.
      num_second_only: prompts that the first lacks; left out.
    """

    macro: Interval
    micro: Interval
    tasks: Mapping[str, Interval]
    wins: float
    ties: float
    losses: float
    tolerance: float
    p_value: float
    num_common: int
    num_undefined: int
    num_first_only: int
    num_second_only: int


def language_difference(
    sample: Sample, config: BootstrapConfig, first: str = "en", second: str = "zh"
) -> Interval:
    """First language minus second, macro mean over cases that have both.

    Returns:
      One value per case; `num_left_out` counts cases without a number in one language.
    """
    values: dict[str, dict[str, float]] = {}
    tasks = dict(zip(sample.cases, sample.tasks, strict=True))
    rows = zip(sample.cases, sample.languages, sample.values, strict=True)
    for case, language, value in rows:
        known = values.setdefault(case, {})
        if language in known:
            raise ValueError(f"case {case} has two values in {language}")
        known[language] = value.item()
    cases = tuple(values)
    nan = float("nan")
    one, other = (
        np.array([values[case].get(name, nan) for case in cases])
        for name in (first, second)
    )
    least, most = sample.bounds
    return macro_interval(
        Sample(
            values=_minus(one, other),
            prompts=cases,
            cases=cases,
            tasks=tuple(tasks[case] for case in cases),
            languages=(f"{first}-{second}",) * len(cases),
            tags=(frozenset(),) * len(cases),
            bounds=(least - most, most - least),
        ),
        config,
    )


def compare(
    first: Sample,
    second: Sample,
    config: BootstrapConfig,
    *,
    tolerance: float,
    higher_is_better: bool,
) -> Comparison:
    """Compares two systems prompt by prompt.

    Args:
      first: one measure of one system, a value per prompt.
      second: the same measure of the other.
      config: of the intervals; also number and seed of the sign flips.
      tolerance: the largest difference that is a tie, in the unit of the measure.
      higher_is_better: which sign wins; differences keep theirs.

    Raises:
      UserError: no prompt has a number of both.
    """
    if tolerance < 0:
        raise ValueError(f"tolerance is {tolerance}, below 0")
    theirs = dict(zip(second.prompts, second.values, strict=True))
    is_common = np.array([prompt in theirs for prompt in first.prompts], bool)
    common = first.where(is_common)
    other = np.array([theirs[prompt] for prompt in common.prompts], np.float64)
    least, most = first.bounds
    both = dataclasses.replace(
        common, values=_minus(common.values, other), bounds=(least - most, most - least)
    )
    defined = both.where(~np.isnan(both.values))
    if not len(defined):
        raise UserError(
            f"the two systems have no prompt in common that both have a number for "
            f"({len(first)} and {len(second)} prompts, {len(common)} in common): "
            "score both on the same split"
        )
    gain = defined.values if higher_is_better else -defined.values
    return Comparison(
        macro=macro_interval(defined, config),
        micro=micro_interval(defined, config),
        tasks=task_intervals(defined, config),
        wins=np.mean(gain > tolerance).item(),
        ties=np.mean(np.abs(gain) <= tolerance).item(),
        losses=np.mean(gain < -tolerance).item(),
        tolerance=tolerance,
        p_value=_p_value(defined, config),
        num_common=len(defined),
        num_undefined=len(both) - len(defined),
        num_first_only=len(first) - len(common),
        num_second_only=len(second) - len(common),
    )


def _minus(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two infinite values of one sign are equal, not undefined."""
    with np.errstate(invalid="ignore"):
        return np.where(first == second, 0.0, first - second)


def _p_value(differences: Sample, config: BootstrapConfig) -> float:
    """Sign-flip test of the macro mean; all values of a case flip together."""
    if not np.isfinite(differences.values).all():
        return float("nan")
    tasks, task = codes_of(differences.tasks)
    _, case = codes_of(differences.cases)
    share = 1 / (len(tasks) * np.bincount(task))[task]
    parts = np.bincount(case, differences.values * share)
    # Rounding must not decide whether an assignment equals the observed one.
    observed = abs(parts.sum()) * (1 - 1e-9)
    generator = np.random.default_rng([config.seed, 1])
    extreme = 0
    for start in range(0, config.num_resamples, _CHUNK):
        rows = min(_CHUNK, config.num_resamples - start)
        signs = generator.integers(0, 2, (rows, len(parts)), np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ parts) >= observed).sum())
    return (1 + extreme) / (1 + config.num_resamples)
