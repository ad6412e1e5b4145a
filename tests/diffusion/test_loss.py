import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.array_types import ModelOutput
from tbstar_jax.diffusion.loss import (
    ConsistencyLossConfig,
    changed_tokens,
    consistency_loss,
    flow_loss,
    region_flow_loss,
    total,
)
from tbstar_jax.diffusion.path import interpolate, velocity_of

CONFIG = ConsistencyLossConfig(change_share=0.5, blend_weight=0.5, gate_weight=2.0)


def test_flow_loss_is_one_mean_per_example():
    velocity = jnp.zeros((2, 2, 2))
    target = jnp.asarray([[[1.0, 1], [1, 1]], [[2, 0], [0, 0]]])
    np.testing.assert_array_equal(flow_loss(velocity, target), [1, 1])


def test_regions_have_their_shares_whatever_their_size():
    velocity = jnp.zeros((1, 4, 1))
    target = jnp.asarray([[[2.0], [1], [1], [1]]])
    changed = jnp.asarray([[True, False, False, False]])
    loss = region_flow_loss(velocity, target, changed, 0.25)
    np.testing.assert_allclose(loss, [0.25 * 4 + 0.75 * 1])


@pytest.mark.parametrize("value", [True, False])
def test_one_region_alone_is_a_plain_mean(value):
    velocity = jnp.zeros((1, 2, 1))
    target = jnp.asarray([[[3.0], [1.0]]])
    changed = jnp.full((1, 2), value)
    np.testing.assert_allclose(region_flow_loss(velocity, target, changed, 0.9), [5.0])


def test_a_token_changes_when_one_of_its_pixels_does():
    mask = np.zeros((1, 4, 6), bool)
    mask[0, 3, 5] = True
    np.testing.assert_array_equal(
        changed_tokens(jnp.asarray(mask), 2), [[False] * 5 + [True]]
    )


def _example(logit):
    latent, noise, source = (
        jax.random.normal(key, (2, 3, 4))
        for key in jax.random.split(jax.random.key(1), 3)
    )
    time = jnp.asarray([0.5, 0.05])
    velocity = velocity_of(latent, noise)
    return {
        "output": ModelOutput(velocity, jnp.full((2, 3), logit)),
        "noisy": interpolate(latent, noise, time),
        "latent": latent,
        "velocity": velocity,
        "source": source,
        "time": time,
        "changed": jnp.asarray([[True, False, False], [True, True, True]]),
        "is_instruction_dropped": jnp.asarray([False, True]),
    }


def test_gate_at_initialisation_costs_one_bit_and_blends_nothing():
    parts = consistency_loss(**_example(0.0), config=CONFIG)
    np.testing.assert_allclose(parts.gate, [np.log(2), 0], rtol=1e-6)
    np.testing.assert_allclose(parts.blend, [0, 0], atol=1e-10)
    np.testing.assert_allclose(parts.flow, [0, 0], atol=1e-10)


def test_keeping_the_source_costs_its_distance_over_time_squared():
    arguments = _example(100.0)
    arguments["is_instruction_dropped"] = jnp.zeros(2, bool)
    parts = consistency_loss(**arguments, config=CONFIG)
    distance = jnp.mean((arguments["source"] - arguments["latent"]) ** 2, axis=(1, 2))
    np.testing.assert_allclose(
        parts.blend, distance / np.array([0.25, 0.01]), rtol=1e-3
    )


def test_total_weighs_the_parts():
    parts = consistency_loss(**_example(1.0), config=CONFIG)
    expected = parts.flow + 0.5 * parts.blend + 2 * parts.gate
    np.testing.assert_allclose(total(parts, CONFIG), expected)


def test_only_the_gate_learns_from_the_blend():
    arguments = _example(1.0)

    def blend(velocity, logit):
        arguments["output"] = ModelOutput(velocity, logit)
        return jnp.sum(consistency_loss(**arguments, config=CONFIG).blend)

    output = arguments["output"]
    by_velocity, by_logit = jax.grad(blend, argnums=(0, 1))(
        output.velocity, output.keep_logit
    )
    assert not np.any(by_velocity)
    assert np.all(np.asarray(by_logit[0]) != 0)
    assert not np.any(by_logit[1])
