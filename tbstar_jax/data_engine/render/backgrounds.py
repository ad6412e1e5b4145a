"""What stands behind the product: studio white, paper, gradients, wood, tiles, stone.

Backgrounds are opaque float64 pictures in [0, 1]; the horizon between wall and ground
lies at `HORIZON` of the height.
"""

import numpy as np
from jaxtyping import Float
from PIL import Image

from tbstar_jax.data_engine.render.scene import RGB, Background, Size

HORIZON = 0.60
"""Row where the wall meets the table, fraction of the height."""

_WALL: RGB = (226, 220, 210)


def draw_background(background: Background, size: Size) -> Float[np.ndarray, "h w 3"]:
    """Paints a background.

    Args:
      background: its kind, tone and texture seed.
      size: rows and columns, pixels.

    Returns:
      Opaque colours, [0, 1].
    """
    rng = np.random.Generator(np.random.PCG64(background.seed))
    tone = np.asarray(background.tone.rgb, np.float64) / 255.0
    match background.setting.id:
        case "white" | "plain":
            return np.broadcast_to(tone, (*size, 3)).copy()
        case "gradient":
            return _gradient(tone, size, rng)
        case "wood":
            return _wood(tone, size, rng)
        case "tiles":
            return _tiles(tone, size, rng)
        case "marble":
            return _marble(tone, size, rng)
        case "shelf":
            return _shelf(tone, size, rng)
        case _:
            raise AssertionError(f"no drawing for background {background.setting.id!r}")


def _noise(
    rng: np.random.Generator, size: Size, cells: tuple[int, int]
) -> Float[np.ndarray, "h w"]:
    """Smooth noise around 0, about -1..1, with `cells` bumps down and across."""
    coarse = (rng.random(cells) * 2.0 - 1.0).astype(np.float32)
    smooth = Image.fromarray(coarse, mode=None).resize(
        (size[1], size[0]), Image.Resampling.BICUBIC
    )
    return np.asarray(smooth, np.float64)


def _rows(size: Size) -> Float[np.ndarray, "h 1"]:
    return ((np.arange(size[0]) + 0.5) / size[0])[:, None]


def _gradient(
    tone: Float[np.ndarray, "3"], size: Size, rng: np.random.Generator
) -> Float[np.ndarray, "h w 3"]:
    columns = size[1]
    x = (np.arange(columns) + 0.5)[None, :] / columns - (0.35 + 0.3 * rng.random())
    y = _rows(size) - 0.42
    glow = np.exp(-(x * x + y * y) / 0.22)[:, :, None]
    light = np.minimum(tone * 1.16 + 0.06, 1.0)
    return tone * 0.72 + (light - tone * 0.72) * glow


def _with_wall(
    ground: Float[np.ndarray, "h w 3"], wall: RGB, size: Size
) -> Float[np.ndarray, "h w 3"]:
    """Puts a wall above the horizon, a little darker towards the ground."""
    y = _rows(size)
    lit = (1.04 - 0.16 * y)[:, :, None] * np.asarray(wall, np.float64) / 255.0
    edge = np.clip((y - HORIZON) * size[0] + 0.5, 0.0, 1.0)[:, :, None]
    contact = 1.0 - 0.18 * np.exp(-np.maximum(y - HORIZON, 0.0) / 0.02)[:, :, None]
    return np.minimum(lit, 1.0) * (1.0 - edge) + ground * contact * edge


def _wood(
    tone: Float[np.ndarray, "3"], size: Size, rng: np.random.Generator
) -> Float[np.ndarray, "h w 3"]:
    rows = size[0]
    grain = 0.055 * _noise(rng, size, (rows // 2, 4)) + 0.05 * _noise(rng, size, (9, 3))
    boards = 4
    y = np.broadcast_to((_rows(size) - HORIZON) / (1.0 - HORIZON), size)
    # Boards grow towards the viewer.
    depth = np.clip(y, 0.0, 1.0) ** 0.75 * boards
    index = np.minimum(depth.astype(np.int64), boards - 1)
    shade = 1.0 + (rng.random(boards) - 0.5)[index] * 0.16 + grain
    gap = np.exp(-(((depth - np.rint(depth)) / 0.045) ** 2)) * (depth > 0.4)
    ground = tone * (shade * (1.0 - 0.42 * gap))[:, :, None]
    return _with_wall(np.clip(ground, 0.0, 1.0), _WALL, size)


def _tiles(
    tone: Float[np.ndarray, "3"], size: Size, rng: np.random.Generator
) -> Float[np.ndarray, "h w 3"]:
    rows, columns = size
    pitch = min(size) / 5.0
    y = (np.arange(rows) + 0.5)[:, None]
    horizon = HORIZON * rows
    x = np.arange(columns)[None, :] + 0.5 + pitch * rng.random()
    v = (horizon - y) / pitch
    away = np.minimum(np.abs(x / pitch - np.rint(x / pitch)), np.abs(v - np.rint(v)))
    line = np.clip(1.4 - away * pitch, 0.0, 1.0)
    cell = (
        np.floor(v).astype(np.int64) * 7 + np.floor(x / pitch).astype(np.int64) * 3
    ) % 16
    shade = 1.0 + (rng.random(16) - 0.5)[cell] * 0.09
    wall = tone * shade[:, :, None]
    wall = wall * (1.0 - line[:, :, None]) + 0.94 * line[:, :, None] * np.minimum(
        tone * 0.6 + 0.38, 1.0
    )
    ground = np.broadcast_to(np.array([0.80, 0.79, 0.77]), (rows, columns, 3))
    edge = np.clip(y - horizon + 0.5, 0.0, 1.0)[:, :, None]
    contact = 1.0 - 0.2 * np.exp(-np.maximum(y - horizon, 0.0) / rows / 0.03)
    return np.clip(wall, 0.0, 1.0) * (1.0 - edge) + ground * contact[:, :, None] * edge


def _marble(
    tone: Float[np.ndarray, "3"], size: Size, rng: np.random.Generator
) -> Float[np.ndarray, "h w 3"]:
    columns = size[1]
    x = np.arange(columns)[None, :] / columns
    warp = 1.1 * _noise(rng, size, (5, 5)) + 0.4 * _noise(rng, size, (12, 12))
    wave = np.sin(2.0 * np.pi * (1.6 * x + 1.1 * _rows(size) + 0.45 * warp))
    veins = np.exp(-(((1.0 - np.abs(wave)) / 0.045) ** 2))
    cloud = 0.04 * _noise(rng, size, (6, 6))
    shade = np.clip(1.0 + cloud - 0.17 * veins, 0.0, 1.1)
    ground = np.clip(tone * shade[:, :, None], 0.0, 1.0)
    return _with_wall(ground, (150, 160, 166), size)


def _shelf(
    tone: Float[np.ndarray, "3"], size: Size, rng: np.random.Generator
) -> Float[np.ndarray, "h w 3"]:
    rows = size[0]
    y = np.broadcast_to(_rows(size), size)
    wall = np.array([0.85, 0.88, 0.86]) * (1.02 - 0.10 * y)[:, :, None]
    picture = np.minimum(wall, 1.0)
    grain = 1.0 + 0.05 * _noise(rng, size, (rows // 2, 3))[:, :, None]
    board = tone * grain
    for top, lip, bottom in ((0.06, 0.10, 0.135), (0.76, 0.93, 0.985)):
        inside = np.clip((y - top) * rows + 0.5, 0.0, 1.0) * np.clip(
            (bottom - y) * rows + 0.5, 0.0, 1.0
        )
        front = np.clip((y - lip) * rows + 0.5, 0.0, 1.0)
        lit = board * (1.10 - 0.34 * front)[:, :, None]
        under = 0.30 * np.exp(-np.maximum(y - bottom, 0.0) / 0.03) * (y >= bottom)
        picture = picture * (1.0 - under)[:, :, None]
        picture = picture * (1.0 - inside[:, :, None]) + lit * inside[:, :, None]
    return np.clip(picture, 0.0, 1.0)
