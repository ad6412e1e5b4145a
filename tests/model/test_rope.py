import jax
import jax.numpy as jnp
import numpy as np

from tbstar_jax.model.rope import (
    context_position_ids,
    image_position_ids,
    rotary_table,
    rotate,
)


def test_positions_are_centred_with_the_odd_one_on_the_negative_side():
    expected = [
        [1, -2, -1],
        [1, -2, 0],
        [1, -1, -1],
        [1, -1, 0],
        [1, 0, -1],
        [1, 0, 0],
    ]
    np.testing.assert_array_equal(image_position_ids((3, 2), 1), expected)


def test_text_follows_the_largest_half_side_of_all_images():
    ids = context_position_ids(2, ((2, 4), (7, 3)))
    np.testing.assert_array_equal(ids, [[3, 3, 3], [4, 4, 4]])


def test_position_zero_rotates_nothing():
    x = jax.random.normal(jax.random.key(0), (1, 2, 3, 8))
    table = rotary_table(np.zeros((2, 3), np.int32), (4, 2, 2))
    np.testing.assert_array_equal(rotate(x, table), x)


def test_adjacent_channels_turn_by_the_position():
    x = jnp.asarray([[[[1.0, 0, 0, 1, 1, 0, 1, 0]]]])
    table = rotary_table(np.asarray([[1, 0, 2]], np.int32), (4, 2, 2))
    # Axis 0 turns pairs 0 and 1 by 1 and 1/100, axis 1 pair 2 by 0, axis 2 pair 3 by 2.
    expected = [
        *(np.cos(1), np.sin(1)),
        *(-np.sin(0.01), np.cos(0.01)),
        *(1, 0),
        *(np.cos(2), np.sin(2)),
    ]
    np.testing.assert_allclose(rotate(x, table)[0, 0, 0], expected, atol=1e-6)


def test_products_depend_on_relative_positions_only():
    q, k = jax.random.normal(jax.random.key(1), (2, 1, 1, 1, 8))

    def product(first, second):
        left = rotate(q, rotary_table(np.asarray([first], np.int32), (4, 2, 2)))
        right = rotate(k, rotary_table(np.asarray([second], np.int32), (4, 2, 2)))
        return float(jnp.sum(left * right))

    np.testing.assert_allclose(
        product([1, 2, 3], [2, 5, 1]), product([0, -1, 2], [1, 2, 0]), rtol=1e-5
    )
