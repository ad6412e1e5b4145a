"""Image bytes in and out: PNG encoding, safe decoding, sizes from headers alone.

Pillow is the decoder. What it may be handed is bounded here, once: three formats, at
most `MAX_PIXELS`, eight bits per channel. EXIF orientation is applied and alpha is
flattened onto white, so that an array is what a viewer shows.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from tbstar_jax.array_types import UInt8, UInt16
from tbstar_jax.errors import UserError

MAX_PIXELS = 64_000_000
"""Largest image that is decoded, in pixels."""

_FORMATS = ("PNG", "JPEG", "WEBP")
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
_GREY_16 = ("I;16",)
_ACCEPTED = {
    _MODES: "8-bit grey, palette, RGB and RGBA are accepted; convert it to RGB first",
    _GREY_16: "grey of 16 bits is accepted",
}
_ORIENTATION_TAG = 0x0112
_QUARTER_TURNS = (5, 6, 7, 8)
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    IndexError,
    EOFError,
    struct.error,
    zlib.error,
)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def encode_png(
    image: UInt8[np.ndarray, "h w *c"] | UInt16[np.ndarray, "h w"],
) -> bytes:
    """Encodes an image losslessly.

    Args:
      image: `[h w 3]` RGB or `[h w]` grey, 0..255; or grey, 0..65535.

    Returns:
      A PNG file of mode RGB, L or I;16.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def decode_image(data: bytes, name: str = "image") -> UInt8[np.ndarray, "h w 3"]:
    """Decodes a PNG, JPEG or WebP file to RGB.

    Args:
      data: the encoded file.
      name: what to call the image in an error, e.g. its record and field.

    Returns:
      Pixels 0..255, upright, alpha flattened onto white.

    Raises:
      UserError: damaged, too large, or in a format or mode that is not accepted.
    """
    image = _load(data, name)
    if image.mode in ("LA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def decode_mask(data: bytes, name: str = "mask") -> UInt8[np.ndarray, "h w"]:
    """Decodes a mask file to one channel, 0..255; raises as `decode_image` does."""
    return np.array(_load(data, name).convert("L"))


def decode_grey16(data: bytes, name: str = "image") -> UInt16[np.ndarray, "h w"]:
    """Decodes a grey PNG file of 16 bits; raises as `decode_image` does."""
    image = _open(data, name, _GREY_16)
    try:
        image.load()
    except _BROKEN as error:
        raise UserError(f"{name} is damaged or truncated ({error})") from error
    return np.array(image).astype(np.uint16)


def image_size(data: bytes, name: str = "image") -> tuple[int, int]:
    """Reads (rows, columns) in pixels, as decoded, from the file's header alone.

    Raises:
      UserError: as `decode_image` does, except for damage behind the header.
    """
    image = _open(data, name)
    is_turned = _orientation(image, name) in _QUARTER_TURNS
    return image.size if is_turned else (image.height, image.width)


def _open(data: bytes, name: str, modes: tuple[str, ...] = _MODES) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except _BOMB as error:
        raise UserError(_too_large(name)) from error
    except _BROKEN as error:
        raise UserError(
            f"{name} is not a readable PNG, JPEG or WebP file ({len(data)} bytes)"
        ) from error
    if image.width * image.height > MAX_PIXELS:
        raise UserError(_too_large(name))
    if image.mode not in modes:
        raise UserError(f"{name} has mode {image.mode}, but only {_ACCEPTED[modes]}")
    return image


def _orientation(image: Image.Image, name: str) -> int:
    """Reads the EXIF orientation, 1 to 8, without decoding."""
    try:
        # A PNG's own `getexif` decodes it, in search of EXIF data behind the pixels.
        return int(Image.Image.getexif(image).get(_ORIENTATION_TAG, 1))
    except (*_BROKEN, TypeError) as error:
        raise UserError(f"{name} has damaged EXIF data ({error})") from error


def _load(data: bytes, name: str) -> Image.Image:
    image = _open(data, name)
    orientation = _orientation(image, name)
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    try:
        image.load()
        return image.transpose(turns[orientation]) if orientation in turns else image
    except _BOMB as error:
        raise UserError(_too_large(name)) from error
    except _BROKEN as error:
        raise UserError(f"{name} is damaged or truncated ({error})") from error


def _too_large(name: str) -> str:
    limit = MAX_PIXELS // 1_000_000
    return f"{name} has more than {limit} million pixels; make it smaller first"
