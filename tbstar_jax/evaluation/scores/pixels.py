"""Whether an edit landed, pixel by pixel against the reference.

Meaningful where the reference is the only right answer (`GroundTruth` "exact"), and a
column beside the edit score elsewhere.
"""

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from tbstar_jax.evaluation.cases.kept import guard_region
from tbstar_jax.evaluation.scores.comparison import THRESHOLDS
from tbstar_jax.metrics.color import unit_image
from tbstar_jax.metrics.similarity import (
    ciede2000_map,
    edit_iou,
    masked_mean,
    psnr,
    share_within,
)

IOU_THRESHOLD = 5.0
"""CIEDE2000 within which a pixel is right, for `iou_5`."""


def edit_pixels(
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    edited: UInt8[np.ndarray, "h w 3"],
    edit: Bool[np.ndarray, "h w"],
) -> dict[str, float]:
    """Measures an answer against the reference.

    Args:
      source: the photo, on the canvas of the answer.
      reference: the right edit.
      edited: the answer, of the same size.
      edit: what the instruction permits to change.

    Returns:
      By name; NaN where the reference changes nothing by as much.

      - `edit_accuracy_2`, `_5`, `_10`: of the edit's pixels in which the reference
        differs from the source by more than CIEDE2000 t, the share within t of the
        reference: 0 for a copy of the source.
      - `iou_5`: see `edit_iou`; the guard band counts on neither side.
      - `psnr_edit` (dB, inf where identical), `ciede2000_edit`: over the edit mask.
    """
    asked = ciede2000_map(source, reference)
    left = ciede2000_map(reference, edited)
    guard = guard_region(edit)
    metrics = {
        f"edit_accuracy_{threshold:.0f}": float(
            share_within(left, threshold, edit & (asked > threshold))
        )
        for threshold in THRESHOLDS
    }
    return {
        **metrics,
        "iou_5": float(edit_iou(asked, left, IOU_THRESHOLD, edit, guard)),
        "psnr_edit": float(psnr(reference, edited, edit)),
        "ciede2000_edit": float(masked_mean(left, edit)),
    }


def whole_distances(
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "ah aw 3"],
) -> dict[str, float]:
    """L1 and L2 of a whole picture as it lies.

    Args:
      source: the photo, on the canvas of the answer.
      reference: the right edit.
      answer: of any size; resized to the reference's as MagicBrush does, bicubic.

    Returns:
      Means over pixels and channels of levels in [0, 1]: `l1_reference` and
      `l2_reference`, absolute and squared differences from the reference (MagicBrush,
      image_eval.py); `l1_source`, absolute ones from the photo (Emu Edit), which
      rewards doing nothing.
    """
    height, width = reference.shape[:2]
    if answer.shape != reference.shape:
        resized = Image.fromarray(answer).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        answer = np.asarray(resized)
    error = unit_image(reference) - unit_image(answer)
    return {
        "l1_reference": float(np.abs(error).mean()),
        "l2_reference": float(np.square(error).mean()),
        "l1_source": float(np.abs(unit_image(source) - unit_image(answer)).mean()),
    }
