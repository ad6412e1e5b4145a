"""How far a point is from a thing: signed distances of its parts and their union.

A thing is a few *solids* and *rings*. A solid is an upright block whose plan is a
rectangle with round corners (a circle at most), narrowing and bulging with height: it
is a cylinder, a cone, a box, a ball, a leaf. A ring is a bent tube: a handle. One form
for all makes a scene a fixed-size array, so that one compiled program draws all scenes.

Everything is written against an array namespace, NumPy or `jax.numpy`, and against
plain coordinate arrays: the same operations in the same order in both. What runs once
per step of a ray is exempt from type checks at run time, which would outlast it.
"""

from types import ModuleType
from typing import Any, NamedTuple, TypeAlias, no_type_check

Values: TypeAlias = Any
"""Floating-point values of any shape: a NumPy or a JAX array, or a number."""

FAR = 1e3
"""The distance of what is not there, in units of the thing."""


class Solid(NamedTuple):
    """A block, in the thing's own coordinates (y up, z towards the viewer).

    Attributes:
      x: centre.
      y: centre.
      z: centre.
      half_x: half extent, at mid height.
      half_y: half height.
      half_z: half extent, at mid height.
      corner: radius of the plan's corners over its shorter half side, 0 to 1.
      edge: rounding radius of the upper and lower edge.
      taper_x: relative growth of `half_x` from mid height to the top.
      taper_z: relative growth of `half_z` from mid height to the top.
      bulge: relative growth of both at mid height over the ends.
      cosine: of the turn about z.
      sine: of the turn about z.
      is_cut: 1 where it is taken away from what came before, else 0.
      blend: width of the smooth seam with what came before.
      slot: 0 main material, 1 accent.
      step: share of the distance that may be walked: 1 over the slope's length.
      is_there: 1, or 0 for padding.
    """

    x: Values
    y: Values
    z: Values
    half_x: Values
    half_y: Values
    half_z: Values
    corner: Values
    edge: Values
    taper_x: Values
    taper_z: Values
    bulge: Values
    cosine: Values
    sine: Values
    is_cut: Values
    blend: Values
    slot: Values
    step: Values
    is_there: Values


class Ring(NamedTuple):
    """A tube along a rectangle with round corners in the plane z = const.

    Attributes:
      x: centre.
      y: centre.
      z: centre.
      half_x: half extent of the tube's axis.
      half_y: half extent of the tube's axis.
      corner: radius of the axis' corners.
      radius: of the tube.
      slot: 0 main material, 1 accent.
      is_there: 1, or 0 for padding.
    """

    x: Values
    y: Values
    z: Values
    half_x: Values
    half_y: Values
    corner: Values
    radius: Values
    slot: Values
    is_there: Values


class Body(NamedTuple):
    """The shape and place of one thing.

    Attributes:
      solids: `[p 18]`, rows as `Solid`.
      rings: `[r 9]`, rows as `Ring`.
      pose: `[5]`: x, z, cosine and sine of the turn about y, and scale.
      box: `[6]`: lowest and highest corner in the thing's own coordinates.
    """

    solids: Values
    rings: Values
    pose: Values
    box: Values


def to_local(
    xp: ModuleType, body: Body, x: Values, y: Values, z: Values
) -> tuple[Values, Values, Values]:
    """World coordinates to the thing's own."""
    px, pz, cosine, sine, scale = (body.pose[k] for k in range(5))
    x, z = x - px, z - pz
    return (
        (cosine * x - sine * z) / scale,
        y / scale,
        (sine * x + cosine * z) / scale,
    )


def turn(body: Body, x: Values, y: Values, z: Values) -> tuple[Values, Values, Values]:
    """A direction in the thing's own coordinates to the world's."""
    cosine, sine = body.pose[2], body.pose[3]
    return cosine * x + sine * z, y, cosine * z - sine * x


def turn_back(
    body: Body, x: Values, y: Values, z: Values
) -> tuple[Values, Values, Values]:
    """A direction in the world's coordinates to the thing's own."""
    cosine, sine = body.pose[2], body.pose[3]
    return cosine * x - sine * z, y, sine * x + cosine * z


@no_type_check
def _length(xp: ModuleType, a: Values, b: Values) -> Values:
    return xp.sqrt(a * a + b * b)


@no_type_check
def _round_rectangle(
    xp: ModuleType, across: Values, along: Values, corner: Values
) -> Values:
    """Distance to a rectangle with round corners, from the distances to its sides."""
    across, along = across + corner, along + corner
    outside = _length(xp, xp.maximum(across, 0.0), xp.maximum(along, 0.0))
    return outside + xp.minimum(xp.maximum(across, along), 0.0) - corner


@no_type_check
def solid_distance(
    xp: ModuleType, solid: Solid, x: Values, y: Values, z: Values
) -> Values:
    """A lower bound of the distance to a solid, exact for straight ones."""
    x, y, z = x - solid.x, y - solid.y, z - solid.z
    if not _is_nothing(xp, solid.sine):
        x, y = solid.cosine * x + solid.sine * y, solid.cosine * y - solid.sine * x
    half_x, half_z = solid.half_x, solid.half_z
    if not _is_nothing(xp, solid.taper_x, solid.taper_z, solid.bulge):
        height = xp.clip(y / solid.half_y, -1.0, 1.0)
        profile = 1.0 + solid.bulge * (1.0 - height * height)
        half_x = half_x * (1.0 + solid.taper_x * height) * profile
        half_z = half_z * (1.0 + solid.taper_z * height) * profile
    corner = solid.corner * xp.minimum(half_x, half_z)
    flat = _round_rectangle(xp, xp.abs(x) - half_x, xp.abs(z) - half_z, corner)
    return _round_rectangle(xp, flat, xp.abs(y) - solid.half_y, solid.edge) * solid.step


@no_type_check
def _is_nothing(xp: ModuleType, *numbers: Values) -> bool:
    """Whether a step with these numbers would change nothing.

    NumPy may leave it out; a compiled program, which serves all scenes, may not.
    """
    return xp.__name__ == "numpy" and not any(numbers)


@no_type_check
def ring_distance(
    xp: ModuleType, ring: Ring, x: Values, y: Values, z: Values
) -> Values:
    """The distance to a ring."""
    across = xp.abs(x - ring.x) - ring.half_x
    along = xp.abs(y - ring.y) - ring.half_y
    flat = _round_rectangle(xp, across, along, ring.corner)
    return _length(xp, flat, z - ring.z) - ring.radius


@no_type_check
def distance(
    xp: ModuleType, body: Body, x: Values, y: Values, z: Values
) -> tuple[Values, Values]:
    """Distance to a thing, and which material slot is nearest.

    Rings come first and solids in order, so that a mug's hollow also cuts its handle.

    Args:
      xp: NumPy or `jax.numpy`.
      body: the thing.
      x: points, in the thing's own coordinates.
      y: likewise.
      z: likewise.

    Returns:
      Distances in the thing's own units, and slots (0.0 or 1.0).
    """
    total = x * 0.0 + FAR
    slot = x * 0.0
    for row in range(body.rings.shape[0]):
        ring = Ring(*(body.rings[row, k] for k in range(len(Ring._fields))))
        if _is_nothing(xp, ring.is_there):
            continue
        one = ring_distance(xp, ring, x, y, z)
        is_nearer = (one < total) & (ring.is_there > 0.5)
        slot = xp.where(is_nearer, ring.slot, slot)
        total = xp.where(is_nearer, one, total)
    for row in range(body.solids.shape[0]):
        solid = Solid(*(body.solids[row, k] for k in range(len(Solid._fields))))
        if _is_nothing(xp, solid.is_there):
            continue
        one = solid_distance(xp, solid, x, y, z)
        is_there = solid.is_there > 0.5
        # A cut is a union seen from inside out, so one form serves both.
        sign = 1.0 - 2.0 * solid.is_cut
        old = total * sign
        is_nearer = (one < old) & is_there
        joined = xp.minimum(old, one)
        if not _is_nothing(xp, solid.blend):
            seam = xp.maximum(solid.blend - xp.abs(old - one), 0.0)
            joined = joined - seam * seam / (4.0 * solid.blend + 1e-12)
        slot = xp.where(is_nearer, solid.slot, slot)
        total = xp.where(is_there, joined * sign, total)
    return total, slot
