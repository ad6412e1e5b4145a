"""The stage `autoencoder`: random crops of a batch's images, encoded and decoded.

The loss itself is in `autoencoder.py`; this is the objective `step.py` wants, and what
one step costs. Crops follow from the step's random key alone.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tbstar_jax.array_types import Array, Float, PRNGKeyArray, Tree, UInt8
from tbstar_jax.errors import UserError
from tbstar_jax.model.vae import VAE, VAEConfig
from tbstar_jax.training.autoencoder import autoencoder_loss
from tbstar_jax.training.freeze import merge


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReconstructionConfig:
    """What the autoencoder is trained on and for.

    Attributes:
      crop_size: side of the random crops, in pixels.
      gradient_weight: of the error of horizontal and vertical differences.
      divergence_weight: of the divergence from a standard normal, per latent number.
    """

    crop_size: int = 64
    gradient_weight: float = 0.5
    divergence_weight: float = 1e-3

    def __post_init__(self) -> None:
        if self.crop_size < 1:
            raise UserError(
                f"reconstruction.crop_size is {self.crop_size}; it must be at least 1"
            )
        if self.gradient_weight < 0 or self.divergence_weight < 0:
            raise UserError(
                f"reconstruction.gradient_weight is {self.gradient_weight} and "
                f"reconstruction.divergence_weight {self.divergence_weight}; neither "
                "may be below 0"
            )


class ReconstructionObjective:
    """The loss function of the stage, as `training/step.py` wants it.

    Attributes:
      loss_weights: lambda of every term.
    """

    def __init__(
        self, vae: VAEConfig, config: ReconstructionConfig, *, dtype: Any
    ) -> None:
        """Raises UserError when the crops do not divide into latent cells."""
        if config.crop_size % vae.downscale:
            raise UserError(
                f"reconstruction.crop_size is {config.crop_size}; it must be a "
                f"multiple of the {vae.downscale} pixels of a latent cell"
            )
        self._crop_size = config.crop_size
        self._vae = VAE(vae, dtype=dtype)
        self.loss_weights = {
            "pixel": 1.0,
            "gradient": config.gradient_weight,
            "divergence": config.divergence_weight,
        }

    def __call__(
        self,
        trainable: Tree,
        frozen: Tree,
        micro_batch: dict[str, Array],
        key: PRNGKeyArray,
    ) -> tuple[dict[str, Float[Array, " b"]], dict[str, Float[Array, " b"]]]:
        """Losses and weights per example, see `training/step.py`.

        Args:
          trainable: the collection `vae`, or those of its leaves that train.
          frozen: its other leaves.
          micro_batch: with `target_image`, `[b h w 3]` uint8.
          key: of this micro-batch.
        """
        crop_key, sample_key = jax.random.split(key)
        crops = random_crops(micro_batch["target_image"], self._crop_size, crop_key)
        pixels = crops.astype(jnp.float32) / np.float32(127.5) - 1
        params = merge(trainable, frozen)["vae"]
        parts = autoencoder_loss(self._vae, params, pixels, sample_key)
        losses = {
            "pixel": parts.pixel,
            "gradient": parts.gradient,
            "divergence": parts.divergence,
        }
        return losses, {term: jnp.ones_like(loss) for term, loss in losses.items()}


def random_crops(
    images: UInt8[Array, "b h w 3"], size: int, key: PRNGKeyArray
) -> UInt8[Array, "b size size 3"]:
    """A square of every image, its place drawn uniformly.

    Raises:
      UserError: the images are smaller than the crop.
    """
    b, rows, columns, _ = images.shape
    if size > min(rows, columns):
        raise UserError(
            f"the crops have {size} pixels a side, but an image has {columns}x{rows}; "
            "lower reconstruction.crop_size"
        )
    row_key, column_key = jax.random.split(key)
    tops = jax.random.randint(row_key, (b,), 0, rows - size + 1)
    lefts = jax.random.randint(column_key, (b,), 0, columns - size + 1)

    def crop(image: Array, top: Array, left: Array) -> Array:
        return jax.lax.dynamic_slice(image, (top, left, 0), (size, size, 3))

    return jax.vmap(crop)(images, tops, lefts)


def reconstruction_step_tflop(
    config: VAEConfig, batch_size: int, crop_size: int
) -> float:
    """10^12 operations of one optimizer step: three times the forward convolutions.

    Args:
      config: of the autoencoder.
      batch_size: crops per step over all devices.
      crop_size: their side, in pixels.
    """
    last = len(config.dim_mult) - 1
    widths = [config.base_dim * multiple for multiple in config.dim_mult]

    def conv(into: int, out: int, level: int, kernel: int = 3) -> int:
        cells = (crop_size >> level) ** 2
        return 2 * kernel**2 * into * out * cells

    def residual(into: int, out: int, level: int) -> int:
        shortcut = conv(into, out, level, 1) if into != out else 0
        return conv(into, out, level) + conv(out, out, level) + shortcut

    latent, deep = config.z_dim, widths[-1]
    total = conv(3, widths[0], 0) + conv(deep, 2 * latent, last)
    total += conv(latent, deep, last) + conv(widths[0], 3, 0)
    # Two residual blocks and the linears of one attention, in encoder and decoder.
    total += 2 * (2 * residual(deep, deep, last) + 4 * conv(deep, deep, last, 1))
    into = widths[0]
    for level, width in enumerate(widths):
        for _ in range(config.num_res_blocks):
            total += residual(into, width, level)
            into = width
        if level != last:
            total += conv(width, width, level + 1)
    for level in range(last, -1, -1):
        for _ in range(config.num_res_blocks + 1):
            total += residual(into, widths[level], level)
            into = widths[level]
        if level:
            total += conv(into, into // 2, level - 1)
            into //= 2
    return 3 * batch_size * total / 1e12
