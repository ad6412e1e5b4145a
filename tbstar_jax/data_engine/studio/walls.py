"""What hangs, stands or shines behind a product.

Patterns as of `patterns`.
"""

from types import ModuleType
from typing import no_type_check

from tbstar_jax.data_engine.studio import tiles
from tbstar_jax.data_engine.studio.fields import Values
from tbstar_jax.data_engine.studio.patterns import (
    Ground,
    RGBValues,
    mix,
    own,
    smoothstep,
    times,
)


@no_type_check
def bokeh(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Lights far out of focus: discs with a brighter rim, over a dim glow."""
    glow = xp.exp(-0.5 * (v - 0.7) ** 2.0)
    shown = mix(ground.tone, ground.accent, 0.10 * glow)
    for size, seed, moved in ((0.62, 0.0, 0.0), (0.43, 31.0, 0.27)):
        a, b = (u + moved) / size + ground.phase, (v + moved) / size
        i, j = xp.floor(a), xp.floor(b)
        first, second = own(xp, i + seed, j), own(xp, j - seed, i + 5.0)
        x, y = a - i - 0.5 - 0.14 * first, b - j - 0.5 - 0.14 * second
        far, radius = xp.sqrt(x * x + y * y), 0.27 + 0.07 * first * second
        disc = smoothstep(xp, radius + 0.03, radius - 0.03, far)
        rim = 0.7 + 0.3 * smoothstep(xp, 0.5 * radius, radius, far)
        light = mix(ground.accent, (1.0, 0.93, 0.80), 0.25 + 0.25 * second)
        power = disc * rim * (0.42 + 0.33 * xp.sin(3.0 * first + 2.0 * second))
        shown = mix(shown, light, power)
    return shown


@no_type_check
def window(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Sunlight through a window's six panes on a wall in the shade."""
    x = u + 0.42 * (v - 2.2) + 0.66 - 0.8 * (ground.phase - 0.5)
    y = v - 0.12 * u - 1.3
    a, b = x / 0.66, y / 0.62
    inside_u = xp.abs(a - xp.floor(a) - 0.5) * 0.66
    inside_v = xp.abs(b - xp.floor(b) - 0.5) * 0.62
    pane = smoothstep(xp, 0.315, 0.275, inside_u) * smoothstep(
        xp, 0.295, 0.255, inside_v
    )
    opening = smoothstep(xp, 0.68, 0.64, xp.abs(x - 0.66)) * smoothstep(
        xp, 0.95, 0.91, xp.abs(y - 0.93)
    )
    return times(ground.tone, 0.66 + 0.34 * pane * opening)


@no_type_check
def panels(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Wainscot: raised frames, lit from above, over a skirting board."""
    wide = 0.8
    a = u / wide + ground.phase
    x, y = wide * (a - xp.floor(a) - 0.5), v - 0.98
    off = xp.maximum(xp.abs(x) - 0.30, xp.abs(y) - 0.68)
    # Edges that look down are in the shade, those that look up shine.
    shade = 0.36 + 0.12 * y
    outer = xp.exp(-(((off - 0.020) / 0.016) ** 2.0))
    inner = xp.exp(-(((off + 0.045) / 0.014) ** 2.0))
    bead = xp.exp(-(((off + 0.012) / 0.016) ** 2.0))
    foot = xp.exp(-(((v - 0.19) / 0.015) ** 2.0))
    shown = 0.93 - shade * (outer + 0.8 * inner + foot) + 0.07 * bead
    return times(ground.tone, shown)


@no_type_check
def slats(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Upright battens, lit from one side, with dark gaps."""
    wide = 0.17
    a = u / wide + ground.phase
    number = xp.floor(a)
    x = a - number
    tone = own(xp, number, number * 0.37)
    grain = xp.sin(x * 13.0 + 5.0 * tone + 0.8 * xp.sin(v * 1.9 + 4.0 * tone))
    batten = smoothstep(xp, 0.0, 0.06, x) * smoothstep(xp, 0.74, 0.66, x)
    shown = (1.0 + 0.16 * tone + 0.07 * grain) * (1.08 - 0.30 * x)
    return times(ground.tone, shown * (0.16 + 0.84 * batten))


@no_type_check
def curtain(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Cloth that hangs in deep folds."""
    phase = ground.phase
    sway = 0.12 * xp.sin(v * 0.9 + u * 0.7 + phase * 6.0)
    wave = (u + sway) * 8.2 + 1.5 * xp.sin(u * 2.1 + phase * 5.0)
    fold = xp.sin(wave + 0.7 * xp.sin(wave))
    soft = 0.16 * xp.sin(2.0 * wave + 1.0 + v * 0.4)
    return times(ground.tone, 0.72 + 0.40 * fold + soft * (0.5 + 0.5 * fold))


@no_type_check
def shelf(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """A board along u: its top up to the front edge, then its face, then the dark."""
    top = tiles.boards(xp, ground, v + 0.42 * (0.6 - ground.phase), u)
    face = smoothstep(xp, 0.585, 0.60, v)
    below = smoothstep(xp, 0.715, 0.73, v)
    shown = mix(top, times(ground.tone, 0.55), face)
    return mix(shown, times(ground.accent, 0.30), below)


@no_type_check
def sky(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Haze that clears upwards."""
    pale = (0.90, 0.93, 0.95)
    return mix(pale, ground.tone, smoothstep(xp, -0.4, 2.2, v))


@no_type_check
def alcove(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """A niche under a round arch; the light falls in from the left above."""
    x, spring = u - 0.24 * (ground.phase - 0.5), 0.52

    def off(moved: float, half: float) -> Values:
        across = xp.abs(x - moved)
        arch = xp.sqrt(across * across + xp.maximum(v - spring, 0.0) ** 2.0) - half
        return xp.where(v > spring, arch, across - half)

    opening, back = off(0.0, 0.68), off(0.09, 0.66)
    inside = smoothstep(xp, 0.008, -0.008, opening)
    deep = smoothstep(xp, 0.012, -0.012, back)
    # The shade of the near edge falls on the back, softer the farther it is.
    shade = smoothstep(xp, 0.02, -0.34, off(0.20, 0.66) + 0.10 * v)
    reveal = 0.70 + 0.34 * smoothstep(xp, -0.5, 0.5, x)
    niche = reveal + (0.62 + 0.30 * shade - reveal) * deep
    trowel = 0.02 * xp.sin(u * 3.1 + 1.9 * xp.sin(v * 2.7)) * xp.sin(v * 4.3 + u)
    return times(ground.tone, (1.0 + trowel) * (1.0 + (niche - 1.0) * inside))


@no_type_check
def sunburst(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Rays of two colours out of a point behind the product."""
    y = v - 0.42
    far = xp.sqrt(u * u + y * y) + 1e-6
    a = xp.arctan2(y, u) * (10.0 / 3.14159265) + ground.phase
    off = xp.abs(a - xp.floor(a) - 0.5)
    soft = xp.minimum(0.035 / far, 0.25)
    share = smoothstep(xp, 0.25 - soft, 0.25 + soft, off)
    share = share + (0.5 - share) * xp.exp(-30.0 * far * far)
    return mix(ground.tone, ground.accent, share)


@no_type_check
def foliage(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Shadows of palm leaves on a wall in the sun, on the cloth from `v` 1.5 on."""
    light = 1.0 + 0.0 * u
    moved = 0.5 * (ground.phase - 0.5)
    fronds = (
        (-1.50, 2.75, 0.96, -0.28),
        (1.45, 3.10, -0.80, -0.60),
        (-0.75, 3.60, 0.42, -0.91),
        (0.90, 1.55, -0.88, 0.47),
    )
    for x, y, cosine, sine in fronds:
        a, b = u - x - moved, v - y
        a = a - 4.4 * xp.floor(a / 4.4 + 0.5)
        along, across = cosine * a + sine * b, cosine * b - sine * a
        across = across + 0.14 * along * along
        wide = xp.abs(across)
        leaf = (along - 0.8 * wide) / 0.115
        leaf = xp.abs(leaf - xp.floor(leaf) - 0.5)
        end = 0.42 * xp.sin(xp.clip(2.0 * along, 0.0, 3.14159))
        blade = smoothstep(xp, 0.42, 0.14, leaf + 0.5 * wide)
        blade = xp.maximum(blade, smoothstep(xp, 0.035, 0.010, wide))
        light = light * (1.0 - 0.34 * blade * smoothstep(xp, 0.0, 0.12, end - wide))
    return times(ground.tone, light)


@no_type_check
def pegboard(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """A board with rows of round holes."""
    a, b = u / 0.15 + ground.phase, v / 0.15
    x, y = 0.15 * (a - xp.floor(a) - 0.5), 0.15 * (b - xp.floor(b) - 0.5)
    far = xp.sqrt(x * x + y * y)
    hole = smoothstep(xp, 0.030, 0.021, far)
    rim = smoothstep(xp, 0.046, 0.030, far) * y
    soft = 0.02 * xp.sin(u * 1.3 + 2.0 * xp.sin(v * 1.1))
    shown = (0.97 + soft - 2.2 * rim) * (1.0 - hole * (0.72 - 9.0 * y))
    return times(ground.tone, xp.maximum(shown, 0.0))


@no_type_check
def corrugated(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Sheets of corrugated metal with screws, one over the other."""
    period = 0.14
    a = u / period + ground.phase
    wave = xp.sin(6.2831853 * a)
    sheet = xp.floor((v + 0.15) / 0.86)
    y = v + 0.15 - 0.86 * sheet
    stain = xp.sin(u * 5.1 + 2.0 * sheet) * xp.sin(u * 2.3 + 0.5 * xp.sin(v * 3.0))
    shine = xp.exp(-7.0 * (1.0 - xp.sin(6.2831853 * a + 0.9)))
    lap = 0.36 * xp.exp(-28.0 * (0.86 - y)) * smoothstep(xp, 0.86, 0.84, y)
    k = xp.floor(0.5 * a)
    x = period * (a - 2.0 * k - 1.25)
    screw = xp.sqrt(x * x + (y - 0.09) ** 2.0)
    head = smoothstep(xp, 0.026, 0.017, screw)
    shown = (0.74 + 0.24 * wave + 0.16 * shine + 0.05 * stain) * (1.0 - lap)
    return times(ground.tone, shown * (1.0 - 0.45 * head))
