"""Between an image's own ICC profile and sRGB, which is all the model knows.

Relative colorimetric with black point compensation, both ways. A profile that agrees
with sRGB to one level on a grid of colours counts as sRGB, and nothing is converted.
Grey images travel as three equal channels.
"""

import io
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms

ColorMode = Literal["L", "RGB"]
"""Pillow's name of an image's colour channels: grey or red, green, blue."""


def to_srgb(
    image: UInt8[np.ndarray, "h w 3"], icc_profile: bytes | None, color_mode: ColorMode
) -> UInt8[np.ndarray, "h w 3"]:
    """Converts pixels from the image's profile to sRGB.

    Args:
      image: pixels in the profile; grey ones with three equal channels.
      icc_profile: the profile; None means sRGB (or grey with its tone curve).
      color_mode: whether the profile describes grey or colour.

    Raises:
      ImageCms.PyCMSError: the profile is damaged or does not fit the mode.
    """
    forward = _transform(icc_profile, color_mode, is_to_srgb=True)
    return image if forward is None else _apply(image, forward, color_mode)


def from_srgb(
    image: UInt8[np.ndarray, "h w 3"], icc_profile: bytes | None, color_mode: ColorMode
) -> UInt8[np.ndarray, "h w 3"]:
    """Converts sRGB pixels to the image's profile; grey comes as three equal channels.

    Args:
      image: sRGB pixels.
      icc_profile: the profile; None means sRGB (or grey with its tone curve).
      color_mode: whether the profile describes grey or colour.

    Raises:
      ImageCms.PyCMSError: the profile is damaged or does not fit the mode.
    """
    backward = _transform(icc_profile, color_mode, is_to_srgb=False)
    if backward is not None:
        return _apply(image, backward, "RGB")
    if color_mode == "L":
        return _three_channels(Image.fromarray(image).convert("L"))
    return image


def _transform(
    icc_profile: bytes | None, color_mode: ColorMode, is_to_srgb: bool
) -> ImageCms.ImageCmsTransform | None:
    if icc_profile is None:
        return None
    forward = _build(icc_profile, color_mode, is_to_srgb=True)
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    if color_mode == "L":
        probe = np.repeat(levels[:, None, None], 3, axis=2)
    else:
        probe = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
        probe = probe.reshape(-1, 1, 3)
    difference = _apply(probe, forward, color_mode).astype(np.int16) - probe
    if np.abs(difference).max() <= 1:
        return None
    if is_to_srgb:
        return forward
    return _build(icc_profile, color_mode, is_to_srgb=False)


def _build(
    icc_profile: bytes, color_mode: ColorMode, is_to_srgb: bool
) -> ImageCms.ImageCmsTransform:
    own = ImageCms.getOpenProfile(io.BytesIO(icc_profile))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    ends = ((own, color_mode), (srgb, "RGB"))
    (source, source_mode), (target, target_mode) = ends if is_to_srgb else ends[::-1]
    return ImageCms.buildTransform(
        source,
        target,
        source_mode,
        target_mode,
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _apply(
    image: UInt8[np.ndarray, "h w 3"],
    transform: ImageCms.ImageCmsTransform,
    input_mode: ColorMode,
) -> UInt8[np.ndarray, "h w 3"]:
    channels = image if input_mode == "RGB" else image[:, :, 0]
    pixels = Image.fromarray(np.ascontiguousarray(channels))
    converted = ImageCms.applyTransform(pixels, transform)
    assert converted is not None  # only in-place conversion returns nothing
    return _three_channels(converted)


def _three_channels(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    pixels = np.asarray(image)
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels
