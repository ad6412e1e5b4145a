import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.array_types import ModelOutput
from tbstar_jax.diffusion.sampler import Guidance, Keep, guide, sample
from tbstar_jax.diffusion.timesteps import TimestepConfig, sampling_times

TIMES = sampling_times(5, 64, TimestepConfig())
NOISE = jax.random.normal(jax.random.key(0), (2, 3, 4))
LATENT = jax.random.normal(jax.random.key(1), (2, 3, 4))
SOURCE = jax.random.normal(jax.random.key(2), (2, 3, 4))


def _towards(latent, logit=None):
    """The perfect model of one latent: noise - latent = (x_t - latent) / t."""

    def denoise(noisy, time):
        return ModelOutput((noisy - latent) / time[:, None, None], logit)

    return denoise


def test_a_perfect_model_arrives_at_its_latent():
    result = sample(_towards(LATENT), NOISE, TIMES)
    np.testing.assert_allclose(result.latent, LATENT, atol=1e-5)
    assert result.keep_probability is None


def test_kept_tokens_arrive_at_the_source_and_the_others_at_the_edit():
    strength = jnp.asarray([[1.0, 0, 0], [0, 0, 1]])
    result = sample(_towards(LATENT), NOISE, TIMES, keep=Keep(SOURCE, strength))
    expected = jnp.where(strength[..., None] > 0, SOURCE, LATENT)
    np.testing.assert_allclose(result.latent, expected, atol=1e-5)


def test_the_gate_decides_when_no_strength_is_given():
    logit = jnp.asarray([[50.0, -50, 0], [-50, 50, 0]])
    result = sample(_towards(LATENT, logit), NOISE, TIMES, keep=Keep(SOURCE, None))
    expected = jnp.where(logit[..., None] > 0, SOURCE, LATENT)
    np.testing.assert_allclose(result.latent, expected, atol=1e-5)
    np.testing.assert_allclose(result.keep_probability, jax.nn.sigmoid(logit))


def test_a_gate_that_is_absent_cannot_decide():
    with pytest.raises(ValueError, match="no keep gate"):
        sample(_towards(LATENT), NOISE, TIMES, keep=Keep(SOURCE, None))


def test_guidance_keeps_the_conditional_norm_of_every_token():
    conditional, unconditional = NOISE, SOURCE
    guided = guide(conditional, unconditional, 4.0)
    np.testing.assert_allclose(
        jnp.linalg.norm(guided, axis=-1),
        jnp.linalg.norm(conditional, axis=-1),
        rtol=1e-5,
    )
    direction = unconditional + 4 * (conditional - unconditional)
    cosine = jnp.sum(guided * direction, -1) / (
        jnp.linalg.norm(guided, axis=-1) * jnp.linalg.norm(direction, axis=-1)
    )
    np.testing.assert_allclose(cosine, 1, rtol=1e-5)


def test_guidance_of_scale_one_is_the_conditional_branch():
    guidance = Guidance(scale=1.0, unconditional=_towards(SOURCE))
    plain = sample(_towards(LATENT), NOISE, TIMES)
    guided = sample(_towards(LATENT), NOISE, TIMES, guidance=guidance)
    np.testing.assert_allclose(guided.latent, plain.latent, atol=1e-4)


def test_under_guidance_the_blend_comes_last():
    guidance = Guidance(scale=4.0, unconditional=_towards(-LATENT))
    strength = jnp.ones((2, 3))
    result = sample(
        _towards(LATENT), NOISE, TIMES, guidance=guidance, keep=Keep(SOURCE, strength)
    )
    np.testing.assert_allclose(result.latent, SOURCE, atol=1e-5)
