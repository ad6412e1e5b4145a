"""The fixed edits by which a drifting judge is found out (`judge.canary`).

Twelve cases of the split `mini`, index 0, 256 x 256 pixels, in four ranks each:

    0 no change    1 half edit    2 warm cast of 12 levels    3 exact
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.audit.ladders import EXACT, case_ladder
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Case, Language, Prompt
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.judge.canary import Rung
from tbstar_jax.evaluation.judge.item import Item, item_of

RANKS = ("no change", "half edit", "warm cast 12 levels", EXACT)
"""Steps of a ladder, worst first."""

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
        ladder = case_ladder(case)
        for rank, step in enumerate(RANKS):
            yield Rung(
                item=_item(case, "zh" if number % 2 else "en", step),
                answer=ladder.image(step),
                rank=rank,
            )


def _item(case: Case, language: Language, step: str) -> Item:
    item = item_of(Prompt(case=case, language=language))
    return dataclasses.replace(item, prompt=f"canary/{item.prompt}/{step}")
