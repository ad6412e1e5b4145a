"""Small objects that may stand beside the product, drawn in a box one unit high."""

import numpy as np

from tbstar_jax.data_engine.render.layers import Pen, curve, ellipse
from tbstar_jax.data_engine.render.scene import RGB
from tbstar_jax.data_engine.render.shading import (
    face_shade,
    radius_at,
    round_shade,
    sphere_shade,
)

PROP_WIDTHS: dict[str, float] = {
    "ball": 1.0,
    "cube": 1.06,
    "candle": 0.56,
    "plant": 0.84,
}
"""Full width over height, by id of a `PropKind`."""


def draw_prop(pen: Pen, kind: str, albedo: RGB, light: float) -> None:
    """Paints one prop.

    Args:
      pen: opened over the prop's box.
      kind: id of a `PropKind`.
      albedo: its colour (of the pot, for a plant).
      light: -1 from the left, +1 from the right, in the pen's coordinates.
    """
    match kind:
        case "ball":
            shade, shine = sphere_shade(pen.x / 0.5, (pen.y - 0.5) / 0.5, light)
            pen.paint(pen.polygon(ellipse(0.0, 0.5, 0.5, 0.5)), albedo, shade, shine)
        case "cube":
            _cube(pen, albedo, light)
        case "candle":
            _candle(pen, albedo, light)
        case "plant":
            _plant(pen, albedo, light)
        case _:
            raise AssertionError(f"no drawing for prop {kind!r}")


def _cube(pen: Pen, albedo: RGB, light: float) -> None:
    lid = [(-0.53, 0.16), (0.0, 0.0), (0.53, 0.16), (0.0, 0.33)]
    left = [(-0.53, 0.16), (0.0, 0.33), (0.0, 1.0), (-0.53, 0.81)]
    right = [(0.0, 0.33), (0.53, 0.16), (0.53, 0.81), (0.0, 1.0)]
    bright, dark = face_shade(pen.y, 0.95), face_shade(pen.y, 0.58)
    lit_left, lit_right = (bright, dark) if light < 0 else (dark, bright)
    pen.paint(pen.polygon(left), albedo, lit_left)
    pen.paint(pen.polygon(right), albedo, lit_right)
    pen.paint(pen.polygon(lid), albedo, 1.20, 0.06)


def _candle(pen: Pen, albedo: RGB, light: float) -> None:
    profile = [(0.34, 0.28), (0.94, 0.28)]
    body = [(0.28, 0.34), (0.28, 0.94), *_arc(0.28, 0.94), (-0.28, 0.94), (-0.28, 0.34)]
    shade, shine = round_shade(pen.x / radius_at(profile, pen.y), light, 0.2)
    pen.paint(pen.polygon(body), albedo, shade, shine)
    pen.paint(pen.polygon(ellipse(0.0, 0.34, 0.28, 0.055)), albedo, 1.16, 0.08)
    pen.paint(pen.line([(0.0, 0.33), (0.0, 0.22)], 0.03), (60, 52, 46))
    flame = curve([(0.0, 0.0), (0.075, 0.15), (0.0, 0.26), (-0.075, 0.15)])
    pen.paint(pen.polygon(flame), (255, 176, 40))
    pen.paint(pen.polygon(ellipse(0.0, 0.19, 0.035, 0.055)), (255, 244, 190))


def _plant(pen: Pen, albedo: RGB, light: float) -> None:
    leaves = (
        *((-0.40, 0.30), (-0.27, 0.10), (0.0, 0.0), (0.27, 0.10), (0.40, 0.30)),
        *((-0.15, 0.24), (0.16, 0.26)),
    )
    for index, (x, y) in enumerate(leaves):
        nx, ny = -(y - 0.62), x
        length = float(np.hypot(nx, ny))
        nx, ny = 0.075 * nx / length, 0.075 * ny / length
        mid = (0.55 * x, 0.62 + 0.55 * (y - 0.62))
        leaf = curve(
            [
                (0.0, 0.62),
                (mid[0] + nx, mid[1] + ny),
                (x, y),
                (mid[0] - nx, mid[1] - ny),
            ]
        )
        tone = 0.75 + 0.14 * (index % 3) + 0.12 * light * x
        pen.paint(pen.polygon(leaf), (64, 142, 62), tone)
    profile = [(0.60, 0.27), (0.96, 0.19)]
    body = [(0.27, 0.60), (0.19, 0.96), *_arc(0.19, 0.96), (-0.19, 0.96), (-0.27, 0.60)]
    shade, shine = round_shade(pen.x / radius_at(profile, pen.y), light, 0.15)
    pen.paint(pen.polygon(body), albedo, shade, shine)
    lip = [(-0.30, 0.55), (0.30, 0.55), (0.30, 0.65), (-0.30, 0.65)]
    rim, glint = round_shade(pen.x / np.full_like(pen.y, 0.30), light, 0.15)
    pen.paint(pen.polygon(lip), albedo, 1.08 * rim, glint)


def _arc(radius: float, y: float) -> list[tuple[float, float]]:
    angles = np.linspace(0.0, np.pi, 9)[1:-1]
    return [
        (radius * float(np.cos(a)), y + 0.16 * radius * float(np.sin(a)))
        for a in angles
    ]
