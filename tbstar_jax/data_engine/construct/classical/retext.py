"""Another text in place of a printed one: erase its strokes, draw the new ones.

The text must stand on an even surface inside its box. Ink, height and alignment are
read off the old strokes. Drawn at four times the size and averaged, the new text is as
soft as the photo around it.
"""

import dataclasses

import cv2
import numpy as np
from PIL import Image, ImageDraw

from tbstar_jax.array_types import Bool, Float, UInt8
from tbstar_jax.data_engine.construct.classical.palette import lab_image
from tbstar_jax.data_engine.construct.classical.regions import bounding_box
from tbstar_jax.data_engine.construct.classical.strokes import (
    StrokeSettings,
    erase_strokes,
    find_strokes,
    fit_surface,
)
from tbstar_jax.data_engine.construct.protocol import CannotEdit
from tbstar_jax.data_engine.fonts import loader
from tbstar_jax.geometry import Box

_SCALE = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class RetextSettings:
    """When and how a text is replaced.

    Attributes:
      min_height: least height of the drawn text, in pixels.
      strokes: what counts as strokes of the old text.
    """

    min_height: int = 6
    strokes: StrokeSettings = dataclasses.field(default_factory=StrokeSettings)


def retexted(
    image: UInt8[np.ndarray, "h w 3"],
    box: Bool[np.ndarray, "h w"],
    allowed: Bool[np.ndarray, "h w"],
    new_text: str,
    settings: RetextSettings,
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "h w 3"]:
    """Replaces the text in a box.

    Args:
      image: the photo.
      box: marks a rectangle with one line of text.
      allowed: the pixels that may change.
      new_text: one line.
      settings: when and how.
      rng: draws the grain where the old text was.

    Raises:
      CannotEdit: the surface is not even, there is no text, the new one does not fit,
        or the font lacks its characters.
    """
    if not new_text.strip() or "\n" in new_text:
        raise CannotEdit(f"the new text {new_text!r} is not one line of text")
    if missing := loader.missing_characters(new_text):
        raise CannotEdit(f"the typeface has no glyph for {missing!r} in the new text")
    frame = bounding_box(box)
    surface = fit_surface(np.ascontiguousarray(image[frame.slices]))
    limit = settings.strokes.max_unevenness
    if surface.unevenness > limit:
        raise CannotEdit(
            f"what surrounds the text varies by {surface.unevenness:.1f} grey levels; "
            f"above {limit:.1f} it is not an even surface"
        )
    strokes = find_strokes(image, box, settings.strokes)
    ink = ink_color(image, strokes, frame, surface.colors)
    erased = erase_strokes(image, strokes, allowed, rng)
    coverage = _drawn(new_text, strokes, frame, settings.min_height)
    share = coverage[:, :, None]
    mixed = np.rint(erased * (1.0 - share) + ink * share)
    return np.where(share > 0, mixed.clip(0, 255).astype(np.uint8), erased)


def ink_color(
    image: UInt8[np.ndarray, "h w 3"],
    strokes: Bool[np.ndarray, "h w"],
    frame: Box,
    surface: Float[np.ndarray, "r c 3"],
) -> Float[np.ndarray, "3"]:
    """The colour of the strokes' core: of the quarter that differs most."""
    marked = strokes[frame.slices]
    pixels = image[frame.slices][marked]
    under = np.rint(surface[marked]).clip(0, 255).astype(np.uint8)
    contrast = np.linalg.norm(lab_image(pixels[None]) - lab_image(under[None]), axis=2)
    core = contrast[0] >= np.quantile(contrast[0], 0.75)
    return np.median(pixels[core].astype(np.float64), axis=0)


def _drawn(
    text: str, strokes: Bool[np.ndarray, "h w"], frame: Box, min_height: int
) -> Float[np.ndarray, "h w"]:
    """How much of every pixel the new text covers, in [0, 1]."""
    old = bounding_box(strokes)
    weight = _weight(strokes, old)
    # The height of the old text, unless the box is then too narrow.
    room = frame.width - 2
    left, top, right, bottom = loader.font(weight, 200).getbbox(text)
    scale = min(old.height / (bottom - top), room / (right - left))
    font = loader.font(weight, max(1, int(200 * scale * _SCALE)))
    left, top, right, bottom = (int(side) for side in font.getbbox(text))
    height, width = (bottom - top) / _SCALE, (right - left) / _SCALE
    if height < min_height:
        raise CannotEdit(
            f"the new text would be {height:.0f} pixels high to fit {room} columns; "
            f"below {min_height} nobody can read it"
        )
    row = old.top + (old.height - height) / 2
    column = _aligned(old, frame, width)
    canvas = Image.new("L", (strokes.shape[1] * _SCALE, strokes.shape[0] * _SCALE))
    ImageDraw.Draw(canvas).text(
        (round(column * _SCALE) - left, round(row * _SCALE) - top),
        text,
        fill=255,
        font=font,
    )
    coverage = np.asarray(canvas.reduce(_SCALE), np.float64) / 255
    return cv2.GaussianBlur(coverage, (0, 0), 0.4)


def _weight(strokes: Bool[np.ndarray, "h w"], old: Box) -> loader.Weight:
    """Bold where the old strokes are thick for their height."""
    part = np.pad(strokes[old.slices], 1).astype(np.uint8)
    depth = cv2.distanceTransform(part, cv2.DIST_L2, 3)
    thickness = 2 * float(np.quantile(depth[part > 0], 0.9))
    return "bold" if thickness > 0.17 * old.height else "regular"


def _aligned(old: Box, frame: Box, width: float) -> float:
    """The new text's first column: centred, or flush with the side the old one was."""
    before = old.left - frame.left
    after = frame.left + frame.width - old.left - old.width
    last = frame.left + frame.width - 1 - width
    if before < 0.4 * after:
        start = float(old.left)
    elif after < 0.4 * before:
        start = old.left + old.width - width
    else:
        start = old.left + (old.width - width) / 2
    return min(max(start, frame.left + 1.0), max(last, frame.left + 1.0))
