"""Floors and walls that are laid of pieces.

Patterns as of `patterns`.
"""

from types import ModuleType
from typing import no_type_check

from tbstar_jax.data_engine.studio.fields import Values
from tbstar_jax.data_engine.studio.patterns import (
    FLAT,
    Ground,
    RGBValues,
    band,
    clouds,
    mix,
    own,
    smoothstep,
    times,
)


@no_type_check
def boards(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Planks that run along v; each has its own tone and grain."""
    phase = ground.phase
    board = xp.floor(u / 0.42 + phase)
    across = u / 0.42 + phase - board
    tone = xp.sin(board * 12.9 + phase * 40.0)
    warp = 0.35 * xp.sin(v * 1.7 + tone * 9.0) + 0.12 * xp.sin(v * 5.1 + board * 3.0)
    grain = xp.sin(
        (u + 0.06 * warp) * 75.0 + tone * 20.0 + xp.sin(v * 2.3 + tone * 5.0)
    )
    fine = xp.sin((u + 0.04 * warp) * 190.0 + tone * 7.0)
    joint = smoothstep(xp, 0.0, 0.02, xp.minimum(across, 1.0 - across))
    shown = (1.0 + 0.10 * tone + 0.06 * grain + 0.03 * fine) * (0.55 + 0.45 * joint)
    return (
        ground.tone[0] * shown,
        ground.tone[1] * shown * (0.98 + 0.02 * grain),
        ground.tone[2] * shown * (0.95 + 0.05 * grain),
    )


@no_type_check
def tiles(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Square tiles with grout of the accent."""
    phase = ground.phase
    off_u = xp.abs(u / 0.5 + phase - xp.floor(u / 0.5 + phase) - 0.5)
    off_v = xp.abs(v / 0.5 + phase - xp.floor(v / 0.5 + phase) - 0.5)
    share = smoothstep(xp, 0.5, 0.482, xp.maximum(off_u, off_v))
    return mix(ground.accent, ground.tone, share)


@no_type_check
def checkers(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Squares of two colours in turn."""
    one = band(xp, u + 0.7 * ground.phase, 0.7)
    other = band(xp, v + 0.1, 0.7, FLAT)
    return mix(ground.tone, ground.accent, one + other - 2.0 * one * other)


@no_type_check
def herringbone(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Blocks four times as long as wide, laid in a zigzag.

    A square in column i and row j belongs to a block along u where (i - j) mod 8 < 4,
    to one along v elsewhere.
    """
    wide, long = 0.17, 4.0
    u = u + ground.phase
    a, b = (u + v) / (1.4142 * wide), (u - v) / (1.4142 * wide)
    i, j = xp.floor(a), xp.floor(b)
    x, y = a - i, b - j
    turn = xp.floor((i - j) / (2.0 * long))
    at = i - j - 2.0 * long * turn
    is_flat = at < long
    along = xp.where(is_flat, at + x, 2.0 * long - 1.0 - at + y)
    across = xp.where(is_flat, y, x)
    tone = own(xp, xp.where(is_flat, j, i), turn + xp.where(is_flat, 0.0, 50.0))
    grain = xp.sin(across * 19.0 + tone * 9.0 + 0.9 * xp.sin(along * 1.7 + tone * 4.0))
    ends = xp.minimum(along, long - along)
    joint = smoothstep(xp, 0.0, 0.09, xp.minimum(ends, xp.minimum(across, 1 - across)))
    shown = (1.0 + 0.24 * tone + 0.06 * grain) * (0.45 + 0.55 * joint)
    return times(ground.tone, shown)


@no_type_check
def bricks(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """A running bond of bricks, each of its own tone, with mortar of the accent."""
    wide, high = 0.44, 0.16
    row = xp.floor(v / high)
    a = u / wide + 0.5 * row + ground.phase
    column = xp.floor(a)
    x, y = wide * (a - column - 0.5), high * (v / high - row - 0.5)
    tone = own(xp, column, row)
    off = xp.maximum(xp.abs(x) - 0.5 * wide, xp.abs(y) - 0.5 * high)
    rough = clouds(xp, 3.0 * u, 3.0 * v, ground.phase)
    mortar = smoothstep(xp, -0.020, -0.006, off + 0.004 * rough)
    shown = 1.0 + 0.24 * tone + 0.14 * rough + 0.10 * y / high
    return mix(times(ground.tone, shown), times(ground.accent, 1 + 0.1 * rough), mortar)
