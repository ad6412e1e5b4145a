"""Random weights of a configuration, drawn by NumPy: nothing is compiled."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from tbstar_jax.model.conditioner.byte import ByteConditioner
from tbstar_jax.model.tbstar import TBStar, abstract_variables
from tbstar_jax.model.vae import VAE
from tbstar_jax.trees import flatten, unflatten


def drawn_parts(config, seed=0):
    """All five trees with no leaf at its initial zero or one, float32."""
    ids, length = jnp.zeros((1, 1), jnp.int32), jnp.ones((1,), jnp.int32)
    conditioner = ByteConditioner(config.conditioner)
    key = jax.random.key(0)
    abstract = {
        **abstract_variables(TBStar(config)),
        "vae": jax.eval_shape(
            lambda: VAE(config.vae).init(key, jnp.zeros((1, 16, 16, 3)))
        )["params"],
        "conditioner": jax.eval_shape(
            lambda: conditioner.init(key, ids, length, None, jnp.zeros((1,), bool))
        )["params"],
    }
    rng = np.random.default_rng(seed)
    leaves = {
        name: _draw(rng, name.rsplit("/", 1)[-1], leaf.shape)
        for name, leaf in flatten(abstract).items()
    }
    return unflatten(leaves)


def _draw(rng, name, shape):
    """Kernels keep the scale of what passes through; vectors vary around 0 or 1."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    if name in ("scale", "gamma"):
        return 1 + np.float32(0.1) * noise
    if len(shape) < 2 or name == "bias":
        return np.float32(0.1) * noise
    # A convolution's fan-in has its window too; stacked linears have a block axis.
    fan_in = (
        math.prod(shape[:-1]) if name == "kernel" and len(shape) == 4 else shape[-2]
    )
    return noise / np.float32(math.sqrt(fan_in))
