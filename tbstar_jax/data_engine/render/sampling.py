"""Random scenes from named seed spaces: no global state, the same in every process.

A generator is keyed by SHA-256 over (space, seed, index, stream), so the spaces `base`,
`stage1`, `stage2` and `heldout` never share a stream of random numbers.
"""

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from tbstar_jax.data_engine.render.props import PROP_WIDTHS
from tbstar_jax.data_engine.render.renderer import PROP_DISTANCE
from tbstar_jax.data_engine.render.scene import (
    COLORS,
    FAMILIES,
    LABEL_STYLES,
    LABEL_TEXTS,
    PROPS,
    RGB,
    SETTINGS,
    WATERMARK_TEXTS,
    Background,
    Color,
    Family,
    Label,
    LabelStyle,
    Prop,
    Scene,
    Side,
    Size,
    Watermark,
    color_by_id,
)

T = TypeVar("T")

SIZES: tuple[Size, ...] = ((128, 128), (144, 112))
"""The two buckets of `tiny`: square and upright, rows x columns, pixels."""

_PROP_COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Needs:
    """What a scene must contain for an edit to make sense.

    Attributes:
      label: a printed text: True, False, or None for "as it falls".
      prop: a second object.
      watermark: an overlay text.
      white: a pure white background.
    """

    label: bool | None = None
    prop: bool | None = None
    watermark: bool | None = None
    white: bool | None = None


def generator(space: str, seed: int, index: int, stream: str) -> np.random.Generator:
    """Makes the random generator of one purpose of one example.

    Args:
      space: seed space, the data set's name.
      seed: the user's seed.
      index: number of the example in its space.
      stream: what the numbers are for.

    Returns:
      A generator that depends on these four alone.
    """
    digest = hashlib.sha256(f"{space}/{seed}/{index}/{stream}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def choose(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Draws one of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draws from [low, high], rounded to 0.001 so that parameters print exactly."""
    return round(low + (high - low) * float(rng.random()), 3)


def _decide(rng: np.random.Generator, wish: bool | None, chance: float) -> bool:
    drawn = bool(rng.random() < chance)
    return drawn if wish is None else wish


def stands_out(first: RGB, second: RGB, distance: float = 60.0) -> bool:
    """Whether two colours differ enough to be told apart in a small picture."""
    return (
        float(np.linalg.norm(np.subtract(first, second, dtype=np.float64))) > distance
    )


def sample_size(rng: np.random.Generator) -> Size:
    """Draws a bucket: three quarters square, one quarter upright."""
    return SIZES[0] if rng.random() < 0.75 else SIZES[1]


def sample_scene(rng: np.random.Generator, size: Size, needs: Needs) -> Scene:
    """Draws a product photo.

    Args:
      rng: its source of random numbers.
      size: rows and columns, pixels.
      needs: what must or must not be in it.

    Returns:
      A scene whose product can be told from its background.
    """
    family = choose(rng, FAMILIES)
    background = sample_background(rng, needs.white)
    color = sample_product_color(rng, background)
    label = None
    if _decide(rng, needs.label, 0.7):
        label = Label(text=choose(rng, LABEL_TEXTS), style=_label_style(rng, color))
    prop = None
    if _decide(rng, needs.prop, 0.35):
        prop = sample_prop(rng, color, background)
    watermark = None
    if _decide(rng, needs.watermark, 0.2):
        watermark = sample_watermark(rng, background)
    prop_side: Side = "right" if rng.random() < 0.5 else "left"
    light: Side = "right" if rng.random() < 0.5 else "left"
    height, offset = _place(rng, size, family, prop, prop_side)
    lowest = 0.5 + 0.5 * height + uniform(rng, 0.02, 0.08)
    return Scene(
        size=size,
        family=family,
        color=color,
        label=label,
        background=background,
        prop=prop,
        watermark=watermark,
        light=light,
        prop_side=prop_side,
        offset=offset,
        height=height,
        ground=round(min(0.89, max(0.80, lowest)), 3),
        shadow=uniform(rng, 0.35, 0.55),
    )


def _place(
    rng: np.random.Generator, size: Size, family: Family, prop: Prop | None, side: Side
) -> tuple[float, float]:
    """Fits product and prop between the margins: height, and shift to the right."""
    rows, columns = size
    near, far = family.reach
    beside = 0.0
    if prop is not None:
        beside = 0.5 * PROP_WIDTHS[prop.kind.id] * prop.height * min(size)
        beside, near = (1.0 + PROP_DISTANCE) * beside, family.foot
    room = 0.92 * columns
    tallest = (room - beside) / ((near + far) * rows)
    height = min(uniform(rng, 0.60, 0.78), math.floor(tallest * 1000.0) / 1000.0)
    # Widths beside the product's axis, fractions of the canvas.
    near_width = (near * height * rows + beside) / columns
    far_width = far * height * rows / columns
    slack = max(0.0, 0.92 - near_width - far_width)
    shift = uniform(rng, -0.5, 0.5) * min(slack, 0.10)
    centred = 0.5 * (far_width - near_width)
    return height, round((centred if side == "right" else -centred) + shift, 3)


def sample_background(rng: np.random.Generator, is_white: bool | None) -> Background:
    """Draws a background; `is_white` asks for (or rules out) pure white."""
    if _decide(rng, is_white, 0.15):
        setting = SETTINGS[0]
    else:
        setting = choose(rng, SETTINGS[1:])
    tone = choose(rng, setting.tones)
    return Background(setting=setting, tone=tone, seed=int(rng.integers(2**31)))


def sample_product_color(
    rng: np.random.Generator, background: Background, other: Color | None = None
) -> Color:
    """Draws a product colour that stands out from the background and from `other`."""
    choices = [
        color
        for color in COLORS
        if stands_out(color.rgb, background.tone.rgb)
        and (other is None or stands_out(color.rgb, other.rgb))
    ]
    return choose(rng, choices)


def sample_prop(
    rng: np.random.Generator, product: Color, background: Background
) -> Prop:
    """Draws a small object of another colour than product and background."""
    colors = [
        color
        for color in map(color_by_id, _PROP_COLORS)
        if stands_out(color.rgb, product.rgb)
        and stands_out(color.rgb, background.tone.rgb)
    ]
    return Prop(
        kind=choose(rng, PROPS),
        color=choose(rng, colors),
        height=uniform(rng, 0.24, 0.32),
    )


def sample_watermark(rng: np.random.Generator, background: Background) -> Watermark:
    """Draws an overlay that can be seen: dark on light, white on dark backgrounds."""
    brightness = float(np.mean(background.tone.rgb))
    return Watermark(
        text=choose(rng, WATERMARK_TEXTS),
        layout="diagonal" if rng.random() < 0.5 else "tiled",
        gray=70 if brightness > 175 else 255,
        opacity=uniform(rng, 0.35, 0.55),
    )


def sample_other_text(rng: np.random.Generator, text: str) -> str:
    """Draws a label text that differs from `text`."""
    return choose(rng, [other for other in LABEL_TEXTS if other != text])


def _label_style(rng: np.random.Generator, product: Color) -> LabelStyle:
    return choose(
        rng, [style for style in LABEL_STYLES if stands_out(style.plate, product.rgb)]
    )
