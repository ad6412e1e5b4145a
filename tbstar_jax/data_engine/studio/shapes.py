"""What a thing is built from: solids and rings in its own coordinates."""

import dataclasses
import math
from typing import TypeAlias

from tbstar_jax.data_engine.studio.fields import Ring, Solid

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


def solid(
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


def cone(
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
    return solid(
        bottom,
        height,
        middle,
        taper_x=(high - low) / (2 * middle),
        edge=edge,
        blend=blend,
        is_cut=is_cut,
    )


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
