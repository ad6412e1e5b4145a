"""Good less bad of comparisons of two systems, with an interval by case.

GSB is (G - B) / (G + S + B) over all verdicts, people's or a judge's: a tie counts in
the denominator alone. The win rate with half ties is (1 + GSB) / 2. Cases are drawn
anew with all their verdicts (evaluation.md 1.10).
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from tbstar_jax.evaluation.statistics.bootstrap import micro_interval
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig, Interval
from tbstar_jax.evaluation.statistics.sample import Sample


@runtime_checkable
class Compared(Protocol):
    """What a verdict was about."""

    @property
    def prompt(self) -> str:
        """Its id."""

    @property
    def case(self) -> str:
        """Of the prompt; drawn as one."""

    @property
    def task(self) -> str:
        """Of the prompt."""

    @property
    def language(self) -> str:
        """Of the instruction."""


def verdict_mean(
    verdicts: Sequence[Compared],
    values: Sequence[float],
    config: BootstrapConfig,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """Mean of a value per verdict; several verdicts may be on one prompt.

    Args:
      verdicts: what the values belong to.
      values: one per verdict.
      config: of the interval.
      bounds: the least and the largest value there can be.
    """
    sample = Sample(
        values=np.asarray(values, np.float64),
        prompts=tuple(one.prompt for one in verdicts),
        cases=tuple(one.case for one in verdicts),
        tasks=tuple(one.task for one in verdicts),
        languages=tuple(one.language for one in verdicts),
        tags=(frozenset[str](),) * len(verdicts),
        bounds=bounds,
    )
    num_prompts = len(set(sample.prompts))
    return dataclasses.replace(micro_interval(sample, config), num_prompts=num_prompts)


def gsb_interval(
    verdicts: Sequence[Compared], signs: Sequence[int], config: BootstrapConfig
) -> Interval:
    """GSB in [-1, 1]; NaN without a verdict.

    Args:
      verdicts: on one pair of systems.
      signs: 1 the first won, 0 tie, -1 the second won.
      config: of the interval.
    """
    return verdict_mean(verdicts, [float(one) for one in signs], config, (-1.0, 1.0))


def win_rate_of(gsb: Interval) -> Interval:
    """Win rate with half ties, in [0, 1]."""
    return dataclasses.replace(
        gsb, mean=(1 + gsb.mean) / 2, low=(1 + gsb.low) / 2, high=(1 + gsb.high) / 2
    )
