"""The ink of a label: its text, drawn once and stretched over the plate."""

import functools

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from tbstar_jax.data_engine.fonts.loader import font, require_coverage

PRINT_SIZE = (96, 192)
"""Rows and columns of every printed plate."""

_HEIGHT = 192
_FILL = 0.86
_RULE = 0.06


@functools.lru_cache(maxsize=512)
def draw_print(text: str, aspect: float) -> Float[np.ndarray, "u v"]:
    """Draws a text as large as the plate allows, with a thin frame around it.

    Args:
      text: one line; empty for a blank plate.
      aspect: the plate's width over its height.

    Returns:
      Ink, 0 to 1, of size `PRINT_SIZE`.

    Raises:
      UserError: the font lacks a character.
    """
    require_coverage(text)
    width = max(16, round(_HEIGHT * aspect))
    image = Image.new("L", (width, _HEIGHT), 0)
    pen = ImageDraw.Draw(image)
    margin = round(_RULE * min(width, _HEIGHT))
    pen.rectangle(
        (margin, margin, width - 1 - margin, _HEIGHT - 1 - margin),
        outline=150,
        width=max(2, margin // 4),
    )
    if text:
        _draw_text(pen, text, (width, _HEIGHT))
    rows, columns = PRINT_SIZE
    small = image.resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(small, np.float64) / 255.0


def _draw_text(pen: ImageDraw.ImageDraw, text: str, size: tuple[int, int]) -> None:
    probe = font("bold", 100)
    left, top, right, bottom = probe.getbbox(text)
    room_x, room_y = (_FILL - 2 * _RULE) * size[0], (_FILL - 2 * _RULE) * size[1]
    pixels = int(100 * min(room_x / (right - left), room_y / (bottom - top)))
    face = font("bold", max(8, pixels))
    left, top, right, bottom = face.getbbox(text)
    at = ((size[0] - left - right) / 2, (size[1] - top - bottom) / 2)
    pen.text(at, text, font=face, fill=255)
