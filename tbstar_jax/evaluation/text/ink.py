"""The ink of a known box: what differs from the local ground, and how it looks.

The ground is a plane of colour through the pixels just outside the box (so a gradient
is ground). Ink is told by its own colour, whatever that is: with g the ground, c the
mean of the pixels furthest from it, p a pixel,

    coverage = clip(<p - g, c - g> / |c - g|^2, 0, 1)

in sRGB, in which antialiased glyphs are blended; above 1/2 it is ink.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.geometry import Box
from tbstar_jax.metrics.color import srgb_to_lab

MIN_CONTRAST = 0.06
"""Distance of ink from ground, in sRGB of [0, 1], below which there is none."""

MARGIN = 3
"""Pixels around a box that are looked at; the outer two are taken as ground."""

_RING = 2
_FURTHEST = 0.02
"""Share of the pixels that show the ink's colour: the strokes' middles."""
_FIT_ROUNDS = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ink:
    """What is written in a box.

    Attributes:
      coverage: of each pixel of the window, in [0, 1].
      color: of the ink, CIE Lab.
      contrast: its distance from the ground in sRGB, [0, sqrt(3)].
    """

    coverage: Float[np.ndarray, "h w"]
    color: Float[np.ndarray, " 3"]
    contrast: float

    @property
    def mask(self) -> Bool[np.ndarray, "h w"]:
        """True where there is ink."""
        return self.coverage > 0.5

    @property
    def height(self) -> int:
        """Rows from the first with ink to the last."""
        rows = np.flatnonzero(self.mask.any(axis=1))
        return int(rows[-1] - rows[0] + 1) if rows.size else 0


def window_of(
    image: UInt8[np.ndarray, "h w 3"], box: Box, margin: int = MARGIN
) -> Float[np.ndarray, "wh ww 3"]:
    """Returns a box and its margin in [0, 1]; beyond the image its edge goes on."""
    rows = np.arange(box.top - margin, box.top + box.height + margin)
    columns = np.arange(box.left - margin, box.left + box.width + margin)
    rows = np.clip(rows, 0, image.shape[0] - 1)
    columns = np.clip(columns, 0, image.shape[1] - 1)
    return image[np.ix_(rows, columns)] / 255.0


def find_ink(
    window: Float[np.ndarray, "h w 3"], min_contrast: float = MIN_CONTRAST
) -> Ink | None:
    """Separates ink from ground.

    Args:
      window: of `window_of`.
      min_contrast: of ink, in sRGB.

    Returns:
      None where nothing stands out by `min_contrast`.
    """
    ground = _ground(window)
    offset = window - ground
    distance = np.linalg.norm(offset, axis=-1)
    count = max(4, round(_FURTHEST * distance.size))
    limit = np.partition(distance.ravel(), -count)[-count]
    far = distance >= max(limit, 1e-9)
    if not far.any():
        return None
    # The middle of the furthest, so that a speck of another colour does not decide.
    direction = np.median(offset[far], axis=0)
    contrast = float(np.linalg.norm(direction))
    if contrast < min_contrast:
        return None
    coverage = np.clip(offset @ direction / contrast**2, 0.0, 1.0)
    solid = coverage > 0.9
    color = np.mean(srgb_to_lab(window[solid if solid.any() else far]), axis=0)
    return Ink(coverage=coverage, color=color, contrast=contrast)


def _ground(window: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    """Fits a plane of colour to the outer pixels, less to those far from it."""
    is_outer = np.zeros(window.shape[:2], bool)
    is_outer[:_RING] = is_outer[-_RING:] = True
    is_outer[:, :_RING] = is_outer[:, -_RING:] = True
    rows, columns = np.indices(window.shape[:2])
    terms = np.stack(
        [
            np.ones(window.shape[:2]),
            rows / max(1, window.shape[0] - 1) - 0.5,
            columns / max(1, window.shape[1] - 1) - 0.5,
        ],
        axis=-1,
    )
    basis, values = terms[is_outer], window[is_outer]
    # Starts from the median: a border or a neighbour's ink must not tilt the plane.
    error = np.linalg.norm(values - np.median(values, axis=0), axis=-1)
    plane = np.zeros((3, 3))
    for _ in range(_FIT_ROUNDS):
        near = error <= max(2.5 * float(np.median(error)), 0.01)
        plane, *_ = np.linalg.lstsq(basis[near], values[near], rcond=None)
        error = np.linalg.norm(values - basis @ plane, axis=-1)
    return terms @ plane
