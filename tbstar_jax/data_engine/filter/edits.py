"""Clean pairs for the trial: local edits of a photograph with their true masks.

Every edit is made on a crop with `PAD` pixels more on each side, so that a target can
be displaced or zoomed without inventing pixels. Outside its mask it changes nothing.
"""

import dataclasses
import math
from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Bool, Complex, UInt8
from PIL import Image, ImageDraw, ImageFont

from tbstar_jax.metrics.color import srgb_to_lab

PAD = 12
"""Pixels around the picture that only defects look at."""

HUES = {"red": 25.0, "yellow": 92.0, "green": 145.0, "blue": 280.0, "purple": 315.0}
"""Lab hue, in degrees, of the colours a region is given."""

_CHROMA = 45.0
_WORDS = ("SALE", "NEW 2026", "50% OFF", "ECO", "N.W. 250 g", "PREMIUM")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlantedPair:
    """A pair with `PAD` pixels more on each side.

    Attributes:
      source: the picture before.
      target: the picture after.
      mask: where the edit is.
      task: task id.
      instruction: what was asked for.
      text_boxes: top, left, bottom, right of writing outside the mask, if any.
    """

    source: UInt8[np.ndarray, "h w 3"]
    target: UInt8[np.ndarray, "h w 3"]
    mask: Bool[np.ndarray, "h w"]
    task: str
    instruction: str
    text_boxes: tuple[tuple[int, int, int, int], ...] = ()


Edit = Callable[[UInt8[np.ndarray, "h w 3"], np.random.Generator], PlantedPair]


def crop_of(
    photo: UInt8[np.ndarray, "h w 3"], side: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "s s 3"]:
    """Cuts a random square of a photo, at least as large as needed, and scales it down.

    Args:
      photo: at least `side + 2 * PAD` rows and columns.
      side: of the picture without its padding.
      rng: decides place and scale.
    """
    needed = side + 2 * PAD
    limit = min(photo.shape[:2])
    if limit < needed:
        raise ValueError(f"the photo has {limit} rows or columns, {needed} are needed")
    taken = int(rng.integers(needed, limit + 1))
    top = int(rng.integers(0, photo.shape[0] - taken + 1))
    left = int(rng.integers(0, photo.shape[1] - taken + 1))
    crop = photo[top : top + taken, left : left + taken]
    return cv2.resize(crop, (needed, needed), interpolation=cv2.INTER_AREA)


def recolor(crop: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator) -> PlantedPair:
    """Gives an ellipse of 4 to 15 % of the picture a named colour."""
    return _recolored(crop, rng, (0.04, 0.15))


def recolor_large(
    crop: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
) -> PlantedPair:
    """Gives an ellipse of 35 to 50 % of the picture a named colour."""
    return _recolored(crop, rng, (0.35, 0.5))


def removal(crop: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator) -> PlantedPair:
    """Fills an ellipse from its surroundings, as a classical removal does."""
    mask = _ellipse(crop.shape, rng, (0.02, 0.1))
    target = cv2.inpaint(crop, mask.view(np.uint8) * 255, 5, cv2.INPAINT_TELEA)
    return PlantedPair(
        source=crop,
        target=_within(crop, target, mask),
        mask=mask,
        task="object_remove",
        instruction="remove the object",
    )


def overlay(crop: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator) -> PlantedPair:
    """Writes a word on a plate."""
    target, box = _labelled(crop, rng)
    mask = np.zeros(crop.shape[:2], bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    return PlantedPair(
        source=crop,
        target=target,
        mask=mask,
        task="text_add",
        instruction="add a label",
    )


def unmarking(
    crop: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
) -> PlantedPair:
    """Takes a half-transparent mark away: the photo is the target."""
    layer = np.full(crop.shape, 255, np.uint8)
    side = crop.shape[0]
    image = Image.fromarray(layer)
    place = (side * rng.uniform(0.2, 0.5), side * rng.uniform(0.2, 0.7))
    ImageDraw.Draw(image).text(
        place, "SAMPLE", fill=(0, 0, 0), font=ImageFont.load_default(side // 8)
    )
    ink = 1 - np.asarray(image)[:, :, :1] / 255
    marked = np.rint(crop * (1 - 0.5 * ink) + 255 * 0.5 * ink).astype(np.uint8)
    return PlantedPair(
        source=marked,
        target=crop,
        mask=(marked != crop).any(axis=2),
        task="watermark_remove",
        instruction="remove the watermark",
    )


def background(
    crop: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
) -> PlantedPair:
    """Replaces all but an ellipse of 20 to 40 % of the picture by a plain gradient."""
    mask = ~_ellipse(crop.shape, rng, (0.2, 0.4))
    ramp = np.linspace(rng.uniform(200, 255), rng.uniform(200, 255), len(crop))
    plain = np.broadcast_to(np.rint(ramp)[:, None, None], crop.shape).astype(np.uint8)
    return PlantedPair(
        source=crop,
        target=_within(crop, plain, mask),
        mask=mask,
        task="bg_white",
        instruction="change the background to pure white",
    )


EDITS: dict[str, Edit] = {
    "recolor": recolor,
    "recolor_large": recolor_large,
    "removal": removal,
    "overlay": overlay,
    "unmarking": unmarking,
    "background": background,
}
"""The kinds of clean pairs."""


def with_label(
    crop: UInt8[np.ndarray, "h w 3"], edit: Edit, rng: np.random.Generator
) -> PlantedPair:
    """Writes a label on the photo, then edits it elsewhere.

    Args:
      crop: padded.
      edit: one of `EDITS`; tried again until it leaves the label alone.
      rng: decides all.
    """
    while True:
        labelled, box = _labelled(crop, rng)
        pair = edit(labelled, rng)
        around = np.s_[
            max(0, box[0] - 12) : box[2] + 12, max(0, box[1] - 12) : box[3] + 12
        ]
        if not pair.mask[around].any():
            return dataclasses.replace(pair, text_boxes=(box,))


def feathered(pair: PlantedPair) -> PlantedPair:
    """Lets the edit fade out over 3 pixels beyond its mask, as compositing does."""
    grown = cv2.dilate(pair.mask.astype(np.float32), np.ones((5, 5), np.uint8))
    share = np.maximum(cv2.blur(grown, (3, 3)), pair.mask)[..., None]
    # What the edit would look like a little further out: its nearest pixels.
    near = cv2.inpaint(
        pair.target,
        ((share[..., 0] > 0) & ~pair.mask).astype(np.uint8),
        3,
        cv2.INPAINT_TELEA,
    )
    edited = np.where(pair.mask[..., None], pair.target, near)
    mixed = pair.source * (1 - share) + edited * share
    return dataclasses.replace(pair, target=np.rint(mixed).astype(np.uint8))


def in_hue(image: UInt8[np.ndarray, "h w 3"], hue: float) -> UInt8[np.ndarray, "h w 3"]:
    """Gives a picture one Lab hue and chroma, and keeps its lightness."""
    lab = srgb_to_lab(image)
    light = np.clip(lab[..., 0], 25, 80)
    turn = math.radians(hue)
    planes = [
        light,
        np.full_like(light, _CHROMA * math.cos(turn)),
        np.full_like(light, _CHROMA * math.sin(turn)),
    ]
    floats = np.stack(planes, axis=-1).astype(np.float32)
    colored = cv2.cvtColor(floats, cv2.COLOR_Lab2RGB)
    return np.rint(np.clip(colored, 0, 1) * 255).astype(np.uint8)


def _recolored(
    crop: UInt8[np.ndarray, "h w 3"],
    rng: np.random.Generator,
    share: tuple[float, float],
) -> PlantedPair:
    mask = _ellipse(crop.shape, rng, share)
    name = str(rng.choice(list(HUES)))
    return PlantedPair(
        source=crop,
        target=_within(crop, in_hue(crop, HUES[name]), mask),
        mask=mask,
        task="recolor",
        instruction=f"make it {name}",
    )


def _within(
    source: UInt8[np.ndarray, "h w 3"],
    edited: UInt8[np.ndarray, "h w 3"],
    mask: Bool[np.ndarray, "h w"],
) -> UInt8[np.ndarray, "h w 3"]:
    return np.where(mask[:, :, None], edited, source)


def _ellipse(
    shape: tuple[int, ...], rng: np.random.Generator, share: tuple[float, float]
) -> Bool[np.ndarray, "h w"]:
    """An ellipse of a share of the picture, wholly inside its padding."""
    side = shape[0] - 2 * PAD
    area = rng.uniform(*share) * side * side
    stretch = rng.uniform(0.75, 1.33)
    half = np.sqrt(area / math.pi * np.array([stretch, 1 / stretch]))
    half = np.minimum(half, 0.47 * side)
    low, high = PAD + half, PAD + side - half
    middle = rng.uniform(low, np.maximum(low, high))
    rows, columns = (
        (np.arange(size) - at) / radius
        for size, at, radius in zip(shape[:2], middle, half, strict=True)
    )
    return np.add.outer(rows**2, columns**2) <= 1


def _labelled(
    crop: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "h w 3"], tuple[int, int, int, int]]:
    """Writes a word on a plate inside the padding; returns picture and plate."""
    side = crop.shape[0] - 2 * PAD
    font = ImageFont.load_default(max(9, side // 16))
    word = str(rng.choice(_WORDS))
    left, top, right, bottom = (round(x) for x in font.getbbox(word))
    height, width = bottom - top + 6, min(side - 18, right - left + 8)
    at = [int(rng.integers(PAD + 8, PAD + side - size - 8)) for size in (height, width)]
    image = Image.fromarray(crop)
    draw = ImageDraw.Draw(image)
    plate, ink = ((250, 250, 245), (20, 20, 30))
    if rng.random() < 0.5:
        plate, ink = (170, 20, 30), (255, 255, 255)
    box = (at[0], at[1], at[0] + height, at[1] + width)
    draw.rectangle((box[1], box[0], box[3] - 1, box[2] - 1), fill=plate)
    draw.text((at[1] + 4 - left, at[0] + 3 - top), word, fill=ink, font=font)
    return np.asarray(image), box


def shifted(
    image: UInt8[np.ndarray, "h w 3"], rows: float, columns: float
) -> UInt8[np.ndarray, "h w 3"]:
    """Moves a picture down and right by Fourier's shift theorem, rounded to levels."""
    # Mirrored, it has no jump at its border that would ring into the picture.
    height, width = image.shape[:2]
    mirrored = np.pad(
        image.astype(np.float64), ((0, height), (0, width), (0, 0)), "symmetric"
    )
    turn = _turn(2 * height, rows)[:, None] * _turn(2 * width, columns)
    spectrum = np.fft.fft2(mirrored, axes=(0, 1)) * turn[:, :, None]
    moved = np.real(np.fft.ifft2(spectrum, axes=(0, 1)))[:height, :width]
    return np.rint(np.clip(moved, 0, 255)).astype(np.uint8)


def _turn(size: int, shift: float) -> Complex[np.ndarray, " n"]:
    return np.exp(-2j * np.pi * np.fft.fftfreq(size) * shift)
