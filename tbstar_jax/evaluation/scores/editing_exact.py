"""E of the tasks with one right answer: what is left of the error, and named faults.

Each function returns its parts in [0, 1], None where one cannot be measured in the
case, and is 0 in at least one of them for the source.
"""

import math
from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float

from tbstar_jax.evaluation.scores.editing_matching import Match, match_sized
from tbstar_jax.evaluation.scores.editing_measures import (
    LEAST_PIXELS,
    View,
    above_chance,
    dilate,
    intactness,
    pattern_skill,
    pixel_skill,
    progress,
    relative,
    skill,
    smooth,
    visible_difference,
)
from tbstar_jax.evaluation.scores.editing_outlines import alpha_score
from tbstar_jax.evaluation.scores.editing_texture import (
    quietness,
)
from tbstar_jax.geometry import Box
from tbstar_jax.metrics.color import lab_drift
from tbstar_jax.metrics.similarity import mean_squared_error, ssim

_WHITE = 250
"""Least level of a pixel that counts as white, in each channel."""
_STAINED = 5.0
"""Visible difference from white of half a stain."""
_SHADED = 2.0
"""Below white, L*: what a shadow on white is darker by."""
_CLEAR = 4
"""Pixels beside a product, whose edge is no shadow."""
_CAST = 6.0
"""Mean shift of Lab from which the source's own is a cast to be taken away."""
_DRIFT, _FREE_DRIFT = 4.0, 0.3
"""Shift of Lab at which a repair without a cast keeps 1 / e, and what noise does."""
_LEAST_IDENTITY = 0.05
"""Of an arrangement in which one thing is lost: the others are still something."""
_LEAST_DETAIL = 0.05
_SSIM_MARGIN = 6
"""What a region grows by, so that whole windows lie in it."""


def white_background_parts(view: View) -> dict[str, float | None]:
    """`background`, `white`, `cut_edge`, `shadow`.

    `background` is the skill of the visible difference in the edit region; `white` that
    of the stains on what the reference shows pure white; `cut_edge` compares the alpha
    of the product's edge, see `alpha_score`; `shadow`: is the shadow that is to stay as
    dark on the white as the reference's?
    """
    case = view.case
    is_white = (case.reference.min(axis=2) >= _WHITE) & case.masks.edit
    return {
        "background": pixel_skill(view, case.masks.edit),
        "white": _white_skill(view, is_white),
        "cut_edge": alpha_score(view, case.masks.product_after),
        "shadow": _kept_shadow(view),
    }


def _kept_shadow(view: View) -> float | None:
    """1 / (1 + e): e is the error of the darkness in the shadow, as a share of it.

    The shadow is what is darker than white in the reference's edit region, clear of the
    product. The instruction says that it stays; without one in the reference: None.
    """
    masks = view.case.masks
    answer, reference = (
        smooth(lab, 2.0)[..., 0] for lab in (view.answer_lab, view.reference_lab)
    )
    shadow = masks.edit & ~dilate(masks.product_after, _CLEAR)
    shadow &= 100.0 - reference > _SHADED
    if np.count_nonzero(shadow) < LEAST_PIXELS:
        return None
    error = np.abs(answer - reference)[shadow].mean()
    return 1.0 / (1.0 + float(error / (100.0 - reference)[shadow].mean()))


def _white_skill(view: View, mask: Bool[np.ndarray, "h w"]) -> float | None:
    if np.count_nonzero(mask) < LEAST_PIXELS:
        return None
    stains = []
    for lab in (view.answer_lab, view.source_lab):
        visible = visible_difference(lab[mask], view.reference_lab[mask])
        stains.append(float((visible / (visible + _STAINED)).mean()))
    return skill(*stains) if stains[1] > 0 else None


def watermark_parts(view: View) -> dict[str, float | None]:
    """`clean` (visible difference), `mark` (its pattern), `quiet`, `intact` (the rest).

    In all tasks `quiet` tells that there is no noise in its place, see `quietness`.
    """
    edit = view.case.masks.edit
    return {
        "clean": pixel_skill(view, edit),
        "mark": pattern_skill(view, edit),
        "quiet": quietness(view, edit),
        "intact": intactness(view),
    }


def text_removal_parts(view: View) -> dict[str, float | None]:
    """`clean` (visible difference), `ink` (on the letters), `quiet`, `intact`."""
    masks = view.case.masks
    letters = dilate(masks.text, 1) & masks.edit
    return {
        "clean": pixel_skill(view, masks.edit),
        "ink": pattern_skill(view, letters),
        "quiet": quietness(view, masks.edit),
        "intact": intactness(view),
    }


def object_removal_parts(view: View) -> dict[str, float | None]:
    """`clean` where it stood, `gone` (its pattern), `quiet`, `shadow`, `intact`."""
    masks = view.case.masks
    is_shadow = masks.shadow & masks.edit & ~masks.product
    stood = masks.edit & ~is_shadow
    return {
        "clean": pixel_skill(view, stood if stood.any() else masks.edit),
        "gone": pattern_skill(view, stood if stood.any() else masks.edit),
        "quiet": quietness(view, masks.edit),
        "shadow": pixel_skill(view, is_shadow),
        "intact": intactness(view),
    }


def layout_parts(view: View) -> dict[str, float | None]:
    """`region`, `gone`, `placed`, `identity`, `quiet`, `intact`.

    `region` is the skill of the visible difference, `gone` that of the old places.
    `placed` averages, over what stands in the reference, the intersection over union of
    the box in which it is found, moved and resized, with the one asked for, times how
    alike it is there: how far that went from the source's to the reference's. Where the
    source has the same things in these places (others are to go), it is a share of the
    reference's. `identity` is the likeness alone, of the product that is least alike.
    Both are at least 0.05.
    """
    found = [_found(view, lab) for lab in view.labs]
    values = [_mean(likeness * overlap for likeness, overlap in one) for one in found]
    placed = progress(values[0], values[1], values[2], least=0.05)
    if placed is None and view.case.target_objects:
        placed = relative(values[0], values[2])
    pairs = zip(found[0], found[2], strict=True)
    identity = [
        max(_LEAST_IDENTITY, above_chance(relative(one[0], best[0])))
        for one, best in pairs
    ]
    return {
        "region": pixel_skill(view, view.case.masks.edit),
        "gone": pattern_skill(view, view.case.masks.edit),
        "placed": None if placed is None else max(_LEAST_IDENTITY, placed),
        "identity": min(identity, default=None),
        "quiet": quietness(view, view.case.masks.edit),
        "intact": intactness(view),
    }


def _found(view: View, lab: Float[np.ndarray, "h w 3"]) -> list[tuple[float, float]]:
    """Likeness and overlap, by thing that the reference has."""
    pairs = []
    for one in view.case.target_objects:
        if one.after is not None:
            match = match_sized(lab, view.reference_lab, one.after)
            pairs.append((max(0.0, match.likeness), _overlap(one.after, match)))
    return pairs


def _mean(values: Iterable[float]) -> float:
    """0 without any."""
    known = list(values)
    return sum(known) / max(1, len(known))


def _overlap(box: Box, match: Match) -> float:
    """Intersection over union of a box with itself, moved and resized."""
    both = own = 1.0
    for side, shift in ((box.height, match.rows), (box.width, match.columns)):
        reach = match.scale * side
        shared = (side + reach) / 2 - abs(shift)
        both *= max(0.0, min(side, reach, shared))
        own *= reach
    return both / (box.height * box.width + own - both)


def repair_parts(view: View) -> dict[str, float | None]:
    """`clean` (visible difference), `level` (RMSE), `detail`, `drift`, `intact`.

    `level` is the skill of the root mean square error, which is a PSNR's; `drift` tells
    a repair that tints what it repairs: see `_drift`.

    `detail` is how far SSIM went from the damage's to 1, at least 0.05: grain alone is
    not the end of a repair. A cast hardly lowers SSIM, and then it is left out.
    """
    case = view.case
    edit = case.masks.edit
    errors = [
        float(np.sqrt(mean_squared_error(image, case.reference, edit)))
        for image in (view.answer, case.source)
    ]
    around = dilate(edit, _SSIM_MARGIN)
    likeness = [
        float(ssim(image, case.reference, around))
        for image in (view.answer, case.source, case.reference)
    ]
    detail = progress(likeness[0], likeness[1], likeness[2], least=0.02)
    return {
        "clean": pixel_skill(view, edit, sigma=0.0),
        "level": skill(*errors) if errors[1] > 0 else None,
        "detail": None if detail is None else max(_LEAST_DETAIL, detail),
        "drift": _drift(view, edit),
        "intact": intactness(view),
    }


def _drift(view: View, mask: Bool[np.ndarray, "h w"]) -> float | None:
    """Whether the mean colour of the repaired region is right, in [0, 1].

    With d the length of the mean signed shift of L*, a*, b* from the reference: where
    the source itself is shifted by 6 and more (a cast), the skill of d; else
    exp(-(d - 0.3) / 4), since there is nothing to gain, only to lose.
    """
    if np.count_nonzero(mask) < LEAST_PIXELS:
        return None
    shift, source_shift = (
        float(np.linalg.norm(lab_drift(view.reference_lab, lab, mask)))
        for lab in (view.answer_lab, view.source_lab)
    )
    if source_shift >= _CAST:
        return skill(shift, source_shift)
    return math.exp(-max(0.0, shift - _FREE_DRIFT) / _DRIFT)
