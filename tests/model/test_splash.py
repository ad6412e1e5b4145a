"""The TPU kernel, interpreted on the CPU, against plain attention."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.model import attention as attention_module
from tbstar_jax.model.attention import attention
from tbstar_jax.model.layers import unsharded
from tbstar_jax.model.presets import tiny
from tbstar_jax.model.splash import splash_attention
from tbstar_jax.model.tbstar import TBStar, init_variables
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh
from tbstar_jax.parallel.sharding import ActivationShard

HEADS, HEAD_WIDTH = 2, 128


def _arrays(num_queries, num_keys, batch=2):
    keys = jax.random.split(jax.random.key(0), 3)
    sizes = (num_queries, num_keys, num_keys)
    return [
        jax.random.normal(key, (batch, size, HEADS, HEAD_WIDTH))
        for key, size in zip(keys, sizes, strict=True)
    ]


@pytest.mark.parametrize(
    ("num_queries", "num_keys", "lengths"),
    [
        (128, 128, None),
        (100, 300, None),
        (129, 260, (260, 201)),
        (512, 640, (513, 640)),
    ],
)
def test_it_attends_as_plain_attention_does(num_queries, num_keys, lengths):
    q, k, v = _arrays(num_queries, num_keys)
    counts = None if lengths is None else jnp.asarray(lengths, jnp.int32)

    def both(function):
        def loss(q, k, v):
            attended = function(q, k, v)
            return jnp.sum(attended**2), attended

        return jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(q, k, v)

    # jax's kernel mixes dtypes where our tests forbid it.
    with jax.numpy_dtype_promotion("standard"):
        gradients, attended = both(
            lambda q, k, v: splash_attention(q, k, v, counts, interpret=True)
        )
    expected_gradients, expected = both(
        lambda q, k, v: attention(q, k, v, counts, "xla")
    )
    assert float(jnp.std(expected)) > 0.05
    np.testing.assert_allclose(attended, expected, atol=2e-5)
    for actual, right in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(actual, right, atol=2e-4)


def _model(kernel, shard=unsharded):
    transformer = dataclasses.replace(
        tiny().transformer,
        num_layers=2,
        num_attention_heads=2,
        joint_attention_dim=16,
        remat="block",
        attention_kernel=kernel,
    )
    return TBStar(dataclasses.replace(tiny(), transformer=transformer), shard=shard)


def test_one_device_calls_the_function_itself():
    x = jnp.arange(3)
    doubled = unsharded.per_device(lambda x: 2 * x, (x,), (("batch",),))
    np.testing.assert_array_equal(doubled, [0, 2, 4])


def test_the_transformer_on_four_devices_is_the_same_with_it(monkeypatch):
    monkeypatch.setattr(
        attention_module,
        "splash_attention",
        functools.partial(splash_attention, interpret=True),
    )
    shard = ActivationShard(make_mesh(parse_mesh("2x2")))
    grid = (3, 5)
    keys = jax.random.split(jax.random.key(0), 3)
    target, source = (jax.random.normal(key, (2, 15, 64)) for key in keys[:2])
    context = jax.random.normal(keys[2], (2, 6, 16))
    variables = init_variables(_model("xla"), jax.random.key(1))

    def gradient(kernel):
        @jax.jit
        def loss(adapters, variables):
            output = _model(kernel, shard).apply(
                {**variables, "pattern_shifting": adapters},
                target,
                jnp.asarray([0.3, 0.8]),
                context,
                jnp.asarray([6, 4], jnp.int32),
                (source,),
                target_grid=grid,
                source_grids=(grid,),
            )
            return jnp.sum(output.velocity**2)

        return jax.value_and_grad(loss)(variables["pattern_shifting"], variables)

    with jax.numpy_dtype_promotion("standard"):
        value, gradients = gradient("splash")
    expected, right = gradient("xla")
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    for actual, wanted in zip(*map(jax.tree.leaves, (gradients, right)), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-3, atol=1e-3)
