"""Where an instruction permits changes, when it leaves open how the result looks.

A request such as "add a badge at the top left" is fulfilled by any badge of any size in
that part of the picture. Only what is certainly to be kept is taken away from it: the
product, other things, other texts.
"""

import numpy as np
from jaxtyping import Bool

from tbstar_jax.data_engine.facts import Position
from tbstar_jax.evaluation.cases.draft import box_of
from tbstar_jax.geometry import erode

GUARD = 3
"""Distance of permitted regions from what is kept inside them, in pixels."""

_REACH = 0.45


def zone(position: Position | None, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Marks a named part of the picture, generously.

    Args:
      position: of the part; None for the whole picture.
      size: rows and columns, pixels.
    """
    rows, columns = size
    words = (position or "").split()
    vertical, horizontal = np.ones(rows, bool), np.ones(columns, bool)
    y = (np.arange(rows) + 0.5) / rows
    x = (np.arange(columns) + 0.5) / columns
    if "top" in words:
        vertical = y < _REACH
    if "bottom" in words:
        vertical = y > 1 - _REACH
    if "left" in words:
        horizontal = x < _REACH
    if "right" in words:
        horizontal = x > 1 - _REACH
    if "center" in words:
        vertical, horizontal = np.abs(y - 0.5) < 0.3, np.abs(x - 0.5) < 0.3
    return vertical[:, None] & horizontal[None, :]


def without(
    region: Bool[np.ndarray, "h w"], kept: Bool[np.ndarray, "h w"], guard: int = GUARD
) -> Bool[np.ndarray, "h w"]:
    """The region without what is kept and a margin of `guard` pixels around it."""
    return region & erode(~kept, guard)


def beside(
    found: Bool[np.ndarray, "h w"], others: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Marks all columns on the side of the other things where something stands.

    Args:
      found: where it stands in the reference, somewhere marked.
      others: the things it stands beside; may be empty.
    """
    box, rest = box_of(found), box_of(others)
    assert box is not None, "nothing stands there"
    columns = np.arange(found.shape[1])
    first, last = box.left, box.left + box.width
    reach = max(2, box.width // 2)
    first, last = first - reach, last + reach
    if rest is not None and box.left >= rest.left + rest.width - reach:
        last = found.shape[1]
    if rest is not None and box.left + box.width <= rest.left + reach:
        first = 0
    return np.broadcast_to((columns >= first) & (columns < last), found.shape).copy()


def around(
    region: Bool[np.ndarray, "h w"], share: float = 0.15
) -> Bool[np.ndarray, "h w"]:
    """Marks the box around a region, larger by a share of its sides."""
    box = box_of(region)
    assert box is not None, "the region is empty"
    down, across = 1 + round(box.height * share), 1 + round(box.width * share)
    marked = np.zeros_like(region)
    marked[
        max(0, box.top - down) : box.top + box.height + down,
        max(0, box.left - across) : box.left + box.width + across,
    ] = True
    return marked
