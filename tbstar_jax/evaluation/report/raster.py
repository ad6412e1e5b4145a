"""A drawing as pixels, in the typeface of the data engine."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from tbstar_jax.data_engine.fonts.loader import font
from tbstar_jax.evaluation.report.drawing import (
    LIGHT,
    Dot,
    Drawing,
    Length,
    Line,
    Rect,
    Shape,
    Text,
)

_SMOOTHING = 2
_ABSENT = str.maketrans(
    {"Δ": "d", "\u2212": "-", "≥": ">", "≤": "<", "∞": "inf", "…": "...", "\u00a0": " "}
)
"""What the typeface lacks, in letters it has."""

_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def raster(drawing: Drawing, scale: int = 2) -> UInt8[np.ndarray, "h w 3"]:
    """Draws it on white.

    Args:
      drawing: whose lengths are in CSS pixels.
      scale: pixels per CSS pixel.

    Returns:
      sRGB, 0..255.
    """
    zoom = scale * _SMOOTHING
    size = (round(drawing.width * zoom), round(drawing.height * zoom))
    canvas = Image.new("RGB", size, LIGHT["ground"])
    draw = ImageDraw.Draw(canvas)
    for shape in drawing.shapes:
        _draw(draw, shape, zoom)
    return np.asarray(canvas.reduce(_SMOOTHING))


def text_width(text: str, size: Length) -> float:
    """Width of a line of text, about, in the unit of its size."""
    return font("regular", 64).getlength(text.translate(_ABSENT)) * size / 64


def _draw(draw: ImageDraw.ImageDraw, shape: Shape, zoom: int) -> None:
    color = LIGHT.get(shape.color, shape.color)
    match shape:
        case Line():
            points = [(x * zoom, y * zoom) for x, y in shape.points]
            draw.line(points, color, max(1, round(shape.width * zoom)), "curve")
        case Rect():
            # Pillow's far corner is part of the rectangle.
            right = max(shape.x, shape.x + shape.width - 1 / zoom)
            bottom = max(shape.y, shape.y + shape.height - 1 / zoom)
            box = tuple(one * zoom for one in (shape.x, shape.y, right, bottom))
            draw.rectangle(box, color)
        case Dot():
            place = (shape.x * zoom, shape.y * zoom)
            if shape.is_filled:
                draw.circle(place, shape.radius * zoom, color)
            else:
                draw.circle(place, shape.radius * zoom, None, color, zoom)
        case Text():
            typeface = font(
                "bold" if shape.is_bold else "regular", max(1, round(shape.size * zoom))
            )
            text = shape.text.translate(_ABSENT)
            place = (shape.x * zoom, shape.y * zoom)
            draw.text(place, text, color, typeface, _ANCHORS[shape.anchor])
