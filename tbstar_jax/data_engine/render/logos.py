"""Simple logos: geometric marks, as coverage."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from PIL import ImageDraw

LogoForm: TypeAlias = Literal["ring", "peak", "petals", "chevron", "stripes", "squares"]
"""All marks."""


def draw_logo(
    draw: ImageDraw.ImageDraw, form: LogoForm, x: float, y: float, side: float
) -> None:
    """Draws a mark in ink 255 where nothing is drawn yet; its gaps are of ink 0.

    Args:
      draw: pen of an image of one channel.
      form: which mark.
      x: left edge of the square it fills, pixels.
      y: its upper edge, pixels.
      side: its side, pixels.
    """

    def at(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x + px * side, y + py * side) for px, py in points]

    def disc(cx: float, cy: float, radius: float, ink: int = 255) -> None:
        corners = [(cx - radius, cy - radius), (cx + radius, cy + radius)]
        draw.ellipse(at(corners), fill=ink)

    match form:
        case "ring":
            disc(0.5, 0.5, 0.48)
            disc(0.5, 0.5, 0.32, 0)
            disc(0.5, 0.5, 0.17)
        case "peak":
            draw.polygon(at([(0.02, 0.9), (0.4, 0.14), (0.78, 0.9)]), fill=255)
            draw.polygon(at([(0.5, 0.9), (0.74, 0.44), (0.98, 0.9)]), fill=255)
            draw.polygon(at([(0.29, 0.9), (0.4, 0.66), (0.51, 0.9)]), fill=0)
        case "petals":
            for cx, cy in ((0.5, 0.26), (0.74, 0.5), (0.5, 0.74), (0.26, 0.5)):
                disc(cx, cy, 0.23)
            disc(0.5, 0.5, 0.11, 0)
        case "chevron":
            for shift in (0.0, 0.36):
                arms = [(0.05, 0.5), (0.5, 0.08), (0.95, 0.5)]
                back = [(0.95, 0.74), (0.5, 0.32), (0.05, 0.74)]
                path = [(px, py + shift - 0.05) for px, py in (*arms, *back)]
                draw.polygon(at(path), fill=255)
        case "stripes":
            disc(0.5, 0.5, 0.48)
            for row in (0.34, 0.56, 0.76):
                draw.rectangle(at([(0.0, row), (1.0, row + 0.08)]), fill=0)
        case "squares":
            draw.rectangle(at([(0.04, 0.04), (0.62, 0.62)]), fill=255)
            draw.rectangle(at([(0.34, 0.34), (0.98, 0.98)]), fill=0)
            draw.rectangle(at([(0.40, 0.40), (0.96, 0.96)]), fill=255)
