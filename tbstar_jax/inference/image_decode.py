"""Decoding of untrusted image files.

PNG, JPEG, WebP, TIFF, BMP and GIF, checked for size before anything is decoded. The
EXIF orientation is applied to the pixels and its tag reset. 8-bit grey (L), RGB and
RGBA keep their mode; every other kind of image would lose something and is refused
unless `convert` is set.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from tbstar_jax.errors import UserError

MAX_PIXELS = 64_000_000
"""The largest image that is opened, in pixels."""

READ_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""Pillow's names of the decoders an untrusted file may reach."""

READ_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
"""What folder mode takes for a photo."""

# Where and how TIFF stores pixels, and its copies of the profile and of editors'
# data: true of the file that was read, false of any file written from it.
_STORAGE_TAGS = frozenset(
    {*range(254, 260), 262, 266, 273, 277, 278, 279, 284, 317, 320, *range(322, 326)}
    | {330, 338, 339, 347, *range(512, 522), *range(529, 533), 700, 33723, 34377, 34675}
)


@dataclass(frozen=True, kw_only=True, eq=False)
class DecodedImage:
    """An upright image and what came with it.

    Attributes:
      image: pixels, mode L, RGB or RGBA, 8 bits per channel.
      icc_profile: the profile those pixels are in, if the file names one.
      exif: the EXIF block with orientation reset, without its thumbnail (which shows
        the image before the edit).
    """

    image: Image.Image
    icc_profile: bytes | None
    exif: bytes | None


def decode_image(path: Path, *, convert: bool, max_pixels: int) -> DecodedImage:
    """Decodes an image that may be large, damaged or hostile.

    Args:
      path: the file.
      convert: turn palette, CMYK, 16-bit and other kinds into 8-bit grey, RGB or RGBA.
      max_pixels: the largest image that is decoded.

    Raises:
      UserError: the file cannot be read, is too large, damaged, of an unknown format,
        or of a kind that needs `convert`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; we keep what we can read
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=READ_FORMATS) as opened:
                if opened.width * opened.height > max_pixels:
                    raise _too_large(path, max_pixels)
                return _decode(opened, str(path), convert)
    except UserError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _too_large(path, max_pixels) from error
    except UnidentifiedImageError as error:
        raise UserError(
            f"{path} is not an image that can be read; the formats are PNG, JPEG, "
            "WebP, TIFF, BMP and GIF"
        ) from error
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    # Pillow's decoders raise nearly anything on hostile bytes.
    except Exception as error:
        raise UserError(
            f"{path} is damaged or cut short ({error}); export it again"
        ) from error


def _too_large(path: Path, max_pixels: int) -> UserError:
    return UserError(
        f"{path} has more pixels than the limit of {max_pixels / 1e6:g} megapixels; "
        "make it smaller first"
    )


def _decode(opened: Image.Image, name: str, convert: bool) -> DecodedImage:
    problem = _unsupported(opened)
    if problem is not None and not convert:
        raise UserError(
            f"{name} {problem}; only 8-bit grey, RGB and RGBA images keep every pixel, "
            "use --convert to turn it into one"
        )
    opened.load()  # a PNG may hold its EXIF after the pixels
    image = ImageOps.exif_transpose(opened)
    exif = _exif_without_orientation(opened)  # after it: this resets the tag it reads
    if problem is not None:
        image = _convert(image, name)
    icc_profile = image.info.get("icc_profile") or None
    return DecodedImage(image=image, icc_profile=icc_profile, exif=exif)


def _unsupported(image: Image.Image) -> str | None:
    """Says what an image has that 8-bit L, RGB and RGBA cannot hold."""
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        return "has several frames"
    raw_modes = [
        str(tile.args if isinstance(tile.args, str) else tile.args[0])
        for tile in getattr(image, "tile", [])
        if tile.args
    ]
    if image.mode.startswith("I;16") or any(";16" in mode for mode in raw_modes):
        return "has 16 bits per channel"
    if image.mode in ("P", "PA"):
        return "is a palette image"
    if image.mode not in ("L", "RGB", "RGBA"):
        return f"is a {image.mode} image"
    if "transparency" in image.info:
        return "has a transparent colour"
    return None


def _convert(image: Image.Image, name: str) -> Image.Image:
    """Turns a decoded image of another kind into 8-bit L, RGB or RGBA."""
    if image.mode in ("I", "F"):
        raise UserError(f"{name} has 32 bits per channel, which cannot be converted")
    if image.mode.startswith("I;16"):
        levels = np.asarray(image).astype(np.float32) / 257
        converted = Image.fromarray(np.rint(levels).astype(np.uint8))
        converted.info = dict(image.info)
        return converted
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "CMYK":
        return _cmyk_to_srgb(image)
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _cmyk_to_srgb(image: Image.Image) -> Image.Image:
    """Converts by the file's profile; without one that fits, by the plain formula."""
    converted = image.convert("RGB")
    profile = converted.info.pop("icc_profile", None)  # describes ink, not light
    if profile:
        try:
            transformed = ImageCms.profileToProfile(
                image,
                ImageCms.getOpenProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except ImageCms.PyCMSError:
            return converted
        assert transformed is not None  # only in-place conversion returns nothing
        converted.paste(transformed)
    return converted


def _exif_without_orientation(image: Image.Image) -> bytes | None:
    """Rebuilds the EXIF block; the thumbnail, which shows the old image, is lost."""
    exif = image.getexif()
    for tag in _STORAGE_TAGS & set(exif):
        del exif[tag]
    if not exif:
        return None
    exif[ExifTags.Base.Orientation] = 1
    return exif.tobytes()
