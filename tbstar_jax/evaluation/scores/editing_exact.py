"""E of the tasks with one right answer: what is left of the error, and named faults.

Each function returns its parts in [0, 1], None where one cannot be measured in the
case, and is 0 in at least one of them for the source.
"""

import numpy as np
from jaxtyping import Bool

from tbstar_jax.evaluation.scores.editing_matching import Match, match_object
from tbstar_jax.evaluation.scores.editing_measures import (
    LEAST_PIXELS,
    View,
    band_skill,
    dilate,
    intactness,
    outline_band,
    outline_likeness,
    pattern_skill,
    pixel_skill,
    progress,
    relative,
    skill,
    visible_difference,
)
from tbstar_jax.geometry import Box
from tbstar_jax.metrics.similarity import mean_squared_error, ssim

_WHITE = 250
"""Least level of a pixel that counts as white, in each channel."""
_STAINED = 5.0
"""Visible difference from white of half a stain."""
_SSIM_MARGIN = 6
"""What a region grows by, so that whole windows lie in it."""


def white_background_parts(view: View) -> dict[str, float | None]:
    """`background`, `white`, `cut_edge`, `outline`.

    `background` is the skill of the visible difference in the edit region; `white` that
    of the stains on what the reference shows pure white; `cut_edge` that of both sides
    of the product's outline, where a wrong alpha shows; `outline`: is it there?
    """
    case = view.case
    is_white = (case.reference.min(axis=2) >= _WHITE) & case.masks.edit
    return {
        "background": pixel_skill(view, case.masks.edit),
        "white": _white_skill(view, is_white),
        "cut_edge": band_skill(view, outline_band(case.masks.product_after)),
        "outline": outline_likeness(view, case.masks.product_after),
    }


def _white_skill(view: View, mask: Bool[np.ndarray, "h w"]) -> float | None:
    if np.count_nonzero(mask) < LEAST_PIXELS:
        return None
    stains = []
    for lab in (view.answer_lab, view.source_lab):
        visible = visible_difference(lab[mask], view.reference_lab[mask])
        stains.append(float((visible / (visible + _STAINED)).mean()))
    return skill(*stains) if stains[1] > 0 else None


def watermark_parts(view: View) -> dict[str, float | None]:
    """`clean` (visible difference), `mark` (its pattern), `intact` (all else)."""
    edit = view.case.masks.edit
    return {
        "clean": pixel_skill(view, edit),
        "mark": pattern_skill(view, edit),
        "intact": intactness(view),
    }


def text_removal_parts(view: View) -> dict[str, float | None]:
    """`clean` (visible difference), `ink` (on the letters), `intact` (all else)."""
    masks = view.case.masks
    letters = dilate(masks.text, 1) & masks.edit
    return {
        "clean": pixel_skill(view, masks.edit),
        "ink": pattern_skill(view, letters),
        "intact": intactness(view),
    }


def object_removal_parts(view: View) -> dict[str, float | None]:
    """`clean` where the thing stood, `gone` (its pattern), `shadow`, `intact`."""
    masks = view.case.masks
    is_shadow = masks.shadow & masks.edit & ~masks.product
    stood = masks.edit & ~is_shadow
    return {
        "clean": pixel_skill(view, stood if stood.any() else masks.edit),
        "gone": pattern_skill(view, stood if stood.any() else masks.edit),
        "shadow": pixel_skill(view, is_shadow),
        "intact": intactness(view),
    }


def layout_parts(view: View) -> dict[str, float | None]:
    """`region` (visible difference), `gone` (the old places), `placed`, `intact`.

    `placed` averages, over what stands in the reference, the overlap of the box where
    it is found with the one asked for, times how alike it is there: how far that went
    from the source's to the reference's. Where the source has the same things in these
    places (others are to go), it is a share of the reference's.
    """
    values = [_placed(view, k) for k in range(3)]
    placed = progress(values[0], values[1], values[2], least=0.05)
    if placed is None and view.case.target_objects:
        placed = relative(values[0], values[2])
    return {
        "region": pixel_skill(view, view.case.masks.edit),
        "gone": pattern_skill(view, view.case.masks.edit),
        "placed": placed,
        "intact": intactness(view),
    }


def _placed(view: View, which: int) -> float:
    after = [one.after for one in view.case.target_objects if one.after is not None]
    if not after:
        return 0.0
    scores = []
    for box in after:
        match = match_object(view.labs[which], view.reference_lab, box)
        overlap = _shifted_iou(box, match)
        scores.append(max(0.0, match.likeness) * overlap)
    return float(np.mean(scores))


def _shifted_iou(box: Box, match: Match) -> float:
    rows = max(0, box.height - abs(match.rows))
    columns = max(0, box.width - abs(match.columns))
    both = rows * columns
    return both / (2 * box.height * box.width - both)


def repair_parts(view: View) -> dict[str, float | None]:
    """`clean` (visible difference), `level` (RMSE: a PSNR's skill), `detail`, `intact`.

    `detail` is how far SSIM went from the damage's to 1. A cast hardly lowers SSIM, and
    then it is left out.
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
    return {
        "clean": pixel_skill(view, edit, sigma=0.0),
        "level": skill(*errors) if errors[1] > 0 else None,
        "detail": progress(likeness[0], likeness[1], likeness[2], least=0.02),
        "intact": intactness(view),
    }
