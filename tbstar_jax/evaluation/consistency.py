"""What an edit kept, changed and moved, where the true change is known.

Training's held-out report and the README's table are both `summarize` of the scores
computed here, by the benchmark's measures (`tbstar_jax.metrics`). Outside the change an
edit is compared with the source, inside with the target. Means are over images; each
stands beside the number of images it is over. A PSNR is infinite for identical pixels:
those images are counted, not averaged.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.metrics.registration import register
from tbstar_jax.metrics.similarity import (
    ciede2000_mean,
    mask_iou,
    psnr,
    share_identical,
)


@dataclass(frozen=True, kw_only=True)
class ConsistencyScores:
    """The scores of one edit; NaN where a score is not defined.

    Attributes:
      psnr_outside: dB against the source outside the change; inf if identical.
      psnr_inside: dB against the target inside the change; inf if identical.
      ciede2000_outside: mean colour difference from the source outside the change.
      share_identical_outside: share of bit-identical pixels outside, in [0, 1].
      share_identical: share of bit-identical pixels of the whole image, in [0, 1].
      shift: global displacement of the unchanged part, in pixels; NaN where it cannot
        be registered.
      gate_iou: overlap of the cells said to be edited with those that change, in
        [0, 1]; NaN without a prediction.
    """

    psnr_outside: float
    psnr_inside: float
    ciede2000_outside: float
    share_identical_outside: float
    share_identical: float
    shift: float
    gate_iou: float


@dataclass(frozen=True, kw_only=True)
class ScoreMean:
    """The mean of one score over the images where it is finite.

    Attributes:
      mean: NaN when there is no such image.
      num_images: images averaged.
      num_exact: images left out because they are identical (an infinite PSNR).
    """

    mean: float
    num_images: int
    num_exact: int


@dataclass(frozen=True, kw_only=True)
class ConsistencySummary:
    """Means over a set of edits; the fields are those of `ConsistencyScores`."""

    num_images: int
    psnr_outside: ScoreMean
    psnr_inside: ScoreMean
    ciede2000_outside: ScoreMean
    share_identical_outside: ScoreMean
    share_identical: ScoreMean
    shift: ScoreMean
    gate_iou: ScoreMean

    def as_scalars(self) -> dict[str, float]:
        """Returns what a log line holds: defined means, and counts of exact images."""
        scalars = {"num_images": float(self.num_images)}
        for field in fields(ConsistencyScores):
            score: ScoreMean = getattr(self, field.name)
            if score.num_images:
                scalars[field.name] = score.mean
            if field.name.startswith("psnr"):
                scalars[f"{field.name}_num_exact"] = float(score.num_exact)
        return scalars


def consistency_scores(
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    edited: UInt8[np.ndarray, "h w 3"],
    change_mask: Bool[np.ndarray, "h w"],
    predicted_mask: Bool[np.ndarray, "h w"] | None = None,
    mask_cell: int = 1,
) -> ConsistencyScores:
    """Scores one edit.

    Args:
      source: the photo.
      target: the right edit, equal to the source outside the change.
      edited: the edit to be scored.
      change_mask: True where the target differs.
      predicted_mask: True where the keep gate says "edit", if there is a gate.
      mask_cell: pixels per side of what the prediction is made of; a keep gate's is a
        token, which changes if any of its pixels does.
    """
    outside = ~change_mask
    gate_iou = math.nan
    if predicted_mask is not None:
        cells = (_cells(mask, mask_cell) for mask in (predicted_mask, change_mask))
        gate_iou = float(mask_iou(*cells))
    return ConsistencyScores(
        psnr_outside=float(psnr(source, edited, outside)),
        psnr_inside=float(psnr(target, edited, change_mask)),
        ciede2000_outside=float(ciede2000_mean(source, edited, outside)),
        share_identical_outside=float(share_identical(source, edited, outside)),
        share_identical=float(share_identical(source, edited)),
        shift=register(source, edited, outside).shift,
        gate_iou=gate_iou,
    )


def summarize(scores: Iterable[ConsistencyScores]) -> ConsistencySummary:
    """Averages the scores of a set of edits, field by field."""
    scores = tuple(scores)
    means = {
        field.name: _mean([getattr(score, field.name) for score in scores])
        for field in fields(ConsistencyScores)
    }
    return ConsistencySummary(num_images=len(scores), **means)


def _cells(mask: Bool[np.ndarray, "h w"], cell: int) -> Bool[np.ndarray, "_ _"]:
    """Which squares of `cell` pixels hold a True; the last ones may be cut off."""
    rows = np.logical_or.reduceat(mask, range(0, mask.shape[0], cell), axis=0)
    return np.logical_or.reduceat(rows, range(0, mask.shape[1], cell), axis=1)


def _mean(values: list[float]) -> ScoreMean:
    finite = [value for value in values if math.isfinite(value)]
    return ScoreMean(
        mean=math.fsum(finite) / len(finite) if finite else math.nan,
        num_images=len(finite),
        num_exact=sum(value == math.inf for value in values),
    )
