"""PaintBench's measures: how many pixels are right, where the answer is known exactly.

With the edit region E, where photo and right answer differ, and the rest K; a pixel is
right at threshold t when its CIE76 difference to the right answer (Euclidean, in Lab)
is at most t:

    edit accuracy          right in E / E
    preservation accuracy  right in K / K
    IoU                    right in E / (E + wrong in K)

at t = 0, 1, ..., 10, each 1 where its region is empty. A copy of the photo has IoU 0.
PaintBench (e91d8ef), docs/metric.md and src/eval.py::compute_problem_stats; its colour
conversion has the sRGB matrix with one digit more, which moves Lab by less than 0.001.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from tbstar_jax.metrics.color import srgb_to_lab

THRESHOLDS = tuple(range(11))


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelScores:
    """Accuracies in [0, 1], by threshold.

    Attributes:
      num_edit: pixels of the edit region.
      num_kept: of the rest.
      edit_accuracy: right pixels of the edit region.
      preservation_accuracy: of the rest.
      iou: of both.
    """

    num_edit: int
    num_kept: int
    edit_accuracy: Float[np.ndarray, " t"]
    preservation_accuracy: Float[np.ndarray, " t"]
    iou: Float[np.ndarray, " t"]


def pixel_scores(
    photo: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
) -> PixelScores:
    """Compares an answer with the right one.

    Args:
      photo: before the edit.
      reference: the right answer.
      answer: of their size (see `fitted`).
    """
    is_edit = (photo != reference).any(axis=-1)
    difference = cie76(answer, reference)
    in_edit, in_kept = (_right(difference, region) for region in (is_edit, ~is_edit))
    num_edit = int(is_edit.sum())
    num_kept = is_edit.size - num_edit
    return PixelScores(
        num_edit=num_edit,
        num_kept=num_kept,
        edit_accuracy=_share(in_edit, np.full_like(in_edit, num_edit)),
        preservation_accuracy=_share(in_kept, np.full_like(in_kept, num_kept)),
        iou=_share(in_edit, num_edit + num_kept - in_kept),
    )


def cie76(
    first: UInt8[np.ndarray, "h w 3"], second: UInt8[np.ndarray, "h w 3"]
) -> Float[np.ndarray, "h w"]:
    """Returns the Euclidean distance in CIE Lab (D65) of two sRGB images."""
    change = srgb_to_lab(first) - srgb_to_lab(second)
    return np.sqrt((change**2).sum(axis=-1))


def fitted(
    answer: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "_ _ 3"]:
    """Brings an answer to the size that is asked for, as PaintBench does.

    Scaled by the nearest pixel until it covers the size, then cut out of its middle.

    Args:
      answer: of any size.
      size: rows and columns.
    """
    rows, columns = answer.shape[:2]
    if (rows, columns) == size:
        return answer
    scale = max(size[0] / rows, size[1] / columns)
    height, width = math.ceil(rows * scale), math.ceil(columns * scale)
    resized = Image.fromarray(answer).resize((width, height), Image.Resampling.NEAREST)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return np.asarray(resized)[top : top + size[0], left : left + size[1]]


def _right(
    difference: Float[np.ndarray, "h w"], region: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, " t"]:
    inside = difference[region]
    return np.array([float((inside <= t).sum()) for t in THRESHOLDS])


def _share(
    right: Float[np.ndarray, " t"], total: Float[np.ndarray, " t"]
) -> Float[np.ndarray, " t"]:
    return np.where(total > 0, right / np.maximum(total, 1.0), 1.0)
