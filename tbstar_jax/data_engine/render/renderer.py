"""From scene parameters to pixels, in a fixed order of layers.

Background, shadow of the product, shadow of the prop, prop, product (with its label
plate), label text, watermark. `draw_layers` redraws only what differs from an earlier
scene, so the two pictures of an editing pair share every other layer, value for value.
"""

from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.data_engine.render.backgrounds import draw_background
from tbstar_jax.data_engine.render.layers import Layer, Pen, compose, support
from tbstar_jax.data_engine.render.overlays import (
    shadow_layer,
    text_layer,
    watermark_layer,
)
from tbstar_jax.data_engine.render.products import (
    LABEL_BOXES,
    draw_plate,
    draw_product,
)
from tbstar_jax.data_engine.render.props import PROP_WIDTHS, draw_prop
from tbstar_jax.data_engine.render.scene import Scene

Part = Literal[
    "background",
    "product_shadow",
    "prop_shadow",
    "prop",
    "product",
    "text",
    "watermark",
]
PARTS: tuple[Part, ...] = get_args(Part)
"""All parts of a picture, lowest first."""

PROP_DISTANCE = 0.80
"""From the product's foot to the prop's axis, in half widths of the prop."""

Drawing: TypeAlias = Float[np.ndarray, "h w 3"] | Layer | None


class Layers:
    """The drawn parts of one scene.

    Attributes:
      scene: what was drawn.
      parts: the background as an opaque picture, every other part as a layer, or None
        where the scene has no such thing.
    """

    def __init__(self, scene: Scene, parts: dict[Part, Drawing]) -> None:
        self.scene = scene
        self.parts = parts

    def above(self) -> list[Layer]:
        """All layers over the background, lowest first."""
        drawn = [self.parts[part] for part in PARTS[1:]]
        return [layer for layer in drawn if isinstance(layer, Layer)]

    def picture(self) -> UInt8[np.ndarray, "h w 3"]:
        """Composites the parts and rounds once."""
        background = self.parts["background"]
        assert isinstance(background, np.ndarray)
        return compose(background, self.above())

    def reach(self, part: Part) -> Bool[np.ndarray, "h w"]:
        """Marks the pixels whose colour this part can influence."""
        if part == "background":
            through = np.ones(self.scene.size)
            for layer in self.above():
                rows, columns = layer.alpha.shape
                window = (
                    slice(layer.top, layer.top + rows),
                    slice(layer.left, layer.left + columns),
                )
                through[window] *= 1.0 - layer.alpha
            return through > 0
        drawn = self.parts[part]
        return support([drawn] if isinstance(drawn, Layer) else [], self.scene.size)


def draw_layers(scene: Scene, like: Layers | None = None) -> Layers:
    """Draws a scene.

    Args:
      scene: its parameters.
      like: an earlier drawing whose parts are reused where both scenes agree on
        everything the part depends on.

    Returns:
      All parts, ready to be composited.
    """
    parts: dict[Part, Drawing] = {}
    for part in PARTS:
        is_same = like is not None and depends_on(scene, part) == depends_on(
            like.scene, part
        )
        parts[part] = like.parts[part] if like and is_same else _draw(scene, part)
    return Layers(scene, parts)


def render(scene: Scene) -> UInt8[np.ndarray, "h w 3"]:
    """Draws a scene from nothing: the same parameters always give the same bytes."""
    return draw_layers(scene).picture()


def depends_on(scene: Scene, part: Part) -> tuple[object, ...]:
    """The parameters a part is drawn from; equal ones give equal layers."""
    place = (scene.size, scene.family, scene.offset, scene.height, scene.ground)
    sides = (scene.light, scene.prop_side)
    label, prop = scene.label, scene.prop
    match part:
        case "background":
            return (scene.size, scene.background)
        case "product_shadow":
            return (place, sides, scene.shadow)
        case "prop_shadow" | "prop":
            return (place, sides, scene.shadow, prop)
        case "product":
            return (place, sides, scene.color, label.style if label else None)
        case "text":
            return (place, sides, label)
        case "watermark":
            return (scene.size, scene.watermark)


def product_box(scene: Scene) -> tuple[float, float, float]:
    """Column of the product's axis, row of its ground line, and its height, pixels."""
    rows, columns = scene.size
    return (0.5 + scene.offset) * columns, scene.ground * rows, scene.height * rows


def _prop_box(scene: Scene) -> tuple[float, float, float]:
    assert scene.prop is not None
    center, ground, height = product_box(scene)
    prop_height = scene.prop.height * min(scene.size)
    half = 0.5 * PROP_WIDTHS[scene.prop.kind.id] * prop_height
    away = scene.family.foot * height + PROP_DISTANCE * half
    side = 1.0 if scene.prop_side == "right" else -1.0
    return center + side * away, ground - 0.012 * scene.size[0], prop_height


def _draw(scene: Scene, part: Part) -> Drawing:
    match part:
        case "background":
            return draw_background(scene.background, scene.size)
        case "product_shadow":
            center, ground, height = product_box(scene)
            return _shadow(scene, center, ground, scene.family.foot * height)
        case "prop_shadow" | "prop":
            return _prop(scene, part) if scene.prop else None
        case "product":
            return _product(scene)
        case "text":
            return _text(scene) if scene.label else None
        case "watermark":
            mark = scene.watermark
            return watermark_layer(mark, scene.size) if mark else None


def _shadow(scene: Scene, center: float, ground: float, half_width: float) -> Layer:
    return shadow_layer(
        center=center,
        ground=ground,
        half_width=half_width,
        size=scene.size,
        light=scene.light,
        dark=scene.shadow,
    )


def _prop(scene: Scene, part: Part) -> Layer:
    assert scene.prop is not None
    center, ground, height = _prop_box(scene)
    half = 0.5 * PROP_WIDTHS[scene.prop.kind.id]
    if part == "prop_shadow":
        return _shadow(scene, center, ground, 0.85 * half * height)
    pen = Pen(scene.size, center=center, ground=ground, height=height, half_width=half)
    light = -1.0 if scene.light == "left" else 1.0
    draw_prop(pen, scene.prop.kind.id, scene.prop.color.rgb, light)
    return pen.layer()


def _is_flipped(scene: Scene) -> bool:
    """A mug's handle and a shoe's toe point away from the prop."""
    return scene.prop_side == "right"


def _product(scene: Scene) -> Layer:
    center, ground, height = product_box(scene)
    is_flipped = _is_flipped(scene)
    pen = Pen(
        scene.size,
        center=center,
        ground=ground,
        height=height,
        half_width=max(scene.family.reach),
        flip=is_flipped,
    )
    light = (-1.0 if scene.light == "left" else 1.0) * (-1.0 if is_flipped else 1.0)
    draw_product(pen, scene.family.id, scene.color.rgb, light)
    if scene.label:
        draw_plate(pen, scene.family.id, scene.label.style.plate, light)
    return pen.layer()


def _text(scene: Scene) -> Layer:
    assert scene.label is not None
    center, ground, height = product_box(scene)
    x, y, width, tall = LABEL_BOXES[scene.family.id]
    mirror = -1.0 if _is_flipped(scene) else 1.0
    return text_layer(
        scene.label.text,
        scene.label.style.ink,
        center=(ground - height + y * height, center + mirror * x * height),
        box=(0.66 * tall * height, 0.84 * width * height),
        size=scene.size,
    )
