"""Layers with explicit alpha: shapes are drawn at 4x, averaged, composited in float64.

A layer covers a window of the canvas and holds premultiplied colour and alpha, both in
[0, 1]. Compositing is `premultiplied + (1 - alpha) * below`, so where alpha is 0 the
picture below keeps its exact value: an edit that changes one layer cannot reach a pixel
outside that layer's alpha. Rounding to uint8 happens once, after the last layer.
"""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw

from tbstar_jax.data_engine.render.scene import RGB, Size

SUPERSAMPLING = 4
"""Drawn pixels per output pixel and direction."""

Coverage: TypeAlias = Float[np.ndarray, "h w"]
Points: TypeAlias = Sequence[tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Layer:
    """Premultiplied colour on a window of the canvas.

    Attributes:
      top: first row of the window, pixels.
      left: first column of the window, pixels.
      color: premultiplied colour, [0, 1].
      alpha: opacity, [0, 1].
    """

    top: int
    left: int
    color: Float[np.ndarray, "h w 3"]
    alpha: Float[np.ndarray, "h w"]


def compose(
    background: Float[np.ndarray, "h w 3"], layers: Sequence[Layer]
) -> UInt8[np.ndarray, "h w 3"]:
    """Puts layers over a background, the first one lowest, and rounds once.

    Args:
      background: opaque colours, [0, 1].
      layers: what lies above it, lowest first.

    Returns:
      The picture, uint8 RGB.
    """
    canvas = background.astype(np.float64, copy=True)
    for layer in layers:
        rows, columns = layer.alpha.shape
        window = canvas[layer.top : layer.top + rows, layer.left : layer.left + columns]
        window *= 1.0 - layer.alpha[:, :, None]
        window += layer.color
    return np.rint(np.clip(canvas, 0.0, 1.0) * 255.0).astype(np.uint8)


def support(layers: Sequence[Layer], size: Size) -> Bool[np.ndarray, "h w"]:
    """Marks the pixels that any of the layers can reach."""
    reached = np.zeros(size, dtype=bool)
    for layer in layers:
        rows, columns = layer.alpha.shape
        window = (
            slice(layer.top, layer.top + rows),
            slice(layer.left, layer.left + columns),
        )
        reached[window] |= layer.alpha > 0
    return reached


class Pen:
    """Draws shapes in the local coordinates of one object into one layer.

    The object's box is one unit high: y runs from 0 (top) to 1 (the ground line), x is
    measured from the vertical axis in the same unit; `flip` mirrors x.
    """

    def __init__(
        self,
        size: Size,
        *,
        center: float,
        ground: float,
        height: float,
        half_width: float,
        flip: bool = False,
    ) -> None:
        """Opens a window around the object.

        Args:
          size: canvas rows and columns, pixels.
          center: column of the object's axis, pixels.
          ground: row of its ground line, pixels.
          height: its height, pixels.
          half_width: the larger half of its width, in object heights.
          flip: mirror left and right.
        """
        margin = 0.12 * height + 2.0
        reach = half_width * height + margin
        self.top = max(0, int(ground - height - margin))
        self.left = max(0, int(center - reach))
        bottom = min(size[0], int(ground + margin) + 1)
        right = min(size[1], int(center + reach) + 1)
        self._shape = (bottom - self.top, right - self.left)
        self._origin = (center - self.left, ground - height - self.top)
        self._height = height
        self._mirror = -1.0 if flip else 1.0
        rows = np.arange(self._shape[0], dtype=np.float64) + 0.5
        columns = np.arange(self._shape[1], dtype=np.float64) + 0.5
        self.y = ((rows - self._origin[1]) / height)[:, None]
        self.x = ((columns - self._origin[0]) / height)[None, :] * self._mirror
        self._color = np.zeros((*self._shape, 3))
        self._alpha = np.zeros(self._shape)

    def pixels(self, points: Points) -> list[tuple[float, float]]:
        """Maps local (x, y) to column and row of the 4x drawing of the window."""
        scale = self._height * SUPERSAMPLING
        left, top = (value * SUPERSAMPLING for value in self._origin)
        return [(left + self._mirror * x * scale, top + y * scale) for x, y in points]

    def polygon(self, points: Points, hole: Points = ()) -> Coverage:
        """Covers the inside of a polygon, without the inside of `hole`."""
        image = self._blank()
        draw = ImageDraw.Draw(image)
        draw.polygon(self.pixels(points), fill=255)
        if hole:
            draw.polygon(self.pixels(hole), fill=0)
        return _average(image)

    def line(self, points: Points, width: float) -> Coverage:
        """Covers a polyline `width` object heights thick (at least one pixel)."""
        image = self._blank()
        thickness = max(SUPERSAMPLING, round(width * self._height * SUPERSAMPLING))
        path = self.pixels(points)
        ImageDraw.Draw(image).line(path, fill=255, width=thickness, joint="curve")
        return _average(image)

    def paint(
        self,
        coverage: Coverage,
        albedo: RGB,
        shade: Float[np.ndarray, "#h #w"] | float = 1.0,
        shine: Float[np.ndarray, "#h #w"] | float = 0.0,
    ) -> None:
        """Lays `albedo * shade + shine` over what the pen has painted before.

        Args:
          coverage: [0, 1] per pixel of the window.
          albedo: the surface's colour.
          shade: how much light it sends back, 1 = its albedo.
          shine: white reflection added to it, [0, 1].
        """
        surface = np.asarray(albedo, np.float64) / 255.0
        lit = np.clip(
            np.asarray(shade)[..., None] * surface + np.asarray(shine)[..., None],
            0.0,
            1.0,
        )
        share = coverage[:, :, None]
        self._color *= 1.0 - share
        self._color += lit * share
        self._alpha *= 1.0 - coverage
        self._alpha += coverage

    def layer(self) -> Layer:
        """Ends the drawing."""
        return Layer(top=self.top, left=self.left, color=self._color, alpha=self._alpha)

    def _blank(self) -> Image.Image:
        rows, columns = self._shape
        return Image.new("L", (columns * SUPERSAMPLING, rows * SUPERSAMPLING))


def _average(image: Image.Image) -> Coverage:
    return np.asarray(image.reduce(SUPERSAMPLING), np.float64) / 255.0


def ellipse(x: float, y: float, rx: float, ry: float) -> list[tuple[float, float]]:
    """Points of an ellipse around (x, y), clockwise from its right end."""
    angles = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    return [
        (x + rx * float(c), y + ry * float(s))
        for c, s in zip(np.cos(angles), np.sin(angles), strict=True)
    ]


def curve(points: Points, num_points: int = 8) -> list[tuple[float, float]]:
    """A closed Catmull-Rom curve through `points`, `num_points` per piece."""
    knots = np.asarray(points, np.float64)
    before, after = np.roll(knots, 1, axis=0), np.roll(knots, -1, axis=0)
    beyond = np.roll(knots, -2, axis=0)
    t = np.linspace(0.0, 1.0, num_points, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (before, knots, after, beyond))
    path = 0.5 * (
        2.0 * p1
        + (p2 - p0) * t
        + (2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3) * t**2
        + (3.0 * p1 - p0 - 3.0 * p2 + p3) * t**3
    )
    return [(float(x), float(y)) for x, y in path.reshape(-1, 2)]
