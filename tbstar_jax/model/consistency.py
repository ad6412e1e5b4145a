"""Consistency modules: what stage 2 adds so that an edit keeps the rest (ours).

1. Source branch: low-rank adapters applied to source tokens only. With cached source
   attention they cost nothing after the first step.
2. Keep gate: from the last block's states of a target token and of source 1's token at
   the same place, the logit of "this token of the edit equals the source". Its last
   linear starts at zero, so p = sigmoid(0) = 1/2 and k = relu(2 p - 1) = 0: the gate
   at initialisation keeps nothing and the model is that of stage 1.
"""

import dataclasses
from typing import Any

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
    """Two linears on paired target and source states; all leaves in `consistency`."""

    width: int
    dtype: Any

    @nn.compact
    def __call__(
        self, target: Float[Array, "b n d"], source: Float[Array, "b n d"]
    ) -> Float[Array, "b n"] | None:
        """The keep logit per token, float32; None when the collection is not passed."""
        if not (self.has_variable(COLLECTION, "out_bias") or self.is_initializing()):
            return None
        d = target.shape[-1]
        lecun = nn.initializers.lecun_normal()

        def leaf(name: str, init: Any, shape: tuple[int, ...]) -> Array:
            def make() -> Array:
                return init(self.make_rng(COLLECTION), shape, jnp.float32)

            return self.variable(COLLECTION, name, make).value

        zeros = nn.initializers.zeros_init()
        hidden_kernel = leaf("hidden_kernel", lecun, (2 * d, self.width))
        hidden_bias = leaf("hidden_bias", zeros, (self.width,))
        out_kernel = leaf("out_kernel", zeros, (self.width, 1))
        out_bias = leaf("out_bias", zeros, (1,))

        paired = jnp.concatenate([layer_norm(target), layer_norm(source)], axis=-1)
        x = paired.astype(self.dtype) @ hidden_kernel.astype(self.dtype)
        x = nn.gelu(x + hidden_bias.astype(self.dtype)[None, None])
        # float32 to the end, whatever the leaves are stored in.
        wide, out_kernel, out_bias = (
            leaf.astype(jnp.float32) for leaf in (x, out_kernel, out_bias)
        )
        logit = wide @ out_kernel + out_bias[None, None]
        return logit[..., 0]
