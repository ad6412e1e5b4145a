"""Light and shadow by gain maps in linear light: every pixel times its own factor."""

import math

import numpy as np

from tbstar_jax.array_types import Float, UInt8
from tbstar_jax.data_engine.construct.protocol import CannotEdit
from tbstar_jax.metrics.color import srgb_to_linear, unit_image

LIGHTS: tuple[str, ...] = (
    "brighter",
    "darker",
    "warmer",
    "cooler",
    "from_left",
    "from_right",
    "from_top",
    "vignette",
)
"""What can be asked for as the parameter `light`."""

_WARM = np.array([1.18, 1.0, 0.78])


def relit(
    image: UInt8[np.ndarray, "h w 3"], light: str, stops: float
) -> UInt8[np.ndarray, "h w 3"]:
    """Changes the light of a photo.

    Args:
      image: the photo.
      light: one of `LIGHTS`.
      stops: how strong: the gain is up to 2 to this power.

    Raises:
      CannotEdit: another light, or a photo too bright or too dark to take it.
    """
    if light not in LIGHTS:
        raise CannotEdit(
            f"there is no light {light!r}; the lights are {', '.join(LIGHTS)}"
        )
    linear = srgb_to_linear(unit_image(image))
    middle = float(np.median(linear))
    if (light == "brighter" and middle > 0.7) or (light == "darker" and middle < 0.01):
        raise CannotEdit(
            f"the photo's median brightness is {middle:.2f} of full scale; it cannot "
            f"become {light}"
        )
    lit = _rolled_off(linear, _gain(image.shape[:2], light, 2.0**stops))
    srgb = np.where(
        lit <= 0.0031308,
        12.92 * lit,
        1.055 * np.maximum(lit, 1e-9) ** (1 / 2.4) - 0.055,
    )
    return np.rint(np.clip(srgb, 0.0, 1.0) * 255).astype(np.uint8)


def _gain(
    size: tuple[int, ...], light: str, strength: float
) -> Float[np.ndarray, "#h #w #c"]:
    rows, columns = size
    y = ((np.arange(rows) + 0.5) / rows)[:, None, None]
    x = ((np.arange(columns) + 0.5) / columns)[None, :, None]
    match light:
        case "brighter":
            return np.full((1, 1, 1), strength)
        case "darker":
            return np.full((1, 1, 1), 1 / strength)
        case "warmer":
            return (_WARM ** math.log2(strength))[None, None]
        case "cooler":
            return ((1 / _WARM) ** math.log2(strength))[None, None]
        case "from_left":
            return strength ** (1.0 - 2.0 * x) + 0.0 * y
        case "from_right":
            return strength ** (2.0 * x - 1.0) + 0.0 * y
        case "from_top":
            return strength ** (1.0 - 2.0 * y) + 0.0 * x
        case _:
            away = (2 * x - 1) ** 2 + (2 * y - 1) ** 2
            return strength ** (-0.75 * away)


def _rolled_off(
    linear: Float[np.ndarray, "h w 3"], gain: Float[np.ndarray, "#h #w #c"]
) -> Float[np.ndarray, "h w 3"]:
    """Applies a gain; above 1 it bends towards white instead of clipping there."""
    brighter = gain * linear / (1.0 + np.maximum(gain - 1.0, 0.0) * linear)
    return np.where(gain > 1.0, brighter, gain * linear)
