"""Stone, metal and open ground.

Patterns as of `patterns`.
"""

from types import ModuleType
from typing import no_type_check

from tbstar_jax.data_engine.studio.fields import Values
from tbstar_jax.data_engine.studio.patterns import (
    Ground,
    RGBValues,
    cell,
    clouds,
    line,
    mix,
    own,
    smoothstep,
    stones,
    times,
)


@no_type_check
def marble(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Veins of the accent where a warped plane wave passes zero."""
    phase = ground.phase
    bend = xp.sin(u * 2.1 + phase * 6.0) + 0.6 * xp.sin(v * 3.3 - phase * 4.0)
    bend = bend + 0.35 * xp.sin(u * 6.7 + v * 5.9 + phase)
    vein = xp.sin(u * 2.6 + v * 1.9 + 1.7 * bend)
    thin = xp.exp(-xp.abs(vein) * 9.0)
    cloud = 0.04 * xp.sin(u * 1.3 + bend) * xp.sin(v * 1.1 - bend)
    return mix(times(ground.tone, 0.95 + cloud), ground.accent, thin)


@no_type_check
def concrete(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Blotches, pores, and joints with the holes of the formwork's ties."""
    u = u + ground.phase
    shown = 1.0 + 0.13 * clouds(xp, u, v, ground.phase)
    at = cell(xp, u + 0.2 * v, v, 0.13)
    far = xp.sqrt((at.x - 0.3 * at.first) ** 2.0 + (at.y - 0.3 * at.second) ** 2.0)
    size = 0.09 * xp.maximum(at.first + at.second, 0.0)
    pore = 1.0 - smoothstep(xp, size, size + 0.06, far)
    joint = xp.maximum(line(xp, u, 1.3, 0.012), line(xp, v + 0.25, 1.0, 0.012))
    hole_u = u / 0.65 - xp.floor(u / 0.65) - 0.5
    hole_v = v + 0.5 - xp.floor(v + 0.5) - 0.5
    hole = xp.sqrt(0.4225 * hole_u * hole_u + hole_v * hole_v)
    tie = 1.0 - smoothstep(xp, 0.024, 0.036, hole)
    pore = pore * xp.where(size > 0.0, 0.35, 0.0)
    dark = (1.0 - pore) * (1.0 - 0.38 * joint)
    return times(ground.tone, shown * dark * (1.0 - 0.6 * tie))


@no_type_check
def terrazzo(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Chips of stone of three colours and two sizes in a smooth mass."""
    shown = times(ground.tone, 1.0 + 0.0 * u)
    for size, turn in ((0.19, 0.6), (0.105, -0.9)):
        a, b = u + turn * v + ground.phase, v - turn * u
        at = cell(xp, a, b, size)
        x, y = at.x - 0.16 * at.second, at.y - 0.16 * at.first
        slant = at.first * 2.0
        x, y = x + 0.5 * slant * y, y - 0.3 * slant * x
        far = xp.abs(x) + xp.abs(y) + 0.8 * xp.maximum(xp.abs(x), xp.abs(y))
        chip = smoothstep(xp, 0.40 + 0.16 * at.second, 0.32 + 0.16 * at.second, far)
        dark = times(ground.accent, 0.35)
        color = mix(ground.accent, dark, smoothstep(xp, 0.1, 0.2, at.first))
        color = mix((0.85, 0.84, 0.80), color, smoothstep(xp, -0.5, -0.4, at.first))
        shown = mix(shown, color, chip)
    return shown


@no_type_check
def brushed(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Metal brushed along u: fine streaks across a broad reflected light."""
    phase = ground.phase
    slow = 0.8 * xp.sin(u * 0.9 + phase * 5.0)
    streak = xp.sin(v * 33.0 + slow) + 0.7 * xp.sin(v * 71.0 - 1.7 * slow + 1.0)
    streak = streak + 0.6 * xp.sin(v * 13.0 + 0.5 * slow + 3.0 * xp.sin(v * 5.0))
    at = u - 1.6 * (phase - 0.5)
    shine = xp.exp(-at * at * 0.9) + 0.5 * xp.exp(-((at - 2.3) ** 2.0) * 1.8)
    return times(ground.tone, 0.56 + 0.55 * shine + 0.07 * streak)


@no_type_check
def sand(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Ripples that wind and fork, and grains."""
    phase = ground.phase
    wind = 1.5 * xp.sin(u * 1.1 + phase * 6.0) + 0.9 * xp.sin(u * 2.3 + v * 1.4 - phase)
    wind = wind + 0.6 * xp.sin(u * 4.1 - v * 2.3 + 2.0 * phase)
    wave = v * 19.0 + wind
    ripple = xp.sin(wave + 0.55 * xp.sin(wave))
    grain = xp.sin(u * 97.0 + 9.0 * xp.sin(v * 43.0)) * xp.sin(
        v * 91.0 + 9.0 * xp.sin(u * 39.0)
    )
    high = clouds(xp, 0.7 * u, 0.7 * v, phase)
    return times(ground.tone, 0.88 + 0.12 * ripple + 0.06 * grain + 0.06 * high)


@no_type_check
def grass(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Blades that stand in tufts, some of them of the accent."""
    phase = ground.phase
    patch = clouds(xp, 1.6 * u, 1.6 * v, phase)
    lean = 5.0 * xp.sin(v * 9.0 + 3.0 * patch) + 3.0 * xp.sin(u * 7.0 + v * 13.0)
    blade = xp.sin(u * 62.0 + lean) * xp.sin(v * 21.0 + 2.6 * xp.sin(u * 17.0 + lean))
    fine = xp.sin(u * 131.0 - 1.7 * lean) * xp.sin(v * 37.0 + 2.0 * xp.sin(u * 23.0))
    shown = 0.86 + 0.34 * blade + 0.16 * fine + 0.14 * patch
    tip = smoothstep(xp, 0.35, 0.9, blade * fine + 0.4 * patch)
    return mix(times(ground.tone, shown), ground.accent, 0.6 * tip)


@no_type_check
def cork(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Pressed granules of many browns, and dark flecks of bark."""
    phase = ground.phase
    a = u + phase + 0.014 * xp.sin(v * 47.0 + 3.0 * xp.sin(u * 19.0))
    b = v + 0.014 * xp.sin(u * 53.0 + 3.0 * xp.sin(v * 17.0))
    at = stones(xp, a + 0.4 * b, b - 0.4 * a, 0.055)
    grain = xp.sin(a * 71.0 + 4.0 * at.number) * xp.sin(b * 67.0 - 3.0 * at.number)
    fleck = cell(xp, a - 0.6 * b, b + 0.6 * a, 0.17)
    x, y = fleck.x - 0.3 * fleck.second, fleck.y - 0.3 * fleck.first
    far = xp.sqrt(x * x * (1.7 + fleck.first) + y * y * (1.7 - fleck.first))
    bark = smoothstep(xp, 0.20, 0.08, far + 0.03 * grain)
    bark = bark * smoothstep(xp, 0.0, 0.3, fleck.first + fleck.second)
    gap = smoothstep(xp, 0.0, 0.3, at.border)
    shown = (0.96 + 0.13 * at.number + 0.07 * grain) * (0.88 + 0.12 * gap)
    return times(ground.tone, shown * (1.0 - 0.5 * bark))


@no_type_check
def travertine(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Slabs of banded stone with pores that lie along the bands."""
    wide, high = 1.1, 0.62
    row = xp.floor(v / high + 0.2)
    a = u / wide + 0.5 * row + ground.phase
    column = xp.floor(a)
    tone = own(xp, column, row)
    x, y = wide * (a - column - 0.5), high * (v / high + 0.2 - row - 0.5)
    u, v = u + 3.0 * tone, v + 2.0 * tone
    warp = 0.9 * xp.sin(u * 1.9 + tone) + 0.5 * xp.sin(u * 4.3 - v * 3.0)
    bands = xp.sin(v * 17.0 + warp) + 0.7 * xp.sin(v * 41.0 + 2.2 * warp)
    bands = bands + 0.6 * xp.sin(v * 7.0 - warp + 2.0)
    at = cell(xp, u + 0.5 * v, v + 0.04 * warp, 0.11)
    far = xp.sqrt((at.x - 0.25 * at.first) ** 2.0 + 6.0 * (at.y - at.second / 4) ** 2.0)
    size = 0.34 * xp.maximum(at.first * at.second, 0.0)
    pore = smoothstep(xp, size + 0.05, size - 0.05, far)
    pore = pore * xp.where(size > 0.06, 0.42, 0.0)
    inside = xp.minimum(0.5 * wide - xp.abs(x), 0.5 * high - xp.abs(y))
    joint = smoothstep(xp, 0.016, 0.004, inside)
    shown = (0.95 + 0.05 * tone + 0.055 * bands) * (1.0 - pore)
    return times(ground.tone, shown * (1.0 - 0.45 * joint))


@no_type_check
def pebbles(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Round stones of shades between two colours, with dark between them."""
    a = u + 0.06 * xp.sin(2.3 * v + 6.0 * ground.phase) + ground.phase
    b = v + 0.06 * xp.sin(2.9 * u)
    at = stones(xp, a + 0.3 * b, b - 0.3 * a, 0.25)
    color = mix(ground.tone, ground.accent, 0.5 + 0.5 * xp.sin(9.0 * at.number))
    far = at.x * at.x + at.y * at.y
    inside = at.border - 0.9 * far
    stain = xp.sin(19.0 * a + 9.0 * at.number) * xp.sin(23.0 * b + 2.0 * at.number)
    lit = 1.12 + 0.16 * at.number - 0.55 * at.y - 0.35 * at.x - 0.6 * far
    stone = smoothstep(xp, -0.06, 0.12, inside)
    shown = xp.maximum(lit + 0.06 * stain, 0.1) * (0.62 + 0.38 * stone)
    return times(color, shown * (0.42 + 0.58 * stone))


@no_type_check
def snow(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Soft drifts whose far sides lie in the accent's shade, with a rough crust."""
    phase = ground.phase
    bend = xp.sin(u * 0.9 + phase * 6.0) + 0.4 * xp.sin(u * 1.9 + v * 0.7)
    drift = xp.sin(v * 2.1 + 1.1 * bend + phase)
    drift = drift + 0.4 * xp.sin(v * 4.9 - u * 0.9 + 1.3 * bend)
    crust = xp.sin(u * 31.0 + 4.0 * xp.sin(v * 13.0 + bend)) * xp.sin(
        v * 37.0 + 4.0 * xp.sin(u * 11.0 - bend)
    )
    shade = smoothstep(xp, 0.15, 1.15, drift + 0.10 * crust)
    return mix(times(ground.tone, 0.97 + 0.02 * crust), ground.accent, 0.85 * shade)


@no_type_check
def water(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """A net of light on the bottom of clear water, the accent where it is bright."""
    phase = ground.phase
    bright = 0.0
    for size, turn, share in ((0.42, 0.5, 0.8), (0.30, -0.8, 0.5)):
        a, b = u + turn * v + phase, v - turn * u
        a = a + 0.10 * xp.sin(4.1 * b + 6.0 * phase) + 0.04 * xp.sin(9.7 * b - a)
        b = b + 0.10 * xp.sin(3.7 * a - 4.0 * phase) + 0.04 * xp.sin(8.9 * a + b)
        at = stones(xp, a, b, size)
        bright = bright + share * xp.exp(-7.0 * at.border)
    deep = xp.sin(1.1 * u + phase * 6.0) * xp.sin(0.9 * v - u)
    shown = times(ground.tone, 0.90 + 0.10 * deep)
    return mix(shown, ground.accent, xp.minimum(bright, 1.0))
