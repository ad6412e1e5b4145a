"""Where most blocks of a picture went: a start for the registration.

Blocks of the source are searched in the target. An edit moves or hides some of them,
the rest agree on one motion, which is found by consensus: an edit cannot pull it, as it
pulls the peak of a correlation over the whole picture.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float

MAX_SHIFT = 10
"""Displacement that is searched for, in pixels of an image of at most 256 px."""

_SEARCH_SIDE = 256
_MIN_CONTRAST = 3.0
"""Standard deviation, in levels, below which a block is not searched."""
_MIN_AGREEMENT = 0.8
"""Correlation at which a block counts as found."""
_MIN_SUPPORT = 0.3
"""Share of the searched blocks that must agree on a motion."""
_MAX_ZOOM = 0.1
_TOLERANCE = 1.5
"""How far, in pixels, a block may lie from where a translation puts it."""
_CLOSE = 0.5
"""How far it may lie from where the motion puts it, when two motions are compared."""


def agreed_motion(
    first: Float[np.ndarray, "h w"],
    second: Float[np.ndarray, "h w"],
    region: Bool[np.ndarray, "h w"],
) -> Float[np.ndarray, "2 3"] | None:
    """Returns the motion most textured blocks outside a region agree on.

    Args:
      first: luma of the source, levels.
      second: luma of the target.
      region: what is not searched.

    Returns:
      The map from source to target coordinates (x, y), float32: a translation, or a
      similarity where a translation does not do; None without agreement.
    """
    scale = min(1.0, _SEARCH_SIDE / max(first.shape))
    if scale < 1:
        size = (round(first.shape[1] * scale), round(first.shape[0] * scale))
        first, second = (
            cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (first, second)
        )
        region = cv2.resize(region.view(np.uint8), size) > 0
    places, moves, num_searched = _found_blocks(first, second, region)
    if not len(moves):
        return None
    needed = _MIN_SUPPORT * num_searched
    near = np.abs(moves[:, None] - moves[None]).max(axis=2) <= _TOLERANCE
    best = near[near.sum(axis=1).argmax()]
    matrix = np.eye(2, 3)
    matrix[:, 2] = moves[best].mean(axis=0)
    # A zoom moves the blocks apart: then a similarity puts more of them in their place.
    is_close = np.abs(moves - matrix[:, 2]).max(axis=1) <= _CLOSE
    if len(moves) >= 6 and is_close.mean() < 0.8:
        similar, fits = cv2.estimateAffinePartial2D(
            places, places + moves, ransacReprojThreshold=_CLOSE
        )
        is_better = fits is not None and fits.sum() > 1.25 * is_close.sum()
        if is_better and abs(np.linalg.det(similar[:, :2]) - 1) < 2 * _MAX_ZOOM:
            matrix, best = np.asarray(similar, float), fits[:, 0] > 0
    if best.sum() < needed:
        return None
    matrix[:, 2] /= scale
    return matrix.astype(np.float32)


def _found_blocks(
    first: Float[np.ndarray, "h w"],
    second: Float[np.ndarray, "h w"],
    region: Bool[np.ndarray, "h w"],
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"], int]:
    """Returns centres (x, y) and moves of the blocks found, and how many were searched.

    The move is refined below a pixel by a parabola through the best score.
    """
    side = max(16, min(32, min(first.shape) // 4))
    reach = min(MAX_SHIFT, side // 2)
    places, moves, num_searched = [], [], 0
    for top in range(reach, first.shape[0] - side - reach + 1, side):
        for left in range(reach, first.shape[1] - side - reach + 1, side):
            here = np.s_[top : top + side, left : left + side]
            if region[here].mean() > 0.25 or first[here].std() < _MIN_CONTRAST:
                continue
            num_searched += 1
            area = second[
                top - reach : top + side + reach, left - reach : left + side + reach
            ]
            score = cv2.matchTemplate(area, first[here], cv2.TM_CCOEFF_NORMED)
            row, column = divmod(int(score.argmax()), score.shape[1])
            if score[row, column] < _MIN_AGREEMENT:
                continue
            places.append((left + side / 2, top + side / 2))
            moves.append(
                (
                    column - reach + _vertex(score[row], column),
                    row - reach + _vertex(score[:, column], row),
                )
            )
    shape = (len(moves), 2)
    return (
        np.array(places, float).reshape(shape),
        np.array(moves, float).reshape(shape),
        num_searched,
    )


def _vertex(scores: Float[np.ndarray, " n"], at: int) -> float:
    """Where between its neighbours a parabola has its top, in (-0.5, 0.5)."""
    if not 0 < at < len(scores) - 1:
        return 0.0
    before, top, after = (float(scores[at + k]) for k in (-1, 0, 1))
    bend = before - 2 * top + after
    return 0.0 if bend >= 0 else 0.5 * (before - after) / bend
