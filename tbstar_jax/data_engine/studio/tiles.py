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
    cell,
    clouds,
    mix,
    own,
    scale,
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


@no_type_check
def hexagons(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Glazed hexagonal tiles, each of its own tone, with grout of the accent."""
    wide, high = 0.30, 0.30 * 1.7320508
    a, b = u / wide + ground.phase, v / high + 0.3
    i, j, k, m = xp.floor(a + 0.5), xp.floor(b + 0.5), xp.floor(a), xp.floor(b)
    x, y = wide * (a - i), high * (b - j)
    other_x, other_y = wide * (a - k - 0.5), high * (b - m - 0.5)
    is_first = x * x + y * y < other_x * other_x + other_y * other_y
    x, y = xp.where(is_first, x, other_x), xp.where(is_first, y, other_y)
    tone = own(xp, xp.where(is_first, i, k + 60.5), xp.where(is_first, j, m))
    across = xp.abs(x)
    off = xp.maximum(across, 0.5 * across + 0.8660254 * xp.abs(y))
    inside = 0.5 * wide - off
    share = smoothstep(xp, 0.004, 0.015, inside)
    bevel = smoothstep(xp, 0.040, 0.012, inside)
    shown = 0.96 + 0.07 * tone + (y + 0.4 * x) / wide * (0.06 + 0.22 * bevel)
    return mix(ground.accent, times(ground.tone, shown), share)


@no_type_check
def subway(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Long glazed tiles with bevelled edges in a running bond, lit from above."""
    wide, high = 0.44, 0.19
    row = xp.floor(v / high)
    a = u / wide + 0.5 * row + ground.phase
    column = xp.floor(a)
    x, y = wide * (a - column - 0.5), high * (v / high - row - 0.5)
    tone = own(xp, column, row)
    side, end = 0.5 * high - xp.abs(y), 0.5 * wide - xp.abs(x)
    inside = xp.minimum(side, end)
    edge = smoothstep(xp, 0.036, 0.028, inside)
    lit = xp.where(side < end, xp.where(y > 0.0, 0.10, -0.17), xp.sign(x) * -0.06)
    gloss = xp.sin(u * 1.7 + 0.9 * tone) * xp.sin(v * 2.3 + 1.6 * tone + 1.0)
    shown = 0.93 + 0.035 * tone + 0.05 * gloss + edge * lit
    share = smoothstep(xp, 0.002, 0.012, inside)
    return mix(ground.accent, times(ground.tone, shown), share)


@no_type_check
def mosaic(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Small square stones of shades between two colours, in pale mortar."""
    at = cell(xp, u + 0.3 * ground.phase, v, 0.115)
    off = xp.maximum(xp.abs(at.x), xp.abs(at.y))
    color = mix(ground.tone, ground.accent, smoothstep(xp, -0.9, 1.1, at.first))
    shown = 1.0 + 0.22 * at.second + 0.16 * (at.y + 0.5 * at.x) * at.second
    share = smoothstep(xp, 0.475, 0.36, off)
    return mix((0.72, 0.71, 0.68), times(color, shown), share)


@no_type_check
def basketweave(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Squares of four strips of wood that turn with every square."""
    size, strips = 0.46, 4.0
    a, b = u / size + ground.phase, v / size + 0.2
    i, j = xp.floor(a), xp.floor(b)
    x, y = a - i, b - j
    half = 0.5 * (i + j)
    is_flat = half - xp.floor(half) < 0.25
    along, across = xp.where(is_flat, x, y), strips * xp.where(is_flat, y, x)
    number = xp.floor(across)
    across = across - number
    tone = own(xp, i * strips + number, j + 0.5 * number)
    grain = xp.sin(across * 15.0 + tone * 9.0 + 0.9 * xp.sin(along * 7.0 + 4.0 * tone))
    ends = strips * xp.minimum(along, 1.0 - along)
    joint = smoothstep(xp, 0.0, 0.11, xp.minimum(ends, xp.minimum(across, 1 - across)))
    turned = xp.where(is_flat, 0.05, -0.05)
    shown = (1.0 + turned + 0.20 * tone + 0.06 * grain) * (0.48 + 0.52 * joint)
    return times(ground.tone, shown)


@no_type_check
def scales(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Glazed fish-scale tiles: discs that hang over those below."""
    radius = 0.20
    at = scale(xp, u + ground.phase * radius, -v, radius)
    share = smoothstep(xp, 0.99, 0.92, at.far)
    gloss = xp.exp(-10.0 * ((at.x + 0.25) ** 2.0 + (at.y - 0.62) ** 2.0))
    edge = smoothstep(xp, 0.72, 0.95, at.far)
    shown = 0.86 + 0.13 * at.number + 0.20 * gloss - 0.20 * edge * at.y
    return mix(ground.accent, times(ground.tone, shown), share)
