"""Outlines of badges, plates and logos as coverage, and the soft shadow below them."""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFilter

from tbstar_jax.data_engine.layout.card import Form, FrameForm, Rect
from tbstar_jax.data_engine.layout.typesetting import PixelBox, inked, stamp
from tbstar_jax.data_engine.render.layers import SUPERSAMPLING, Layer
from tbstar_jax.data_engine.render.logos import LogoForm, draw_logo
from tbstar_jax.data_engine.render.scene import RGB, Size

Polygon: TypeAlias = Sequence[tuple[float, float]]

TEXT_BOXES: dict[Form, tuple[float, float, float, float]] = {
    "circle": (0.27, 0.15, 0.46, 0.70),
    "burst": (0.28, 0.20, 0.44, 0.60),
    "pill": (0.16, 0.12, 0.68, 0.76),
    "plate": (0.12, 0.08, 0.76, 0.84),
    "ribbon": (0.16, 0.18, 0.68, 0.64),
    "tag": (0.16, 0.26, 0.68, 0.66),
    "hexagon": (0.26, 0.14, 0.48, 0.72),
    "shield": (0.18, 0.13, 0.48, 0.74),
    "flag": (0.12, 0.12, 0.50, 0.76),
}
"""Where a form has room for text: top, left, height, width, fractions of its box."""

ASPECTS: dict[Form, float] = {
    "circle": 1.0,
    "burst": 1.0,
    "pill": 2.3,
    "plate": 1.7,
    "ribbon": 2.6,
    "tag": 2.2,
    "hexagon": 1.0,
    "shield": 0.9,
    "flag": 0.8,
}
"""Width over height of a form."""


def pixel_box(rect: Rect, size: Size) -> PixelBox:
    """Top, left, height and width of a rectangle on a canvas, in pixels."""
    rows, columns = size
    return (
        rect.top * rows,
        rect.left * columns,
        rect.height * rows,
        rect.width * columns,
    )


def inner_box(box: PixelBox, share: tuple[float, float, float, float]) -> PixelBox:
    """A part of a box, given in fractions of it, in pixels."""
    top, left, height, width = box
    return (
        top + share[0] * height,
        left + share[1] * width,
        share[2] * height,
        share[3] * width,
    )


def form_layers(
    form: Form, box: PixelBox, size: Size, *, fill: RGB, rim: RGB | None
) -> list[Layer]:
    """Draws a filled outline, with a thin line inside its border if asked for.

    Args:
      form: which outline.
      box: the space it fills, pixels.
      size: canvas rows and columns, pixels.
      fill: its colour.
      rim: colour of the inner line.

    Returns:
      One layer, or two with a rim.
    """
    height, width = _drawn_size(box)
    whole = Image.new("L", (width, height))
    _draw_form(whole, form, (0.0, 0.0, float(width), float(height)))
    layers = [_layer(whole, box, size, fill)]
    if rim is not None:
        inset = 0.07 * min(height, width)
        thick = max(SUPERSAMPLING * 0.8, 0.022 * min(height, width))
        line = Image.new("L", (width, height))
        for start, ink in ((inset, 255), (inset + thick, 0)):
            frame = (start, start, width - start, height - start)
            _draw_form(line, form, frame, ink)
        layers.append(_layer(line, box, size, rim))
    return layers


def shadow_layer(form: Form, box: PixelBox, size: Size, *, opacity: float) -> Layer:
    """Draws the soft shadow of a form, a little below it."""
    height, width = _drawn_size(box)
    blur = max(2.0, 0.05 * min(height, width))
    margin = math.ceil(3 * blur)
    drawn = Image.new("L", (width + 2 * margin, height + 2 * margin))
    start = float(margin)
    _draw_form(drawn, form, (start, start, start + width, start + height))
    soft = drawn.filter(ImageFilter.GaussianBlur(blur))
    top = round(box[0] * SUPERSAMPLING) - margin + round(blur)
    left = round(box[1] * SUPERSAMPLING) - margin
    first, column, coverage = stamp(soft, top, left, size)
    return inked(first, column, coverage * opacity, (0, 0, 0))


def logo_layer(form: LogoForm, box: PixelBox, size: Size, fill: RGB) -> Layer:
    """Draws a geometric mark in a square in the middle of its box."""
    height, width = _drawn_size(box)
    side = float(min(height, width))
    drawn = Image.new("L", (width, height))
    x, y = (width - side) / 2, (height - side) / 2
    draw_logo(ImageDraw.Draw(drawn), form, x, y, side)
    return _layer(drawn, box, size, fill)


def code_layers(box: PixelBox, size: Size, seed: int) -> list[Layer]:
    """Draws a white sticker and a black pattern of 21 x 21 modules on it."""
    rng = np.random.Generator(np.random.PCG64(seed))
    modules = rng.random((21, 21)) < 0.48
    for row, column in ((0, 0), (0, 14), (14, 0)):
        modules[row : row + 8, column : column + 8] = False
    for row, column in ((0, 0), (0, 14), (14, 0)):
        finder = modules[row : row + 7, column : column + 7]
        finder[:] = True
        finder[1:6, 1:6] = False
        finder[2:5, 2:5] = True
    # The quiet zone of two modules lets it stand out.
    padded = np.pad(modules, 2)
    pattern = Image.fromarray(np.where(padded, np.uint8(255), np.uint8(0)))
    height, width = _drawn_size(box)
    drawn = pattern.resize((width, height), Image.Resampling.NEAREST)
    paper = Image.new("L", (width, height))
    ImageDraw.Draw(paper).rounded_rectangle(
        (0, 0, width - 1, height - 1), 0.06 * min(height, width), fill=255
    )
    return [
        _layer(paper, box, size, (255, 255, 255)),
        _layer(drawn, box, size, (18, 18, 22)),
    ]


def frame_layer(form: FrameForm, size: Size, fill: RGB, thickness: float) -> Layer:
    """Draws a border along the canvas.

    Args:
      form: one line, two lines, or four corner brackets.
      size: canvas rows and columns, pixels.
      fill: its colour.
      thickness: of the line, fraction of the shorter side.
    """
    rows, columns = size
    thick = max(1.0, thickness * min(size))
    inset = 0.0 if form == "line" else max(1.0, 0.5 * thick)
    coverage = _border(size, inset, thick)
    if form == "double":
        gap = inset + thick + max(1.0, 0.6 * thick)
        coverage = np.maximum(coverage, _border(size, gap, max(1.0, 0.4 * thick)))
    if form == "corners":
        reach = 0.16 * min(size)
        near_row = np.minimum(np.arange(rows), np.arange(rows)[::-1]) < reach
        near_column = np.minimum(np.arange(columns), np.arange(columns)[::-1]) < reach
        coverage = coverage * (near_row[:, None] & near_column[None, :])
    return inked(0, 0, coverage, fill)


def _border(size: Size, inset: float, thick: float) -> Float[np.ndarray, "h w"]:
    """Coverage of a rectangular line `inset` pixels from the edge, antialiased."""

    def covered(count: int, start: float) -> Float[np.ndarray, " n"]:
        near = np.minimum(np.arange(count), np.arange(count)[::-1])
        return np.clip(near + 1.0 - start, 0.0, 1.0)

    rows, columns = size
    outer = np.outer(covered(rows, inset), covered(columns, inset))
    inner = np.outer(covered(rows, inset + thick), covered(columns, inset + thick))
    return outer - inner


def _drawn_size(box: PixelBox) -> tuple[int, int]:
    return (
        max(SUPERSAMPLING, round(box[2] * SUPERSAMPLING)),
        max(SUPERSAMPLING, round(box[3] * SUPERSAMPLING)),
    )


def _layer(drawn: Image.Image, box: PixelBox, size: Size, ink: RGB) -> Layer:
    top, left = round(box[0] * SUPERSAMPLING), round(box[1] * SUPERSAMPLING)
    first, column, coverage = stamp(drawn, top, left, size)
    return inked(first, column, coverage, ink)


def _draw_form(drawn: Image.Image, form: Form, frame: PixelBox, ink: int = 255) -> None:
    """Fills the outline between the frame's left, top, right and bottom."""
    draw = ImageDraw.Draw(drawn)
    left, top, right, bottom = frame
    width, height = right - left, bottom - top
    if form in ("pill", "plate"):
        radius = (0.5 if form == "pill" else 0.16) * min(width, height)
        draw.rounded_rectangle((left, top, right - 1, bottom - 1), radius, fill=ink)
        return
    points = [(left + x * width, top + y * height) for x, y in _outline(form)]
    draw.polygon(points, fill=ink)
    if form == "tag":
        x, y, hole = left + 0.12 * width, top + 0.5 * height, 0.07 * height
        draw.ellipse((x - hole, y - hole, x + hole, y + hole), fill=0)


def _outline(form: Form) -> Polygon:
    match form:
        case "circle":
            return _ring(72, (0.5,))
        case "burst":
            return _ring(32, (0.5, 0.43))
        case "hexagon":
            return _ring(6, (0.5,))
        case "ribbon":
            ends = [(0.0, 0.0), (1.0, 0.0), (0.93, 0.5), (1.0, 1.0)]
            return [*ends, (0.0, 1.0), (0.07, 0.5)]
        case "tag":
            point = [(0.0, 0.5), (0.2, 0.0), (1.0, 0.0), (1.0, 1.0), (0.2, 1.0)]
            return point
        case "shield":
            bottom = [(0.94, 0.55), (0.78, 0.8), (0.5, 1.0), (0.22, 0.8), (0.06, 0.55)]
            return [(0.06, 0.08), (0.5, 0.0), (0.94, 0.08), *bottom]
        case _:
            return [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.78), (0.0, 1.0)]


def _ring(num_points: int, radii: Sequence[float]) -> Polygon:
    """Points around (0.5, 0.5) that take the radii in turn, from the top."""
    angles = 2.0 * np.pi * np.arange(num_points) / num_points - np.pi / 2
    return [
        (
            0.5 + radii[k % len(radii)] * float(np.cos(angle)),
            0.5 + radii[k % len(radii)] * float(np.sin(angle)),
        )
        for k, angle in enumerate(angles)
    ]
