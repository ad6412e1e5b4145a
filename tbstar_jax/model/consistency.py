"""Consistency modules: what stage 2 adds so that an edit keeps the rest (ours).

1. Source branch: low-rank adapters applied to source tokens only. With cached source
   attention they cost nothing after the first step.
2. Keep gate: the logit of "this token of the edit equals the source", from what is
   known of a target token and of source 1's token at the same place: their states
   after the last block, and by how much the model's clean estimate differs from the
   source. Means over all tokens say what kind of edit it is. The last linear starts at
   zero, so p = sigmoid(0) = 1/2 and k = relu(2 p - 1) = 0: the gate at initialisation
   keeps nothing and the model is that of stage 1.

From the states alone the gate finds an edit that the model has already drawn less well
(experiments/LOG.md, 2026-11-25).
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from tbstar_jax.array_types import Array, Float
from tbstar_jax.model.norms import layer_norm
from tbstar_jax.model.pattern_shifting import IMAGE_LINEARS, AdapterConfig

COLLECTION = "consistency"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConsistencyConfig:
    """Stage-2 modules.

    Attributes:
      adapters: adapters of the source branch; targets are linears of the image stream.
      gate_width: hidden width of the keep gate.
    """

    adapters: AdapterConfig
    gate_width: int

    def __post_init__(self) -> None:
        """Raises ValueError when a target is not a linear of the image stream."""
        wrong = sorted(set(self.adapters.targets) - set(IMAGE_LINEARS))
        if wrong:
            raise ValueError(
                "the source branch adapts linears of the image stream "
                f"({', '.join(IMAGE_LINEARS)}); got {', '.join(wrong)}"
            )


class KeepGate(nn.Module):
    """Two linears on paired target and source; all leaves in `consistency`."""

    width: int
    dtype: Any

    @nn.compact
    def __call__(
        self,
        target: Float[Array, "b n d"],
        source: Float[Array, "b n d"],
        difference: Float[Array, "b n c"],
        time: Float[Array, " b"],
    ) -> Float[Array, "b n"] | None:
        """The keep logit per token.

        Args:
          target: states of the target's tokens after the last block.
          source: the same of source 1, on the same grid.
          difference: the model's clean estimate less source 1's clean tokens; the gate
            learns from it, the velocity in it does not.
          time: of the noisy target, in [0, 1].

        Returns:
          The logit, float32; None when the collection is not passed.
        """
        if not (self.has_variable(COLLECTION, "out_bias") or self.is_initializing()):
            return None
        lecun = nn.initializers.lecun_normal()

        def leaf(name: str, init: Any, shape: tuple[int, ...]) -> Array:
            def make() -> Array:
                return init(self.make_rng(COLLECTION), shape, jnp.float32)

            return self.variable(COLLECTION, name, make).value

        difference = jax.lax.stop_gradient(difference)
        paired = jnp.concatenate(
            [
                layer_norm(target).astype(jnp.float32),
                layer_norm(source).astype(jnp.float32),
                difference,
                jnp.abs(difference),
            ],
            axis=-1,
        )
        num_features = paired.shape[-1]
        zeros = nn.initializers.zeros_init()
        hidden_kernel = leaf("hidden_kernel", lecun, (num_features, self.width))
        mean_kernel = leaf("mean_kernel", lecun, (num_features + 1, self.width))
        hidden_bias = leaf("hidden_bias", zeros, (self.width,))
        out_kernel = leaf("out_kernel", zeros, (self.width, 1))
        out_bias = leaf("out_bias", zeros, (1,))

        mean = jnp.concatenate([jnp.mean(paired, axis=1), time[:, None]], axis=-1)
        x = paired.astype(self.dtype) @ hidden_kernel.astype(self.dtype)
        x = x + (mean.astype(self.dtype) @ mean_kernel.astype(self.dtype))[:, None]
        x = nn.gelu(x + hidden_bias.astype(self.dtype)[None, None])
        # float32 to the end, whatever the leaves are stored in.
        wide, out_kernel, out_bias = (
            leaf.astype(jnp.float32) for leaf in (x, out_kernel, out_bias)
        )
        logit = wide @ out_kernel + out_bias[None, None]
        return logit[..., 0]
