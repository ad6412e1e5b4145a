"""Normalisation over the last dimension; statistics are float32."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tbstar_jax.array_types import Array, Float


class RMSNorm(nn.Module):
    """`x / sqrt(mean(x^2) + epsilon) * scale`."""

    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
        """Normalises; returns the dtype of `x`."""
        scale = self.param("scale", nn.initializers.ones_init(), (x.shape[-1],))
        wide = x.astype(jnp.float32)
        variance = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
        wide = wide * jax.lax.rsqrt(variance + np.float32(self.epsilon))
        scale = jnp.reshape(scale.astype(jnp.float32), (1,) * (x.ndim - 1) + (-1,))
        return (wide * scale).astype(x.dtype)


def layer_norm(x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    """LayerNorm without affine parameters, eps 1e-6; returns the dtype of `x`."""
    wide = x.astype(jnp.float32)
    centred = wide - jnp.mean(wide, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
    return (centred * jax.lax.rsqrt(variance + np.float32(1e-6))).astype(x.dtype)
