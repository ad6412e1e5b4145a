"""Flat promotional backdrops: colour fields, rays, dots and arcs."""

import math

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from tbstar_jax.data_engine.layout.card import Promo
from tbstar_jax.data_engine.render.scene import Size

_SCALE = 2


def draw_promo(promo: Promo, size: Size) -> Float[np.ndarray, "h w 3"]:
    """Paints a backdrop.

    Args:
      promo: its kind and two colours.
      size: rows and columns, pixels.

    Returns:
      Opaque colours, [0, 1].
    """
    share = _share(promo.kind, size)[:, :, None]
    first = np.asarray(promo.first.rgb, np.float64) / 255.0
    second = np.asarray(promo.second, np.float64) / 255.0
    return first * (1.0 - share) + second * share


def _share(kind: str, size: Size) -> Float[np.ndarray, "h w"]:
    """How much of the second colour each pixel has, [0, 1]."""
    rows, columns = size
    if kind == "plain":
        return np.zeros(size)
    if kind == "gradient":
        down = (np.arange(rows) + 0.5) / rows
        return np.repeat((down**1.4)[:, None], columns, axis=1)
    height, width = rows * _SCALE, columns * _SCALE
    drawn = Image.new("L", (width, height))
    draw = ImageDraw.Draw(drawn)
    side = min(height, width)
    match kind:
        case "rays":
            center, reach = (0.5 * width, 0.55 * height), 2.0 * max(height, width)
            for k in range(0, 32, 2):
                ends = [
                    (
                        center[0] + reach * math.cos(turn * math.pi / 16),
                        center[1] + reach * math.sin(turn * math.pi / 16),
                    )
                    for turn in (k, k + 1)
                ]
                draw.polygon([center, *ends], fill=255)
        case "dots":
            pitch, radius = max(6.0, side / 14), max(1.5, side / 70)
            for row in range(int(height / pitch) + 2):
                for column in range(int(width / pitch) + 2):
                    x, y = (column + 0.5 * (row % 2)) * pitch, row * pitch
                    box = (x - radius, y - radius, x + radius, y + radius)
                    draw.ellipse(box, fill=255)
        case "split":
            corners = [(0, height), (0, 0.72 * height), (width, 0.46 * height)]
            draw.polygon([*corners, (width, height)], fill=255)
        case _:
            reach = 0.40 * side
            x, y = 0.5 * width, 0.55 * height
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=255)
    return np.asarray(drawn.reduce(_SCALE), np.float64) / 255.0
