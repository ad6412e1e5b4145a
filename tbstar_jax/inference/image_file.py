"""Photos in, faithful photos out.

A photo is opened (`image_decode`) with its ICC profile, EXIF and alpha kept as data.
It is written with the same mode, profile, EXIF and alpha, into a temporary file
beside the output that then replaces it. Losslessly written pixels are those given,
bit for bit.
"""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, ImageCms

from tbstar_jax.errors import UserError
from tbstar_jax.geometry import Box, OutpaintPlan, outpaint_mask, place_on_canvas
from tbstar_jax.inference.color_profile import ColorMode, from_srgb, to_srgb
from tbstar_jax.inference.image_decode import MAX_PIXELS, decode_image
from tbstar_jax.metrics.similarity import share_identical

ImageMode = Literal["L", "RGB", "RGBA"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceImage:
    """A photo: its pixels for the model and for the composite, and what it carried.

    Attributes:
      rgb: pixels in the photo's own profile; a grey photo has three equal channels.
      srgb: the same in sRGB, over white where the photo is transparent.
      alpha: opacity, for mode RGBA only; 255 = opaque.
      icc_profile: the photo's ICC profile; None means sRGB.
      exif: the photo's EXIF block with orientation reset, without its thumbnail.
      mode: how the photo stores pixels, and how the edit will.
      path: the file it was read from, if any.
    """

    rgb: UInt8[np.ndarray, "h w 3"]
    srgb: UInt8[np.ndarray, "h w 3"]
    alpha: UInt8[np.ndarray, "h w"] | None
    icc_profile: bytes | None
    exif: bytes | None
    mode: ImageMode
    path: Path | None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @property
    def color_mode(self) -> ColorMode:
        """The channels that the ICC profile describes."""
        return "L" if self.mode == "L" else "RGB"


def source_from_array(image: UInt8[np.ndarray, "h w 3"]) -> SourceImage:
    """Wraps sRGB pixels that come from no file."""
    return SourceImage(
        rgb=image,
        srgb=image,
        alpha=None,
        icc_profile=None,
        exif=None,
        mode="RGB",
        path=None,
    )


def crop_source(source: SourceImage, box: Box) -> SourceImage:
    """Cuts a box out of every plane."""
    alpha = None if source.alpha is None else source.alpha[box.slices]
    return dataclasses.replace(
        source, rgb=source.rgb[box.slices], srgb=source.srgb[box.slices], alpha=alpha
    )


def outpaint_source(
    source: SourceImage, plan: OutpaintPlan
) -> tuple[SourceImage, UInt8[np.ndarray, "ch cw"]]:
    """Places a photo on a larger, opaque grey canvas.

    Returns:
      The canvas and its exact mask: 255 (to be painted) outside the photo.
    """
    alpha = source.alpha
    placed = dataclasses.replace(
        source,
        rgb=place_on_canvas(source.rgb, plan),
        srgb=place_on_canvas(source.srgb, plan),
        alpha=None if alpha is None else place_on_canvas(alpha, plan, fill=255),
    )
    return placed, outpaint_mask(plan)


def open_image(
    path: Path, *, convert: bool = False, max_pixels: int = MAX_PIXELS
) -> SourceImage:
    """Opens a photo that may be large, damaged or hostile.

    Args:
      path: the file.
      convert: turn palette, CMYK, 16-bit and other kinds into 8-bit grey, RGB or RGBA.
      max_pixels: the largest image that is decoded.

    Raises:
      UserError: the file cannot be read, is too large, damaged, of an unknown format,
        or of a kind that needs `convert`.
    """
    decoded = decode_image(path, convert=convert, max_pixels=max_pixels)
    image, icc_profile = decoded.image, decoded.icc_profile
    mode: ImageMode = "L" if image.mode == "L" else "RGB"
    alpha = None
    if image.mode == "RGBA":
        mode, alpha = "RGBA", np.array(image.getchannel("A"))
    rgb = np.array(image.convert("RGB"))  # exact: L is repeated, alpha dropped
    color_mode: ColorMode = "L" if mode == "L" else "RGB"
    try:
        srgb = to_srgb(rgb, icc_profile, color_mode)
        from_srgb(srgb[:1, :1], icc_profile, color_mode)  # the edit needs the way back
    except ImageCms.PyCMSError as error:
        if not convert:
            raise UserError(
                f"{path} carries an ICC profile that cannot be used ({error}); use "
                "--convert to drop it"
            ) from error
        icc_profile, srgb = None, rgb
    if alpha is not None:
        weight = alpha[:, :, None].astype(np.float32) / 255
        srgb = np.rint(srgb * weight + 255 * (1 - weight)).astype(np.uint8)
    return SourceImage(
        rgb=rgb,
        srgb=srgb,
        alpha=alpha,
        icc_profile=icc_profile,
        exif=decoded.exif,
        mode=mode,
        path=path,
    )


def open_mask(path: Path, size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """Opens a mask: any image, white (above 127) = edit, black = keep.

    Args:
      path: the file.
      size: height and width it must have.

    Raises:
      UserError: the file cannot be read, or has another size.
    """
    image = decode_image(path, convert=True, max_pixels=MAX_PIXELS).image.convert("L")
    if (image.height, image.width) != size:
        raise UserError(
            f"mask {path} has {image.width}x{image.height} pixels but the canvas has "
            f"{size[1]}x{size[0]}; both must have the same size"
        )
    return np.where(np.asarray(image) > 127, 255, 0).astype(np.uint8)


def save_image(
    path: Path, image: UInt8[np.ndarray, "h w 3"], source: SourceImage
) -> str | None:
    """Writes an edit of `source` with the source's mode, profile, EXIF and alpha.

    Args:
      path: the output; its suffix chooses the format.
      image: pixels in the source's profile, of the source's size.
      source: the photo (cropped or placed like the edit).

    Returns:
      A warning when the format changes pixels on writing, else None.

    Raises:
      UserError: the suffix is unknown, the output is the input, the format cannot hold
        transparency, or the file cannot be written.
    """
    require_writable(path, source)
    pixels = Image.fromarray(np.ascontiguousarray(image))
    if source.mode == "L":
        pixels = pixels.getchannel(0)
    elif source.alpha is not None:
        pixels.putalpha(Image.fromarray(np.ascontiguousarray(source.alpha)))
    suffix = path.suffix.lower()
    is_lossy, options = _WRITERS[suffix]
    _write(
        path,
        pixels,
        **options,
        icc_profile=source.icc_profile,
        exif=source.exif or b"",
    )
    if not is_lossy:
        return None
    return (
        f"{path}: {suffix} is a lossy format, so kept pixels change a little on "
        "writing; use .png to keep them bit-identical"
    )


def save_mask(path: Path, mask: UInt8[np.ndarray, "h w"]) -> None:
    """Writes a mask as a grey PNG: 255 = edited."""
    if path.suffix.lower() != ".png":
        raise UserError(f"a mask is written as .png, not as {path}")
    _write(path, Image.fromarray(np.ascontiguousarray(mask)), format="PNG")


def require_writable(path: Path, source: SourceImage) -> None:
    """Checks, before any work, that `save_image` may write an edit there."""
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        raise UserError(
            f"cannot write {path}: the suffix must be one of {', '.join(_WRITERS)}"
        )
    if not path.parent.is_dir():
        raise UserError(f"cannot write {path}: there is no folder {path.parent}")
    if source.alpha is not None and _WRITERS[suffix][1]["format"] == "JPEG":
        raise UserError(f"cannot write {path}: JPEG has no transparency; use .png")
    if source.path is not None and path.exists() and path.samefile(source.path):
        raise UserError(
            f"the output {path} is the input photo, which is never overwritten; "
            "choose another name"
        )


def share_identical_on_disk(
    path: Path, source: SourceImage, region: Bool[np.ndarray, "h w"] | None = None
) -> float:
    """Re-reads a written edit and compares it with the photo.

    Args:
      path: the file written by `save_image`.
      source: the photo (cropped or placed like the edit).
      region: the pixels to count; all when absent.

    Returns:
      The share of pixels equal in every channel, alpha included, in [0, 1].
    """
    written = open_image(path)
    planes = [(written.rgb, source.rgb)]
    if source.alpha is not None and written.alpha is not None:
        planes.append((written.alpha[:, :, None], source.alpha[:, :, None]))
    first, second = (np.concatenate(side, axis=2) for side in zip(*planes, strict=True))
    return float(share_identical(first, second, region))


# Suffix: whether the format is lossy, and how Pillow is to write it.
_WRITERS: dict[str, tuple[bool, dict[str, object]]] = {
    ".png": (False, {"format": "PNG"}),
    ".tif": (False, {"format": "TIFF"}),
    ".tiff": (False, {"format": "TIFF"}),
    ".jpg": (True, {"format": "JPEG", "quality": 95, "subsampling": 0}),
    ".jpeg": (True, {"format": "JPEG", "quality": 95, "subsampling": 0}),
    ".webp": (True, {"format": "WEBP", "quality": 95}),
}


def _write(path: Path, image: Image.Image, **options: object) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with temporary.open("wb") as file:
                image.save(file, **options)  # type: ignore[arg-type]
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
