import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.byte import ByteConditioner, tokenize
from tbstar_jax.model.presets import tiny

CONFIG = dataclasses.replace(tiny().conditioner, num_layers=1)


def test_text_is_utf8_between_markers():
    np.testing.assert_array_equal(
        tokenize("a换", CONFIG), [256, 97, 230, 141, 162, 257]
    )


def test_a_long_text_is_refused_with_its_length():
    with pytest.raises(UserError, match=r"has 300 UTF-8 bytes.*at most 94"):
        tokenize("换" * 100, CONFIG)


def _encode(has_source, image, text="blue"):
    model = ByteConditioner(CONFIG)
    ids = np.zeros((1, 12), np.int32)
    tokens = tokenize(text, CONFIG)
    ids[0, : len(tokens)] = tokens
    arguments = (
        jnp.asarray(ids),
        jnp.asarray([len(tokens)], jnp.int32),
        image,
        jnp.asarray([has_source]),
    )
    variables = model.init(jax.random.key(0), *arguments)
    context, lengths = model.apply(variables, *arguments)
    return np.asarray(context), int(lengths[0])


def test_the_thumbnail_comes_before_the_text_and_padding_is_zero():
    context, length = _encode(True, jnp.ones((1, 48, 64, 3)))
    assert context.shape == (1, 16 + 12, 160)
    assert length == 16 + 6
    assert not np.any(context[0, length:])
    assert np.all(np.any(context[0, :length], axis=-1))


def test_without_a_source_the_image_does_not_matter():
    bright, _ = _encode(False, jnp.ones((1, 48, 64, 3)))
    dark, _ = _encode(False, -jnp.ones((1, 32, 32, 3)))
    absent, _ = _encode(False, None)
    np.testing.assert_array_equal(bright, dark)
    np.testing.assert_array_equal(bright, absent)
    seen, _ = _encode(True, jnp.ones((1, 48, 64, 3)))
    assert np.abs(seen - bright).max() > 1e-3
