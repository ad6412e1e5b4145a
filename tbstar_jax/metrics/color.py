"""Colour as people see it: sRGB to CIE Lab (D65) and the CIEDE2000 difference.

Every function computes with the module its arrays come from: numpy in float64, or jax
(also under `jit`) in its default float, to its full precision on any device. The white
point is the sRGB matrix's own sum, so that grey has a* = b* = 0.

References: IEC 61966-2-1; Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula"
(2005), whose published pairs are in the tests.
"""

import math
from types import ModuleType
from typing import Any

from jaxtyping import Bool, Float, Shaped

# Linear sRGB to CIE XYZ, row by row.
_XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)


def unit_image(image: Shaped[Any, "*b c"]) -> Float[Any, "*b c"]:
    """Returns an image in [0, 1]: uint8 over 255, a float image as it is."""
    xp: ModuleType = image.__array_namespace__()
    is_float = xp.issubdtype(image.dtype, xp.floating)
    values = xp.asarray(image, dtype=float)
    return values if is_float else values / 255


def srgb_to_linear(image: Float[Any, "*b 3"]) -> Float[Any, "*b 3"]:
    """Undoes the sRGB transfer curve; both sides in [0, 1]."""
    xp: ModuleType = image.__array_namespace__()
    return xp.where(
        image <= 0.04045,
        image / 12.92,
        ((xp.maximum(image, 0.0) + 0.055) / 1.055) ** 2.4,
    )


def srgb_to_lab(image: Shaped[Any, "*b 3"]) -> Float[Any, "*b 3"]:
    """Converts sRGB (uint8, or float in [0, 1]) to CIE L* in [0, 100], a*, b*."""
    xp: ModuleType = image.__array_namespace__()
    linear = srgb_to_linear(unit_image(image))
    red, green, blue = linear[..., 0], linear[..., 1], linear[..., 2]
    # Sums, no matrix product: accelerators round the factors of one to 8 or 11 bits.
    relative = xp.stack(
        [
            (row[0] * red + row[1] * green + row[2] * blue) / math.fsum(row)
            for row in _XYZ_FROM_RGB
        ],
        axis=-1,
    )
    cube_root = xp.where(
        relative > (6 / 29) ** 3,
        xp.cbrt(xp.maximum(relative, 0.0)),
        relative * (29 / 6) ** 2 / 3 + 4 / 29,
    )
    x, y, z = cube_root[..., 0], cube_root[..., 1], cube_root[..., 2]
    return xp.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(
    first: Float[Any, "*b 3"], second: Float[Any, "*b 3"]
) -> Float[Any, "*b"]:
    """Returns the CIEDE2000 difference of Lab colours (kL = kC = kH = 1).

    About 1 is just noticeable side by side; identical colours give 0.
    """
    xp: ModuleType = first.__array_namespace__()
    light_1, light_2 = first[..., 0], second[..., 0]
    chroma = (xp.hypot(*_ab(first)) + xp.hypot(*_ab(second))) / 2
    stretch = 1.5 - 0.5 * xp.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    chroma_1, hue_1 = _chroma_and_hue(xp, first, stretch)
    chroma_2, hue_2 = _chroma_and_hue(xp, second, stretch)
    is_grey = chroma_1 * chroma_2 == 0  # a grey has no hue

    turn = hue_2 - hue_1
    turn = xp.where(turn > 180, turn - 360, xp.where(turn < -180, turn + 360, turn))
    turn = xp.where(is_grey, 0.0, turn)
    hue_sum = hue_1 + hue_2
    wrapped = xp.where(hue_sum < 360, hue_sum + 360, hue_sum - 360)
    mean_hue = xp.where(xp.abs(hue_2 - hue_1) > 180, wrapped, hue_sum) / 2
    mean_hue = xp.where(is_grey, hue_sum, mean_hue)
    mean_light, mean_chroma = (light_1 + light_2) / 2, (chroma_1 + chroma_2) / 2

    hue_weight = (
        1
        - 0.17 * xp.cos(xp.radians(mean_hue - 30))
        + 0.24 * xp.cos(xp.radians(2 * mean_hue))
        + 0.32 * xp.cos(xp.radians(3 * mean_hue + 6))
        - 0.20 * xp.cos(xp.radians(4 * mean_hue - 63))
    )
    offset = (mean_light - 50) ** 2
    light = (light_2 - light_1) / (1 + 0.015 * offset / xp.sqrt(20 + offset))
    saturation = (chroma_2 - chroma_1) / (1 + 0.045 * mean_chroma)
    hue = 2 * xp.sqrt(chroma_1 * chroma_2) * xp.sin(xp.radians(turn / 2))
    hue = hue / (1 + 0.015 * mean_chroma * hue_weight)
    rotation = -2 * xp.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7))
    rotation = rotation * xp.sin(
        xp.radians(60 * xp.exp(-(((mean_hue - 275) / 25) ** 2)))
    )
    square = light**2 + saturation**2 + hue**2 + rotation * saturation * hue
    return xp.sqrt(xp.maximum(square, 0.0))


def lab_drift(
    first: Float[Any, "*b h w 3"],
    second: Float[Any, "*b h w 3"],
    mask: Bool[Any, "*b h w"],
) -> Float[Any, "*b 3"]:
    """Returns the mean signed change of L*, a*, b* over a mask: a cast, an exposure.

    Args:
      first: Lab, of `srgb_to_lab`.
      second: likewise.
      mask: the pixels to count; where it is empty the result is NaN.
    """
    xp: ModuleType = first.__array_namespace__()
    count = xp.asarray(xp.sum(mask, axis=(-2, -1)), dtype=float)[..., None]
    change = xp.where(mask[..., None], second - first, 0.0)
    total = xp.sum(change, axis=(-3, -2))
    return xp.where(count > 0, total / xp.maximum(count, 1.0), xp.nan)


def _ab(lab: Float[Any, "*b 3"]) -> tuple[Float[Any, "*b"], Float[Any, "*b"]]:
    return lab[..., 1], lab[..., 2]


def _chroma_and_hue(
    xp: ModuleType, lab: Float[Any, "*b 3"], stretch: Float[Any, "*b"]
) -> tuple[Float[Any, "*b"], Float[Any, "*b"]]:
    """Returns C' and h' (degrees in [0, 360)) after stretching a*."""
    a, b = lab[..., 1] * stretch, lab[..., 2]
    hue = xp.degrees(xp.arctan2(b, a))
    return xp.hypot(a, b), xp.where(hue < 0, hue + 360, hue)
