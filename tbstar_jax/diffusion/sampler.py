"""Euler sampling along the learned velocity, as one scan.

noise --(t_0 = 1)--> x --...--> x --(t_N = 0)--> latent

every step: model (and its unconditional twin under guidance)
-> guided velocity, norm rescaled per token
-> blend with the source where the edit keeps it
-> x + (t_next - t) velocity
"""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from tbstar_jax.array_types import Array, Float, ModelOutput
from tbstar_jax.diffusion.path import blend_keep, keep_strength

Denoiser: TypeAlias = Callable[[Array, Array], ModelOutput]
"""(noisy tokens `[b n c]`, time `[b]`) to the model's output."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Guidance:
    """Classifier-free guidance.

    Attributes:
      scale: 1 is the conditional branch alone.
      unconditional: the model on the empty instruction.
    """

    scale: float
    unconditional: Denoiser


@struct.dataclass
class Keep:
    """What the sampler may take from the source.

    Attributes:
      source: clean latent tokens of source 1, on the target's grid, `[b n c]`.
      strength: k per token `[b n]` given by the caller, or None for the model's gate.
    """

    source: Float[Array, "b n c"]
    strength: Float[Array, "b n"] | None


@struct.dataclass
class Sample:
    """The sampler's result.

    Attributes:
      latent: clean tokens `[b n c]` float32.
      keep_probability: the gate's p at the last step `[b n]`; None without a gate.
    """

    latent: Float[Array, "b n c"]
    keep_probability: Float[Array, "b n"] | None


def guide(
    conditional: Float[Array, "b n c"],
    unconditional: Float[Array, "b n c"],
    scale: float,
) -> Float[Array, "b n c"]:
    """Guided velocity with the conditional one's norm, per token.

    `c = u + scale (v - u)`, then `c |v| / |c|` over the channels of a packed token (the
    public pipelines' true guidance).
    """
    combined = unconditional + np.float32(scale) * (conditional - unconditional)
    norm = jnp.linalg.norm(conditional, axis=-1, keepdims=True)
    combined_norm = jnp.linalg.norm(combined, axis=-1, keepdims=True)
    return combined * (norm / combined_norm)


def sample(
    denoise: Denoiser,
    noise: Float[Array, "b n c"],
    times: np.ndarray,
    *,
    guidance: Guidance | None = None,
    keep: Keep | None = None,
) -> Sample:
    """Integrates from noise to a clean latent.

    Args:
      denoise: the model on the instruction.
      noise: standard normal start, float32.
      times: from `sampling_times`, decreasing, last one 0.
      guidance: scale and unconditional branch; None for none.
      keep: where and what to keep of the source; None edits every token.

    Raises:
      ValueError: the gate is asked for and the model gives no keep logit.
    """
    b = noise.shape[0]

    def step(
        x: Array, pair: tuple[Array, Array]
    ) -> tuple[Array, Float[Array, "b n"] | None]:
        t, t_next = pair
        time = jnp.broadcast_to(t, (b,))
        output = denoise(x, time)
        velocity = output.velocity.astype(jnp.float32)
        if guidance is not None:
            twin = guidance.unconditional(x, time).velocity.astype(jnp.float32)
            velocity = guide(velocity, twin, guidance.scale)
        if keep is not None:
            strength = keep.strength
            if strength is None:
                if output.keep_logit is None:
                    raise ValueError("this model has no keep gate for these images")
                strength = keep_strength(output.keep_logit)
            velocity = blend_keep(x, velocity, strength, keep.source, time)
        return x + (t_next - t) * velocity, output.keep_logit

    pairs = jnp.asarray(times[:-1]), jnp.asarray(times[1:])
    latent, logits = jax.lax.scan(step, noise.astype(jnp.float32), pairs)
    return Sample(
        latent=latent,
        keep_probability=None if logits is None else jax.nn.sigmoid(logits[-1]),
    )
