"""What the edit scores are made of: skills, errors, statistics.

A skill is 0 for the unchanged source and 1 for the reference, exactly: both ends are
computed by the arithmetic that the answer goes through. Colours are CIE Lab. Bands and
windows are so many pixels wide, whatever the size of the picture.
"""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.cases.kept import guard_band
from tbstar_jax.geometry import Box, erode
from tbstar_jax.metrics.color import ciede2000, srgb_to_lab

LEAST_PIXELS = 16
"""A region with fewer pixels is not measured."""

_VISIBLE = 2.0
"""CIEDE2000 at which a difference counts half of its size."""
_SPREAD = 5
"""Side of the box over which the weights of a change are spread, pixels."""
_FLOOR_WEIGHT = 0.1
"""Of the mean weight: what unchanged pixels of an edit region count."""
_LEAST_RING = 4
"""Pixels around an edit that must be intact, as the guard band around it must."""
_ALIKE = 1.0
"""CIEDE2000 below which source and reference are alike."""
_DAMAGED = 8.0
"""Visible difference at which a pixel that should stay is mostly lost."""
_NEAR = 5
"""Pixels beside a change that belong to its outline."""
_TAKEN = 6.0
"""CIEDE2000 from the source at which a pixel of an open zone is taken."""
_ROOM = 2.5
"""What another good drawing may take, as a multiple of the reference's."""
_CHANCE = 0.25
_BAND = 3
"""Half the width of the band along an outline, pixels."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """The three pictures in CIE Lab, the answer already on the canvas.

    Attributes:
      case: what was asked.
      answer: sRGB.
      source_lab: L* in [0, 100], a*, b*.
      reference_lab: likewise.
      answer_lab: likewise.
    """

    case: Case
    answer: UInt8[np.ndarray, "h w 3"]
    source_lab: Float[np.ndarray, "h w 3"]
    reference_lab: Float[np.ndarray, "h w 3"]
    answer_lab: Float[np.ndarray, "h w 3"]

    @property
    def labs(self) -> tuple[Float[np.ndarray, "h w 3"], ...]:
        """Answer, source, reference: the order of `progress`."""
        return self.answer_lab, self.source_lab, self.reference_lab


def view_of(case: Case, answer: UInt8[np.ndarray, "h w 3"]) -> View:
    """Converts the pictures of a case and an answer of the same size."""
    return View(
        case=case,
        answer=answer,
        source_lab=srgb_to_lab(case.source),
        reference_lab=srgb_to_lab(case.reference),
        answer_lab=srgb_to_lab(answer),
    )


def dot(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> float:
    """Returns the inner product, the same to the last bit wherever the arrays lie.

    BLAS sums in an order that depends on alignment, and the ends of a skill are exact.
    """
    return float(np.sum(first * second))


def skill(error: float, source_error: float) -> float:
    """Returns 1 - error / source_error in [0, 1]; without a source error, 0 or 1."""
    if source_error <= 0:
        return float(error <= 0)
    return min(1.0, max(0.0, 1.0 - error / source_error))


def progress(
    value: float, at_source: float, at_reference: float, least: float
) -> float | None:
    """How far a measure went from the source's value to the reference's, in [0, 1].

    None where the two lie closer than `least`: the measure cannot tell them apart.
    """
    way = at_reference - at_source
    if not abs(way) >= least:
        return None
    return min(1.0, max(0.0, (value - at_source) / way))


def above_chance(likeness: float) -> float:
    """Takes off what unrelated pictures reach: 0.25 and less become 0, 1 stays 1."""
    return max(0.0, (likeness - _CHANCE) / (1.0 - _CHANCE))


def relative(value: float, at_reference: float) -> float:
    """Returns a likeness as a share of the reference's, in [0, 1]."""
    if at_reference <= 0:
        return 1.0
    return min(1.0, max(0.0, value / at_reference))


def combine(parts: Mapping[str, float], exponents: Mapping[str, float]) -> float:
    """Multiplies powers of the parts; one that is 0 makes the product 0.

    Where a part is absent the others' exponents grow, so that their sum stays.
    """
    if not parts or min(parts.values()) <= 0:
        return 0.0
    share = sum(exponents[name] for name in parts) / sum(exponents.values())
    logs = sum(exponents[name] * math.log(value) for name, value in parts.items())
    return math.exp(logs / share)


def dilate(mask: Bool[np.ndarray, "h w"], reach: int) -> Bool[np.ndarray, "h w"]:
    """Adds the pixels within `reach` rows and columns."""
    return ~erode(~mask, reach)


def box_mask(box: Box, size: tuple[int, int], margin: int) -> Bool[np.ndarray, "h w"]:
    """Marks a box and a margin, as far as the picture goes."""
    mask = np.zeros(size, bool)
    mask[
        max(0, box.top - margin) : max(0, box.top + box.height + margin),
        max(0, box.left - margin) : max(0, box.left + box.width + margin),
    ] = True
    return mask


def visible_difference(
    first: Float[np.ndarray, "*b 3"], second: Float[np.ndarray, "*b 3"]
) -> Float[np.ndarray, "*b"]:
    """Returns d^2 / (d + 2) of the CIEDE2000 difference d.

    What nobody sees counts quadratically and what is plain to see linearly, so that
    the noise of a JPEG does not outweigh a faint but large change.
    """
    d = ciede2000(first, second)
    return d * d / (d + _VISIBLE)


def change_weights(
    view: View, mask: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """Weighs the pixels of a region by the true change on and beside them.

    The rest of the region counts a little: what is destroyed there is an error too.
    """
    change = np.where(mask, ciede2000(view.source_lab, view.reference_lab), 0.0)
    spread = np.where(mask, ndimage.uniform_filter(change, _SPREAD), 0.0)
    floor = _FLOOR_WEIGHT * spread[mask].mean() if mask.any() else 0.0
    return np.where(mask, spread + floor, 0.0)


def pixel_skill(
    view: View, mask: Bool[np.ndarray, "h w"], *, sigma: float = 1.0
) -> float | None:
    """Skill of the visible difference from the reference over a region.

    None where source and reference do not differ there.

    Args:
      view: the pictures.
      mask: the region.
      sigma: of the smoothing before, pixels: the ringing of a JPEG is no error of an
        edit; 0 where fine detail is what the edit is about.
    """
    if np.count_nonzero(mask) < LEAST_PIXELS:
        return None
    weights = change_weights(view, mask)[mask]
    answer, source, reference = (smooth(lab, sigma)[mask] for lab in view.labs)
    error, source_error = (
        dot(weights, visible_difference(one, reference)) for one in (answer, source)
    )
    return skill(error, source_error) if source_error > 0 else None


def intactness(view: View) -> float | None:
    """How well what the reference leaves alone, in and beside the edit, is left alone.

    The mean of exp(-d / 8) of the visible difference d from the reference, over the
    pixels in which source and reference are alike: of the edit region, and of the guard
    band around it, which preservation does not count; the lower of the two.
    """
    edit = view.case.masks.edit
    ring = dilate(edit, max(_LEAST_RING, guard_band(view.case.size))) & ~edit
    values = [left_alone(view, edit), left_alone(view, ring)]
    return min((value for value in values if value is not None), default=None)


def left_alone(view: View, mask: Bool[np.ndarray, "h w"]) -> float | None:
    """`intactness` of one region; None where source and reference are not alike."""
    region = mask & (ciede2000(view.source_lab, view.reference_lab) < _ALIKE)
    if np.count_nonzero(region) < LEAST_PIXELS:
        return None
    answer, reference = (
        smooth(lab, 1.0) for lab in (view.answer_lab, view.reference_lab)
    )
    left = np.exp(-visible_difference(answer, reference) / _DAMAGED)
    return float(left[region].mean())


def far_intactness(view: View) -> float | None:
    """The like in the edit region, 6 pixels and more from what the reference changes.

    Nearer, a JPEG lets colours bleed, and another outline is no damage.
    """
    changed = (view.case.source != view.case.reference).any(axis=2)
    return left_alone(view, view.case.masks.edit & ~dilate(changed, _NEAR))


def extent(view: View) -> float | None:
    """Whether more of the open zone changes than the edit takes, in [0, 1].

    min(1, 2.5 r / a), where r and a are the pixels of the edit region (one more to each
    side: the strokes of a text and what they enclose) that the reference and the answer
    change by a CIEDE2000 above 6. A thing of 1.5 times the width costs nothing.
    """
    edit = view.case.masks.edit
    answer, source, reference = (smooth(lab, 1.0) for lab in view.labs)
    counts = [
        int(np.count_nonzero(dilate(ciede2000(lab, source) > _TAKEN, 1) & edit))
        for lab in (answer, reference)
    ]
    if counts[1] < LEAST_PIXELS:
        return None
    return min(1.0, _ROOM * counts[1] / max(1, counts[0]))


def smooth(lab: Float[np.ndarray, "h w 3"], sigma: float) -> Float[np.ndarray, "h w 3"]:
    """Smooths by a Gaussian; 0 leaves the picture as it is."""
    if sigma == 0:
        return lab
    return ndimage.gaussian_filter(lab, sigma, axes=(0, 1), truncate=3.0)


def pattern_skill(view: View, mask: Bool[np.ndarray, "h w"]) -> float | None:
    """How much of what the source has too much is gone, by projection onto it.

    1 - |<O - R, S - R>| / <S - R, S - R> over the sRGB values of a region: 0 where the
    pattern is still there (or there twice), whatever else the answer shows.
    """
    if np.count_nonzero(mask) < LEAST_PIXELS:
        return None
    reference = view.case.reference[mask].astype(float)
    pattern = (view.case.source[mask] - reference).ravel()
    rest = (view.answer[mask] - reference).ravel()
    power = dot(pattern, pattern)
    return skill(abs(dot(rest, pattern)), power) if power > 0 else None


def gradients(
    light: Float[np.ndarray, "h w"], sigma: float = 1.0
) -> Float[np.ndarray, "2 h w"]:
    """Derivatives of a smoothed plane, along rows and columns."""
    return np.stack(np.gradient(ndimage.gaussian_filter(light, sigma)))


def gradient_likeness(
    first: Float[np.ndarray, "h w"],
    second: Float[np.ndarray, "h w"],
    mask: Bool[np.ndarray, "h w"],
) -> float:
    """Cosine of two planes' gradients over a region, in [-1, 1].

    A gain or an offset changes nothing, which is what matching histograms is for; a
    flat plane and noise are like nothing.
    """
    one, two = (gradients(plane)[:, mask].ravel() for plane in (first, second))
    norm = math.sqrt(dot(one, one) * dot(two, two))
    # Less than 0.1 L* per pixel is rounding.
    return dot(one, two) / (norm + 0.01 * one.size)


def outline_band(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Marks the pixels on both sides of a region's outline."""
    return dilate(mask, _BAND) & ~erode(mask, _BAND)


def outline_likeness(view: View, mask: Bool[np.ndarray, "h w"]) -> float | None:
    """Whether what the reference outlines is outlined in the answer, in [0, 1]."""
    band = outline_band(mask)
    if np.count_nonzero(band) < LEAST_PIXELS:
        return None
    reference = view.reference_lab[..., 0]
    values = [
        gradient_likeness(lab[..., 0], reference, band)
        for lab in (view.answer_lab, view.reference_lab)
    ]
    return above_chance(relative(*values))
