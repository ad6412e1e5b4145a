import jax
import jax.numpy as jnp
import numpy as np

from tbstar_jax.model.tokens import grid_of, pack, unpack


def test_channels_of_a_token_are_channel_row_column():
    latent = jnp.arange(2 * 4 * 2, dtype=jnp.float32).reshape(1, 2, 4, 2)
    # Cells (row, column) hold (8 row + 2 column, 8 row + 2 column + 1).
    expected = [[[0, 2, 8, 10, 1, 3, 9, 11], [4, 6, 12, 14, 5, 7, 13, 15]]]
    np.testing.assert_array_equal(pack(latent), expected)


def test_unpacking_is_the_inverse():
    latent = jax.random.normal(jax.random.key(0), (2, 6, 10, 16))
    assert grid_of(latent) == (3, 5)
    np.testing.assert_array_equal(unpack(pack(latent), (3, 5)), latent)
