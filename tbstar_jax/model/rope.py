"""Rotary position embedding over (frame, row, column), as in Qwen-Image.

The target is frame 0 and source k is frame k. Rows and columns are centred: a side of
`s` tokens has positions `-(s - s // 2) .. s // 2 - 1`, so an odd side has its extra
position on the negative side. Text token j sits at `m + j` on all three axes, `m` being
the largest half-side `max(rows // 2, columns // 2)` over all images of the example.
Adjacent channel pairs are rotated; angles are float32.
"""

import jax.numpy as jnp
import numpy as np
from flax import struct

from tbstar_jax.array_types import Array, Float, Grid


@struct.dataclass
class RotaryTable:
    """Cosine and sine of every token's angles, `[n, e / 2]` float32."""

    cos: Float[Array, "n e"]
    sin: Float[Array, "n e"]


def image_position_ids(grid: Grid, frame: int) -> np.ndarray:
    """Positions of an image's tokens, `[rows * columns, 3]` int32, row-major."""
    rows, columns = grid
    row_ids = np.arange(rows, dtype=np.int32) - (rows - rows // 2)
    column_ids = np.arange(columns, dtype=np.int32) - (columns - columns // 2)
    frame_ids = np.full((rows, columns), frame, np.int32)
    row_grid, column_grid = np.meshgrid(row_ids, column_ids, indexing="ij")
    return np.stack([frame_ids, row_grid, column_grid], axis=-1).reshape(-1, 3)


def context_position_ids(num_tokens: int, grids: tuple[Grid, ...]) -> np.ndarray:
    """Positions of the text tokens beside images of these grids, `[m, 3]` int32."""
    offset = max(max(rows // 2, columns // 2) for rows, columns in grids)
    ids = np.arange(num_tokens, dtype=np.int32) + offset
    return np.repeat(ids[:, None], 3, axis=1)


def rotary_table(
    position_ids: np.ndarray, axes_dims: tuple[int, int, int], theta: float = 10_000.0
) -> RotaryTable:
    """Angles `position * theta^(-2 i / dim)` of every axis, concatenated.

    Args:
      position_ids: `[n, 3]` int32, (frame, row, column) in tokens.
      axes_dims: channels of a head rotated by each axis; even, summing to the head's
        width.
      theta: base of the frequencies.
    """
    angles = []
    for axis, dim in enumerate(axes_dims):
        exponent = np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim)
        frequencies = (1.0 / np.power(np.float32(theta), exponent)).astype(np.float32)
        position = jnp.asarray(position_ids[:, axis], jnp.float32)
        angles.append(position[:, None] * frequencies[None])
    stacked = jnp.concatenate(angles, axis=-1)
    return RotaryTable(cos=jnp.cos(stacked), sin=jnp.sin(stacked))


def rotate(x: Float[Array, "b n k e"], table: RotaryTable) -> Float[Array, "b n k e"]:
    """Rotates adjacent channel pairs of every head, in float32.

    Args:
      x: queries or keys.
      table: angles of the `n` tokens.

    Returns:
      The rotated array in the dtype of `x`.
    """
    pairs = x.astype(jnp.float32).reshape(*x.shape[:-1], -1, 2)
    even, odd = pairs[..., 0], pairs[..., 1]
    cos, sin = table.cos[None, :, None], table.sin[None, :, None]
    rotated = jnp.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
    return rotated.reshape(x.shape).astype(x.dtype)
