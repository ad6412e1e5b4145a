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
