"""Printed text, watermarks and shadows: layers that are not objects.

Text uses the font bundled with Pillow, drawn at 4x; it covers ASCII, so what is printed
on a product is ASCII too (instructions about it come in both languages).
"""

import functools

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from tbstar_jax.data_engine.render.layers import SUPERSAMPLING, Layer
from tbstar_jax.data_engine.render.scene import RGB, Side, Size, Watermark

_REFERENCE_POINTS = 64


@functools.lru_cache(maxsize=256)
def _font(points: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(points)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def _extent(text: str, points: int) -> tuple[int, int, int, int]:
    stroke = _stroke(points)
    left, top, right, bottom = _font(points).getbbox(text, stroke_width=stroke)
    return int(left), int(top), int(np.ceil(right)), int(np.ceil(bottom))


def _stroke(points: int) -> int:
    return max(1, round(points / 24))


@functools.lru_cache(maxsize=4096)
def _fitting_points(text: str, width: int, height: int) -> int:
    """The largest font size at which the text fits a box, all in 4x pixels."""
    left, top, right, bottom = _extent(text, _REFERENCE_POINTS)
    scale = min(width / (right - left), height / (bottom - top))
    return max(8, int(_REFERENCE_POINTS * scale))


def text_layer(
    text: str,
    ink: RGB,
    *,
    center: tuple[float, float],
    box: tuple[float, float],
    size: Size,
) -> Layer:
    """Prints a line of text, as large as fits a box.

    Args:
      text: ASCII.
      ink: its colour.
      center: row and column of the text's middle, pixels.
      box: the height and width it may fill, pixels.
      size: canvas rows and columns, pixels.

    Returns:
      A layer whose alpha is the glyphs' coverage.
    """
    scale = SUPERSAMPLING
    points = _fitting_points(text, int(box[1] * scale), int(box[0] * scale))
    left, top, right, bottom = _extent(text, points)
    y = round(center[0] * scale) - (bottom - top) // 2
    x = round(center[1] * scale) - (right - left) // 2
    first_row, first_column = max(0, y // scale), max(0, x // scale)
    last_row = min(size[0], -(-(y + bottom - top) // scale))
    last_column = min(size[1], -(-(x + right - left) // scale))
    image = Image.new(
        "L",
        ((last_column - first_column) * scale, (last_row - first_row) * scale),
    )
    ImageDraw.Draw(image).text(
        (x - left - first_column * scale, y - top - first_row * scale),
        text,
        fill=255,
        font=_font(points),
        stroke_width=_stroke(points),
    )
    alpha = np.asarray(image.reduce(scale), np.float64) / 255.0
    color = alpha[:, :, None] * (np.asarray(ink, np.float64) / 255.0)
    return Layer(top=first_row, left=first_column, color=color, alpha=alpha)


@functools.lru_cache(maxsize=64)
def _watermark_coverage(text: str, layout: str, size: Size) -> Float[np.ndarray, "h w"]:
    scale = 2
    rows, columns = size[0] * scale, size[1] * scale
    reach = int(np.hypot(rows, columns)) + 2
    sheet = Image.new("L", (reach, reach))
    draw = ImageDraw.Draw(sheet)
    share = 0.80 if layout == "diagonal" else 0.40
    points = _fitting_points(text, int(share * columns), rows)
    left, top, right, bottom = _extent(text, points)
    width, height = right - left, bottom - top
    if layout == "diagonal":
        corners = [((reach - width) // 2, (reach - height) // 2)]
    else:
        corners = [
            (x, y)
            for index, y in enumerate(range(0, reach, int(height * 2.6)))
            for x in range(-(index % 2) * int(0.7 * width), reach, int(width * 1.4))
        ]
    for x, y in corners:
        draw.text(
            (x - left, y - top),
            text,
            fill=255,
            font=_font(points),
            stroke_width=_stroke(points),
        )
    turned = sheet.rotate(30.0, resample=Image.Resampling.BICUBIC)
    x, y = (reach - columns) // 2, (reach - rows) // 2
    drawn = turned.crop((x, y, x + columns, y + rows)).reduce(scale)
    coverage = np.asarray(drawn, np.float64) / 255.0
    coverage.flags.writeable = False
    return coverage


def watermark_layer(watermark: Watermark, size: Size) -> Layer:
    """Draws a semi-transparent text over the whole canvas, rising to the right."""
    coverage = _watermark_coverage(watermark.text, watermark.layout, size)
    alpha = coverage * watermark.opacity
    color = np.repeat(alpha[:, :, None] * (watermark.gray / 255.0), 3, axis=2)
    return Layer(top=0, left=0, color=color, alpha=alpha)


def shadow_layer(
    *,
    center: float,
    ground: float,
    half_width: float,
    size: Size,
    light: Side,
    dark: float,
) -> Layer:
    """Darkens the ground: a contact shadow and a softer one away from the light.

    Args:
      center: column of the object's axis, pixels.
      ground: row it stands on, pixels.
      half_width: half the width of its foot, pixels.
      size: canvas rows and columns, pixels.
      light: the side the light comes from.
      dark: opacity at the foot, (0, 1).

    Returns:
      A black layer with bounded support: beyond it alpha is exactly 0.
    """
    y = (np.arange(size[0]) + 0.5 - ground)[:, None] / half_width
    x = (np.arange(size[1]) + 0.5 - center)[None, :] / half_width
    away = 1.0 if light == "left" else -1.0
    contact = np.exp(-((x / 1.02) ** 4) - (y / 0.13) ** 2)
    cast = np.exp(-(((x - 0.42 * away) / 1.15) ** 2) - ((y - 0.05) / 0.24) ** 2)
    alpha = np.maximum(dark * np.maximum(contact, 0.62 * cast) - 0.012, 0.0)
    return Layer(top=0, left=0, color=np.zeros((*size, 3)), alpha=alpha)
