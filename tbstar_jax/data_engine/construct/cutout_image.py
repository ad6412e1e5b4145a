"""A product cut out of its photo: colours and alpha of an RGBA file, read safely.

`images.decode_image` flattens alpha onto white, which a composite must not: here the
colours under the alpha are read as they are. What may be handed in is bounded as there.
"""

import dataclasses
import io

import numpy as np
from PIL import Image, ImageOps

from tbstar_jax.array_types import UInt8
from tbstar_jax.data_engine.render.scene import Size
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image

_MIN_SIDE = 8
_SOLID = 250
"""Alpha from which a pixel is the product alone, for judging whether there is one."""


@dataclasses.dataclass(frozen=True)
class Cutout:
    """A product without background, trimmed to what is visible of it.

    Attributes:
      color: uint8 RGB, meaningless where alpha is 0.
      alpha: uint8 opacity, 255 = the product alone.
    """

    color: UInt8[np.ndarray, "h w 3"]
    alpha: UInt8[np.ndarray, "h w"]

    @property
    def size(self) -> Size:
        """Rows and columns, in pixels."""
        return self.alpha.shape[0], self.alpha.shape[1]


def decode_cutout(data: bytes, name: str) -> Cutout:
    """Reads a PNG or WebP file with alpha, and trims it.

    Args:
      data: the encoded file.
      name: what to call it in an error.

    Raises:
      UserError: damaged or too large; without alpha; nothing, or nothing but a full
        rectangle, is visible.
    """
    decode_image(data, name)  # refuses what is not acceptable, with its reason
    picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
    has_alpha = picture.mode in ("LA", "RGBA") or "transparency" in picture.info
    if not has_alpha:
        raise UserError(
            f"{name} has no alpha channel (mode {picture.mode}); a cut-out is an RGBA "
            "PNG whose background is transparent"
        )
    pixels = np.array(ImageOps.exif_transpose(picture).convert("RGBA"))
    alpha = pixels[:, :, 3]
    if alpha.min() >= _SOLID:
        raise UserError(f"{name} is opaque everywhere, so its product is not cut out")
    if (alpha >= _SOLID).sum() < _MIN_SIDE**2:
        raise UserError(
            f"{name} has {(alpha >= _SOLID).sum()} opaque pixels; a cut-out needs at "
            f"least {_MIN_SIDE**2}"
        )
    rows = np.flatnonzero((alpha > 0).any(axis=1))
    columns = np.flatnonzero((alpha > 0).any(axis=0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Cutout(pixels[window][:, :, :3].copy(), alpha[window].copy())


def fitted(cutout: Cutout, limit: tuple[float, float]) -> Cutout:
    """Shrinks a cut-out to fit a box, keeping its proportions; it is never enlarged.

    One that fits keeps every pixel. Otherwise colours are resampled premultiplied, so
    that what is under transparent pixels does not bleed in.

    Args:
      cutout: any.
      limit: most rows and columns, in pixels.
    """
    scale = min(limit[0] / cutout.size[0], limit[1] / cutout.size[1])
    if scale >= 1:
        return cutout
    rows, columns = (max(1, int(side * scale)) for side in cutout.size)
    pixels = np.dstack([cutout.color, cutout.alpha])
    # Pillow premultiplies while it resizes a picture with alpha.
    small = Image.fromarray(pixels).resize((columns, rows), Image.Resampling.LANCZOS)
    resampled = np.array(small)
    return Cutout(resampled[:, :, :3].copy(), resampled[:, :, 3].copy())
