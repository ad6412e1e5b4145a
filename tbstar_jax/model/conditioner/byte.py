"""The `tiny` conditioner: a bidirectional transformer over UTF-8 bytes and a thumbnail.

It stands where the vision-language model of the full-size presets stands: instruction
and source image in, a padded sequence of context tokens and its true lengths out. The
sequence is [thumbnail patches, text]; without a source the patches are one learned null
vector each. Rotary or absolute positions are not shared with the image transformer:
text has learned positions here.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tbstar_jax.array_types import Array, Bool, Float, Int32
from tbstar_jax.errors import UserError
from tbstar_jax.model.attention import attention
from tbstar_jax.model.norms import RMSNorm

_BEGIN, _END, _NUM_IDS = 256, 257, 258


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByteConditionerConfig:
    """Sizes of the byte-level conditioner.

    Attributes:
      width: hidden and output width.
      num_layers: transformer blocks.
      num_heads: attention heads.
      max_tokens: longest text, in bytes plus the begin and end markers.
      thumbnail_size: side of the thumbnail in pixels; the image is resized to it.
      thumbnail_patch: side of a patch in pixels.
    """

    width: int
    num_layers: int
    num_heads: int
    max_tokens: int
    thumbnail_size: int
    thumbnail_patch: int

    @property
    def num_thumbnail_tokens(self) -> int:
        """Patches of the thumbnail."""
        return (self.thumbnail_size // self.thumbnail_patch) ** 2


def tokenize(text: str, config: ByteConditionerConfig) -> np.ndarray:
    """UTF-8 bytes between a begin and an end marker, `[k]` int32.

    Raises:
      UserError: the text is longer than the conditioner accepts.
    """
    ids = [_BEGIN, *text.encode("utf-8"), _END]
    if len(ids) > config.max_tokens:
        raise UserError(
            f"the instruction has {len(ids) - 2} UTF-8 bytes, this conditioner takes "
            f"at most {config.max_tokens - 2}; shorten it"
        )
    return np.asarray(ids, np.int32)


class ConditionerBlock(nn.Module):
    """Pre-norm self-attention and feed-forward."""

    width: int
    num_heads: int
    dtype: Any

    @nn.compact
    def __call__(
        self, x: Float[Array, "b m d"], num_tokens: Int32[Array, " b"]
    ) -> Float[Array, "b m d"]:
        """Applies the block; keys past `num_tokens` do not count."""

        def linear(features: int, name: str) -> nn.Dense:
            return nn.Dense(features, dtype=self.dtype, name=name)

        b, m, d = x.shape
        h = RMSNorm(name="norm1")(x)
        qkv = linear(3 * d, "qkv")(h).reshape(b, m, self.num_heads, -1)
        q, k, v = jnp.split(qkv, 3, axis=-1)
        h = attention(q, k, v, num_tokens, "xla").reshape(b, m, d)
        x = x + linear(d, "proj")(h)
        h = RMSNorm(name="norm2")(x)
        return x + linear(d, "mlp_out")(nn.gelu(linear(4 * d, "mlp_in")(h)))


class ByteConditioner(nn.Module):
    """Text and thumbnail to context tokens."""

    config: ByteConditionerConfig
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        token_ids: Int32[Array, "b m"],
        num_tokens: Int32[Array, " b"],
        source_image: Float[Array, "b h w 3"] | None,
        has_source: Bool[Array, " b"],
    ) -> tuple[Float[Array, "b m2 d"], Int32[Array, " b"]]:
        """Encodes a batch.

        Args:
          token_ids: from `tokenize`, padded as a suffix.
          num_tokens: true lengths.
          source_image: in [-1, 1], any size; None if no example has one.
          has_source: examples whose thumbnail is to be seen.

        Returns:
          Context tokens, padding as a suffix, and how many count per example.
        """
        config = self.config
        thumbnail = self._thumbnail(source_image, has_source)
        embedding = nn.Embed(_NUM_IDS, config.width, dtype=self.dtype, name="bytes")
        position = self.param(
            "position",
            nn.initializers.normal(0.02),
            (config.max_tokens, config.width),
        )
        text = embedding(token_ids)
        text = text + position[None, : token_ids.shape[1]].astype(text.dtype)
        x = jnp.concatenate([thumbnail, text], axis=1)
        num_context = num_tokens + config.num_thumbnail_tokens
        for i in range(config.num_layers):
            x = ConditionerBlock(
                config.width, config.num_heads, self.dtype, name=f"blocks_{i}"
            )(x, num_context)
        x = RMSNorm(name="norm")(x)
        counts = jnp.arange(x.shape[1], dtype=jnp.int32)[None] < num_context[:, None]
        return jnp.where(counts[..., None], x, jnp.zeros((), x.dtype)), num_context

    def _thumbnail(
        self, source_image: Array | None, has_source: Bool[Array, " b"]
    ) -> Float[Array, "b p d"]:
        """Embedded thumbnail patches, or the null vector where there is no source."""
        config = self.config
        b, side, patch = (
            has_source.shape[0],
            config.thumbnail_size,
            config.thumbnail_patch,
        )
        null = self.param("null_patch", nn.initializers.normal(0.02), (config.width,))
        if source_image is None:
            source_image = jnp.zeros((b, side, side, 3), jnp.float32)
        small = jax.image.resize(
            source_image.astype(jnp.float32), (b, side, side, 3), "linear"
        )
        rows = side // patch
        x = small.reshape(b, rows, patch, rows, patch, 3)
        x = jnp.transpose(x, (0, 1, 3, 2, 4, 5)).reshape(b, rows * rows, -1)
        x = nn.Dense(config.width, dtype=self.dtype, name="patch_embed")(x)
        x = jnp.where(has_source[:, None, None], x, null[None, None].astype(x.dtype))
        position = self.param(
            "patch_position",
            nn.initializers.normal(0.02),
            (rows * rows, config.width),
        )
        return x + position[None].astype(x.dtype)
