"""Pictures as a judge is sent them."""

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from tbstar_jax.evaluation.judge.modes import Settings
from tbstar_jax.input_pipeline.images import encode_png


def as_sent(
    picture: UInt8[np.ndarray, "h w 3"],
    settings: Settings,
    size: tuple[int, int] | None = None,
) -> bytes:
    """Encodes a picture.

    Args:
      picture: sRGB.
      settings: format, quality and longest side.
      size: rows and columns it is resized to first, by Pillow's default filter and
        whatever its shape, as GEdit-Bench does; None leaves it.
    """
    image = Image.fromarray(picture)
    if size is not None:
        image = image.resize((size[1], size[0]))
    longest = max(image.size)
    if settings.max_side is not None and longest > settings.max_side:
        width, height = (
            max(1, round(side * settings.max_side / longest)) for side in image.size
        )
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    if settings.format == "png":
        return encode_png(np.asarray(image))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=settings.quality)
    return buffer.getvalue()
