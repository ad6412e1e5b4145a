"""Cloths and papers that a product stands on or before.

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
    line,
    mix,
    scale,
    smoothstep,
    stones,
    times,
)


@no_type_check
def linen(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """A coarse plain weave with uneven threads, in soft folds."""
    phase = ground.phase
    warp = u * 82.0 + 0.6 * xp.sin(v * 3.1 + phase * 5.0)
    weft = v * 82.0 + 0.6 * xp.sin(u * 2.7 - phase * 4.0)
    knot = xp.sin(warp) * xp.sin(weft)
    slub = xp.sin(u * 27.0 + 2.0 * xp.sin(v * 1.9 + phase)) * xp.sin(v * 1.3 + u)
    slub = slub + xp.sin(v * 31.0 + 2.0 * xp.sin(u * 1.7)) * xp.sin(u * 1.5 - v)
    fold = xp.sin(u * 1.7 + v * 1.1 + phase * 6.0 + 1.3 * xp.sin(v * 1.2 - u * 0.4))
    crease = xp.exp(-4.0 * (1.0 - fold))
    return times(
        ground.tone, 0.90 + 0.15 * knot + 0.07 * slub + 0.05 * fold + 0.08 * crease
    )


@no_type_check
def stripes(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Stripes along v of two colours."""
    return mix(ground.accent, ground.tone, band(xp, u + 0.4 * ground.phase, 0.4))


@no_type_check
def gingham(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Woven checks: bands of the accent cross, and are darker where they do."""
    moved = 0.3 * ground.phase
    both = band(xp, u + moved, 0.3) + band(xp, v + moved, 0.3, FLAT)
    return mix((0.93, 0.93, 0.92), ground.accent, 0.5 * both)


@no_type_check
def dots(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Round dots of the accent, every other row between the others."""
    row = xp.floor(v / 0.26)
    a = u / 0.3 + 0.5 * row + ground.phase
    x, y = 0.3 * (a - xp.floor(a) - 0.5), 0.26 * (v / 0.26 - row - 0.5)
    share = smoothstep(xp, 0.078, 0.064, xp.sqrt(x * x + y * y))
    return mix(ground.tone, ground.accent, share)


@no_type_check
def chevron(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Zigzag bands of two colours."""
    a = u / 0.36 + ground.phase
    zigzag = 0.36 * xp.abs(a - xp.floor(a) - 0.5)
    return mix(ground.tone, ground.accent, band(xp, v + 0.8 * zigzag, 0.24, FLAT))


@no_type_check
def _sett(xp: ModuleType, ground: Ground, value: Values) -> RGBValues:
    """The threads of a tartan in one direction."""
    wide = band(xp, value, 0.62, 0.012)
    dark = line(xp, value + 0.155, 0.62, 0.07)
    pale = line(xp, value, 0.62, 0.022)
    color = mix(mix(ground.tone, ground.accent, wide), (0.02, 0.02, 0.03), 0.8 * dark)
    return mix(color, (0.85, 0.80, 0.62), pale)


@no_type_check
def tartan(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Woven stripes of four colours that cross, in a twill."""
    moved = 0.6 * ground.phase
    warp, weft = _sett(xp, ground, u + moved), _sett(xp, ground, v + moved)
    twill = xp.sin((u + v) * 88.0)
    soft = clouds(xp, u, v, ground.phase)
    return times(mix(warp, weft, 0.5 + 0.16 * twill), 0.97 + 0.04 * soft)


@no_type_check
def argyle(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Knitted lozenges of two colours under a net of thin lines."""
    a, b = u / 0.52 + ground.phase, v / 0.76
    p, q = a + b, a - b
    one, other = band(xp, p, 2.0, 0.016), band(xp, q, 2.0, 0.016)
    share = one + other - 2.0 * one * other
    stitch = xp.sin(u * 78.0) * xp.sin(v * 60.0 + 1.5 * xp.abs(xp.sin(u * 39.0)))
    net = xp.maximum(line(xp, p, 1.0, 0.030), line(xp, q, 1.0, 0.030))
    color = mix(ground.tone, ground.accent, share)
    return times(mix(color, (0.90, 0.88, 0.82), 0.75 * net), 0.95 + 0.05 * stitch)


@no_type_check
def rattan(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Round canes that go over and under each other."""
    size = 0.15
    u = u + 0.4 * ground.phase
    at = cell(xp, u, v, size)
    half = 0.5 * (xp.floor(u / size) + xp.floor(v / size))
    is_flat = half - xp.floor(half) < 0.25
    along, across = xp.where(is_flat, at.x, at.y), xp.where(is_flat, at.y, at.x)
    lift = 1.0 - 3.4 * along * along
    fibre = xp.sin(across * 23.0 + 5.0 * at.first)
    # The light comes from above: canes that lie flat show it across.
    slope = xp.where(is_flat, 0.55 * across, 0.30 * along - 0.20 * across)
    lit = 0.80 + 0.26 * lift + slope + 0.10 * at.second + 0.04 * fibre
    gap = smoothstep(xp, 0.49, 0.38, xp.abs(across) + 0.20 * xp.abs(along))
    return times(ground.tone, xp.maximum(lit, 0.1) * (0.28 + 0.72 * gap))


@no_type_check
def waves(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Rows of concentric arcs, as of waves on old prints."""
    at = scale(xp, u + 0.3 * ground.phase, v, 0.27)
    rings = xp.abs(at.far * 4.0 - xp.floor(at.far * 4.0) - 0.5)
    return mix(ground.tone, ground.accent, smoothstep(xp, 0.26, 0.36, rings))


@no_type_check
def silk(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Shining cloth that lies in long winding folds."""
    phase = ground.phase
    bend = xp.sin(u * 1.3 + phase * 6.0) + 0.7 * xp.sin(v * 1.7 - u * 0.6 + phase * 3.0)
    bend = bend + 0.45 * xp.sin(u * 2.9 + v * 2.2 + 1.4 * bend)
    wave = u * 2.2 + v * 3.1 + 1.5 * bend
    fold, half = xp.sin(wave), xp.cos(wave + 0.8 * xp.sin(0.5 * wave + bend))
    small = xp.sin(2.0 * wave + 1.7 * bend)
    shine = xp.exp(-7.0 * (1.0 - half)) + 0.4 * xp.exp(-9.0 * (1.0 - small))
    lit = 0.64 + 0.20 * fold + 0.08 * small
    return mix(
        times(ground.tone, lit),
        times(mix(ground.tone, (1.0, 1.0, 1.0), 0.45), 1.0),
        0.5 * shine,
    )


@no_type_check
def tufted(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Padding drawn in by buttons, in lozenges, lit from above."""
    a, b = u / 0.46 + ground.phase, v / 0.56
    p, q = a + b, a - b
    x, y = p - xp.floor(p) - 0.5, q - xp.floor(q) - 0.5
    sine_x, sine_y = xp.sin(3.14159 * x), xp.sin(3.14159 * y)
    cosine_x, cosine_y = xp.cos(3.14159 * x), xp.cos(3.14159 * y)
    slope_p, slope_q = -sine_x * cosine_y, -cosine_x * sine_y
    up, right = slope_p - slope_q, slope_p + slope_q
    height = cosine_x * cosine_y
    crease = xp.exp(-9.0 * height)
    near_x, near_y = 0.5 - xp.abs(x), 0.5 - xp.abs(y)
    far = xp.sqrt(near_x * near_x + near_y * near_y)
    button = smoothstep(xp, 0.115, 0.090, far)
    shown = 0.80 - 0.27 * up - 0.12 * right + 0.10 * height
    shown = shown * (1.0 - 0.45 * crease)
    knob = 0.95 - 2.0 * (near_x * xp.sign(x) - near_y * xp.sign(y))
    return times(ground.tone, shown + (knob - shown) * button)


@no_type_check
def squares(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Paper ruled in squares, every fifth line stronger."""
    a, b = u + 0.8 * ground.phase, v + 0.04
    fine = xp.maximum(line(xp, a, 0.16, 0.010), line(xp, b, 0.16, 0.010))
    strong = xp.maximum(line(xp, a, 0.8, 0.020), line(xp, b, 0.8, 0.020))
    share = xp.maximum(0.55 * fine, strong)
    return mix(ground.tone, ground.accent, share)


@no_type_check
def kraft(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Paper that was crumpled and spread out again: facets between creases."""
    phase = ground.phase
    shown = 0.93
    for size, turn, share in ((0.46, 0.45, 1.0), (0.25, -0.7, 0.7)):
        a, b = u + turn * v + phase, v - turn * u
        a, b = a + 0.09 * xp.sin(2.9 * b + size), b + 0.09 * xp.sin(2.3 * a + phase)
        at = stones(xp, a, b, size)
        lean = xp.sin(13.0 * at.number) * at.x + xp.sin(9.0 * at.number + 1.0) * at.y
        crease = xp.exp(-at.border * 22.0)
        facet = 0.09 * at.number + 0.24 * lean + 0.07 * crease
        shown = shown + share * facet
    return times(ground.tone, shown)
