"""The smallest rectangle around a print: four corners in the order a reader meets them.

Corners are (row, column) in pixels, pixel (0, 0) spanning 0 to 1, rounded to a
hundredth, and go top left, top right, bottom right, bottom left as the text is read.
"""

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import ConvexHull

from tbstar_jax.evaluation.cases.case import Quad
from tbstar_jax.geometry import Box

_LARGEST_TURN = 45.0
"""Degrees by which a print on a thing that stands upright is turned at most."""


def quad_at(ink: Bool[np.ndarray, "h w"], turn: float) -> Quad:
    """The rectangle around a print whose lines run at a known angle.

    Args:
      ink: where it is, somewhere marked.
      turn: of its lines, degrees counter-clockwise.
    """
    return _rectangle(_outline(ink), math.radians(turn))


def smallest_quad(ink: Bool[np.ndarray, "h w"]) -> Quad:
    """The rectangle of least area around a print, turned by at most 45 degrees.

    One side of it lies along the convex hull (Freeman and Shapira, 1975).

    Args:
      ink: where it is, somewhere marked.
    """
    points = _outline(ink)
    hull = points[ConvexHull(points).vertices]
    sides = np.roll(hull, -1, axis=0) - hull
    turns = np.degrees(np.arctan2(-sides[:, 0], sides[:, 1]))
    folded = (turns + _LARGEST_TURN) % 90.0 - _LARGEST_TURN
    # Upright first: of equal areas the first counts.
    candidates = [0.0, *np.unique(np.round(folded, 9)).tolist()]
    quads = [_rectangle(hull, math.radians(turn)) for turn in candidates]
    return min(quads, key=lambda quad: round(_area(quad), 1))


def box_quad(box: Box) -> Quad:
    """The corners of a box."""
    top, left = float(box.top), float(box.left)
    bottom, right = top + box.height, left + box.width
    return (top, left), (top, right), (bottom, right), (bottom, left)


def _outline(ink: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "n 2"]:
    """Corners of the first and last marked pixel of every row."""
    rows = np.flatnonzero(ink.any(axis=1))
    assert rows.size, "nothing is printed there"
    marked = ink[rows]
    first = marked.argmax(axis=1)
    last = ink.shape[1] - marked[:, ::-1].argmax(axis=1)
    corners = [
        np.stack([rows + below, side], axis=1)
        for below in (0, 1)
        for side in (first, last)
    ]
    return np.concatenate(corners).astype(np.float64)


def _rectangle(points: Float[np.ndarray, "n 2"], turn: float) -> Quad:
    # Along the line (to the right, and up where it is turned) and down from it.
    along = np.array([-math.sin(turn), math.cos(turn)])
    down = np.array([math.cos(turn), math.sin(turn)])
    right, below = points @ along, points @ down
    corners = [
        x * along + y * down
        for x, y in (
            (right.min(), below.min()),
            (right.max(), below.min()),
            (right.max(), below.max()),
            (right.min(), below.max()),
        )
    ]
    first, second, third, fourth = (
        (round(float(corner[0]), 2) + 0.0, round(float(corner[1]), 2) + 0.0)
        for corner in corners
    )
    return first, second, third, fourth


def _area(quad: Quad) -> float:
    first, second, _, fourth = (np.asarray(corner) for corner in quad)
    return float(np.linalg.norm(second - first) * np.linalg.norm(fourth - first))
