"""From a card to pixels, and from two cards to a pair whose difference is proved.

The two pictures of a pair share every part they have in common, value for value. What
the other parts can reach is known from their alpha alone, and no pixel beyond that may
differ: asserted for every pair.
"""

import dataclasses
import functools
import hashlib

import numpy as np
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.data_engine.layout.backdrops import draw_promo
from tbstar_jax.data_engine.layout.card import (
    Backdrop,
    Badge,
    Card,
    Code,
    Damage,
    Frame,
    Light,
    Logo,
    Part,
    Photo,
    Price,
    Product,
    Promo,
    Text,
    Watermark,
)
from tbstar_jax.data_engine.layout.films import (
    damage_layer,
    light_layer,
    watermark_layers,
)
from tbstar_jax.data_engine.layout.shapes import (
    TEXT_BOXES,
    code_layers,
    form_layers,
    frame_layer,
    inner_box,
    logo_layer,
    pixel_box,
    shadow_layer,
)
from tbstar_jax.data_engine.layout.typesetting import text_layer
from tbstar_jax.data_engine.render.backgrounds import draw_background
from tbstar_jax.data_engine.render.layers import Layer, compose, support
from tbstar_jax.data_engine.render.renderer import draw_layers
from tbstar_jax.data_engine.render.scene import Background, Size, setting_by_id
from tbstar_jax.data_engine.templates import Pair

Pixels = UInt8[np.ndarray, "h w 3"]


class Drawing:
    """A card's backdrop and layers.

    Attributes:
      card: what was drawn.
      backdrop: opaque colours, [0, 1].
      layers: the layers of each part, by its id.
    """

    def __init__(
        self,
        card: Card,
        backdrop: Float[np.ndarray, "h w 3"],
        layers: dict[str, list[Layer]],
    ) -> None:
        self.card = card
        self.backdrop = backdrop
        self.layers = layers

    def above(self) -> list[Layer]:
        """All layers over the backdrop, lowest first."""
        return [layer for part in self.card.parts for layer in self.layers[part.id]]

    def picture(self) -> Pixels:
        """Composites everything and rounds once."""
        return compose(self.backdrop, self.above())

    def shows_backdrop(self) -> Bool[np.ndarray, "h w"]:
        """Marks the pixels where the backdrop is not wholly covered."""
        through = np.ones(self.card.size)
        for layer in self.above():
            rows, columns = layer.alpha.shape
            window = (
                slice(layer.top, layer.top + rows),
                slice(layer.left, layer.left + columns),
            )
            through[window] *= 1.0 - layer.alpha
        return through > 0


def photo_backdrop(photo: Pixels) -> Photo:
    """Names a picture by its pixels, to be the backdrop of a card."""
    content = repr(photo.shape).encode() + photo.tobytes()
    return Photo(digest=hashlib.sha256(content).hexdigest())


def draw(card: Card, photo: Pixels | None, like: Drawing | None = None) -> Drawing:
    """Draws a card.

    Args:
      card: its parameters.
      photo: the pixels of a photo backdrop, of the card's size; None for others.
      like: an earlier drawing, whose equal parts are reused.
    """
    layers: dict[str, list[Layer]] = {}
    for part in card.parts:
        is_same = like is not None and like.card.part(part.id) == part
        layers[part.id] = (
            like.layers[part.id] if like and is_same else _draw_part(part, card.size)
        )
    if like is not None and like.card.backdrop == card.backdrop:
        return Drawing(card, like.backdrop, layers)
    return Drawing(card, _draw_backdrop(card.backdrop, card.size, photo), layers)


def prove(source: Drawing, target: Drawing) -> Pair:
    """Composites an edit and proves that it changed only what it may.

    Args:
      source: the drawing before the edit.
      target: the drawing after it, made with `like=source`.

    Returns:
      Source, target and the exact mask.
    """
    before, after = source.card, target.card
    assert before.size == after.size, "an edit keeps the size of the canvas"
    orders = [
        [part.id for part in one.parts if other.part(part.id)]
        for one, other in ((before, after), (after, before))
    ]
    assert orders[0] == orders[1], "an edit keeps the order of the parts"
    first, second = source.picture(), target.picture()
    differs = np.any(first != second, axis=2)
    outside = differs & ~reach(source, target)
    assert not np.any(outside), "a pixel changed outside the edited layers"
    mask = np.where(differs, np.uint8(255), np.uint8(0))
    return Pair(source=first, target=second, change_mask=mask)


def reach(source: Drawing, target: Drawing) -> Bool[np.ndarray, "h w"]:
    """Marks every pixel that may differ between two drawings.

    Layers that both have, value for value and in the same order, are left out.
    """
    size = source.card.size
    region = np.zeros(size, dtype=bool)
    if source.card.backdrop != target.card.backdrop:
        region |= source.shows_backdrop() | target.shows_backdrop()
    for id in source.layers.keys() | target.layers.keys():
        old, new = source.layers.get(id, []), target.layers.get(id, [])
        if old is new:
            continue
        if len(old) == len(new):
            pairs = [
                layer
                for both in zip(old, new, strict=True)
                if not _equal(*both)
                for layer in both
            ]
            region |= support(pairs, size)
        else:
            region |= support([*old, *new], size)
    return region


def _equal(first: Layer, second: Layer) -> bool:
    return (
        (first.top, first.left) == (second.top, second.left)
        and np.array_equal(first.alpha, second.alpha)
        and np.array_equal(first.color, second.color)
    )


def _draw_backdrop(
    backdrop: Backdrop, size: Size, photo: Pixels | None
) -> Float[np.ndarray, "h w 3"]:
    if isinstance(backdrop, Photo):
        assert photo is not None, "the card's photo is not given"
        assert photo.shape[:2] == size, "the photo has another size than the card"
        return photo.astype(np.float64) / 255.0
    return _paint(backdrop, size)


# Parts are first placed on a drawn base and then drawn with it, a moment later.
@functools.lru_cache(maxsize=2)
def _paint(backdrop: Promo | Background, size: Size) -> Float[np.ndarray, "h w 3"]:
    if isinstance(backdrop, Promo):
        painted = draw_promo(backdrop, size)
    else:
        painted = draw_background(backdrop, size)
    painted.flags.writeable = False
    return painted


def _draw_part(part: Part, size: Size) -> list[Layer]:
    match part:
        case Text():
            return _draw_text(part, size)
        case Price():
            return _draw_price(part, size)
        case Badge():
            return _draw_badge(part, size)
        case Logo():
            return _draw_logo(part, size)
        case Code():
            return code_layers(pixel_box(part.rect, size), size, part.seed)
        case Frame():
            return [frame_layer(part.form, size, part.fill.rgb, part.thickness)]
        case Watermark():
            return watermark_layers(part, size)
        case Light():
            return [light_layer(part, size)]
        case Damage():
            return [damage_layer(part, size)]
        case Product():
            return list(_product_layers(part))


def _draw_text(part: Text, size: Size) -> list[Layer]:
    box = pixel_box(part.rect, size)
    layers = []
    if part.plate is not None:
        layers = form_layers("plate", box, size, fill=part.plate.rgb, rim=None)
        box = inner_box(box, (0.10, 0.05, 0.80, 0.90))
    line = text_layer(
        part.text,
        part.ink.rgb,
        box=box,
        size=size,
        weight=part.weight,
        align=part.align,
        max_lines=2,
        outline=part.outline,
    )
    return [*layers, line]


def _draw_price(part: Price, size: Size) -> list[Layer]:
    box = pixel_box(part.rect, size)
    layers = form_layers("pill", box, size, fill=part.plate.rgb, rim=None)
    ink = part.ink.rgb
    inner = (0.14, 0.10, 0.72, 0.80)
    if part.old_text is not None:
        inner = (0.12, 0.08, 0.76, 0.52)
        old = text_layer(
            part.old_text,
            ink,
            box=inner_box(box, (0.25, 0.63, 0.50, 0.29)),
            size=size,
            weight="regular",
            is_struck=True,
        )
        layers.append(old)
    main = text_layer(
        part.text, ink, box=inner_box(box, inner), size=size, weight="bold"
    )
    return [*layers, main]


def _draw_badge(part: Badge, size: Size) -> list[Layer]:
    box = pixel_box(part.rect, size)
    layers = []
    if part.shadow:
        layers.append(shadow_layer(part.form, box, size, opacity=part.shadow))
    layers += form_layers(part.form, box, size, fill=part.fill.rgb, rim=part.ink.rgb)
    text = text_layer(
        part.text,
        part.ink.rgb,
        box=inner_box(box, TEXT_BOXES[part.form]),
        size=size,
        weight="bold",
        max_lines=2,
        turn=part.turn,
    )
    return [*layers, text]


def _draw_logo(part: Logo, size: Size) -> list[Layer]:
    box = pixel_box(part.rect, size)
    plate = form_layers("plate", box, size, fill=part.plate, rim=None)
    top, left, height, width = inner_box(box, (0.12, 0.06, 0.76, 0.88))
    mark = logo_layer(part.form, (top, left, height, height), size, part.fill.rgb)
    beside = (top, left + 1.2 * height, height, width - 1.2 * height)
    name = text_layer(part.name, part.fill.rgb, box=beside, size=size, weight="bold")
    return [*plate, mark, name]


@functools.lru_cache(maxsize=2)
def _product_layers(part: Product) -> tuple[Layer, ...]:
    # The scene's background is not shown; white costs nothing.
    white = setting_by_id("white")
    blank = Background(setting=white, tone=white.tones[0], seed=0)
    parts = draw_layers(dataclasses.replace(part.scene, background=blank)).parts
    drawn = [parts["product"], parts["text"]]
    if part.has_shadow:
        drawn.insert(0, parts["product_shadow"])
    return tuple(layer for layer in drawn if isinstance(layer, Layer))
