import jax
import jax.numpy as jnp
import numpy as np

from tbstar_jax.diffusion.path import (
    blend_keep,
    interpolate,
    keep_strength,
    velocity_of,
)


def _arrays(count):
    keys = jax.random.split(jax.random.key(0), count)
    return [jax.random.normal(key, (2, 3, 4)) for key in keys]


def test_path_ends_at_latent_and_noise():
    latent, noise = _arrays(2)
    np.testing.assert_array_equal(interpolate(latent, noise, jnp.zeros(2)), latent)
    np.testing.assert_array_equal(interpolate(latent, noise, jnp.ones(2)), noise)


def test_velocity_leads_from_any_time_to_the_latent():
    latent, noise = _arrays(2)
    time = jnp.asarray([0.25, 0.75])
    noisy = interpolate(latent, noise, time)
    clean = noisy - time[:, None, None] * velocity_of(latent, noise)
    np.testing.assert_allclose(clean, latent, atol=1e-6)


def test_a_zero_logit_keeps_nothing_exactly():
    np.testing.assert_array_equal(keep_strength(jnp.zeros((1, 2))), [[0, 0]])


def test_keep_strength_grows_from_one_half_to_one():
    logits = jnp.asarray([[-3.0, 0.0, np.log(3.0), 100.0]])
    np.testing.assert_allclose(keep_strength(logits), [[0, 0, 0.5, 1]], atol=1e-6)


def test_keeping_nothing_gives_the_velocity_bit_for_bit():
    noisy, velocity, source = _arrays(3)
    blended = blend_keep(
        noisy, velocity, jnp.zeros((2, 3)), source, jnp.asarray([0.1, 0.9])
    )
    np.testing.assert_array_equal(blended, velocity)


def test_blend_equals_the_blend_of_clean_estimates():
    noisy, velocity, source = _arrays(3)
    time = jnp.asarray([0.3, 0.9])
    k = jnp.asarray([[0.0, 0.4, 1.0], [1.0, 0.2, 0.7]])
    t, k3 = time[:, None, None], k[..., None]
    x0 = (1 - k3) * (noisy - t * velocity) + k3 * source
    blended = blend_keep(noisy, velocity, k, source, time)
    np.testing.assert_allclose(blended, (noisy - x0) / t, atol=1e-5)
