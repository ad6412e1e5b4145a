"""How many cases a split has, and how large they are."""

import dataclasses
from collections.abc import Mapping

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Split


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitPlan:
    """A split.

    Attributes:
      num_per_task: cases of each of the 16 tasks.
      pixels: longer side of the pictures.
    """

    num_per_task: int
    pixels: int


SPLITS: Mapping[Split, SplitPlan] = {
    "smoke": SplitPlan(num_per_task=1, pixels=128),
    "mini": SplitPlan(num_per_task=5, pixels=256),
    "dev": SplitPlan(num_per_task=15, pixels=512),
    "test": SplitPlan(num_per_task=40, pixels=1024),
    "fresh": SplitPlan(num_per_task=40, pixels=1024),
    "hard": SplitPlan(num_per_task=10, pixels=512),
}
"""Splits that are drawn; `photo` is made from a user's photos."""


def split_plan(split: str) -> SplitPlan:
    """Finds a split.

    Raises:
      UserError: no drawn split has this name.
    """
    for name, plan in SPLITS.items():
        if name == split:
            return plan
    raise UserError(f"unknown split {split!r}; the splits are {', '.join(SPLITS)}")


def size_of(split: str, index: int) -> tuple[int, int]:
    """Rows and columns of a case: mostly square, a fifth upright, a fifth wide."""
    pixels = split_plan(split).pixels
    short = pixels * 3 // 4
    return {3: (pixels, short), 4: (short, pixels)}.get(index % 5, (pixels, pixels))


def case_names(split: str) -> list[tuple[str, int]]:
    """Task and index of every case of a split, task by task."""
    count = split_plan(split).num_per_task
    return [(task, index) for task in BENCHMARK_TASKS for index in range(count)]
