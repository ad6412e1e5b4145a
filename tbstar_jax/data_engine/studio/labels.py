"""The ink of a label: text and logo, drawn once and stretched over the plate."""

import functools
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from tbstar_jax.data_engine.fonts.loader import font, require_coverage
from tbstar_jax.data_engine.render.logos import LogoForm, draw_logo

PRINT_SIZE = (96, 192)
"""Rows and columns of every printed plate."""

Room: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom, in heights of the plate from its upper left corner."""

_HEIGHT = 192
_FILL = 0.86
_RULE = 0.06
_WIDE = 2.2
"""Plates of at least this aspect have their logo on the left, others above the text."""
_EDGE_ABOVE, _EDGE_LEFT = 0.1, 0.17
_GAP = 0.1
"""Between logo and text: a text is measured with a few pixels of ground around it."""
_SIDE_ABOVE, _SIDE_LEFT = 0.3, 0.56
"""Side of the logo; all three are over the plate's height."""
_INSET = 0.09
"""Where the frame ends, over the plate's shorter side."""


@functools.lru_cache(maxsize=512)
def draw_print(
    text: str, aspect: float, logo: LogoForm | None = None
) -> Float[np.ndarray, "u v"]:
    """Draws a text as large as its room allows, a logo, and a thin frame around both.

    Where the logo is, and how large, depends on the aspect alone: on wide plates it is
    on the left of the text, on others above it. Another text changes no bit of it.

    Args:
      text: one line; empty for none.
      aspect: the plate's width over its height.
      logo: its form; None for none.

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
    if logo:
        left, top, right, _ = (_HEIGHT * edge for edge in _logo_room(aspect))
        draw_logo(pen, logo, left, top, right - left)
    if text:
        _draw_text(pen, text, _text_room(aspect, logo is not None))
    rows, columns = PRINT_SIZE
    small = image.resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(small, np.float64) / 255.0


def text_part(aspect: float, has_logo: bool) -> Room:
    """The part of a plate in which all printed is text: neither logo nor frame.

    Args:
      aspect: the plate's width over its height.
      has_logo: whether there is a logo beside the text.

    Returns:
      Left, top, right and bottom, -1 to 1 from edge to edge of the plate.
    """
    inset = _INSET * min(aspect, 1.0)
    left, top, right, bottom = inset, inset, aspect - inset, 1.0 - inset
    if has_logo:
        _, _, logo_right, logo_bottom = _logo_room(aspect)
        if aspect >= _WIDE:
            left = logo_right + _GAP / 2
        else:
            top = logo_bottom + _GAP / 2
    wide = 2.0 / aspect
    return left * wide - 1.0, 2 * top - 1.0, right * wide - 1.0, 2 * bottom - 1.0


def _logo_room(aspect: float) -> Room:
    """A square."""
    if aspect >= _WIDE:
        side, left, top = _SIDE_LEFT, _EDGE_LEFT, (1.0 - _SIDE_LEFT) / 2
    else:
        side, left, top = _SIDE_ABOVE, (aspect - _SIDE_ABOVE) / 2, _EDGE_ABOVE
    return left, top, left + side, top + side


def _text_room(aspect: float, has_logo: bool) -> Room:
    edge = (1.0 - _FILL) / 2 + _RULE
    left, top, right, bottom = edge * aspect, edge, (1 - edge) * aspect, 1 - edge
    if not has_logo:
        return left, top, right, bottom
    _, _, logo_right, logo_bottom = _logo_room(aspect)
    if aspect >= _WIDE:
        return logo_right + _GAP, top, aspect - _EDGE_LEFT, bottom
    return left, logo_bottom + _GAP, right, bottom


def _draw_text(pen: ImageDraw.ImageDraw, text: str, room: Room) -> None:
    """Draws a text in the middle of its room."""
    probe = font("bold", 100)
    left, top, right, bottom = probe.getbbox(text)
    x, y, end_x, end_y = (_HEIGHT * edge for edge in room)
    pixels = int(100 * min((end_x - x) / (right - left), (end_y - y) / (bottom - top)))
    face = font("bold", max(8, pixels))
    left, top, right, bottom = face.getbbox(text)
    at = ((x + end_x - left - right) / 2, (y + end_y - top - bottom) / 2)
    pen.text(at, text, font=face, fill=255)
