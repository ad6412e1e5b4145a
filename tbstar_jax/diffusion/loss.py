"""Training losses, one value per example; the caller averages.

Stage 1 (and the base's own training): the flow-matching error of the velocity.

Stage 2, per example, with `c` the tokens the edit changes:

    flow    region-balanced flow-matching error of the unblended velocity
    blend   |x0 - latent|^2 / max(t, 0.1)^2 of the blended clean estimate x0, the
            velocity held constant, so that only the gate learns from it
    gate    binary cross-entropy of the keep logit against "not changed"

The last two skip examples whose instruction was dropped: without an instruction,
nothing says what the edit keeps.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from tbstar_jax.array_types import Array, Bool, Float, ModelOutput
from tbstar_jax.diffusion.path import blend_keep, keep_strength

_SMALLEST_TIME = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConsistencyLossConfig:
    """Weights of the stage-2 loss.

    Attributes:
      change_share: weight of the changed tokens' mean error in the flow loss; the kept
        tokens' has the rest. In [0, 1].
      blend_weight: lambda_b.
      gate_weight: lambda_g.
    """

    change_share: float = 0.5
    blend_weight: float = 0.1
    gate_weight: float = 0.2

    def __post_init__(self) -> None:
        """Raises ValueError for weights out of range."""
        if not 0 <= self.change_share <= 1:
            raise ValueError(f"change_share must be in [0, 1], got {self.change_share}")
        if self.blend_weight < 0 or self.gate_weight < 0:
            raise ValueError(
                "blend_weight and gate_weight must not be negative, got "
                f"{self.blend_weight} and {self.gate_weight}"
            )


@struct.dataclass
class ConsistencyLoss:
    """Parts of the stage-2 loss per example; blend and gate are 0 where skipped.

    Attributes:
      flow: `[b]`.
      blend: `[b]`.
      gate: `[b]`.
      has_gate: `[b]`, 1 where blend and gate count, 0 where they were skipped.
    """

    flow: Float[Array, " b"]
    blend: Float[Array, " b"]
    gate: Float[Array, " b"]
    has_gate: Float[Array, " b"]


def flow_loss(
    velocity: Float[Array, "b n c"], target: Float[Array, "b n c"]
) -> Float[Array, " b"]:
    """Mean squared error of the velocity over tokens and channels, float32."""
    return jnp.mean(_token_error(velocity, target), axis=-1)


def region_flow_loss(
    velocity: Float[Array, "b n c"],
    target: Float[Array, "b n c"],
    changed: Bool[Array, "b n"],
    change_share: float,
) -> Float[Array, " b"]:
    """The flow loss with fixed shares for changed and kept tokens.

    An example without one of the two regions is averaged over all its tokens.

    Args:
      velocity: predicted.
      target: true.
      changed: tokens the edit changes.
      change_share: share of the changed tokens, in [0, 1].
    """
    error = _token_error(velocity, target)
    change = changed.astype(jnp.float32)
    num_changed = jnp.sum(change, axis=-1)
    num_kept = np.float32(error.shape[-1]) - num_changed
    in_change = jnp.sum(error * change, axis=-1) / jnp.maximum(num_changed, 1)
    in_keep = jnp.sum(error * (1 - change), axis=-1) / jnp.maximum(num_kept, 1)
    share = np.float32(change_share)
    balanced = share * in_change + (1 - share) * in_keep
    has_both = (num_changed > 0) & (num_kept > 0)
    return jnp.where(has_both, balanced, jnp.mean(error, axis=-1))


def consistency_loss(
    output: ModelOutput,
    noisy: Float[Array, "b n c"],
    latent: Float[Array, "b n c"],
    velocity: Float[Array, "b n c"],
    source: Float[Array, "b n c"],
    time: Float[Array, " b"],
    changed: Bool[Array, "b n"],
    is_instruction_dropped: Bool[Array, " b"],
    config: ConsistencyLossConfig,
) -> ConsistencyLoss:
    """Parts of the stage-2 loss, unweighted; `total` weighs them.

    Args:
      output: the model's, with a keep logit.
      noisy: `x_t`.
      latent: clean target tokens.
      velocity: true velocity.
      source: clean tokens of source 1, on the target's grid.
      time: of `noisy`.
      changed: tokens of which any pixel changes.
      is_instruction_dropped: examples the gate does not learn from.
      config: `change_share` is used here.
    """
    assert output.keep_logit is not None
    flow = region_flow_loss(output.velocity, velocity, changed, config.change_share)

    fixed = jax.lax.stop_gradient(output.velocity)
    strength = keep_strength(output.keep_logit)
    blended = blend_keep(noisy, fixed, strength, source, time)
    estimate = noisy - time[:, None, None] * blended
    squared = jnp.mean(jnp.square(estimate - latent), axis=(-2, -1))
    blend = squared / jnp.square(jnp.maximum(time, np.float32(_SMALLEST_TIME)))

    kept = 1 - changed.astype(jnp.float32)
    entropy = optax.sigmoid_binary_cross_entropy(output.keep_logit, kept)
    gate = jnp.mean(entropy, axis=-1)

    has_gate = 1 - is_instruction_dropped.astype(jnp.float32)
    return ConsistencyLoss(flow, blend * has_gate, gate * has_gate, has_gate)


def total(parts: ConsistencyLoss, config: ConsistencyLossConfig) -> Float[Array, " b"]:
    """`flow + lambda_b blend + lambda_g gate` per example."""
    return (
        parts.flow
        + np.float32(config.blend_weight) * parts.blend
        + np.float32(config.gate_weight) * parts.gate
    )


def changed_tokens(change_mask: Bool[Array, "b h w"], cell: int) -> Bool[Array, "b n"]:
    """Tokens of which any pixel changes.

    Args:
      change_mask: pixels the edit changes; sides are multiples of `cell`.
      cell: pixels per side of a token.
    """
    b, height, width = change_mask.shape
    cells = change_mask.reshape(b, height // cell, cell, width // cell, cell)
    return jnp.any(cells, axis=(2, 4)).reshape(b, -1)


def _token_error(
    velocity: Float[Array, "b n c"], target: Float[Array, "b n c"]
) -> Float[Array, "b n"]:
    difference = velocity.astype(jnp.float32) - target.astype(jnp.float32)
    return jnp.mean(jnp.square(difference), axis=-1)
