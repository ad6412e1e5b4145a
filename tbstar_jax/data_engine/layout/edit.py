"""The outcome of sampling an edit: two cards, what the edit is called, its facts."""

import dataclasses
from typing import Literal, TypeAlias

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.layout.card import Card
from tbstar_jax.geometry import OutpaintPlan

Wording: TypeAlias = Literal[
    "bg_white",
    "bg_scene",
    "recolor",
    "watermark_remove",
    "text_remove",
    "text_add",
    "text_replace",
    "text_translate",
    "price_replace",
    "object_add",
    "object_remove",
    "object_replace",
    "light_add",
    "light_remove",
    "light_turn",
    "shadow_add",
    "shadow_remove",
    "outpaint",
    "swap",
    "repair",
    "move",
    "shift",
    "identity",
]
"""How an edit is asked for: a task, or one of the kinds of edit that a task has."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edit:
    """A sampled edit.

    Attributes:
      task: id of `tbstar_jax/tasks.py`.
      before: the card in the source.
      after: the card in the target.
      wording: how it is asked for.
      facts: what is true of it.
      window: where the source lies on the target's canvas, if that grows.
    """

    task: str
    before: Card
    after: Card
    wording: Wording
    facts: Facts
    window: OutpaintPlan | None = None
