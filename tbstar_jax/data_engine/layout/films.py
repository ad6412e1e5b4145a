"""What lies over a whole picture: watermarks, light, darkness, scratches, dust."""

import functools
import math

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFilter

from tbstar_jax.data_engine.fonts.loader import font, require_coverage
from tbstar_jax.data_engine.layout.card import Damage, Light, Rect, Watermark
from tbstar_jax.data_engine.layout.shapes import pixel_box
from tbstar_jax.data_engine.layout.typesetting import inked, text_layer
from tbstar_jax.data_engine.render.layers import Layer
from tbstar_jax.data_engine.render.scene import RGB, Size

MARK_CORNER = Rect(top=0.86, left=0.52, height=0.10, width=0.45)
"""Where a watermark in the corner lies."""

_SHEET_SCALE = 2
_WARM: RGB = (255, 246, 226)


def watermark_layers(mark: Watermark, size: Size) -> list[Layer]:
    """Draws a watermark.

    Args:
      mark: its parameters.
      size: canvas rows and columns, pixels.

    Returns:
      One layer; two where the text lies on a translucent band.
    """
    rows, columns = size
    ink = (mark.gray, mark.gray, mark.gray)
    if mark.pattern in ("diagonal", "tiled"):
        coverage = _sheet(mark.text, mark.pattern, mark.turn, size)
        return [inked(0, 0, coverage * mark.opacity, ink)]
    if mark.pattern == "corner":
        box = pixel_box(MARK_CORNER, size)
        line = text_layer(
            mark.text, ink, box=box, size=size, weight="bold", align="right"
        )
        return [_faded(line, mark.opacity)]
    box = (0.455 * rows, 0.04 * columns, 0.09 * rows, 0.92 * columns)
    line = text_layer(mark.text, ink, box=box, size=size, weight="bold")
    first, last = round(0.43 * rows), round(0.57 * rows)
    opposite = 255 - mark.gray
    band = np.full((max(1, last - first), columns), 0.45 * mark.opacity)
    return [
        inked(first, 0, band, (opposite, opposite, opposite)),
        _faded(line, mark.opacity),
    ]


def light_layer(light: Light, size: Size) -> Layer:
    """Draws dark corners, or warm light that falls in from one side."""
    y = ((np.arange(size[0]) + 0.5) / size[0])[:, None]
    x = ((np.arange(size[1]) + 0.5) / size[1])[None, :]
    if light.kind == "vignette":
        radius = np.hypot((x - 0.5) / 0.5, (y - 0.5) / 0.5)
        dark = np.clip((radius - 0.55) / 0.85, 0.0, 1.0) ** 1.5
        return inked(0, 0, dark * light.strength, (0, 0, 0))
    distance = {
        "left": np.hypot(x, 0.55 * (y - 0.35)),
        "right": np.hypot(1.0 - x, 0.55 * (y - 0.35)),
        "top": np.hypot(0.55 * (x - 0.5), y),
    }[light.kind]
    glow = np.clip(1.0 - distance / 0.95, 0.0, 1.0) ** 1.4
    return inked(0, 0, glow * light.strength, _WARM)


def damage_layer(damage: Damage, size: Size) -> Layer:
    """Draws thin scratches, specks of dust, or the ring a wet glass leaves."""
    rng = np.random.Generator(np.random.PCG64(damage.seed))
    scale = 2 if max(size) > 512 else 4
    rows, columns = size[0] * scale, size[1] * scale
    drawn = Image.new("L", (columns, rows))
    draw = ImageDraw.Draw(drawn)
    side = min(rows, columns)
    opacity = 0.85
    match damage.kind:
        case "scratch":
            for _ in range(int(rng.integers(3, 7))):
                path = _scratch(rng, rows, columns)
                draw.line(path, fill=255, width=max(scale, side // 170), joint="curve")
        case "dust":
            for _ in range(int(rng.integers(14, 30))):
                x, y = rng.random() * columns, rng.random() * rows
                radius = max(scale, (0.003 + 0.009 * rng.random()) * side)
                wide = radius * (0.6 + 0.8 * rng.random())
                draw.ellipse((x - wide, y - radius, x + wide, y + radius), fill=255)
        case "stain":
            opacity = 0.5
            radius = (0.10 + 0.08 * rng.random()) * side
            x = columns * (0.25 + 0.5 * rng.random())
            y = rows * (0.25 + 0.5 * rng.random())
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=120)
            width = max(scale, int(0.014 * side))
            corners = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(corners, outline=255, width=width)
            drawn = drawn.filter(ImageFilter.GaussianBlur(0.006 * side))
    coverage = np.asarray(drawn.reduce(scale), np.float64) / 255.0
    return inked(0, 0, coverage * opacity, (damage.gray,) * 3)


def _scratch(
    rng: np.random.Generator, rows: int, columns: int
) -> list[tuple[float, float]]:
    """A slightly bent line of a quarter to half the canvas."""
    angle = math.pi * rng.random()
    length = (0.25 + 0.3 * rng.random()) * min(rows, columns)
    x, y = columns * (0.1 + 0.8 * rng.random()), rows * (0.1 + 0.8 * rng.random())
    bend = 0.06 * length * (rng.random() - 0.5)
    steps = np.linspace(-0.5, 0.5, 9)
    return [
        (
            float(
                x + length * t * math.cos(angle) - bend * math.sin(angle) * 4 * t * t
            ),
            float(
                y + length * t * math.sin(angle) + bend * math.cos(angle) * 4 * t * t
            ),
        )
        for t in steps
    ]


def _faded(layer: Layer, opacity: float) -> Layer:
    return Layer(
        top=layer.top,
        left=layer.left,
        color=layer.color * opacity,
        alpha=layer.alpha * opacity,
    )


@functools.lru_cache(maxsize=16)
def _sheet(
    text: str, pattern: str, turn: float, size: Size
) -> Float[np.ndarray, "h w"]:
    """Coverage of a turned text, once or all over the canvas."""
    require_coverage(text)
    rows, columns = size[0] * _SHEET_SCALE, size[1] * _SHEET_SCALE
    reach = int(np.hypot(rows, columns)) + 2
    sheet = Image.new("L", (reach, reach))
    draw = ImageDraw.Draw(sheet)
    share = 0.80 if pattern == "diagonal" else 0.30
    reference = font("bold", 64).getlength(text)
    tallest = 0.30 * min(rows, columns)
    pixels = max(8, int(min(64 * share * min(rows, columns) / reference, tallest)))
    face = font("bold", pixels)
    left, top, right, bottom = (round(side) for side in face.getbbox(text))
    width, height = right - left, bottom - top
    corners = [((reach - width) // 2, (reach - height) // 2)]
    if pattern == "tiled":
        corners = [
            (x, y)
            for index, y in enumerate(range(0, reach, max(1, int(height * 3.2))))
            for x in range(-(index % 2) * int(0.8 * width), reach, int(width * 1.6))
        ]
    for x, y in corners:
        draw.text((x - left, y - top), text, fill=255, font=face)
    turned = sheet.rotate(turn, resample=Image.Resampling.BICUBIC)
    x, y = (reach - columns) // 2, (reach - rows) // 2
    drawn = turned.crop((x, y, x + columns, y + rows)).reduce(_SHEET_SCALE)
    coverage = np.asarray(drawn, np.float64) / 255.0
    coverage.flags.writeable = False
    return coverage
