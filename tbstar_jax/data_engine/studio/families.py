"""How each kind of thing is built from solids and rings, from four proportions."""

import dataclasses
import math
from collections.abc import Callable
from typing import TypeAlias

from tbstar_jax.data_engine.studio.fields import Ring, Solid
from tbstar_jax.errors import UserError

NUM_SOLIDS = 8
"""Solids of a thing, at most."""

NUM_RINGS = 2
"""Rings of a thing, at most."""

Proportions: TypeAlias = tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class Plate:
    """Where a label lies on a thing.

    Attributes:
      y: height of its middle.
      half_width: along the surface.
      half_height: likewise.
      radius: of the upright cylinder it is wrapped around; 0 for a flat front.
    """

    y: float
    half_width: float
    half_height: float
    radius: float = 0.0


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a thing is built from, in its own coordinates."""

    solids: tuple[Solid, ...]
    rings: tuple[Ring, ...] = ()
    plate: Plate | None = None


@dataclasses.dataclass(frozen=True)
class Family:
    """A kind of thing.

    Attributes:
      id: used in scenes.
      name_en: noun in English.
      name_zh: noun in Chinese.
      measure_zh: its measure word.
      is_product: whether it may be the product; else it is a prop.
      build: its shape from four numbers in [0, 1].
      materials: ids of the materials it may have.
      size: factor on the usual scale.
    """

    id: str
    name_en: str
    name_zh: str
    measure_zh: str
    is_product: bool
    build: Callable[[Proportions], Shape]
    materials: tuple[str, ...]
    size: float = 1.0


def _solid(
    bottom: float,
    height: float,
    half_x: float,
    half_z: float | None = None,
    *,
    x: float = 0.0,
    z: float = 0.0,
    corner: float = 1.0,
    edge: float = 0.01,
    taper_x: float = 0.0,
    taper_z: float | None = None,
    bulge: float = 0.0,
    turn: float = 0.0,
    is_cut: bool = False,
    blend: float = 0.0,
    slot: int = 0,
) -> Solid:
    """A solid that stands on `bottom`; `half_z` and `taper_z` default to x's."""
    half_z = half_x if half_z is None else half_z
    taper_z = taper_x if taper_z is None else taper_z
    half_y = height / 2
    widest = max(half_x * abs(taper_x), half_z * abs(taper_z))
    slope = (widest + 2 * abs(bulge) * max(half_x, half_z)) / half_y
    return Solid(
        x, bottom + half_y, z, half_x, half_y, half_z, corner,
        min(edge, half_y, half_x, half_z), taper_x, taper_z, bulge,
        math.cos(math.radians(turn)), math.sin(math.radians(turn)), float(is_cut),
        blend, float(slot), 1 / math.sqrt(1 + slope * slope), 1.0,
    )  # fmt: skip


def _cone(
    bottom: float,
    height: float,
    low: float,
    high: float,
    *,
    edge: float = 0.01,
    blend: float = 0.0,
    is_cut: bool = False,
) -> Solid:
    """A round solid whose radius goes from `low` at the bottom to `high`."""
    middle = (low + high) / 2
    return _solid(
        bottom,
        height,
        middle,
        taper_x=(high - low) / (2 * middle),
        edge=edge,
        blend=blend,
        is_cut=is_cut,
    )


def _bottle(p: Proportions) -> Shape:
    radius, body = 0.14 + 0.06 * p[0], 0.56 + 0.12 * p[1]
    neck, shoulder = radius * (0.36 + 0.14 * p[2]), 0.10 + 0.06 * p[3]
    solids = (
        _solid(0.0, body, radius, edge=0.03),
        _cone(body - 0.03, shoulder, radius * 0.97, neck, blend=0.05),
        _solid(body + shoulder - 0.05, 0.1, neck, blend=0.03),
        _solid(body + shoulder + 0.03, 0.11, neck * 1.28, edge=0.012, slot=1),
    )
    half = min(0.95 * radius, 0.18)
    return Shape(solids, plate=Plate(body * 0.48, half, body * 0.19, radius))


def _jar(p: Proportions) -> Shape:
    radius, body = 0.26 + 0.07 * p[0], 0.36 + 0.16 * p[1]
    lid = 0.09 + 0.04 * p[2]
    solids = (
        _solid(0.0, body, radius, edge=0.045 + 0.03 * p[3]),
        _solid(body - 0.04, 0.06, radius * 0.86),
        _solid(body + 0.012, lid, radius * 0.97, edge=0.018, slot=1),
    )
    return Shape(solids, plate=Plate(body * 0.5, 0.8 * radius, body * 0.28, radius))


def _tube(p: Proportions) -> Shape:
    radius, body = 0.13 + 0.04 * p[0], 0.62 + 0.14 * p[1]
    cap = 0.11 + 0.05 * p[2]
    solids = (
        _solid(0.0, cap, radius * (0.78 + 0.2 * p[3]), edge=0.014, slot=1),
        _solid(cap - 0.01, body, radius * 1.08, radius * 0.54, edge=0.006,
               taper_x=0.08, taper_z=-0.86),
        _solid(cap + body - 0.02, 0.07, radius * 1.17, 0.016, corner=0.2, edge=0.005),
    )  # fmt: skip
    return Shape(solids, plate=Plate(cap + body * 0.48, radius * 0.84, body * 0.15))


def _box(p: Proportions) -> Shape:
    width, height, depth = 0.24 + 0.16 * p[0], 0.40 + 0.36 * p[1], 0.14 + 0.12 * p[2]
    solids = [_solid(0.0, height, width, depth, corner=0.08, edge=0.012)]
    if p[3] > 0.5:
        lid = 0.1 + 0.08 * (p[3] - 0.5)
        solids.append(
            _solid(height - lid, lid + 0.012, width + 0.013, depth + 0.013,
                   corner=0.08, edge=0.012, slot=1)
        )  # fmt: skip
    middle = height * (0.44 if p[3] > 0.5 else 0.5)
    return Shape(tuple(solids), plate=Plate(middle, 0.72 * width, 0.24 * height))


def _bag(p: Proportions) -> Shape:
    width, height, depth = 0.28 + 0.1 * p[0], 0.44 + 0.16 * p[1], 0.11 + 0.05 * p[2]
    top, radius = depth * 0.5, 0.013 + 0.006 * p[3]
    ring = Ring(0, height + 0.02, top, width * 0.42, 0.16, 0.12, radius, 1, 1)
    solids = (
        _solid(0.0, height, width, depth, corner=0.3, edge=0.03, taper_x=-0.06,
               taper_z=-0.3),
        _solid(height * 0.3, height * 0.8, width * 0.86, depth * 0.52, corner=0.2,
               is_cut=True),
    )  # fmt: skip
    rings = (ring, ring._replace(z=-top))
    return Shape(solids, rings, Plate(height * 0.46, 0.6 * width, 0.2 * height))


def _mug(p: Proportions) -> Shape:
    radius, height = 0.22 + 0.05 * p[0], 0.42 + 0.14 * p[1]
    wall, grip = 0.026, 0.12 + 0.05 * p[2]
    taper = 0.08 * p[3]
    ring = Ring(radius * 0.98, height * 0.5, 0, grip, height * 0.29, 0.09, 0.028, 0, 1)
    solids = (
        _solid(0.0, height, radius, edge=0.018, taper_x=taper),
        _solid(0.04, height, radius - wall, edge=0.03, taper_x=taper, is_cut=True),
    )
    plate = Plate(height * 0.5, 0.72 * radius, 0.27 * height, radius)
    return Shape(solids, (ring,), plate)


def _shoe(p: Proportions) -> Shape:
    length, width = 0.42 + 0.06 * p[0], 0.15 + 0.03 * p[1]
    sole, collar = 0.075 + 0.03 * p[2], 0.28 + 0.1 * p[3]
    solids = (
        _solid(sole - 0.02, 0.2, 0.22, width * 0.9, x=length - 0.25, corner=1.0,
               edge=0.09, taper_x=-0.12),
        _solid(sole - 0.02, collar, 0.17, width * 0.84, x=-length + 0.2, corner=0.95,
               edge=0.05, taper_x=-0.1, taper_z=-0.16, blend=0.1),
        _solid(sole + 0.0, 0.24, 0.26, width * 0.8, x=-0.02, corner=0.8, edge=0.09,
               turn=-24.0, blend=0.12),
        _solid(sole + 0.12, 0.5, 0.11, width * 0.52, x=-length + 0.205, corner=1.0,
               edge=0.02, is_cut=True, slot=1),
        _solid(0.0, sole, length, width, corner=1.0, edge=0.028, slot=1),
    )  # fmt: skip
    return Shape(solids)


def _lamp(p: Proportions) -> Shape:
    foot, stem = 0.17 + 0.05 * p[0], 0.44 + 0.14 * p[1]
    wide, narrow, shade = 0.25 + 0.06 * p[2], 0.13 + 0.05 * p[3], 0.3
    solids = (
        _solid(0.0, 0.05, foot, edge=0.018, slot=1),
        _solid(0.03, stem, 0.022, edge=0.005, slot=1),
        _cone(stem - 0.02, shade, wide, narrow, edge=0.01),
        _cone(stem - 0.08, shade, wide - 0.016, narrow - 0.016, is_cut=True),
        _solid(stem - 0.1, 0.2, 0.05, edge=0.04, bulge=0.4, slot=1),
    )
    return Shape(solids)


def _ball(p: Proportions) -> Shape:
    radius = 0.16 + 0.06 * p[0]
    return Shape((_solid(0.0, 2 * radius, radius, edge=radius),))


def _cube(p: Proportions) -> Shape:
    half = 0.14 + 0.06 * p[0]
    edge = 0.012 + 0.03 * p[1]
    return Shape((_solid(0.0, 2 * half, half, corner=0.12, edge=edge),))


def _vase(p: Proportions) -> Shape:
    radius, height = 0.1 + 0.04 * p[0], 0.42 + 0.16 * p[1]
    bulge, lip = 0.55 + 0.5 * p[2], radius * (0.85 + 0.4 * p[3])
    solids = (
        _solid(0.0, height, radius, edge=0.02, bulge=bulge),
        _cone(height - 0.05, 0.1, radius * 0.8, lip, blend=0.04, edge=0.008),
        _cone(height - 0.16, 0.3, radius * 0.5, lip * 0.95, is_cut=True),
    )
    return Shape(solids)


def _plant(p: Proportions) -> Shape:
    pot, height, spread = 0.13 + 0.03 * p[0], 0.2 + 0.05 * p[1], 24 + 14 * p[2]
    leaf = 0.3 + 0.1 * p[3]
    angles = (-spread * 1.5, -spread * 0.6, 0.1 * spread, spread * 0.8, spread * 1.6)
    leaves = tuple(
        _solid(
            height - 0.04 + leaf * 0.5 * math.cos(math.radians(angle)) - leaf * 0.5,
            leaf, 0.022, 0.016, x=-leaf * 0.5 * math.sin(math.radians(angle)),
            z=0.035 * (1 if k % 2 else -1), edge=0.006, bulge=1.6, turn=angle, slot=1,
        )
        for k, angle in enumerate(angles)
    )  # fmt: skip
    solids = (
        _cone(0.0, height, pot * 0.78, pot, edge=0.012),
        _solid(height - 0.03, 0.2, pot * 0.86, is_cut=True),
        *leaves,
    )
    return Shape(solids)


_HARD = ("matte", "plastic", "metal", "glass", "ceramic")
_SOFT = ("matte", "plastic", "fabric")
_POT = ("matte", "ceramic")
_FIRM = ("matte", "plastic", "metal", "ceramic", "wood")

FAMILIES: tuple[Family, ...] = (
    Family("bottle", "bottle", "瓶子", "个", True, _bottle, _HARD, 1.12),
    Family("jar", "jar", "罐子", "个", True, _jar, _HARD, 1.25),
    Family("tube", "tube", "软管", "支", True, _tube, ("matte", "plastic", "metal")),
    Family("box", "box", "盒子", "个", True, _box, (*_FIRM, "fabric")),
    Family("bag", "bag", "手提袋", "个", True, _bag, _SOFT, 1.1),
    Family("mug", "mug", "马克杯", "个", True, _mug, _FIRM, 1.3),
    Family("shoe", "shoe", "鞋子", "只", True, _shoe, _SOFT, 1.2),
    Family("lamp", "lamp", "台灯", "盏", True, _lamp, _SOFT),
    Family("ball", "ball", "小球", "个", False, _ball, (*_FIRM, "glass"), 0.8),
    Family("cube", "cube", "方块", "个", False, _cube, _FIRM, 0.85),
    Family("vase", "vase", "花瓶", "个", False, _vase, _HARD, 0.95),
    Family("plant", "potted plant", "盆栽", "盆", False, _plant, _POT, 0.9),
)  # fmt: skip
"""All kinds of things; products first."""


def family_of(id: str) -> Family:
    """Finds a family.

    Raises:
      UserError: no family has this id.
    """
    for family in FAMILIES:
        if family.id == id:
            return family
    known = ", ".join(family.id for family in FAMILIES)
    raise UserError(f"unknown family {id!r}; use one of {known}")


def extent(shape: Shape) -> tuple[float, float, float, float, float, float]:
    """The lowest and highest corner of a box that holds a shape."""
    boxes = []
    for one in shape.solids:
        if one.is_cut:
            continue
        half_x = one.half_x * (1 + abs(one.taper_x)) * (1 + max(one.bulge, 0.0))
        half_z = one.half_z * (1 + abs(one.taper_z)) * (1 + max(one.bulge, 0.0))
        sine, cosine = abs(one.sine), abs(one.cosine)
        wide = half_x * cosine + one.half_y * sine
        tall = half_x * sine + one.half_y * cosine
        boxes.append((one.x, one.y, one.z, wide, tall, half_z))
    for ring in shape.rings:
        r = ring.radius
        boxes.append((ring.x, ring.y, ring.z, ring.half_x + r, ring.half_y + r, r))
    pad = 0.004 + max(one.blend for one in shape.solids) / 4
    low = [min(box[k] - box[k + 3] for box in boxes) - pad for k in range(3)]
    high = [max(box[k] + box[k + 3] for box in boxes) + pad for k in range(3)]
    return (low[0], low[1], low[2], high[0], high[1], high[2])
