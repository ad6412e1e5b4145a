"""The language model of Qwen2.5-VL: embedded tokens to hidden states.

Causal attention with grouped queries; positions have three axes, (frame, row, column),
which are equal for text (M-RoPE). Padding is a suffix, so causality hides it from all
tokens that count. There is no output head: the conditioner's context is the hidden
state after the last norm.

Layers are scanned: every leaf below `layers` has a leading layer axis.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import struct

from tbstar_jax.array_types import Array, Bool, Float, Int32
from tbstar_jax.model.conditioner.qwen25_config import LanguageConfig
from tbstar_jax.model.conditioner.qwen25_layers import (
    Angles,
    GatedFeedForward,
    Linear,
    axis_angles,
    grouped_attention,
    rotate_halves,
)
from tbstar_jax.model.layers import Shard
from tbstar_jax.model.norms import RMSNorm


@struct.dataclass
class LanguageInputs:
    """What every layer reads.

    Attributes:
      angles: of every token.
      is_past: which keys do not come after a query, `[1 m m]`.
      is_near: which keys lie in a query's sliding window, `[1 m m]`; None without.
    """

    angles: Angles
    is_past: Bool[Array, "1 m m"]
    is_near: Bool[Array, "1 m m"] | None


class LanguageAttention(nn.Module):
    """Causal attention with fewer key heads than query heads."""

    config: LanguageConfig
    dtype: Any
    shard: Shard

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b m d"],
        is_sliding: Bool[Array, ""],
        inputs: LanguageInputs,
    ) -> Float[Array, "b m d"]:
        """Attends; `is_sliding` restricts a query to its window."""
        config = self.config

        def heads(num: int, name: str) -> Array:
            linear = Linear(
                num * config.head_dim, "heads", self.dtype, self.shard, name=name
            )
            return linear(x).reshape(*x.shape[:2], num, config.head_dim)

        q = heads(config.num_attention_heads, "q_proj")
        k = heads(config.num_key_value_heads, "k_proj")
        v = heads(config.num_key_value_heads, "v_proj")
        q, k = rotate_halves(q, inputs.angles), rotate_halves(k, inputs.angles)
        is_seen = inputs.is_past
        if inputs.is_near is not None:
            is_seen = is_seen & (inputs.is_near | ~is_sliding[None, None, None])
        is_seen = jnp.broadcast_to(is_seen, (x.shape[0], *is_seen.shape[1:]))
        y = grouped_attention(q, k, v, is_seen).reshape(*x.shape[:2], -1)
        y = self.shard(y, ("batch", "tokens", "heads"))
        return Linear(
            config.hidden_size, "embed", self.dtype, self.shard, False, name="o_proj"
        )(y)


class LanguageLayer(nn.Module):
    """Pre-norm attention and gated feed-forward; the body of the scan."""

    config: LanguageConfig
    dtype: Any
    shard: Shard

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b m d"],
        is_sliding: Bool[Array, ""],
        inputs: LanguageInputs,
    ) -> tuple[Float[Array, "b m d"], None]:
        """Updates the tokens."""
        config = self.config
        attention = LanguageAttention(config, self.dtype, self.shard, name="self_attn")
        h = RMSNorm(config.rms_norm_eps, name="input_layernorm")(x)
        x = x + attention(h, is_sliding, inputs)
        mlp = GatedFeedForward(
            config.intermediate_size,
            "mlp",
            self.dtype,
            self.shard,
            has_bias=False,
            name="mlp",
        )
        h = RMSNorm(config.rms_norm_eps, name="post_attention_layernorm")(x)
        return self.shard(x + mlp(h), ("batch", "tokens", "embed")), None


class LanguageModel(nn.Module):
    """Token ids, some replaced by image tokens, to hidden states after the norm."""

    config: LanguageConfig
    dtype: Any
    shard: Shard

    @nn.compact
    def __call__(
        self,
        token_ids: Int32[Array, "b m"],
        position_ids: Int32[Array, "b m 3"],
        image_tokens: Float[Array, "b u d"] | None,
        cell_index: Int32[Array, "b m"],
    ) -> Float[Array, "b m d"]:
        """Encodes a batch.

        Args:
          token_ids: padded as a suffix.
          position_ids: (frame, row, column) of every token.
          image_tokens: from the vision tower; None when there are no images.
          cell_index: which image token stands in a token's place; -1 for none.
        """
        config = self.config
        embedding = self.param(
            "embed_tokens",
            nn.initializers.normal(0.02),
            (config.vocab_size, config.hidden_size),
        )
        # An id outside the vocabulary becomes NaN, not a neighbour's embedding.
        x = jnp.take(embedding, token_ids, axis=0, mode="fill").astype(self.dtype)
        if image_tokens is not None:
            index = jnp.maximum(cell_index, 0)[..., None]
            cells = jnp.take_along_axis(image_tokens.astype(x.dtype), index, axis=1)
            x = jnp.where((cell_index >= 0)[..., None], cells, x)
        x = self.shard(x, ("batch", "tokens", "embed"))
        inputs = self._inputs(position_ids)
        # Without a window it does not matter what this says.
        is_sliding = np.arange(config.num_hidden_layers) >= config.max_window_layers
        layers = nn.scan(
            LanguageLayer,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            in_axes=(0, nn.broadcast),
            length=config.num_hidden_layers,
        )(config, self.dtype, self.shard, name="layers")
        x, _ = layers(x, jnp.asarray(is_sliding), inputs)
        return RMSNorm(config.rms_norm_eps, name="norm")(x)

    def _inputs(self, position_ids: Int32[Array, "b m 3"]) -> LanguageInputs:
        """Angles and masks, the same for every layer."""
        config = self.config
        window = config.sliding_window
        index = jnp.arange(position_ids.shape[1], dtype=jnp.int32)
        distance = index[None, :, None] - index[None, None, :]  # query minus key
        return LanguageInputs(
            angles=axis_angles(position_ids, config.mrope_section, config.rope_theta),
            is_past=distance >= 0,
            is_near=None if window is None else distance < window,
        )
