"""Text into a box: where lines break, how large they fit, exact coverage of the ink.

Chinese breaks between any two characters except before closing marks; Latin words and
numbers stay whole. Text is drawn at four times the resolution and averaged.
"""

import functools
import re

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from tbstar_jax.data_engine.fonts.loader import Weight, font, require_coverage
from tbstar_jax.data_engine.layout.card import Align
from tbstar_jax.data_engine.render.layers import SUPERSAMPLING, Layer
from tbstar_jax.data_engine.render.scene import RGB, Size

_REFERENCE = 64
_LINE_PITCH = 1.24
_CLOSING = "[，。！？、：；”）》」]*"
_TOKENS = re.compile(rf"[!-~¥€£·°™®]+{_CLOSING}|\s+|.{_CLOSING}")

PixelBox = tuple[float, float, float, float]
"""Top, left, height, width, in pixels."""


def stamp(
    drawn: Image.Image, top: int, left: int, size: Size
) -> tuple[int, int, Float[np.ndarray, "h w"]]:
    """Averages a drawing at four times the resolution into pixels of the canvas.

    Args:
      drawn: mode L, 255 = covered.
      top: row of its first row, at four times the resolution; may be negative.
      left: likewise for columns.
      size: canvas rows and columns, pixels.

    Returns:
      First row and column of a window inside the canvas, and the coverage [0, 1] there.
    """
    scale = SUPERSAMPLING
    first = (max(0, top // scale), max(0, left // scale))
    last = (
        min(size[0], -(-(top + drawn.height) // scale)),
        min(size[1], -(-(left + drawn.width) // scale)),
    )
    height, width = max(1, last[0] - first[0]), max(1, last[1] - first[1])
    first = (min(first[0], size[0] - height), min(first[1], size[1] - width))
    window = Image.new("L", (width * scale, height * scale))
    window.paste(drawn, (left - first[1] * scale, top - first[0] * scale))
    coverage = np.asarray(window.reduce(scale), np.float64) / 255.0
    return first[0], first[1], coverage


def inked(top: int, left: int, coverage: Float[np.ndarray, "h w"], ink: RGB) -> Layer:
    """A layer of one colour."""
    color = coverage[:, :, None] * (np.asarray(ink, np.float64) / 255.0)
    return Layer(top=top, left=left, color=color, alpha=coverage)


def text_layer(
    text: str,
    ink: RGB,
    *,
    box: PixelBox,
    size: Size,
    weight: Weight,
    align: Align = "center",
    max_lines: int = 1,
    outline: RGB | None = None,
    is_struck: bool = False,
    turn: float = 0.0,
) -> Layer:
    """Prints a text as large as fits its box.

    Args:
      text: one paragraph.
      ink: its colour.
      box: top, left, height and width, pixels; the text is centred up and down.
      size: canvas rows and columns, pixels.
      weight: of the font.
      align: of the lines.
      max_lines: how many lines it may be broken into.
      outline: contour of this colour around the glyphs.
      is_struck: a line through the middle.
      turn: degrees counter-clockwise around the middle of the box.

    Returns:
      A layer whose alpha is the coverage of glyphs, line and contour.

    Raises:
      UserError: the font lacks a character of the text.
    """
    require_coverage(text)
    scale = SUPERSAMPLING
    box_height, box_width = round(box[2] * scale), round(box[3] * scale)
    lines, pixels = fit(text, weight, box_height, box_width, max_lines)
    # A turned text may lean out of its box, a contour reaches around its glyphs.
    border = max(2, pixels // 6)
    canvas = (box_width + 2 * border, box_height + 2 * border)
    contour = max(scale, pixels // 12)
    glyphs = _draw(lines, pixels, weight, align, canvas, border, 0)
    if is_struck:
        _strike(glyphs, pixels)
    drawings = [glyphs]
    if outline is not None:
        drawings.append(_draw(lines, pixels, weight, align, canvas, border, contour))
    if turn:
        drawings = [_turned(drawing, turn) for drawing in drawings]
    middle = ((box[0] + box[2] / 2) * scale, (box[1] + box[3] / 2) * scale)
    corner = (
        round(middle[0] - drawings[0].height / 2),
        round(middle[1] - drawings[0].width / 2),
    )
    layer = inked(*stamp(drawings[0], *corner, size), ink)
    if outline is None:
        return layer
    _, _, around = stamp(drawings[1], *corner, size)
    return _outlined(layer, around, outline)


def _turned(drawing: Image.Image, degrees: float) -> Image.Image:
    return drawing.rotate(degrees, Image.Resampling.BICUBIC, expand=True)


def _outlined(layer: Layer, around: Float[np.ndarray, "h w"], outline: RGB) -> Layer:
    """The layer over its contour, whose coverage includes the glyphs."""
    below = np.maximum(around - layer.alpha, 0.0)
    color = layer.color + below[:, :, None] * (np.asarray(outline, np.float64) / 255.0)
    return Layer(top=layer.top, left=layer.left, color=color, alpha=layer.alpha + below)


@functools.lru_cache(maxsize=4096)
def fit(
    text: str, weight: Weight, height: int, width: int, max_lines: int
) -> tuple[tuple[str, ...], int]:
    """Breaks a text so that its font can be as large as possible.

    Args:
      text: one paragraph.
      weight: of the font.
      height: of the box, at four times the resolution.
      width: likewise.
      max_lines: how many lines it may be broken into.

    Returns:
      The lines, and the height of the em square in the box's unit.
    """
    best: tuple[tuple[str, ...], int] = ((text,), 0)
    for count in range(1, max_lines + 1):
        lines = break_lines(text, weight, count)
        if len(lines) < count:
            break
        widest = max(_length(line, weight) for line in lines)
        tall = 1.0 + (count - 1) * _LINE_PITCH
        pixels = int(min(width / widest * _REFERENCE, height / tall))
        if pixels > best[1]:
            best = (lines, pixels)
    return best[0], max(best[1], SUPERSAMPLING)


@functools.lru_cache(maxsize=4096)
def break_lines(text: str, weight: Weight, count: int) -> tuple[str, ...]:
    """Breaks a text into at most `count` lines, the widest one as narrow as possible.

    Args:
      text: one paragraph.
      weight: of the font the widths are taken from.
      count: how many lines are wanted; fewer come back where words run out.

    Returns:
      Lines without spaces at their ends.
    """
    tokens = _TOKENS.findall(text.strip())

    def filled(limit: float) -> tuple[str, ...]:
        lines = [""]
        for token in tokens:
            longer = lines[-1] + token
            if lines[-1].strip() and _length(longer.rstrip(), weight) > limit:
                lines.append(token.lstrip())
            else:
                lines[-1] = longer
        return tuple(line.strip() for line in lines if line.strip())

    if count == 1:
        return (text.strip(),)
    low, high = 1.0, max(2.0, _length(text, weight))
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if len(filled(middle)) <= count else (middle, high)
    return filled(high)


def _length(line: str, weight: Weight) -> float:
    return max(1.0, float(font(weight, _REFERENCE).getlength(line)))


def _draw(
    lines: tuple[str, ...],
    pixels: int,
    weight: Weight,
    align: Align,
    canvas: tuple[int, int],
    border: int,
    contour: int,
) -> Image.Image:
    drawn = Image.new("L", canvas)
    draw = ImageDraw.Draw(drawn)
    face = font(weight, pixels)
    boxes = [face.getbbox(line) for line in lines]
    pitch = pixels * _LINE_PITCH
    # The ink, not the em square, is what looks centred.
    first, last = boxes[0][1], boxes[-1][3] + (len(lines) - 1) * pitch
    y = (canvas[1] - (last - first)) / 2 - first
    for line, (left, _, right, _) in zip(lines, boxes, strict=True):
        room = canvas[0] - 2 * border - (right - left)
        share = {"left": 0.0, "center": 0.5, "right": 1.0}[align]
        x = border + room * share - left
        draw.text((round(x), round(y)), line, 255, face, stroke_width=contour)
        y += pitch
    return drawn


def _strike(drawn: Image.Image, pixels: int) -> None:
    box = drawn.getbbox()
    if box is None:
        return
    row = (box[1] + box[3]) / 2
    reach = pixels // 10
    ImageDraw.Draw(drawn).line(
        [(box[0] - reach, row), (box[2] + reach, row)],
        fill=255,
        width=max(SUPERSAMPLING, pixels // 12),
    )
