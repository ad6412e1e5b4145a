"""The vision tower of Qwen2.5-VL: patches of an image to one token per cell.

    patches -> linear -> blocks -> merger: a cell's 2x2 patches become one token

An image is laid out as its attention windows, each padded to the same number of
patches (`qwen25_positions.py`): the blocks that see their own window alone are then a
batch of small attentions, and the few that see the whole image mask the padding. An
image is an example of this tower, so images of different sizes need no segment ids.

Blocks are scanned: every leaf below `blocks` has a leading block axis.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import struct

from tbstar_jax.array_types import Array, Bool, Float, Int32
from tbstar_jax.model.conditioner.qwen25_config import VisionConfig
from tbstar_jax.model.conditioner.qwen25_layers import (
    Angles,
    GatedFeedForward,
    Linear,
    grid_angles,
    grouped_attention,
    rotate_halves,
)
from tbstar_jax.model.layers import Shard
from tbstar_jax.model.norms import RMSNorm


@struct.dataclass
class VisionInputs:
    """What every block reads.

    Attributes:
      angles: of every patch, windows side by side, `[i w * p e / 2]`.
      is_patch: which patches are not padding, `[i w p]`.
    """

    angles: Angles
    is_patch: Bool[Array, "i w p"]


class VisionAttention(nn.Module):
    """Attention within windows or over the image."""

    config: VisionConfig
    dtype: Any
    shard: Shard

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "i n d"],
        is_full: Bool[Array, ""],
        inputs: VisionInputs,
    ) -> Float[Array, "i n d"]:
        """Attends; `is_full` lifts the restriction to the window."""
        config, width = self.config, self.config.hidden_size
        images, windows, patches = inputs.is_patch.shape
        qkv = Linear(3 * width, "embed", self.dtype, self.shard, name="qkv")(x)
        q, k, v = (
            self.shard(part, ("batch", "tokens", "heads")).reshape(
                *part.shape[:2], config.num_heads, -1
            )
            for part in jnp.split(qkv, 3, axis=-1)
        )
        q, k = rotate_halves(q, inputs.angles), rotate_halves(k, inputs.angles)

        def over_image(q: Array, k: Array, v: Array) -> Array:
            is_seen = inputs.is_patch.reshape(images, 1, windows * patches)
            return grouped_attention(q, k, v, is_seen)

        def within_windows(q: Array, k: Array, v: Array) -> Array:
            q, k, v = (
                part.reshape(images, windows, patches, *part.shape[2:])
                for part in (q, k, v)
            )
            y = grouped_attention(q, k, v, inputs.is_patch[:, :, None])
            return y.reshape(images, windows * patches, *y.shape[3:])

        y = jax.lax.cond(is_full, over_image, within_windows, q, k, v)
        y = self.shard(y.reshape(*x.shape[:2], -1), ("batch", "tokens", "heads"))
        return Linear(width, "embed", self.dtype, self.shard, name="proj")(y)


class VisionBlock(nn.Module):
    """Pre-norm attention and gated feed-forward; the body of the scan."""

    config: VisionConfig
    dtype: Any
    shard: Shard

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "i n d"],
        is_full: Bool[Array, ""],
        inputs: VisionInputs,
    ) -> tuple[Float[Array, "i n d"], None]:
        """Updates the patches."""
        attention = VisionAttention(self.config, self.dtype, self.shard, name="attn")
        x = x + attention(RMSNorm(name="norm1")(x), is_full, inputs)
        mlp = GatedFeedForward(
            self.config.intermediate_size,
            "vision_mlp",
            self.dtype,
            self.shard,
            has_bias=True,
            name="mlp",
        )
        x = x + mlp(RMSNorm(name="norm2")(x))
        return self.shard(x, ("batch", "tokens", "embed")), None


class PatchEmbed(nn.Module):
    """The strided convolution over (frames, rows, columns), as one product."""

    config: VisionConfig
    dtype: Any

    @nn.compact
    def __call__(self, patches: Float[Array, "i n c"]) -> Float[Array, "i n d"]:
        """Embeds flattened patches, (channel, frame, row, column) in this order."""
        config = self.config
        side, width = config.patch_size, config.hidden_size
        kernel = self.param(
            "kernel",
            nn.initializers.lecun_normal(in_axis=(0, 1, 2, 3), out_axis=4),
            (config.in_channels, config.temporal_patch_size, side, side, width),
        )
        kernel = kernel.astype(self.dtype).reshape(config.patch_dim, width)
        return patches.astype(self.dtype) @ kernel


class PatchMerger(nn.Module):
    """Norm per patch, then two linears with GELU over the patches of a cell."""

    config: VisionConfig
    dtype: Any
    shard: Shard

    @nn.compact
    def __call__(self, x: Float[Array, "i n d"]) -> Float[Array, "i u f"]:
        """Merges; the patches of a cell lie side by side."""
        config = self.config
        x = RMSNorm(name="ln_q")(x)
        x = x.reshape(x.shape[0], -1, config.patches_per_cell * config.hidden_size)
        x = Linear(x.shape[-1], "mlp", self.dtype, self.shard, name="mlp_0")(x)
        x = nn.gelu(x, approximate=False)
        return Linear(
            config.out_hidden_size, "embed", self.dtype, self.shard, name="mlp_2"
        )(x)


class VisionTower(nn.Module):
    """Images to tokens."""

    config: VisionConfig
    dtype: Any
    shard: Shard

    @nn.compact
    def __call__(
        self,
        patches: Float[Array, "i w p c"],
        position_ids: Int32[Array, "i w p 2"],
        is_patch: Bool[Array, "i w p"],
    ) -> Float[Array, "i u f"]:
        """Encodes a batch of images.

        Args:
          patches: normalised pixels of every patch, windows padded.
          position_ids: (row, column) of every patch, in patches.
          is_patch: which are not padding.

        Returns:
          One token per cell, windows side by side; those of padding mean nothing.
        """
        config = self.config
        images, windows, patches_per_window, _ = patches.shape
        num_patches = windows * patches_per_window
        num_pairs = config.hidden_size // config.num_heads // 2
        positions = position_ids.reshape(images, num_patches, 2)
        inputs = VisionInputs(
            angles=grid_angles(positions, num_pairs, config.rope_theta),
            is_patch=is_patch,
        )
        x = PatchEmbed(config, self.dtype, name="patch_embed")(
            patches.reshape(images, num_patches, -1)
        )
        x = self.shard(x, ("batch", "tokens", "embed"))
        is_full = np.isin(np.arange(config.depth), config.fullatt_block_indexes)
        blocks = nn.scan(
            VisionBlock,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            in_axes=(0, nn.broadcast),
            length=config.depth,
        )(config, self.dtype, self.shard, name="blocks")
        x, _ = blocks(x, jnp.asarray(is_full), inputs)
        return PatchMerger(config, self.dtype, self.shard, name="merger")(x)
