"""The loss that trains a small autoencoder from scratch, one value per example.

    |x - x'| + |grad x - grad x'| + kl_weight KL(q(z | x) || N(0, 1))

with x' decoded from a sample of q. There is no adversarial and no perceptual part: the
first invents texture, which an editor that preserves must not, the second needs a
network that cannot be had without its weights.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from tbstar_jax.array_types import Array, Float, PRNGKeyArray, Tree
from tbstar_jax.model.vae import VAE


@struct.dataclass
class AutoencoderLoss:
    """Parts of the loss per example, unweighted.

    Attributes:
      pixel: mean absolute error, images in [-1, 1].
      gradient: mean absolute error of horizontal and vertical differences.
      divergence: Kullback-Leibler divergence per latent number, in nats.
    """

    pixel: Float[Array, " b"]
    gradient: Float[Array, " b"]
    divergence: Float[Array, " b"]


def autoencoder_loss(
    vae: VAE, params: Tree, image: Float[Array, "b h w 3"], key: PRNGKeyArray
) -> AutoencoderLoss:
    """Reconstruction error and divergence.

    Args:
      vae: the autoencoder; latent statistics are not used here.
      params: its parameters.
      image: in [-1, 1].
      key: random key of the latent's sample.
    """
    variables = {"params": params}
    moments: Any = vae.apply(variables, image, method=VAE.moments)
    mean, log_variance = moments
    log_variance = jnp.clip(log_variance, -30.0, 20.0)
    noise = jax.random.normal(key, mean.shape, jnp.float32)
    sample = mean + jnp.exp(np.float32(0.5) * log_variance) * noise
    decoded: Any = vae.apply(variables, sample, method=VAE.decode_unnormalised)
    axes = (1, 2, 3)
    differences = [
        jnp.mean(jnp.abs(jnp.diff(decoded, axis=a) - jnp.diff(image, axis=a)), axes)
        for a in (1, 2)
    ]
    divergence = np.float32(0.5) * (
        jnp.square(mean) + jnp.exp(log_variance) - 1.0 - log_variance
    )
    return AutoencoderLoss(
        pixel=jnp.mean(jnp.abs(decoded - image), axes),
        gradient=differences[0] + differences[1],
        divergence=jnp.mean(divergence, axes),
    )


def total(
    parts: AutoencoderLoss, gradient_weight: float, divergence_weight: float
) -> Float[Array, " b"]:
    """The weighted sum of the parts per example."""
    return (
        parts.pixel
        + np.float32(gradient_weight) * parts.gradient
        + np.float32(divergence_weight) * parts.divergence
    )
