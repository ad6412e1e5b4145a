"""The straight path between a clean latent and noise: the one time convention.

    x_t = (1 - t) latent + t noise       t = 0 clean, t = 1 noise
    velocity = noise - latent            d x_t / d t

The clean estimate of a predicted velocity v is `x_t - t v`. The keep gate blends clean
estimates: with k in [0, 1] per token,

    x0 = (1 - k) (x_t - t v) + k source
    v' = (x_t - x0) / t = (1 - k) v + k (x_t - source) / t

The right-hand form is the one computed: k = 0 gives v back bit for bit.
"""

import jax
import jax.numpy as jnp

from tbstar_jax.array_types import Array, Float


def interpolate(
    latent: Float[Array, "b n c"],
    noise: Float[Array, "b n c"],
    time: Float[Array, " b"],
) -> Float[Array, "b n c"]:
    """The noisy latent `x_t`; time in [0, 1]."""
    t = time[:, None, None]
    return (1 - t) * latent + t * noise


def velocity_of(
    latent: Float[Array, "b n c"], noise: Float[Array, "b n c"]
) -> Float[Array, "b n c"]:
    """The velocity of the path, `noise - latent`."""
    return noise - latent


def keep_strength(keep_logit: Float[Array, "b n"]) -> Float[Array, "b n"]:
    """`k = relu(2 p - 1)` with `p = sigmoid(logit)`; in [0, 1], 0 at a zero logit."""
    return jax.nn.relu(2 * jax.nn.sigmoid(keep_logit) - 1)


def blend_keep(
    noisy: Float[Array, "b n c"],
    velocity: Float[Array, "b n c"],
    strength: Float[Array, "b n"],
    source: Float[Array, "b n c"],
    time: Float[Array, " b"],
) -> Float[Array, "b n c"]:
    """The velocity towards the blend of the clean estimate and the source, float32.

    Args:
      noisy: `x_t`.
      velocity: the model's.
      strength: k, how much of each token is taken from the source.
      source: clean latent tokens of source 1, on the target's grid.
      time: in (0, 1].
    """
    k = strength.astype(jnp.float32)[..., None]
    t = time.astype(jnp.float32)[:, None, None]
    towards_source = (noisy.astype(jnp.float32) - source.astype(jnp.float32)) / t
    return (1 - k) * velocity.astype(jnp.float32) + k * towards_source
