"""Text to image: what a base draws before it learns to edit.

Nothing of the product uses it. It shows that a public base was loaded and runs as it
did where it came from.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from tbstar_jax.errors import UserError
from tbstar_jax.inference.editor import SamplingOptions, no_source
from tbstar_jax.inference.loaded_model import LoadedModel, load_model

_MULTIPLE = 16


@dataclasses.dataclass(frozen=True)
class DrawnImage:
    """A drawn image.

    Attributes:
      image: `[h w 3]` uint8, sRGB.
      latent: what was decoded, packed, `[n c]`.
    """

    image: UInt8[np.ndarray, "h w 3"]
    latent: Float[np.ndarray, "n c"]


class TextToImage:
    """A loaded model that draws captions."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model

    @classmethod
    def from_checkpoint(
        cls, directory: Path, *, dtype: Any | None = None
    ) -> "TextToImage":
        """Loads a weights folder or a public checkpoint; see `load_model`."""
        return cls(load_model(directory, dtype=dtype))

    def __call__(
        self,
        caption: str,
        *,
        size: tuple[int, int],
        seed: int = 0,
        num_steps: int | None = None,
        guidance: float | None = None,
        noise: Float[np.ndarray, "n c"] | None = None,
    ) -> DrawnImage:
        """Draws a caption.

        Args:
          caption: what the image shows.
          size: height and width in pixels, multiples of 16.
          seed: of the noise.
          num_steps: sampling steps; None is the model's default.
          guidance: guidance scale, 1 for none; None is the model's default.
          noise: packed, to start from instead of the seed's.

        Raises:
          UserError: sides that are no multiples of 16, a caption too long, or noise of
            another shape.
        """
        if any(side < _MULTIPLE or side % _MULTIPLE for side in size):
            raise UserError(
                f"an image of {size[1]}x{size[0]} pixels cannot be drawn: both sides "
                f"must be multiples of {_MULTIPLE}"
            )
        config = self._model.config
        options = SamplingOptions(
            num_steps=config.num_steps if num_steps is None else num_steps,
            guidance_scale=config.guidance_scale if guidance is None else guidance,
            use_gate=False,
            timesteps=self._model.timesteps,
        )
        caption_read, unconditional = self._model.read(
            caption, (), is_guided=options.guidance_scale != 1
        )
        grid = (size[0] // _MULTIPLE, size[1] // _MULTIPLE)
        drawn = self._model.editor.generate(
            self._model.parts,
            no_source(grid),
            caption_read,
            start(noise, seed, grid[0] * grid[1], config.transformer.in_channels),
            options,
            unconditional=unconditional,
        )
        return DrawnImage(np.asarray(drawn.image[0]), np.asarray(drawn.latent[0]))


def start(
    noise: Float[np.ndarray, "n c"] | None, seed: int, num_tokens: int, channels: int
) -> Any:
    """What `Editor.generate` starts one image from: a key, or the given noise.

    Raises:
      UserError: the noise has another shape.
    """
    if noise is None:
        return jax.random.key(seed)[None]
    if noise.shape != (num_tokens, channels):
        raise UserError(
            f"the noise has shape {noise.shape}, this image needs "
            f"{(num_tokens, channels)}: one row per token"
        )
    return jnp.asarray(noise, jnp.float32)[None]
