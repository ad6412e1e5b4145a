"""How the public pipelines resize photos: `geometry="diffusers"`, to compare with them.

Every photo gets about the same area, its sides rounded to multiples of 32 each for
itself, so it is stretched by up to some percent before the model sees it.
"""

from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from tbstar_jax.array_types import Grid
from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.qwen25_prompt import picture_size

_TOKEN_SIDE = 16


def resize_as_diffusers(
    photo: UInt8[np.ndarray, "_ _ 3"], area: int
) -> UInt8[np.ndarray, "h w 3"]:
    """A photo at about `area` pixels, by Lanczos.

    Raises:
      UserError: the photo is too narrow.
    """
    size = picture_size(*image_size(photo), area)
    resized = Image.fromarray(photo).resize(size[::-1], Image.Resampling.LANCZOS)
    return np.asarray(resized)


def require_nothing_kept(
    mask: UInt8[np.ndarray, "_ _"] | None, preserve: str | None
) -> Literal["off"]:
    """What `preserve` is where photos are resized, which moves their pixels.

    Raises:
      UserError: something is to be preserved.
    """
    if mask is not None or preserve not in (None, "off"):
        raise UserError(
            "geometry=diffusers resizes photos, so that no pixel keeps its place and "
            "none can be preserved; leave out the mask and preserve, or use "
            "geometry=canvas"
        )
    return "off"


def image_size(image: UInt8[np.ndarray, "h w 3"]) -> tuple[int, int]:
    """Height and width, in pixels."""
    return image.shape[0], image.shape[1]


def token_grid(image: UInt8[np.ndarray, "h w 3"]) -> Grid:
    """Rows and columns of tokens of an image of whole tokens."""
    return image.shape[0] // _TOKEN_SIDE, image.shape[1] // _TOKEN_SIDE
