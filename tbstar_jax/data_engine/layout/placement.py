"""Where parts may lie: named places, no overlaps, colours that can be read there."""

import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from tbstar_jax.data_engine.facts import Position
from tbstar_jax.data_engine.layout.card import Rect
from tbstar_jax.data_engine.render.scene import COLORS, RGB, Color, Size

GAP = 0.02
"""Least distance between parts, fraction of the canvas."""

LEGIBLE = 4.5
"""Least contrast of a text with its ground, as the web guidelines count it (1..21)."""

_EVEN = 0.10


def rect_at(place: Position, height: float, width: float, margin: float) -> Rect:
    """Puts a rectangle at a named place, `margin` away from the canvas's edges."""
    words = place.split()
    top = (1.0 - height) / 2
    left = (1.0 - width) / 2
    if "top" in words:
        top = margin
    if "bottom" in words:
        top = 1.0 - margin - height
    if "left" in words:
        left = margin
    if "right" in words:
        left = 1.0 - margin - width
    return Rect(
        top=round(top, 4),
        left=round(left, 4),
        height=round(height, 4),
        width=round(width, 4),
    )


def free_places(
    extent: tuple[float, float],
    places: Sequence[Position],
    taken: Sequence[Rect],
    margin: float,
) -> list[tuple[Position, Rect]]:
    """The places where a rectangle touches nothing that is there.

    Args:
      extent: height and width, fractions of the canvas.
      places: those to be tried.
      taken: what is there.
      margin: distance from the edges, fraction of the canvas.

    Returns:
      Places in the given order, with the rectangle there.
    """
    tried = [(place, rect_at(place, *extent, margin)) for place in places]
    return [
        (place, rect)
        for place, rect in tried
        if not any(rect.overlaps(other, GAP) for other in taken)
    ]


def luminance(colors: Sequence[RGB]) -> Float[np.ndarray, " n"]:
    """Relative luminance of sRGB colours, [0, 1]."""
    value = np.asarray(colors, np.float64) / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(first: RGB, second: RGB) -> float:
    """Contrast ratio of two colours, 1..21."""
    low, high = np.sort(luminance([first, second])) + 0.05
    return float(high / low)


class Grounds:
    """The pictures that may lie below a part: legibility must hold on all of them."""

    def __init__(self, pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> None:
        """Keeps them.

        Args:
          pictures: at least one, all of the same size.
        """
        self.pictures = tuple(pictures)

    @property
    def size(self) -> Size:
        """Rows and columns, pixels."""
        rows, columns = self.pictures[0].shape[:2]
        return rows, columns

    def below(self, rect: Rect) -> list[UInt8[np.ndarray, "h w 3"]]:
        """The part of each picture that a rectangle covers."""
        rows, columns = self.size
        top, left = int(rect.top * rows), int(rect.left * columns)
        bottom = max(top + 1, round((rect.top + rect.height) * rows))
        right = max(left + 1, round((rect.left + rect.width) * columns))
        return [picture[top:bottom, left:right] for picture in self.pictures]

    def is_even(self, rect: Rect) -> bool:
        """Whether a text can be printed there without plate or outline."""
        return all(
            float(np.std(region.mean(axis=2) / 255.0)) < _EVEN
            for region in self.below(rect)
        )

    def tones(self, rect: Rect) -> list[RGB]:
        """Mean, dark and bright colours below a rectangle."""
        tones: list[RGB] = []
        for region in self.below(rect):
            pixels = region.reshape(-1, 3).astype(np.float64)
            order = np.argsort(pixels.mean(axis=1), kind="stable")
            near = [order[len(order) // 10], order[-1 - len(order) // 10]]
            for tone in (pixels.mean(axis=0), *(pixels[k] for k in near)):
                red, green, blue = (int(value) for value in np.rint(tone))
                tones.append((red, green, blue))
        return tones


def legible_inks(grounds: Sequence[RGB], ratio: float = LEGIBLE) -> list[Color]:
    """Palette colours that can be read on all the given colours."""
    inks, below = (
        _palette_luminance()[:, None] + 0.05,
        luminance(grounds)[None, :] + 0.05,
    )
    is_legible = np.all(np.maximum(inks / below, below / inks) >= ratio, axis=1)
    return [color for color, fits in zip(COLORS, is_legible, strict=True) if fits]


def distinct_fills(grounds: Sequence[RGB], distance: float = 90.0) -> list[Color]:
    """Palette colours that stand out as areas from all, and can carry a text."""
    fills = _fills()
    colors = np.asarray([color.rgb for color in fills], np.float64)
    apart = colors[:, None] - np.asarray(grounds, np.float64)[None]
    is_distinct = np.all(np.linalg.norm(apart, axis=2) > distance, axis=1)
    return [color for color, fits in zip(fills, is_distinct, strict=True) if fits]


@functools.lru_cache(maxsize=1)
def _fills() -> tuple[Color, ...]:
    return tuple(color for color in COLORS if legible_inks([color.rgb]))


@functools.lru_cache(maxsize=1)
def _palette_luminance() -> Float[np.ndarray, " n"]:
    return luminance([color.rgb for color in COLORS])
