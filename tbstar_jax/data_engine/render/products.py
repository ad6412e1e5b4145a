"""Product silhouettes: eight families, each a short drawing with light and shade.

Every function paints one object into a `Pen` whose box is one unit high. Parts in the
product's colour use `albedo`; metal, lids, soles and laces keep their own, so that a
recoloured product is the same product.
"""

import numpy as np

from tbstar_jax.data_engine.render.layers import Pen, curve, ellipse
from tbstar_jax.data_engine.render.scene import RGB
from tbstar_jax.data_engine.render.shading import (
    face_shade,
    radius_at,
    round_shade,
)

_TILT = 0.16
_STEEL: RGB = (196, 200, 206)
_LID: RGB = (206, 166, 108)
_SOLE: RGB = (244, 243, 238)

LABEL_BOXES: dict[str, tuple[float, float, float, float]] = {
    "mug": (0.0, 0.60, 0.56, 0.30),
    "bottle": (0.0, 0.70, 0.36, 0.22),
    "jar": (0.0, 0.62, 0.50, 0.26),
    "can": (0.0, 0.54, 0.45, 0.24),
    "box": (-0.10, 0.66, 0.58, 0.27),
    "bag": (-0.05, 0.66, 0.50, 0.25),
    "lamp": (0.0, 0.33, 0.42, 0.17),
    "shoe": (0.10, 0.60, 0.50, 0.24),
}
"""The printed plate: centre x, centre y, width and height, in object heights."""


def draw_product(pen: Pen, family: str, albedo: RGB, light: float) -> None:
    """Paints one product.

    Args:
      pen: opened over the product's box.
      family: id of a `Family`.
      albedo: the product's colour.
      light: -1 from the left, +1 from the right, in the pen's coordinates.
    """
    match family:
        case "mug":
            _mug(pen, albedo, light)
        case "bottle":
            _bottle(pen, albedo, light)
        case "jar":
            _jar(pen, albedo, light)
        case "can":
            _can(pen, albedo, light)
        case "box":
            _box(pen, albedo, light)
        case "bag":
            _bag(pen, albedo, light)
        case "lamp":
            _lamp(pen, albedo, light)
        case "shoe":
            _shoe(pen, albedo, light)
        case _:
            raise AssertionError(f"no drawing for product family {family!r}")


def draw_plate(pen: Pen, family: str, plate: RGB, light: float) -> None:
    """Paints the label's plate on the product, lit like the surface under it."""
    x, y, width, height = LABEL_BOXES[family]
    half, reach = width / 2.0, height / 2.0
    corner = 0.14 * height
    bend = 0.05 * height if family in _ROUND_HALF_WIDTHS else 0.0
    across = np.linspace(-1.0, 1.0, 9)
    lower = [(x + half * t, y + reach + bend * (1.0 - t * t)) for t in across]
    upper = [(x + half * t, y - reach + bend * (1.0 - t * t)) for t in across[::-1]]
    lower = [(px, py - corner * (abs(px - x) >= half)) for px, py in lower]
    upper = [(px, py + corner * (abs(px - x) >= half)) for px, py in upper]
    shade: np.ndarray | float = 1.0
    if family in _ROUND_HALF_WIDTHS:
        shade = round_shade(pen.x / _ROUND_HALF_WIDTHS[family], light, 0.0)[0]
        shade = 0.45 + 0.55 * shade
    pen.paint(pen.polygon([*lower, *upper]), plate, np.minimum(shade, 1.0))


_ROUND_HALF_WIDTHS = {"mug": 0.41, "bottle": 0.23, "jar": 0.34, "can": 0.28}


def _turned(
    pen: Pen,
    profile: list[tuple[float, float]],
    albedo: RGB,
    light: float,
    gloss: float,
) -> None:
    """Paints a body of revolution seen slightly from above, by its outline."""
    bottom, base = profile[-1]
    top, opening = profile[0]
    arc = np.linspace(0.0, np.pi, 17)
    lower = [
        (base * float(np.cos(a)), bottom + _TILT * base * float(np.sin(a))) for a in arc
    ]
    upper = [
        (-opening * float(np.cos(a)), top - _TILT * opening * float(np.sin(a)))
        for a in arc
    ]
    right = [(radius, y) for y, radius in profile]
    left = [(-radius, y) for y, radius in reversed(profile)]
    coverage = pen.polygon([*right, *lower, *left, *upper])
    across = pen.x / radius_at(profile, pen.y)
    shade, shine = round_shade(across, light, gloss)
    ground = 1.0 - 0.22 * np.clip((pen.y - 0.86) / 0.14, 0.0, 1.0) ** 2
    pen.paint(coverage, albedo, shade * ground, shine)


def _mug(pen: Pen, albedo: RGB, light: float) -> None:
    handle = pen.polygon(
        ellipse(0.45, 0.50, 0.235, 0.27), hole=ellipse(0.45, 0.50, 0.135, 0.165)
    )
    ring = np.hypot((pen.x - 0.45) / 0.20, (pen.y - 0.50) / 0.225)
    pen.paint(handle, albedo, 0.62 + 0.34 * np.exp(-(((ring - 0.93) / 0.16) ** 2)))
    profile = [(0.08, 0.41), (0.70, 0.40), (0.86, 0.375), (0.95, 0.31)]
    _turned(pen, profile, albedo, light, 0.42)
    rim = pen.polygon(ellipse(0.0, 0.08, 0.41, 0.066))
    pen.paint(rim, albedo, 1.12, 0.10)
    inside = pen.polygon(ellipse(0.0, 0.083, 0.365, 0.050))
    pen.paint(inside, albedo, 0.42 - 0.20 * light * pen.x / 0.4)


def _bottle(pen: Pen, albedo: RGB, light: float) -> None:
    profile = [
        *((0.15, 0.085), (0.26, 0.088), (0.32, 0.12), (0.38, 0.18)),
        *((0.44, 0.222), (0.50, 0.23), (0.92, 0.23), (0.962, 0.20)),
    ]
    _turned(pen, profile, albedo, light, 0.50)
    cap = [(0.02, 0.094), (0.16, 0.100)]
    _turned(pen, cap, _STEEL, light, 0.30)
    pen.paint(pen.polygon(ellipse(0.0, 0.022, 0.094, 0.016)), _STEEL, 1.18)


def _jar(pen: Pen, albedo: RGB, light: float) -> None:
    profile = [
        *((0.16, 0.27), (0.21, 0.29), (0.28, 0.335), (0.36, 0.345)),
        *((0.84, 0.345), (0.91, 0.325), (0.945, 0.28)),
    ]
    _turned(pen, profile, albedo, light, 0.48)
    _turned(pen, [(0.05, 0.31), (0.19, 0.31)], _LID, light, 0.16)
    pen.paint(pen.polygon(ellipse(0.0, 0.05, 0.31, 0.050)), _LID, 1.12)
    knob = pen.polygon(ellipse(0.0, 0.035, 0.07, 0.034))
    pen.paint(knob, _LID, 0.82)


def _can(pen: Pen, albedo: RGB, light: float) -> None:
    _turned(pen, [(0.92, 0.275), (0.958, 0.235)], _STEEL, light, 0.35)
    profile = [(0.06, 0.225), (0.10, 0.25), (0.14, 0.28), (0.90, 0.28), (0.93, 0.262)]
    _turned(pen, profile, albedo, light, 0.55)
    pen.paint(pen.polygon(ellipse(0.0, 0.058, 0.235, 0.044)), _STEEL, 1.16)
    pen.paint(pen.polygon(ellipse(0.0, 0.064, 0.205, 0.034)), _STEEL, 0.72)
    pen.paint(pen.polygon(ellipse(0.0, 0.066, 0.075, 0.016)), _STEEL, 1.05)


def _box(pen: Pen, albedo: RGB, light: float) -> None:
    left, right, top, depth, rise = -0.46, 0.27, 0.24, 0.20, 0.20
    front = [(left, top), (right, top), (right, 1.0), (left, 1.0)]
    side = [
        *((right, top), (right + depth, top - rise)),
        *((right + depth, 1.0 - rise), (right, 1.0)),
    ]
    lid = [
        *((left, top), (left + depth, top - rise)),
        *((right + depth, top - rise), (right, top)),
    ]
    lit_front, lit_side = (0.98, 0.62) if light < 0 else (0.84, 0.92)
    pen.paint(pen.polygon(lid), albedo, 1.16, 0.05)
    pen.paint(pen.polygon(side), albedo, face_shade(pen.y, lit_side))
    glow = 0.05 * np.exp(-((pen.x - 0.30 * light) ** 2) / 0.06)
    pen.paint(pen.polygon(front), albedo, face_shade(pen.y, lit_front), glow)
    seam = pen.line([(left, top), (right, top), (right, 1.0)], 0.010)
    pen.paint(seam * 0.55, albedo, 1.25, 0.10)
    tape = [
        *((-0.14, top), (-0.14 + depth, top - rise)),
        *((-0.03 + depth, top - rise), (-0.03, top)),
    ]
    pen.paint(pen.polygon(tape) * 0.75, (214, 188, 140), 1.08)
    strap = [(-0.14, top), (-0.03, top), (-0.03, top + 0.16), (-0.14, top + 0.16)]
    pen.paint(pen.polygon(strap) * 0.75, (214, 188, 140), 0.95)


def _bag(pen: Pen, albedo: RGB, light: float) -> None:
    arch = [(0.19 * float(np.cos(a)), float(np.sin(a))) for a in _ARCH]
    back = [(x + 0.04, 0.27 - 0.20 * y) for x, y in arch]
    handle = [(x - 0.05, 0.33 - 0.27 * y) for x, y in arch]
    pen.paint(pen.line(back, 0.030), albedo, 0.42)
    gusset = [(0.27, 0.29), (0.37, 0.25), (0.39, 0.95), (0.29, 1.0)]
    fold = [(0.33, 0.268), (0.37, 0.25), (0.39, 0.95), (0.335, 0.80)]
    rear = [(-0.33, 0.29), (0.27, 0.29), (0.37, 0.25), (-0.25, 0.25)]
    front = [(-0.38, 0.29), (0.28, 0.29), (0.30, 1.0), (-0.40, 1.0)]
    lit_front, lit_side = (1.0, 0.60) if light < 0 else (0.86, 0.95)
    pen.paint(pen.polygon(rear), albedo, 0.38)
    pen.paint(pen.polygon(gusset), albedo, face_shade(pen.y, lit_side))
    pen.paint(pen.polygon(fold), albedo, face_shade(pen.y, lit_side * 0.84))
    crease = 0.05 * np.sin(9.0 * pen.x + 4.0 * pen.y)
    sheen = 0.07 * np.exp(-((pen.x - 0.24 * light + 0.05) ** 2) / 0.03)
    shade = face_shade(pen.y, lit_front) + crease
    pen.paint(pen.polygon(front), albedo, shade, sheen)
    hem = [(-0.38, 0.29), (0.28, 0.29), (0.281, 0.335), (-0.381, 0.335)]
    pen.paint(pen.polygon(hem) * 0.6, albedo, 1.18, 0.05)
    pen.paint(pen.line(handle, 0.036), albedo, 0.60)


_ARCH = np.linspace(0.0, np.pi, 15)


def _lamp(pen: Pen, albedo: RGB, light: float) -> None:
    _turned(pen, [(0.945, 0.22), (0.965, 0.22)], albedo, light, 0.25)
    pen.paint(pen.polygon(ellipse(0.0, 0.945, 0.22, 0.036)), albedo, 1.08, 0.05)
    _turned(pen, [(0.50, 0.022), (0.945, 0.026)], _STEEL, light, 0.45)
    _turned(pen, [(0.80, 0.045), (0.86, 0.062), (0.94, 0.03)], _STEEL, light, 0.35)
    shade = [(0.035, 0.19), (0.50, 0.345)]
    _turned(pen, shade, albedo, light, 0.10)
    glow = np.exp(-(((pen.y - 0.42) / 0.16) ** 2 + (pen.x / 0.20) ** 2))
    coverage = pen.polygon([(-0.19, 0.05), (0.19, 0.05), (0.345, 0.50), (-0.345, 0.50)])
    pen.paint(coverage * 0.32 * glow, (255, 236, 186))
    pen.paint(pen.polygon(ellipse(0.0, 0.035, 0.175, 0.024)), albedo, 0.50)


def _shoe(pen: Pen, albedo: RGB, light: float) -> None:
    upper = curve(
        [
            *((-0.80, 0.86), (-0.82, 0.50), (-0.77, 0.16), (-0.62, 0.08)),
            *((-0.40, 0.17), (-0.22, 0.08), (-0.04, 0.28), (0.22, 0.46)),
            *((0.58, 0.56), (0.80, 0.72), (0.82, 0.87), (0.0, 0.90)),
        ]
    )
    coverage = pen.polygon(upper)
    slope = 1.10 - 0.62 * np.clip(pen.y - 0.25 - 0.22 * pen.x, 0.0, 1.0)
    shade = slope + 0.14 * light * pen.x
    bump = ((pen.x - 0.46) / 0.26) ** 2 + ((pen.y - 0.62) / 0.09) ** 2
    pen.paint(coverage, albedo, shade, 0.22 * np.exp(-bump))
    opening = pen.polygon(
        curve(
            [
                (-0.72, 0.13),
                (-0.58, 0.09),
                (-0.42, 0.18),
                (-0.3, 0.17),
                (-0.45, 0.27),
                (-0.66, 0.24),
            ]
        )
    )
    pen.paint(opening, albedo, 0.30)
    heel = pen.polygon([(-0.83, 0.42), (-0.68, 0.46), (-0.62, 0.88), (-0.81, 0.88)])
    pen.paint(np.minimum(heel, coverage) * 0.8, albedo, 0.62)
    toe = pen.line([(0.46, 0.53), (0.50, 0.66), (0.48, 0.86)], 0.022)
    pen.paint(np.minimum(toe, coverage) * 0.7, albedo, 0.55)
    for x in (-0.14, -0.01, 0.12, 0.25):
        y = 0.17 + 0.36 * (x + 0.14) / 0.5 * 0.9
        lace = pen.line([(x - 0.05, y + 0.16), (x + 0.05, y + 0.02)], 0.045)
        pen.paint(lace, (250, 250, 248), 0.97)
    sole = curve(
        [
            *((-0.83, 0.84), (-0.40, 0.87), (0.10, 0.88), (0.60, 0.86)),
            *((0.85, 0.83), (0.87, 0.92), (0.78, 0.995), (0.10, 1.0)),
            *((-0.60, 1.0), (-0.83, 0.985)),
        ]
    )
    pen.paint(pen.polygon(sole), _SOLE, 1.02 - 0.9 * np.clip(pen.y - 0.88, 0.0, 0.2))
    stripe = pen.line([(-0.81, 0.94), (0.82, 0.935)], 0.02)
    pen.paint(stripe * 0.8, albedo, 0.85)
