"""Shift and zoom of a picture by one separable resampling.

Without rotation, rows and columns are resampled each by a banded matrix: Lanczos'
kernel with 3 lobes, widened where the picture is shrunk, its weights summing to 1; the
border is repeated. A shift by whole pixels copies pixels bit for bit.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy import sparse

_LOBES = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Motion:
    """The map of pixel positions `p -> zoom p + (rows, columns)`.

    Attributes:
      zoom: scale about pixel (0, 0).
      rows: where the first row goes.
      columns: where the first column goes.
    """

    zoom: float
    rows: float
    columns: float

    def about_middle(self, size: tuple[int, ...]) -> "Motion":
        """The same zoom and shift, with the picture's middle fixed by the zoom."""
        rows, columns = ((side - 1) / 2 * (1 - self.zoom) for side in size)
        return dataclasses.replace(
            self, rows=self.rows + rows, columns=self.columns + columns
        )

    def at_level(self, step: int) -> "Motion":
        """The motion of a picture `step` times smaller."""
        half = (step - 1) / 2 * (1 - self.zoom)
        return dataclasses.replace(
            self, rows=(self.rows - half) / step, columns=(self.columns - half) / step
        )

    def from_level(self, step: int) -> "Motion":
        """The inverse of `at_level`."""
        half = (step - 1) / 2 * (1 - self.zoom)
        return dataclasses.replace(
            self, rows=step * self.rows + half, columns=step * self.columns + half
        )

    def after(
        self, rows: float, columns: float, zoom: float, middle: Sequence[float]
    ) -> "Motion":
        """This motion after a small one about `middle`, in the source's pixels."""
        scale = math.exp(zoom)
        return Motion(
            zoom=float(self.zoom * scale),
            rows=float(self.rows + self.zoom * (rows + middle[0] * (1 - scale))),
            columns=float(
                self.columns + self.zoom * (columns + middle[1] * (1 - scale))
            ),
        )

    def is_within(self, size: tuple[int, ...], zoom: float, shift: float) -> bool:
        """Whether zoom and shift (a share of the longer side) stay within limits."""
        moves = (
            at + (self.zoom - 1) * (side - 1) / 2
            for at, side in zip((self.rows, self.columns), size, strict=True)
        )
        limit = shift * max(size)
        return abs(self.zoom - 1) <= zoom and all(abs(move) <= limit for move in moves)


IDENTITY = Motion(zoom=1.0, rows=0.0, columns=0.0)


def moved_back(
    image: Shaped[np.ndarray, "h w *c"], motion: Motion
) -> Shaped[np.ndarray, "h w *c"]:
    """Reads at every pixel `p` the image at `motion(p)`; the type is kept."""
    height, width = image.shape[:2]
    is_integer = image.dtype == np.uint8
    values = image.astype(np.float32) if is_integer else image
    rows = _matrix(height, motion.zoom, motion.rows, values.dtype)
    columns = _matrix(width, motion.zoom, motion.columns, values.dtype)
    values = (rows @ values.reshape(height, -1)).reshape(image.shape)
    turned = np.ascontiguousarray(values.swapaxes(0, 1))
    values = (columns @ turned.reshape(width, -1)).reshape(turned.shape)
    values = values.swapaxes(0, 1)
    if is_integer:
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(values)


def inside(
    size: tuple[int, ...], motion: Motion, margin: int = 0
) -> Bool[np.ndarray, "h w"]:
    """Returns which pixels `motion` leaves in the picture, `margin` from its border."""
    height, width = size
    grid = np.ogrid[:height, :width]
    is_inside = np.ones(size, bool)
    for at, start, side in zip(grid, (motion.rows, motion.columns), size, strict=True):
        half = (side - 1) / 2
        reach = np.abs(motion.zoom * at + start - half)
        is_inside[np.broadcast_to(reach > half - margin + 1e-9, size)] = False
    return is_inside


def pyramid(size: tuple[int, ...], coarsest: int, finest: int) -> list[int]:
    """Returns the factors by which a picture is made smaller, coarsest level first.

    Powers of two: from the first that brings the longer side to `coarsest` pixels or
    fewer, to the first that brings it to `finest`.
    """
    first, last = (
        max(0, math.ceil(math.log2(max(size) / side))) for side in (coarsest, finest)
    )
    return [2**power for power in range(first, last - 1, -1)]


def level_of(
    plane: Shaped[np.ndarray, "h w"], step: int
) -> Shaped[np.ndarray, "lh lw"]:
    """Averages squares of `step` pixels; of a mask, True where all are.

    Rows and columns beyond the last whole square are left out.
    """
    if step == 1:
        return plane
    height, width = (side // step for side in plane.shape)
    squares = plane[: height * step, : width * step].reshape(height, step, width, step)
    if plane.dtype == bool:
        return np.logical_and.reduce(squares, axis=(1, 3))
    return squares.mean(axis=(1, 3))


def _matrix(side: int, zoom: float, start: float, dtype: np.dtype) -> sparse.csr_array:
    """Weights with which each new pixel reads the old ones, `[new, old]`."""
    at = zoom * np.arange(side) + start
    width = max(1.0, zoom)
    reach = math.ceil(_LOBES * width)
    taps = np.floor(at)[:, None] + np.arange(1 - reach, reach + 1)
    away = (taps - at[:, None]) / width
    weights: Float[np.ndarray, "n taps"] = np.where(
        np.abs(away) < _LOBES, np.sinc(away) * np.sinc(away / _LOBES), 0.0
    )
    # A kernel at whole pixels is exactly one pixel: sinc leaves 1e-17 of the others.
    weights[np.abs(weights) < 1e-12] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    index = np.clip(taps, 0, side - 1).astype(np.int32)
    new = np.repeat(np.arange(side), taps.shape[1])
    matrix = sparse.coo_array(
        (weights.ravel().astype(dtype), (new, index.ravel())), shape=(side, side)
    ).tocsr()
    matrix.eliminate_zeros()
    return matrix
