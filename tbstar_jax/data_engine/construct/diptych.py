"""Two pictures on one canvas: where they meet, and taking them apart.

Models put the seam where they like, or draw a gutter between the pictures. A seam is a
line across the whole canvas on which neighbouring pixels differ along most of its
length; so is the edge of a table. So every such line is a candidate, as is the middle,
and the halves that agree best decide: both show the same scene.
"""

import dataclasses
from typing import Literal

import numpy as np

from tbstar_jax.array_types import Float, UInt8

Layout = Literal["left_right", "top_bottom"]

_REACH = 0.15
"""How far from the middle a seam is looked for, as a share of the canvas."""
_STEP = 10.0
"""Difference of neighbours, in grey levels, that counts as a jump."""
_LENGTH = 0.85
"""Least share of the canvas's length along which a seam jumps."""


_MAX_GUTTER = 0.08
"""Widest gutter, as a share of the canvas."""
_SURELY_BETTER = 0.8
"""Share of the even halves' disagreement below which an uneven split is believed."""
_MOST = 40.0
"""Difference in grey levels above which a pixel has changed altogether."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """Two halves of one size, and how even the canvas was.

    Attributes:
      source: the left or upper picture.
      target: the right or lower picture.
      gutter: first line that is not of the source, and first line of the target; they
        are equal without a gutter.
      unevenness: how far the gutter's middle lies from the canvas's, in pixels.
    """

    source: UInt8[np.ndarray, "h w 3"]
    target: UInt8[np.ndarray, "h w 3"]
    gutter: tuple[int, int]
    unevenness: float


def split(canvas: UInt8[np.ndarray, "h w 3"], layout: Layout) -> Split:
    """Takes a canvas apart.

    Args:
      canvas: both pictures, at least 2 pixels along the layout's direction.
      layout: how they lie.

    Returns:
      The halves without the gutter between them, both as they begin at their first row
      and column, cut to the size of the smaller one.
    """
    upright = canvas if layout == "left_right" else np.swapaxes(canvas, 0, 1)
    length = upright.shape[1]
    even = (length // 2, length - length // 2)
    best, least = even, disagreement(*_halves(upright, even))
    for gutter in _candidates(upright):
        error = disagreement(*_halves(upright, gutter))
        is_even = abs(sum(gutter) - length) <= 2
        if error < least * (1.0 if is_even else _SURELY_BETTER):
            best, least = gutter, error
    source, target = (
        np.ascontiguousarray(half if layout == "left_right" else half.swapaxes(0, 1))
        for half in _halves(upright, best)
    )
    return Split(
        source=source,
        target=target,
        gutter=best,
        unevenness=abs(sum(best) - length) / 2,
    )


def disagreement(
    first: UInt8[np.ndarray, "h w 3"], second: UInt8[np.ndarray, "h w 3"]
) -> float:
    """Mean difference of two pictures in grey levels; what changed counts `_MOST`."""
    difference = np.abs(first.astype(np.int16) - second).max(axis=2)
    return float(np.minimum(difference, _MOST).mean())


def _halves(
    canvas: UInt8[np.ndarray, "h w 3"], gutter: tuple[int, int]
) -> tuple[UInt8[np.ndarray, "h n 3"], UInt8[np.ndarray, "h n 3"]]:
    width = min(gutter[0], canvas.shape[1] - gutter[1])
    return canvas[:, :width], canvas[:, gutter[1] : gutter[1] + width]


def _candidates(canvas: UInt8[np.ndarray, "h w 3"]) -> list[tuple[int, int]]:
    seams = find_seams(canvas)
    widest = _MAX_GUTTER * canvas.shape[1]
    return [
        (first, last)
        for first in seams
        for last in seams
        if 0 <= last - first <= widest
    ]


def find_seams(canvas: UInt8[np.ndarray, "h w 3"]) -> tuple[int, ...]:
    """Finds the seams of a canvas whose pictures lie side by side, near its middle.

    Args:
      canvas: the picture.

    Returns:
      Columns whose left neighbour looks to be of another picture, or of a gutter.
    """
    length = canvas.shape[1]
    start = max(1, round((0.5 - _REACH) * length))
    stop = min(length, round((0.5 + _REACH) * length) + 1)
    jumps = _jump_share(canvas)
    return tuple(k for k in range(start, stop) if jumps[k] >= _LENGTH)


def _jump_share(canvas: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, " w"]:
    """Along how much of each column it differs from the column before."""
    values = canvas.astype(np.float64)
    steps = np.abs(np.diff(values, axis=1)).max(axis=2)
    share = (steps >= _STEP).mean(axis=0)
    return np.concatenate([[0.0], share])
