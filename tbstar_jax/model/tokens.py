"""Packing a latent image into tokens: one token is a 2x2 patch of latent cells.

Channel `c * 4 + dy * 2 + dx` of a token is channel `c` of the cell at row `dy`, column
`dx` of its patch; tokens are in row-major order (the order of the public checkpoints).
"""

import jax.numpy as jnp

from tbstar_jax.array_types import Array, Float, Grid

PATCH_SIZE = 2


def grid_of(latent: Float[Array, "b h w c"]) -> Grid:
    """Rows and columns of tokens of a latent image, whose sides must be even."""
    height, width = latent.shape[1:3]
    assert height % PATCH_SIZE == 0, height
    assert width % PATCH_SIZE == 0, width
    return height // PATCH_SIZE, width // PATCH_SIZE


def pack(latent: Float[Array, "b h w c"]) -> Float[Array, "b n 4*c"]:
    """Latent image to tokens, `n = h w / 4`."""
    b, c = latent.shape[0], latent.shape[-1]
    rows, columns = grid_of(latent)
    x = latent.reshape(b, rows, PATCH_SIZE, columns, PATCH_SIZE, c)
    x = jnp.transpose(x, (0, 1, 3, 5, 2, 4))  # [b rows columns c dy dx]
    return x.reshape(b, rows * columns, c * PATCH_SIZE**2)


def unpack(tokens: Float[Array, "b n d"], grid: Grid) -> Float[Array, "b h w c"]:
    """Tokens to the latent image of the given token grid: the inverse of `pack`."""
    b, _, d = tokens.shape
    rows, columns = grid
    c = d // PATCH_SIZE**2
    x = tokens.reshape(b, rows, columns, c, PATCH_SIZE, PATCH_SIZE)
    x = jnp.transpose(x, (0, 1, 4, 2, 5, 3))
    return x.reshape(b, rows * PATCH_SIZE, columns * PATCH_SIZE, c)
