"""How far a point is from a thing: signed distances of its parts and their union.

A thing is a few *solids* and *rings*. A solid is an upright block whose plan is a
rectangle with round corners (a circle at most), narrowing and bulging with height: it
is a cylinder, a cone, a box, a ball, a leaf. A ring is a bent tube: a handle. One form
for all makes a scene a fixed-size array, so that one compiled program draws all scenes.

Everything is written against an array namespace, NumPy or `jax.numpy`, and against
plain coordinate arrays: the same operations in the same order in both, but that NumPy
leaves out those that change nothing, such as moving by 0. What runs once per step of a
ray is exempt from type checks at run time, which would outlast it.
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
def _is_reference(xp: ModuleType) -> bool:
    """Whether numbers are known now: to NumPy, not to a program under compilation."""
    return xp.__name__ == "numpy"


@no_type_check
def is_nothing(xp: ModuleType, *numbers: Values) -> bool:
    """Whether a step with these numbers would change nothing.

    NumPy may leave it out; a compiled program, which serves all scenes, may not.
    """
    return _is_reference(xp) and not any(numbers)


@no_type_check
def _less(xp: ModuleType, values: Values, number: Values) -> Values:
    return values if is_nothing(xp, number) else values - number


@no_type_check
def _round_rectangle(
    xp: ModuleType,
    across: Values,
    along: Values,
    half_across: Values,
    half_along: Values,
    corner: Values,
) -> Values:
    """Distance to a rectangle with round corners.

    Args:
      xp: NumPy or `jax.numpy`.
      across: distance of a point to one of its axes.
      along: distance to the other.
      half_across: half its side.
      half_along: half its other side.
      corner: radius of its corners.
    """
    across, along = across - (half_across - corner), along - (half_along - corner)
    outside = _length(xp, xp.maximum(across, 0.0), xp.maximum(along, 0.0))
    return outside + xp.minimum(xp.maximum(across, along), 0.0) - corner


@no_type_check
def _is_round(xp: ModuleType, solid: Solid) -> bool:
    """Whether every cut through a solid is a circle, where that can be asked."""
    return (
        _is_reference(xp)
        and solid.corner == 1.0
        and solid.half_x == solid.half_z
        and solid.taper_x == solid.taper_z
    )


@no_type_check
def solid_distance(
    xp: ModuleType, solid: Solid, x: Values, y: Values, z: Values
) -> Values:
    """A lower bound of the distance to a solid, exact for straight ones."""
    x, y, z = _less(xp, x, solid.x), _less(xp, y, solid.y), _less(xp, z, solid.z)
    if not is_nothing(xp, solid.sine):
        x, y = solid.cosine * x + solid.sine * y, solid.cosine * y - solid.sine * x
    grow_x = grow_z = 1.0
    if not is_nothing(xp, solid.taper_x, solid.taper_z, solid.bulge):
        height = xp.minimum(xp.maximum(y / solid.half_y, -1.0), 1.0)
        grow_x, grow_z = 1.0 + solid.taper_x * height, 1.0 + solid.taper_z * height
        if not is_nothing(xp, solid.bulge):
            profile = 1.0 + solid.bulge * (1.0 - height * height)
            grow_x, grow_z = grow_x * profile, grow_z * profile
    half_x = solid.half_x * grow_x
    if _is_round(xp, solid):
        flat = _length(xp, x, z) - half_x
    else:
        half_z = solid.half_z * grow_z
        corner = solid.corner * xp.minimum(half_x, half_z)
        flat = _round_rectangle(xp, xp.abs(x), xp.abs(z), half_x, half_z, corner)
    near = _round_rectangle(xp, flat, xp.abs(y), 0.0, solid.half_y, solid.edge)
    return near if is_nothing(xp, solid.step - 1.0) else near * solid.step


@no_type_check
def ring_distance(
    xp: ModuleType, ring: Ring, x: Values, y: Values, z: Values
) -> Values:
    """The distance to a ring."""
    across, along = xp.abs(_less(xp, x, ring.x)), xp.abs(_less(xp, y, ring.y))
    flat = _round_rectangle(xp, across, along, ring.half_x, ring.half_y, ring.corner)
    return _length(xp, flat, _less(xp, z, ring.z)) - ring.radius


@no_type_check
def _parts(xp: ModuleType, kind: type, rows: Values) -> list:
    """Rows of a body as its parts; what is no more than padding only if it must be."""
    if _is_reference(xp):
        # Numbers of Python, which are read once, not at every use.
        return [kind(*row) for row in rows.tolist() if row[-1] > 0.5]
    count, fields = rows.shape[0], range(len(kind._fields))
    return [kind(*(rows[row, k] for k in fields)) for row in range(count)]


@no_type_check
def _if_there(xp: ModuleType, part: Solid | Ring, new: Values, old: Values) -> Values:
    """The new value, or the old one where a part is padding."""
    return new if _is_reference(xp) else xp.where(part.is_there > 0.5, new, old)


@no_type_check
def _joined(
    xp: ModuleType, body: Body, x: Values, y: Values, z: Values, slot: Values | None
) -> tuple[Values, Values | None]:
    """As `distance`; `slot` None leaves out the slots."""
    total = xp.full_like(x, FAR)
    for ring in _parts(xp, Ring, body.rings):
        one = ring_distance(xp, ring, x, y, z)
        if slot is not None:
            nearest = xp.where(one < total, ring.slot, slot)
            slot = _if_there(xp, ring, nearest, slot)
        total = _if_there(xp, ring, xp.minimum(total, one), total)
    for solid in _parts(xp, Solid, body.solids):
        one = solid_distance(xp, solid, x, y, z)
        # A cut is a union seen from inside out, so one form serves both.
        is_whole, sign = is_nothing(xp, solid.is_cut), 1.0 - 2.0 * solid.is_cut
        old = total if is_whole else total * sign
        joined = xp.minimum(old, one)
        if not is_nothing(xp, solid.blend):
            seam = xp.maximum(solid.blend - xp.abs(old - one), 0.0)
            joined = joined - seam * seam * (1.0 / (4.0 * solid.blend + 1e-12))
        if slot is not None:
            nearest = xp.where(one < old, solid.slot, slot)
            slot = _if_there(xp, solid, nearest, slot)
        joined = joined if is_whole else joined * sign
        # Padding is left out last: earlier, XLA does the work of a step over and over.
        total = _if_there(xp, solid, joined, total)
    return total, slot


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
    return _joined(xp, body, x, y, z, xp.zeros_like(x))


@no_type_check
def gap(xp: ModuleType, body: Body, x: Values, y: Values, z: Values) -> Values:
    """The distance alone; arguments as of `distance`."""
    return _joined(xp, body, x, y, z, None)[0]
