"""The two training mixtures: which pairs, and how much of each kind.

Stage 1 learns to edit: broad, all methods, flagged pairs too, JPEG allowed. Stage 2
learns to leave the rest alone: lossless pairs with a mask outside of which nothing
differs, made so (template, cut-out) or proved so (an expert's edit, pasted back); three
quarters of them show products as shops do.
"""

import dataclasses
import math
from typing import Any

from tbstar_jax.data_engine.store.query import Query
from tbstar_jax.errors import UserError

__all__ = ["STAGE1", "STAGE2", "Mixture", "Part"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """One kind of pair in a mixture.

    Attributes:
      name: lower-case letters, digits and underscores.
      weight: share of the batches, relative to the other parts'; positive.
      query: which pairs; those of an earlier part are not taken again.
    """

    name: str
    weight: float
    query: Query

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise UserError(
                f"the weight of part {self.name} is {self.weight}, but must be a "
                "positive number; leave the part out instead"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mixture:
    """What a stage trains on.

    Attributes:
      name: of its file.
      zh_share: how often a sample's instruction is Chinese where it has both languages;
        drawn anew for each sample (`data.transform.zh_share`).
      parts: in the order in which they take pairs.
    """

    name: str
    zh_share: float
    parts: tuple[Part, ...]


_BROAD = Query(statuses=("kept", "flagged"))
_STRICT = Query(is_lossless_only=True, is_mask_required=True)


def _part(name: str, weight: float, query: Query, **conditions: Any) -> Part:
    query = dataclasses.replace(query, **conditions)
    return Part(name=name, weight=weight, query=query)


STAGE1 = Mixture(
    name="stage1",
    zh_share=0.5,
    parts=(
        _part("template", 35.0, _BROAD, methods=("template", "render")),
        _part("cutout", 15.0, _BROAD, methods=("cutout",)),
        _part("expert", 25.0, _BROAD, methods=("expert",)),
        _part("in_context", 10.0, _BROAD, methods=("in_context",)),
        _part("imported", 15.0, _BROAD, methods=("import",)),
    ),
)
"""Broad: pattern shifting."""

STAGE2 = Mixture(
    name="stage2",
    zh_share=0.5,
    parts=(
        _part("identity", 5.0, _STRICT, tasks=("identity",)),
        _part("template", 50.0, _STRICT, methods=("template", "render")),
        _part("cutout", 25.0, _STRICT, methods=("cutout",)),
        _part(
            "proved",
            20.0,
            _STRICT,
            methods=("expert", "import"),
            max_scores={"filter/leak_share": 0.0},
        ),
    ),
)
"""Strict: exact preservation, products first."""
