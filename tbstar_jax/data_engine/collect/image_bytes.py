"""Foreign image bytes, made fit for a record set, unchanged wherever possible.

A PNG, JPEG or WebP of eight bits per channel, upright, opaque and not animated passes
unchanged once it has been decoded as a check. Everything else is encoded again without
loss, as PNG, and a note says what was done. An image is decoded only when its header
declares an acceptable size.
"""

import dataclasses
import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps

from tbstar_jax.data_engine.store.codecs import codec_of
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import MAX_PIXELS

MAX_SIDE = 16384
"""Longest side that is accepted, in pixels."""

_STORED = ("PNG", "JPEG", "WEBP")
_FORMATS = (*_STORED, "BMP", "TIFF", "GIF", "AVIF")
_OPAQUE_MODES = ("1", "L", "RGB")
_ORIENTATION_TAG = 0x0112
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    # Of the AVIF decoder.
    RuntimeError,
    OverflowError,
    struct.error,
    zlib.error,
)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitImage:
    """An image a record set accepts.

    Attributes:
      data: the encoded file.
      codec: of the file as it came: `png`, `jpeg`, `webp_lossless`, `webp_lossy`, or
        the name of another format, e.g. `avif`.
      notes: what was changed and why; empty when the bytes passed unchanged.
    """

    data: bytes
    codec: str
    notes: tuple[str, ...]


def fit_image(data: bytes, keep_alpha: bool = False) -> FitImage:
    """Checks an image file by decoding it, and encodes it again if it must be.

    Args:
      data: the encoded file.
      keep_alpha: leave 8-bit transparency in the file instead of flattening it onto
        white; whoever decodes it still flattens it.

    Returns:
      The file, or a PNG with the same pixels as a viewer shows.

    Raises:
      UserError: damaged, truncated, too large, or in a format that is not accepted.
    """
    image = _open(data)
    try:
        notes = _notes(image, data)
        image.load()
        has_alpha = _has_alpha(image)
    except _BOMB as error:
        raise UserError(_too_large(image)) from error
    except _BROKEN as error:
        raise UserError(f"the image is damaged or truncated ({error})") from error
    codec = codec_of(data)
    name = str(image.format).lower() if codec == "other" else codec
    is_kept = has_alpha and keep_alpha
    if has_alpha:
        notes.append("alpha kept" if is_kept else "alpha flattened onto white")
    if not notes or (notes == ["alpha kept"] and image.mode == "RGBA"):
        return FitImage(data=data, codec=name, notes=tuple(notes))
    try:
        pixels = _pixels(image, is_kept)
    except _BROKEN as error:
        raise UserError(f"the image cannot be converted ({error})") from error
    return FitImage(data=_png(pixels), codec=name, notes=tuple(notes))


def _open(data: bytes) -> Image.Image:
    # Pillow knows few formats until it has been asked to load its decoders.
    Image.init()
    known = [name for name in _FORMATS if name in Image.OPEN]
    try:
        image = Image.open(io.BytesIO(data), formats=known)
    except _BOMB as error:
        limit = MAX_PIXELS // 1_000_000
        raise UserError(f"the image has more than {limit} million pixels") from error
    except _BROKEN as error:
        raise UserError(
            f"not a readable image ({len(data)} bytes); the formats are "
            f"{', '.join(known)}"
        ) from error
    if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
        raise UserError(_too_large(image))
    return image


def _too_large(image: Image.Image) -> str:
    return (
        f"the image has {image.height} x {image.width} pixels; at most {MAX_SIDE} on a "
        f"side and {MAX_PIXELS // 1_000_000} million in all are accepted"
    )


def _notes(image: Image.Image, data: bytes) -> list[str]:
    """What of a file, alpha aside, a record set does not take as it is."""
    notes = []
    if image.format not in _STORED and image.format != "MPO":
        notes.append(f"{str(image.format).lower()} converted")
    if getattr(image, "is_animated", False) and image.format != "MPO":
        notes.append("first frame of an animation")
    # A PNG's own `getexif` decodes it, in search of EXIF data behind the pixels.
    if Image.Image.getexif(image).get(_ORIENTATION_TAG, 1) in range(2, 9):
        notes.append("exif orientation applied")
    if image.mode.startswith(("I", "F")):
        notes.append("16 bit scaled to 8")
    elif data.startswith(_PNG_HEAD) and data[24:25] == b"\x10":
        notes.append("16 bit, high byte taken")
    elif image.mode == "CMYK":
        notes.append("cmyk converted")
    elif image.mode in ("P", "PA"):
        notes.append("palette converted")
    elif image.mode not in (*_OPAQUE_MODES, "LA", "RGBA"):
        notes.append(f"mode {image.mode} converted")
    return notes


def _declares_alpha(image: Image.Image) -> bool:
    return image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info


def _has_alpha(image: Image.Image) -> bool:
    """Whether any pixel is not opaque."""
    if not _declares_alpha(image):
        return False
    alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    return bool((alpha < 255).any())


def _pixels(image: Image.Image, keep_alpha: bool) -> Image.Image:
    """What a viewer shows, upright, as L, RGB or RGBA."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        # 16-bit files count to 65535, which is 257 * 255.
        return Image.fromarray(np.clip((values + 128) // 257, 0, 255).astype(np.uint8))
    if image.mode == "F":
        raise UserError("pixels are floating-point numbers of no known range")
    if image.mode == "CMYK":
        return _from_cmyk(image)
    if _declares_alpha(image):
        layered = image.convert("RGBA")
        if keep_alpha:
            return layered
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layered).convert("RGB")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _from_cmyk(image: Image.Image) -> Image.Image:
    """To sRGB by the embedded profile, or by the plain formula without one."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, *_BROKEN):
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    bare = Image.fromarray(np.asarray(image))
    bare.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
