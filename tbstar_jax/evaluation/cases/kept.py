"""Where pixels are compared with the source: beyond an edit and a guard band around it.

One rule for what is drawn (`make`: a case keeps something), for what is stored (`keep`
and `guard` beside the other masks) and for what is scored (`scores.preservation`).
"""

import numpy as np
from jaxtyping import Bool

from tbstar_jax.geometry import erode

MIN_KEPT_SHARE = 0.01
"""Of the canvas: with less outside the guard band, the edit may change everything."""


def guard_band(size: tuple[int, int]) -> int:
    """Pixels around an edit that count on neither side: 4 at 512 pixels.

    A 128th of the longer side, at least 2 (antialiasing and chroma do not shrink with
    the picture) and at most 8.

    Args:
      size: rows and columns of the canvas, pixels.
    """
    return min(8, max(2, round(max(size) / 128)))


def kept_region(edit: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Returns what lies outside an edit and its guard band; empty below 1 %."""
    kept = erode(~edit, guard_band((edit.shape[0], edit.shape[1])))
    if kept.mean() < MIN_KEPT_SHARE:
        return np.zeros_like(kept)
    return kept


def guard_region(edit: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Returns what is neither edited nor kept."""
    return ~edit & ~kept_region(edit)
