"""Pictures as data URIs, small, and no more of them than a page can carry."""

import base64
import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from tbstar_jax.evaluation.report.markup import Html, tag

LONGEST_SIDE = 320
"""Of a picture on the page, in pixels."""

MAX_BYTES = 10_000_000
"""Of all files together; as base64 a third more."""

_QUALITY = 88
_NUM_COLORS = 32


class Album:
    """Makes pictures for a page and counts their bytes.

    Attributes:
      is_full: whether the page can carry no more.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """Starts empty."""
        self._left = max_bytes

    @property
    def is_full(self) -> bool:
        """Whether the bytes are used up."""
        return self._left <= 0

    def photo(self, image: UInt8[np.ndarray, "h w 3"], label: str) -> Html:
        """A picture as JPEG."""
        buffer = io.BytesIO()
        small = _small(image)
        # Not with `optimize`: Pillow's buffer for it is too small for noisy pictures.
        small.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
        return self._image(buffer, "jpeg", small, label)

    def map(self, image: UInt8[np.ndarray, "h w 3"], label: str) -> Html:
        """A picture of few colours as PNG; edges of JPEG would be errors in it."""
        buffer = io.BytesIO()
        small = _small(image).quantize(_NUM_COLORS, dither=Image.Dither.NONE)
        small.save(buffer, "PNG", optimize=True)
        return self._image(buffer, "png", small, label)

    def _image(
        self, buffer: io.BytesIO, kind: str, small: Image.Image, label: str
    ) -> Html:
        self._left -= buffer.tell()
        data = base64.b64encode(buffer.getvalue()).decode()
        return tag(
            "img",
            alt=label,
            width=small.width,
            height=small.height,
            src=f"data:image/{kind};base64,{data}",
        )


def _small(image: UInt8[np.ndarray, "h w 3"]) -> Image.Image:
    picture = Image.fromarray(image)
    # Every pixel counts equally: sharpening would paint errors that are not there.
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX)
    return picture
