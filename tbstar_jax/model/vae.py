"""The Qwen-Image autoencoder for single images, a 2-D convolutional network.

The public autoencoder is causal in time; for one frame only the last temporal slice of
every 3-D convolution matters, so each one is a 2-D convolution here (`convert/` picks
the slice). Images are [-1, 1] NHWC; a latent cell is 8 x 8 pixels at the public depth.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tbstar_jax.array_types import Array, Float
from tbstar_jax.model.attention import attention


@dataclasses.dataclass(frozen=True, kw_only=True)
class VAEConfig:
    """Sizes; names follow the public checkpoint's `config.json`.

    Attributes:
      base_dim: channels at full resolution.
      dim_mult: multiples of `base_dim` per level; each level after the first halves
        the resolution.
      num_res_blocks: residual blocks per encoder level; the decoder has one more.
      z_dim: latent channels.
      latents_mean: per channel, subtracted from the encoder's output.
      latents_std: per channel, the encoder's output is divided by it.
    """

    base_dim: int
    dim_mult: tuple[int, ...]
    num_res_blocks: int
    z_dim: int
    latents_mean: tuple[float, ...]
    latents_std: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raises ValueError when the statistics do not fit the latent channels."""
        if not len(self.latents_mean) == len(self.latents_std) == self.z_dim:
            raise ValueError(
                f"latents_mean ({len(self.latents_mean)}) and latents_std "
                f"({len(self.latents_std)}) need z_dim = {self.z_dim} values each"
            )

    @property
    def downscale(self) -> int:
        """Pixels per side of a latent cell."""
        return 2 ** (len(self.dim_mult) - 1)


class ChannelNorm(nn.Module):
    """`x / |x|_2 * sqrt(C) * gamma` over the channels."""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """Normalises every pixel, statistics in float32."""
        channels = x.shape[-1]
        gamma = self.param("gamma", nn.initializers.ones_init(), (channels,))
        wide = x.astype(jnp.float32)
        # Written as a maximum of squares: the norm's own gradient at 0 is not finite.
        square = jnp.sum(jnp.square(wide), axis=-1, keepdims=True)
        wide = wide / jnp.sqrt(jnp.maximum(square, np.float32(1e-24)))
        scale = gamma.astype(jnp.float32) * np.float32(channels**0.5)
        return (wide * scale[None, None, None]).astype(x.dtype)


class Conv(nn.Module):
    """A k x k convolution with zero padding."""

    features: int
    kernel_size: int = 3
    stride: int = 1
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 f"]:
        """Convolves; stride 2 pads on the right and bottom only."""
        k = self.kernel_size
        low, high = (0, 1) if self.stride == 2 else (k // 2, k // 2)
        return nn.Conv(
            self.features,
            (k, k),
            strides=(self.stride, self.stride),
            padding=((low, high), (low, high)),
            dtype=self.dtype,
            name="conv",
        )(x)


class ResidualBlock(nn.Module):
    """norm, SiLU, conv, norm, SiLU, conv, plus the (projected) input."""

    features: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w f"]:
        """Applies the block."""
        h = nn.silu(ChannelNorm(name="norm1")(x))
        h = Conv(self.features, dtype=self.dtype, name="conv1")(h)
        h = nn.silu(ChannelNorm(name="norm2")(h))
        h = Conv(self.features, dtype=self.dtype, name="conv2")(h)
        if x.shape[-1] != self.features:
            x = Conv(self.features, 1, dtype=self.dtype, name="conv_shortcut")(x)
        return x + h


class AttentionBlock(nn.Module):
    """Single-head self-attention over all cells."""

    dtype: Any

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """Applies the block."""
        b, h, w, c = x.shape
        y = ChannelNorm(name="norm")(x)
        y = Conv(3 * c, 1, dtype=self.dtype, name="to_qkv")(y)
        y = y.reshape(b, h * w, 1, 3 * c)
        q, k, v = jnp.split(y, 3, axis=-1)
        y = attention(q, k, v, None, "xla").reshape(b, h, w, c)
        return x + Conv(c, 1, dtype=self.dtype, name="proj")(y)


class MidBlock(nn.Module):
    """Residual, attention, residual."""

    features: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """Applies the block."""
        x = ResidualBlock(self.features, self.dtype, name="resnets_0")(x)
        x = AttentionBlock(self.dtype, name="attentions_0")(x)
        return ResidualBlock(self.features, self.dtype, name="resnets_1")(x)


class Encoder(nn.Module):
    """Image to mean and log-variance."""

    config: VAEConfig
    dtype: Any

    @nn.compact
    def __call__(self, x: Float[Array, "b h w 3"]) -> Float[Array, "b h2 w2 c"]:
        """Encodes; the blocks are numbered in one flat list as in the checkpoint."""
        config = self.config
        x = Conv(config.base_dim, dtype=self.dtype, name="conv_in")(x)
        index = 0
        for level, multiple in enumerate(config.dim_mult):
            features = config.base_dim * multiple
            for _ in range(config.num_res_blocks):
                x = ResidualBlock(features, self.dtype, name=f"down_blocks_{index}")(x)
                index += 1
            if level != len(config.dim_mult) - 1:
                x = Conv(
                    features, stride=2, dtype=self.dtype, name=f"down_blocks_{index}"
                )(x)
                index += 1
        x = MidBlock(features, self.dtype, name="mid_block")(x)
        x = nn.silu(ChannelNorm(name="norm_out")(x))
        return Conv(2 * config.z_dim, dtype=self.dtype, name="conv_out")(x)


class Decoder(nn.Module):
    """Latent to image."""

    config: VAEConfig
    dtype: Any

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 3"]:
        """Decodes; every level but the last doubles the resolution."""
        config = self.config
        features = config.base_dim * config.dim_mult[-1]
        x = Conv(features, dtype=self.dtype, name="conv_in")(x)
        x = MidBlock(features, self.dtype, name="mid_block")(x)
        for level, multiple in enumerate(reversed(config.dim_mult)):
            features = config.base_dim * multiple
            for index in range(config.num_res_blocks + 1):
                name = f"up_blocks_{level}_resnets_{index}"
                x = ResidualBlock(features, self.dtype, name=name)(x)
            if level != len(config.dim_mult) - 1:
                x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
                name = f"up_blocks_{level}_upsampler"
                x = Conv(features // 2, dtype=self.dtype, name=name)(x)
        x = nn.silu(ChannelNorm(name="norm_out")(x))
        return Conv(3, dtype=self.dtype, name="conv_out")(x)


class VAE(nn.Module):
    """The autoencoder: `encode` gives the normalised mode, `decode` its inverse."""

    config: VAEConfig
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Makes encoder and decoder."""
        self.encoder = Encoder(self.config, self.dtype)
        self.decoder = Decoder(self.config, self.dtype)
        z = self.config.z_dim
        self.quant_conv = Conv(2 * z, 1, dtype=self.dtype)
        self.post_quant_conv = Conv(z, 1, dtype=self.dtype)

    def moments(
        self, image: Float[Array, "b h w 3"]
    ) -> tuple[Float[Array, "b h2 w2 c"], Float[Array, "b h2 w2 c"]]:
        """Mean and log-variance of the unnormalised latent, float32.

        Args:
          image: in [-1, 1], sides multiples of the config's `downscale`.
        """
        moments = self.quant_conv(self.encoder(image.astype(self.dtype)))
        mean, log_variance = jnp.split(moments.astype(jnp.float32), 2, axis=-1)
        return mean, log_variance

    def encode(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b h2 w2 c"]:
        """The latent: the mode, normalised per channel, float32."""
        mean, _ = self.moments(image)
        shift, scale = self._statistics()
        return (mean - shift) / scale

    def decode_unnormalised(
        self, latent: Float[Array, "b h w c"]
    ) -> Float[Array, "b h2 w2 3"]:
        """The image of a latent as `moments` gives it, before clipping, float32."""
        x = self.decoder(self.post_quant_conv(latent.astype(self.dtype)))
        return x.astype(jnp.float32)

    def decode(self, latent: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 3"]:
        """The image of a normalised latent, clipped to [-1, 1], float32."""
        shift, scale = self._statistics()
        image = self.decode_unnormalised(latent.astype(jnp.float32) * scale + shift)
        return jnp.clip(image, -1.0, 1.0)

    def __call__(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b h w 3"]:
        """Encodes and decodes."""
        return self.decode(self.encode(image))

    def _statistics(self) -> tuple[Array, Array]:
        shape = (1, 1, 1, self.config.z_dim)
        mean = np.asarray(self.config.latents_mean, np.float32).reshape(shape)
        std = np.asarray(self.config.latents_std, np.float32).reshape(shape)
        return jnp.asarray(mean), jnp.asarray(std)
