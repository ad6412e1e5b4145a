"""Defects in one place of the picture, each by a stated amount.

All take the case, the amount and random numbers, and return the spoiled reference; they
raise `DoesNotApplyError` where a case has nothing to spoil in this way.
"""

import math

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from tbstar_jax.data_engine.filter.edits import in_hue
from tbstar_jax.evaluation.cases.case import Case, KeptText
from tbstar_jax.evaluation.cases.kept import kept_region
from tbstar_jax.geometry import Box, erode
from tbstar_jax.metrics.color import srgb_to_lab

_REDONE_LEVELS = 15.0
"""Standard deviation of what is drawn over a redone region, in levels."""
_REDONE_SCALE = 1 / 24
"""Its coarseness, of the longer side."""

_INPAINT_REACH, _MARGIN = 3, 3
"""Pixels."""
_INK_LEVELS, _MOST = 20, 0.7
"""Distance of ink from ground, in levels; share of a box that is taken for all."""


class DoesNotApplyError(Exception):
    """The case has nothing that could be spoiled in this way."""


def half(case: Case) -> UInt8[np.ndarray, "h w 3"]:
    """Half of the edit: left of the median column of what changes; else the source.

    An edit of the whole picture (light, noise) is made at half strength instead.

    Raises:
      DoesNotApplyError: things are rearranged: half of that is no worse than nothing.
    """
    if case.task == "layout":
        raise DoesNotApplyError("half of a rearrangement is no step towards it")
    if case.masks.edit.all():
        mixed = (case.source.astype(np.float64) + case.reference) / 2
        return np.rint(mixed).astype(np.uint8)
    columns = np.nonzero(_changed(case))[1]
    middle = int(np.median(columns))
    mixed = case.source.copy()
    mixed[:, : middle + 1] = case.reference[:, : middle + 1]
    return mixed


def redone(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Draws `amount` percent of the kept region anew, from the left.

    A smooth random pattern of colours is laid over what is there.
    """
    kept = _kept(case)
    share = np.cumsum(kept.sum(axis=0)) / kept.sum()
    width = int(np.searchsorted(share, amount / 100)) + 1
    pattern = rng.normal(size=case.reference.shape)
    scale = _REDONE_SCALE * max(case.size)
    pattern = ndimage.gaussian_filter(pattern, (scale, scale, 0), mode="wrap")
    pattern *= _REDONE_LEVELS / pattern.std()
    painted = np.clip(np.rint(case.reference + pattern), 0, 255).astype(np.uint8)
    region = kept & (np.arange(case.size[1]) < width)
    return np.where(region[..., None], painted, case.reference)


def lost_text(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Wipes the `amount` largest kept texts; infinity wipes all.

    The plate under a text stays, as far as it is of one colour.
    """
    del rng
    texts = sorted(case.kept_texts, key=_area, reverse=True)
    if not texts:
        raise DoesNotApplyError("no text is kept")
    if math.isinf(amount) and len(texts) == 1:
        raise DoesNotApplyError("only one text is kept")
    lost = texts if math.isinf(amount) else texts[: round(amount)]
    return wiped(case.reference, [text.box for text in lost])


def wrong_color(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Paints the edited thing in a hue `amount` degrees (CIE Lab) from the right one.

    Chroma is fixed, so a black or white thing gets a colour.
    """
    del rng
    is_added = case.task == "object_add" and case.facts.color_en
    if not (case.facts.new_color_en or is_added):
        raise DoesNotApplyError("the instruction names no new colour")
    region = _changed(case) & case.masks.product_after & ~case.masks.shadow
    if not region.any():
        raise DoesNotApplyError("the edited thing is not known")
    painted = in_hue(case.reference, _hue(case.reference[region]) + amount)
    return np.where(region[..., None], painted, case.reference)


def over_edit(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Paints a disc of the kept region, beside the edit, in the edit's hue.

    The disc has `amount` percent of the canvas.
    """
    del rng
    radius = _radius(case, amount)
    place = _room(_kept(case), case.masks.edit, radius, is_near=True)
    disc = _distance(case.size, place) <= radius
    painted = in_hue(case.reference, _hue(case.reference[_changed(case)]))
    return np.where(disc[..., None], painted, case.reference)


def extra_object(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Puts a shaded ball where neither product nor edited thing is.

    The ball has `amount` percent of the canvas, in a random hue, and lies as far from
    them as there is room.
    """
    radius = _radius(case, amount)
    things = case.masks.product | case.masks.product_after | case.masks.text
    place = _room(erode(~things, 2), things, radius, is_near=False)
    rows, columns = (np.arange(side) for side in case.size)
    x = (columns[None, :] - place[1]) / radius
    y = (rows[:, None] - place[0]) / radius
    depth = np.sqrt(np.maximum(0.0, 1 - x**2 - y**2))
    light = np.clip(0.35 + 0.65 * (-0.4 * x - 0.5 * y + 0.77 * depth), 0.1, 1)
    hue = rng.uniform(0, 2 * math.pi)
    color = 128 + 110 * np.cos(hue + np.array([0, 2, 4]) * math.pi / 3)
    ball = np.rint(light[..., None] * color).astype(np.uint8)
    cover = np.clip(radius - _distance(case.size, place) + 0.5, 0, 1)[..., None]
    return np.rint(cover * ball + (1 - cover) * case.reference).astype(np.uint8)


def wrong_shadow(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Leaves shadows as in the source, to `amount` percent: missing, or left behind."""
    del rng
    if case.task == "light_shadow":
        raise DoesNotApplyError("shadows are the edit itself")
    things = case.masks.product | case.masks.product_after
    region = case.masks.shadow & _changed(case) & ~things
    if not region.any():
        raise DoesNotApplyError("the edit moves no shadow")
    share = amount / 100 * region[..., None]
    mixed = (1 - share) * case.reference + share * case.source
    return np.rint(mixed).astype(np.uint8)


def wiped(
    image: UInt8[np.ndarray, "h w 3"], boxes: list[Box]
) -> UInt8[np.ndarray, "h w 3"]:
    """Takes the ink out of boxes and closes the holes from around them.

    Ink is what is far from the median colour of the box and its margin; where that is
    most of a box, all of it is taken out.
    """
    hole = np.zeros(image.shape[:2], np.uint8)
    for box in boxes:
        rows = slice(max(0, box.top - _MARGIN), box.top + box.height + _MARGIN)
        columns = slice(max(0, box.left - _MARGIN), box.left + box.width + _MARGIN)
        ground = np.median(image[rows, columns].reshape(-1, 3), axis=0)
        ink = np.max(np.abs(image[box.slices] - ground), axis=2) > _INK_LEVELS
        if ink.mean() > _MOST:
            ink[:] = True
        hole[box.slices] |= ink.astype(np.uint8)
    grown = cv2.dilate(hole, np.ones((3, 3), np.uint8))
    filled = cv2.inpaint(image, grown, _INPAINT_REACH, cv2.INPAINT_TELEA)
    return filled.astype(np.uint8)


def _area(text: KeptText) -> int:
    return text.box.height * text.box.width


def _changed(case: Case) -> Bool[np.ndarray, "h w"]:
    return np.any(case.source != case.reference, axis=2)


def _kept(case: Case) -> Bool[np.ndarray, "h w"]:
    kept = kept_region(case.masks.edit)
    if not kept.any():
        raise DoesNotApplyError("nothing is kept pixel by pixel")
    return kept


def _hue(pixels: UInt8[np.ndarray, "n 3"]) -> float:
    """Hue of the mean colour, degrees in CIE Lab."""
    _, a, b = srgb_to_lab(pixels).mean(axis=0)
    return math.degrees(math.atan2(b, a))


def _radius(case: Case, percent: float) -> float:
    return math.sqrt(percent / 100 * case.size[0] * case.size[1] / math.pi)


def _room(
    free: Bool[np.ndarray, "h w"],
    things: Bool[np.ndarray, "h w"],
    radius: float,
    is_near: bool,
) -> tuple[int, int]:
    """Where a disc fits into what is free, nearest to things or furthest from them."""
    # The border of the picture ends what is free.
    clearance = ndimage.distance_transform_edt(np.pad(free, 1))[1:-1, 1:-1]
    fits = clearance > radius
    if not fits.any():
        raise DoesNotApplyError("there is no room for it")
    away = ndimage.distance_transform_edt(~things)
    ranked = np.where(fits, -away if is_near else away, -np.inf)
    row, column = np.unravel_index(int(np.argmax(ranked)), ranked.shape)
    return int(row), int(column)


def _distance(
    size: tuple[int, int], place: tuple[int, int]
) -> Float[np.ndarray, "h w"]:
    rows, columns = np.ogrid[: size[0], : size[1]]
    return np.hypot(rows - place[0], columns - place[1])
