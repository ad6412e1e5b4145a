"""What the parts of a drawing cover: their support, their bodies, the ink on them."""

import dataclasses

import numpy as np
from jaxtyping import Bool

from tbstar_jax.data_engine.layout.card import Price, Product
from tbstar_jax.data_engine.layout.drawing import Drawing
from tbstar_jax.data_engine.layout.naming import text_of
from tbstar_jax.data_engine.layout.pairs import Drawn
from tbstar_jax.data_engine.render.layers import Layer, support
from tbstar_jax.evaluation.cases.draft import no_mask

WORDLESS = ("recolor", "layout", "move")
"""Tasks that are about no text, even where one is on what they are about."""

_SEEN = 0.5


def part_support(drawing: Drawing, *ids: str) -> Bool[np.ndarray, "h w"]:
    """Marks every pixel that some parts of a drawing reach."""
    layers = [layer for id in ids for layer in drawing.layers.get(id, [])]
    return support(layers, drawing.card.size)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parts:
    """What an edit's parts cover.

    Attributes:
      ids: of the parts.
      before: where they are more than half opaque in the source.
      after: likewise in the reference.
      ink: of their texts in both.
    """

    ids: tuple[str, ...]
    before: Bool[np.ndarray, "h w"]
    after: Bool[np.ndarray, "h w"]
    ink: Bool[np.ndarray, "h w"]


def parts_of(drawn: Drawn) -> Parts:
    """Finds the parts that an edit changes, and what they cover."""
    old, new = drawn.edit.before, drawn.edit.after
    ids = tuple(
        dict.fromkeys(
            part.id
            for part in (*old.parts, *new.parts)
            if old.part(part.id) != new.part(part.id)
        )
    )
    ink = no_mask(old.size)
    for drawing in (drawn.source, drawn.target):
        for id in ids if drawn.edit.task not in WORDLESS else ():
            if drawing.card.part(id) and id != "product":
                for layer in print_layers(drawing, id):
                    ink |= _strong(layer, old.size)
    return Parts(
        ids=ids,
        before=covered_by(drawn.source, ids),
        after=covered_by(drawn.target, ids),
        ink=ink,
    )


def print_layers(drawing: Drawing, id: str) -> list[Layer]:
    """The layers with a part's texts; of a price with an old one, that one first."""
    part = drawing.card.part(id)
    assert part is not None, "the drawing lacks the part"
    if not text_of(part):
        return []
    layers = drawing.layers[id]
    has_two = isinstance(part, Price) and part.old_text is not None
    return layers[-2:] if has_two else layers[-1:]


def _strong(layer: Layer, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Marks where a layer is at least half as dense as at its densest."""
    marked = no_mask(size)
    rows, columns = layer.alpha.shape
    window = marked[layer.top : layer.top + rows, layer.left : layer.left + columns]
    if layer.alpha.size and layer.alpha.max() > 0:
        window |= layer.alpha >= _SEEN * layer.alpha.max()
    return marked


def covered_by(drawing: Drawing, ids: tuple[str, ...]) -> Bool[np.ndarray, "h w"]:
    """Marks where parts are more than half opaque, a product's shadow left out."""
    marked = no_mask(drawing.card.size)
    for id in ids:
        part = drawing.card.part(id)
        layers = drawing.layers.get(id, [])
        if isinstance(part, Product) and part.has_shadow:
            layers = layers[1:]
        for layer in layers:
            rows, columns = layer.alpha.shape
            marked[layer.top : layer.top + rows, layer.left : layer.left + columns] |= (
                layer.alpha > _SEEN
            )
    return marked
