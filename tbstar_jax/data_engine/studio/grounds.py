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
    smoothstep,
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
