"""Where rays meet a thing, and how much light it keeps away.

Each thing is traced on its own, inside its bounding box: what a ray meets of one thing
does not depend, to the last bit, on the others in the scene. Outside its box (grown by
the light's softness) a thing shades nothing: exactly 1, so that its shadow has an edge.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeAlias, no_type_check

from tbstar_jax.data_engine.studio.fields import (
    Body,
    Values,
    distance,
    gap,
    to_local,
    turn,
    turn_back,
)

Loop: TypeAlias = Callable[[int, Callable[[Any], Any], Any], Any]
"""Applies a function to a state a number of times."""

NUM_STEPS = 84
"""Steps of a ray."""

NUM_SHADOW_STEPS = 32

TOUCH = 3e-4
"""A ray has arrived at this distance, in units of the thing."""

MISSED = 1e9
"""The distance along a ray that met nothing."""

OCCLUSION_REACH = 0.42
"""How far a thing darkens its surroundings, in the world's units."""

_TINY = 1e-9
_NORMAL_STEP = 6e-4
# The corners of a tetrahedron, and last the point itself, for its slot.
_TAPS = ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1), (0, 0, 0))
_LIFT = 4e-3
"""How far above its surface a point looks for the light, in the world's units."""
_OCCLUSION_SAMPLES = (0.02, 0.07, 0.15, 0.27, OCCLUSION_REACH)


def box_span(
    xp: ModuleType,
    body: Body,
    origin: tuple[Values, Values, Values],
    direction: tuple[Values, Values, Values],
    margin: Values,
) -> tuple[Values, Values]:
    """Where rays enter and leave a thing's box, in the thing's units along the ray.

    Args:
      xp: NumPy or `jax.numpy`.
      body: the thing.
      origin: in the thing's own coordinates; numbers, where all rays have one.
      direction: likewise, unit length.
      margin: by how much the box is grown; a number, where it is by one.

    Returns:
      Entry (0 at least) and exit; the ray misses the box where exit <= entry.
    """
    enter, leave = 0.0, MISSED
    for axis in range(3):
        way = direction[axis]
        way = xp.where(xp.abs(way) < _TINY, _TINY, way)
        first = (body.box[axis] - margin - origin[axis]) / way
        second = (body.box[axis + 3] + margin - origin[axis]) / way
        enter = xp.maximum(enter, xp.minimum(first, second))
        leave = xp.minimum(leave, xp.maximum(first, second))
    return enter, leave


@no_type_check
def march(
    xp: ModuleType,
    loop: Loop,
    body: Body,
    rays: tuple[Values, ...],
    start: Values,
    leave: Values,
    num_steps: int,
) -> tuple[Values, Values]:
    """Walks along rays until they touch the thing or leave its box.

    A ray that has arrived stays where it is, so a walk may be cut into several.

    Args:
      xp: NumPy or `jax.numpy`.
      loop: repeats a step.
      body: the thing.
      rays: origin and unit direction, in the thing's own coordinates.
      start: where along the ray to begin.
      leave: where to give up.
      num_steps: how many steps to make.

    Returns:
      Where the ray is, and how far the thing was from there before the last step.
    """
    ox, oy, oz, dx, dy, dz = rays

    def step(state: tuple[Values, Values]) -> tuple[Values, Values]:
        along, _ = state
        near = gap(xp, body, ox + along * dx, oy + along * dy, oz + along * dz)
        is_moving = (near > TOUCH) & (along < leave)
        return xp.where(is_moving, along + near, along), near

    along, near = loop(num_steps, step, (start, start * 0.0 + MISSED))
    return along, near


@no_type_check
def surface(
    xp: ModuleType, loop: Loop, body: Body, x: Values, y: Values, z: Values
) -> tuple[Values, ...]:
    """The outward unit normal in the world, and the material slot, of surface points.

    Args:
      xp: NumPy or `jax.numpy`.
      loop: repeats a step.
      body: the thing.
      x: points in the world.
      y: likewise.
      z: likewise.
    """
    x, y, z = to_local(xp, body, x, y, z)
    taps = xp.asarray(_TAPS, x.dtype)

    # A loop, since a compiler would otherwise repeat the thing for every tap.
    def step(state: tuple[Values, ...]) -> tuple[Values, ...]:
        k, nx, ny, nz, _ = state
        sx, sy, sz = taps[k, 0], taps[k, 1], taps[k, 2]
        far = _NORMAL_STEP
        near, slot = distance(xp, body, x + sx * far, y + sy * far, z + sz * far)
        return k + 1, nx + sx * near, ny + sy * near, nz + sz * near, slot

    zero = x * 0.0
    _, nx, ny, nz, slot = loop(len(_TAPS), step, (0, zero, zero, zero, zero))
    size = xp.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
    return (*turn(body, nx / size, ny / size, nz / size), slot)


def shadow_span(
    xp: ModuleType, body: Body, points: tuple[Values, ...], light: Values
) -> tuple[tuple[Values, ...], Values, Values]:
    """Rays towards the light, and where they pass the thing's grown box.

    Args:
      xp: NumPy or `jax.numpy`.
      body: the thing that may be in the way.
      points: x, y, z and the normal's x, y, z, in the world.
      light: `[4]`: unit direction towards the light, and its softness.

    Returns:
      The rays in the thing's own coordinates, entry and exit.
    """
    x, y, z, nx, ny, nz = points
    origin = to_local(xp, body, x + _LIFT * nx, y + _LIFT * ny, z + _LIFT * nz)
    way = turn_back(body, light[0], light[1], light[2])
    # No point of the box is further than this, so no penumbra reaches further out.
    reach = sum(
        xp.maximum(xp.abs(body.box[k] - origin[k]), xp.abs(body.box[k + 3] - origin[k]))
        for k in range(3)
    )
    margin = light[3] * xp.minimum(reach, 3.0)
    enter, leave = box_span(xp, body, origin, way, margin)
    ways = (xp.broadcast_to(one, origin[0].shape) for one in way)
    return (*origin, *ways), enter, leave


@no_type_check
def shadow(
    xp: ModuleType,
    loop: Loop,
    body: Body,
    rays: tuple[Values, ...],
    softness: Values,
    along: Values,
    leave: Values,
    shortest: Values,
    least: Values,
    num_steps: int,
) -> tuple[Values, Values]:
    """Walks towards the light and notes how narrowly rays pass a thing.

    Once a ray has left the box nothing changes, so a walk may be cut into several.

    Args:
      xp: NumPy or `jax.numpy`.
      loop: repeats a step.
      body: the thing that may be in the way.
      rays: origin and direction, from `shadow_span`.
      softness: of the light.
      along: where along the ray to begin.
      leave: where the ray leaves the box.
      shortest: the shortest step.
      least: the least distance so far, in half widths of the light's cone.
      num_steps: how many steps to make.

    Returns:
      `along` and `least` after these steps.
    """
    ox, oy, oz, dx, dy, dz = rays

    def step(state: tuple[Values, Values]) -> tuple[Values, Values]:
        along, least = state
        near = gap(xp, body, ox + along * dx, oy + along * dy, oz + along * dz)
        cone = softness * xp.minimum(along, 3.0) + 2e-3
        is_inside = along < leave
        least = xp.where(is_inside, xp.minimum(least, near / cone), least)
        return along + xp.maximum(0.6 * xp.abs(near), shortest), least

    return loop(num_steps, step, (along, least))


def shadow_share(xp: ModuleType, least: Values) -> Values:
    """The share of the key light that arrives: 0 in full shadow, 1 beside it."""
    least = xp.clip(least, -1.0, 1.0)
    return 0.25 * (1.0 + least) * (1.0 + least) * (2.0 - least)


@no_type_check
def occlusion(
    xp: ModuleType, loop: Loop, body: Body, points: tuple[Values, ...]
) -> Values:
    """Share of the surrounding light that a thing hides from points, 0 to 1.

    Exactly 0 beyond twice `OCCLUSION_REACH` of the thing.

    Args:
      xp: NumPy or `jax.numpy`.
      loop: repeats a step.
      body: the thing in the way.
      points: x, y, z and the normal's x, y, z, in the world.
    """
    x, y, z, nx, ny, nz = points
    reaches = xp.asarray(_OCCLUSION_SAMPLES, x.dtype)

    def step(state: tuple[Values, ...]) -> tuple[Values, ...]:
        k, hidden, weight, total = state
        reach = reaches[k]
        at = to_local(xp, body, x + reach * nx, y + reach * ny, z + reach * nz)
        near = gap(xp, body, *at) * body.pose[4]
        hidden = hidden + weight * xp.clip((reach - near) / reach, 0.0, 1.0)
        return k + 1, hidden, weight * 0.8, total + weight

    state = (0, x * 0.0, reaches[0] * 0.0 + 1.0, reaches[0] * 0.0)
    _, hidden, _, total = loop(len(_OCCLUSION_SAMPLES), step, state)
    return hidden / total
