"""The fixed edits by which a drifting judge is found out (`judge.canary`).

Twelve cases of the split `mini`, index 0, 256 x 256 pixels, in four ranks each:

    0 no change    1 half edit    2 warm cast of 6 levels    3 exact
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.audit.ladders import EXACT, HALF, NO_CHANGE
from tbstar_jax.evaluation.audit.local import half
from tbstar_jax.evaluation.audit.whole import warm
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Case, Language, Prompt
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.judge.canary import Rung
from tbstar_jax.evaluation.judge.item import Item, item_of

RANKS = (NO_CHANGE, HALF, "warm cast 6 levels", EXACT)
"""Steps of a ladder, worst first."""

_CAST = 6.0
"""Levels."""

_LEFT_OUT = ("material", "light_shadow", "layout", "repair_zoom")
"""Tasks in which a cast or half of the edit may be the lesser evil."""

CANARY_TASKS = tuple(task for task in BENCHMARK_TASKS if task not in _LEFT_OUT)

NUM_RUNGS = len(CANARY_TASKS) * len(RANKS)
"""48."""


def canary_ladder(num: int) -> Sequence[Rung]:
    """Draws the first `num` fixed edits, case by case; English and Chinese in turn.

    Raises:
      UserError: there are not so many, or fewer than all ranks of one case.
    """
    if not len(RANKS) <= num <= NUM_RUNGS:
        raise UserError(
            f"the canary cannot have {num} edits; choose {len(RANKS)} to {NUM_RUNGS}, "
            f"{NUM_RUNGS} for a record that others can compare with"
        )
    return tuple(itertools.islice(_rungs(), num))


def _rungs() -> Iterator[Rung]:
    for number, task in enumerate(CANARY_TASKS):
        case = make_case("mini", task, 0)
        pictures = (
            case.source,
            half(case),
            warm(case, _CAST, np.random.default_rng(0)),  # asks for no random number
            case.reference,
        )
        for rank, (step, picture) in enumerate(zip(RANKS, pictures, strict=True)):
            item = _item(case, "zh" if number % 2 else "en", step)
            yield Rung(item=item, answer=picture, rank=rank)


def _item(case: Case, language: Language, step: str) -> Item:
    item = item_of(Prompt(case=case, language=language))
    return dataclasses.replace(item, prompt=f"canary/{item.prompt}/{step}")
