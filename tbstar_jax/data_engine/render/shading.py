"""Light on simple surfaces: a key light from one side, ambient light, one highlight.

Surfaces are bodies of revolution or flat faces; `light` is -1 (from the left) or +1
(from the right) in the local coordinates of the object.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

_AMBIENT = 0.40
_DIFFUSE = 0.68
_KEY = (0.62, 0.78)


def radius_at(
    profile: Sequence[tuple[float, float]], y: Float[np.ndarray, "h 1"]
) -> Float[np.ndarray, "h 1"]:
    """Half the width of a body of revolution, from its outline (y, radius)."""
    heights = [point[0] for point in profile]
    radii = [point[1] for point in profile]
    return np.maximum(np.interp(y, heights, radii), 1e-3)


def round_shade(
    across: Float[np.ndarray, "h w"], light: float, gloss: float
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Lights an upright body of revolution.

    Args:
      across: column over radius: -1 at the left outline, 0 on the axis, 1 at the right.
      light: -1 from the left, +1 from the right.
      gloss: strength of the highlight, [0, 1].

    Returns:
      Shade (1 = the albedo) and shine (white added), both per pixel.
    """
    across = np.clip(across, -1.0, 1.0)
    facing = np.sqrt(1.0 - across * across)
    lambert = np.maximum(light * across * _KEY[0] + facing * _KEY[1], 0.0)
    shade = _AMBIENT + _DIFFUSE * lambert
    strip = np.exp(-(((across - 0.52 * light) / 0.13) ** 2))
    rim = np.exp(-(((across + 0.93 * light) / 0.10) ** 2))
    return shade, gloss * strip + 0.10 * rim


def sphere_shade(
    x: Float[np.ndarray, "1 w"], y: Float[np.ndarray, "h 1"], light: float
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Lights a ball; x and y are in radii from its centre, y downwards."""
    facing = np.sqrt(np.clip(1.0 - x * x - y * y, 0.0, 1.0))
    lambert = np.maximum(0.50 * light * x - 0.50 * y + 0.70 * facing, 0.0)
    glint = np.exp(-(((x - 0.38 * light) ** 2 + (y + 0.40) ** 2) / 0.035))
    return 0.36 + 0.76 * lambert, 0.65 * glint


def face_shade(
    y: Float[np.ndarray, "h 1"], brightness: float
) -> Float[np.ndarray, "h 1"]:
    """Lights a flat upright face: a little darker towards the ground."""
    return brightness * (1.05 - 0.16 * np.clip(y, 0.0, 1.0))
