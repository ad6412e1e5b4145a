"""Edits of arrangement and light: move, swap, light, shadow, a larger canvas."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tbstar_jax.data_engine.facts import Direction, Facts, Position
from tbstar_jax.data_engine.layout import vocabulary
from tbstar_jax.data_engine.layout.bases import (
    backdrop_noun,
    card_base,
    moves_of,
)
from tbstar_jax.data_engine.layout.card import (
    Background,
    Card,
    Placed,
    Product,
    Promo,
    Rect,
)
from tbstar_jax.data_engine.layout.edit import Edit, Wording
from tbstar_jax.data_engine.layout.films import light_layer
from tbstar_jax.data_engine.layout.naming import noun_of, object_facts, worded
from tbstar_jax.data_engine.layout.placement import Grounds, free_places, rect_at
from tbstar_jax.data_engine.layout.sampling import (
    EDGES,
    Base,
    PartId,
    fill_card,
    sample_light,
)
from tbstar_jax.data_engine.layout.vocabulary import Words
from tbstar_jax.data_engine.render.layers import compose
from tbstar_jax.data_engine.render.sampling import choose
from tbstar_jax.geometry import plan_outpaint

_MOVABLE: tuple[PartId, ...] = ("badge", "logo", "code", "price")


def move_part(rng: np.random.Generator, base: Base) -> Edit | None:
    """Puts a part in another free place."""
    id = choose(rng, _MOVABLE)
    before = fill_card(rng, base, (id,), int(rng.integers(1, 3)))
    if before is None:
        return None
    part = _placed(before, id)
    taken = [*base.taken, *_rects(before)]
    extent = (part.rect.height, part.rect.width)
    free = free_places(extent, EDGES, taken, base.margin)
    if not free:
        return None
    place, rect = choose(rng, free)
    moved = dataclasses.replace(part, place=place, rect=rect)
    facts = object_facts(part) | {"new_position": place}
    return Edit(
        task="move",
        before=before,
        after=before.plus(moved),
        wording="move",
        facts=Facts(**facts),
    )


def move_product(rng: np.random.Generator, card: Card) -> Edit | None:
    """Shifts the product and its shadow to the left or right."""
    product = _product(card)
    choices = moves_of(product.scene)
    if not choices:
        return None
    scene = choose(rng, choices)
    moved = dataclasses.replace(product, scene=scene)
    base = card_base(rng, card, [card.plus(moved)])
    before = fill_card(rng, base, (), int(rng.integers(1, 3)))
    if before is None:
        return None
    direction: Direction = "right" if scene.offset > product.scene.offset else "left"
    facts = object_facts(product) | {
        "direction": direction,
        "position": _column(product.scene.offset),
        "new_position": _column(scene.offset),
    }
    return Edit(
        task="move",
        before=before,
        after=before.plus(moved),
        wording="shift",
        facts=Facts(**facts),
    )


def swap_parts(rng: np.random.Generator, base: Base) -> Edit | None:
    """Lets two parts change places."""
    order = rng.permutation(len(_MOVABLE))
    ids = [_MOVABLE[int(k)] for k in order[:2]]
    before = fill_card(rng, base, ids, int(rng.integers(0, 2)))
    if before is None:
        return None
    first, second = (_placed(before, id) for id in ids)
    swapped = [
        dataclasses.replace(
            part,
            place=other.place,
            rect=rect_at(other.place, part.rect.height, part.rect.width, base.margin),
        )
        for part, other in ((first, second), (second, first))
    ]
    kept = [*base.taken, *_rects(before.without(*ids))]
    rects = [part.rect for part in swapped]
    if any(rect.overlaps(other) for rect in rects for other in kept):
        return None
    if rects[0].overlaps(rects[1]):
        return None
    one, two = noun_of(first), noun_of(second)
    facts = object_facts(first) | {
        **worded("other_object", two),
        "new_position": second.place,
        **worded("layout", _layout(one, first.place, two, second.place)),
        **worded("new_layout", _layout(one, second.place, two, first.place)),
    }
    return Edit(
        task="layout",
        before=before,
        after=before.plus(*swapped),
        wording="swap",
        facts=Facts(**facts),
    )


def light_shadow(rng: np.random.Generator, base: Base) -> Edit | None:
    """Adds or removes light; with a product also its shadow, or the light's side."""
    product = base.card.part("product")
    if isinstance(product, Product) and rng.random() < 0.6:
        return _product_light(rng, base, product)
    light = sample_light(rng, base)
    unlit = base.grounds.pictures[0]
    bright = compose(unlit / 255.0, [light_layer(light, base.card.size)])
    base = dataclasses.replace(base, grounds=Grounds([unlit, bright]))
    card = fill_card(rng, base, (), int(rng.integers(1, 3)))
    if card is None:
        return None
    lit = card.plus(light)
    noun = vocabulary.LIGHT_NOUNS[light.kind]
    if rng.random() < 0.5:
        return _light_edit(card, lit, "light_add", vocabulary.EVEN_LIGHT, noun)
    return _light_edit(lit, card, "light_remove", noun, vocabulary.EVEN_LIGHT)


def _product_light(
    rng: np.random.Generator, base: Base, product: Product
) -> Edit | None:
    card = fill_card(rng, base, (), int(rng.integers(1, 3)))
    if card is None:
        return None
    named = object_facts(product)
    kind = choose(rng, ("shadow_add", "shadow_remove", "light_turn"))
    if kind == "light_turn":
        side = product.scene.light
        scene = dataclasses.replace(
            product.scene, light="left" if side == "right" else "right"
        )
        turned = dataclasses.replace(product, scene=scene)
        old, new = _light_from(side), _light_from(scene.light)
        return _light_edit(card, card.plus(turned), "light_turn", old, new, named)
    bare = card.plus(dataclasses.replace(product, has_shadow=False))
    without, shadow = vocabulary.NO_SHADOW, vocabulary.SHADOW
    if kind == "shadow_add":
        return _light_edit(bare, card, "shadow_add", without, shadow, named)
    return _light_edit(card, bare, "shadow_remove", shadow, without, named)


def outpaint(
    rng: np.random.Generator, card: Card, base: Base | None = None
) -> Edit | None:
    """Shows a part of the picture on a grey canvas; the target is all of it.

    Args:
      rng: source of random numbers.
      card: what the target shows, without further parts.
      base: of a photo; None where the card has a product.
    """
    rows, columns = card.size
    direction: Direction = choose(rng, ("left", "right", "up", "down", "all sides"))
    share = 0.15 + 0.17 * float(rng.random())
    if direction == "all sides":
        share *= 0.6
    down, across = int(share * rows), int(share * columns)
    top = down if direction in ("up", "all sides") else 0
    bottom = down if direction in ("down", "all sides") else 0
    left = across if direction in ("left", "all sides") else 0
    right = across if direction in ("right", "all sides") else 0
    window = plan_outpaint(
        (rows - top - bottom, columns - left - right), card.size, (top, left)
    )
    # What the source does not show cannot be asked for, so no part may lie there.
    cut = [
        Rect(top=0.0, left=0.0, height=top / rows, width=1.0),
        Rect(top=1.0 - bottom / rows, left=0.0, height=bottom / rows, width=1.0),
        Rect(top=0.0, left=0.0, height=1.0, width=left / columns),
        Rect(top=0.0, left=1.0 - right / columns, height=1.0, width=right / columns),
    ]
    strips = tuple(rect for rect in cut if rect.height > 0 and rect.width > 0)
    if base is None:
        base = card_base(rng, card, taken=strips)
    base = dataclasses.replace(base, taken=(*base.taken, *strips), margin=0.03)
    whole = fill_card(rng, base, (), int(rng.integers(0, 3)))
    if whole is None:
        return None
    named: dict[str, Any] = {}
    if isinstance(card.backdrop, (Promo, Background)):
        named = worded("new_background", backdrop_noun(card.backdrop))
    return Edit(
        task="outpaint",
        before=whole,
        after=whole,
        wording="outpaint",
        facts=Facts(direction=direction, **named),
        window=window,
    )


def _light_edit(
    before: Card,
    after: Card,
    wording: Wording,
    old: Words,
    new: Words,
    named: Mapping[str, Any] | None = None,
) -> Edit:
    facts = {**(named or {}), **worded("light", old), **worded("new_light", new)}
    return Edit(
        task="light_shadow",
        before=before,
        after=after,
        wording=wording,
        facts=Facts(**facts),
    )


def _light_from(side: str) -> Words:
    return Words(f"light from the {side}", "左侧光线" if side == "left" else "右侧光线")


def _column(offset: float) -> Position:
    if offset < -0.1:
        return "left"
    return "right" if offset > 0.1 else "center"


def _layout(one: Words, at: Position, two: Words, there: Position) -> Words:
    first, second = vocabulary.POSITIONS[at], vocabulary.POSITIONS[there]
    return Words(
        f"{one.en} {first.en}, {two.en} {second.en}",
        f"{one.zh}在{first.zh}，{two.zh}在{second.zh}",
    )


def _placed(card: Card, id: PartId) -> Placed:
    part = card.part(id)
    assert isinstance(part, Placed), f"the card has no {id}"
    return part


def _product(card: Card) -> Product:
    part = card.part("product")
    assert isinstance(part, Product), "the card has no product"
    return part


def _rects(card: Card) -> Sequence[Rect]:
    return [part.rect for part in card.parts if isinstance(part, Placed)]
