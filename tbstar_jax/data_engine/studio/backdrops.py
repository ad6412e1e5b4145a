"""Floor and backdrop of the studio: which patterns lie where, and how they are lit.

    ray --+-- meets the floor before its edge --> floor's pattern at (x, z) --+
          |                                                                   +--> mix
          +-- else, the wall behind it ---------> wall's pattern at (x, y) ---+

Colours are linear light; unshadowed white is exactly 1.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Literal, NamedTuple, TypeAlias, no_type_check

from tbstar_jax.data_engine.studio import patterns
from tbstar_jax.data_engine.studio.fields import Values
from tbstar_jax.data_engine.studio.patterns import (
    Ground,
    RGBValues,
    mix,
    own,
    smoothstep,
    times,
)
from tbstar_jax.data_engine.studio.scene import BackdropKind

Pattern: TypeAlias = Callable[[ModuleType, Ground, Values, Values], RGBValues]
Set: TypeAlias = Literal["white", "paper", "gradient", "cloth", "table", "room", "land"]
"""How floor and wall meet.

`white` is lit alike everywhere; `paper` rolls up behind the product, `gradient` as well
and darkens; `cloth` runs up a wall and keeps its pattern; a `table` has an edge, with a
wall further back; a `room`'s wall stands on its floor; `land` fades into the sky.
"""


class Look(NamedTuple):
    """A kind of backdrop.

    Attributes:
      set: how floor and wall meet.
      floor: its pattern.
      wall: its pattern.
      away: from the middle of the scene to the wall.
    """

    set: Set
    floor: Pattern
    wall: Pattern
    away: float = 2.2


class Sheet(NamedTuple):
    """The parameters of a floor with its backdrop.

    Attributes:
      tone: the floor's colour, linear light.
      accent: the pattern's second colour.
      wall: the wall's colour.
      phase: of the patterns, 0 to 1.
    """

    tone: RGBValues
    accent: RGBValues
    wall: RGBValues
    phase: Values


@no_type_check
def _bokeh(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
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
def _window(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
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
def _panels(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
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
def _slats(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
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
def _curtain(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Cloth that hangs in deep folds."""
    phase = ground.phase
    sway = 0.12 * xp.sin(v * 0.9 + u * 0.7 + phase * 6.0)
    wave = (u + sway) * 8.2 + 1.5 * xp.sin(u * 2.1 + phase * 5.0)
    fold = xp.sin(wave + 0.7 * xp.sin(wave))
    soft = 0.16 * xp.sin(2.0 * wave + 1.0 + v * 0.4)
    return times(ground.tone, 0.72 + 0.40 * fold + soft * (0.5 + 0.5 * fold))


@no_type_check
def _shelf(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """A board along u: its top up to the front edge, then its face, then the dark."""
    top = patterns.boards(xp, ground, v + 0.42 * (0.6 - ground.phase), u)
    face = smoothstep(xp, 0.585, 0.60, v)
    below = smoothstep(xp, 0.715, 0.73, v)
    shown = mix(top, times(ground.tone, 0.55), face)
    return mix(shown, times(ground.accent, 0.30), below)


@no_type_check
def _sky(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Haze that clears upwards."""
    pale = (0.90, 0.93, 0.95)
    return mix(pale, ground.tone, smoothstep(xp, -0.4, 2.2, v))


_P = patterns
LOOKS: Mapping[BackdropKind, Look] = MappingProxyType(
    {
        "white": Look("white", _P.plain, _P.plain),
        "plain": Look("paper", _P.plain, _P.plain),
        "gradient": Look("gradient", _P.plain, _P.plain),
        "wood": Look("table", _P.boards, _P.plain),
        "marble": Look("table", _P.marble, _P.plain),
        "tiles": Look("table", _P.tiles, _P.plain),
        "concrete": Look("room", _P.concrete, _P.concrete, 1.5),
        "terrazzo": Look("table", _P.terrazzo, _P.plain),
        "linen": Look("cloth", _P.linen, _P.linen, 1.6),
        "stripes": Look("cloth", _P.stripes, _P.stripes, 1.6),
        "dots": Look("cloth", _P.dots, _P.dots, 1.6),
        "gingham": Look("table", _P.gingham, _P.plain),
        "checkers": Look("room", _P.checkers, _P.plain, 1.6),
        "herringbone": Look("room", _P.herringbone, _P.plain, 1.6),
        "brick": Look("table", _P.boards, _P.bricks),
        "shelf": Look("room", _shelf, _P.plain, 0.75),
        "bokeh": Look("table", _P.plain, _bokeh, 2.6),
        "metal": Look("table", _P.brushed, _P.plain),
        "sand": Look("land", _P.sand, _sky, 6.0),
        "grass": Look("land", _P.grass, _sky, 6.0),
        "window": Look("cloth", _window, _window, 1.5),
        "panels": Look("room", _P.boards, _panels, 1.5),
        "slats": Look("room", _P.plain, _slats, 1.5),
        "curtain": Look("room", _P.plain, _curtain, 1.4),
        "duo": Look("room", _P.plain, _P.plain, 1.0),
    }
)
"""What every kind of backdrop is made of."""


@no_type_check
def paint_sheet(
    xp: ModuleType,
    kind: BackdropKind,
    sheet: Sheet,
    origin: RGBValues,
    way: RGBValues,
) -> tuple[RGBValues, Values, Values]:
    """Floor and backdrop where nothing stands on them, in neutral light.

    Args:
      xp: NumPy or `jax.numpy`.
      kind: of the backdrop.
      sheet: its parameters.
      origin: the camera.
      way: unit directions of the rays.

    Returns:
      The colour's channels, the share of the wall (0 floor, 1 wall), and the distance
      along the ray to the floor.
    """
    look = LOOKS[kind]
    below = xp.minimum(way[1], -1e-4)
    along = -origin[1] / below
    x, z = origin[0] + along * way[0], origin[2] + along * way[2]
    wall = _wall_share(xp, look, way, z)
    # Near the horizon, behind the wall, places are far: there patterns are not seen.
    u, v = xp.clip(x, -12.0, 12.0), xp.maximum(z, -12.0)
    reach = (look.away + origin[2]) / xp.maximum(-way[2], 1e-2)
    right, up = origin[0] + reach * way[0], origin[1] + reach * way[1]
    floor_grade, wall_grade = _grades(xp, look, way, (u, v), up)
    ground = Ground(sheet.tone, sheet.accent, sheet.phase)
    if look.set == "cloth":
        # One cloth: its length goes on from the floor to the wall.
        u, v = u + (right - u) * wall, -v + (look.away + up + v) * wall
        low = high = look.floor(xp, ground, u, v)
    else:
        low = look.floor(xp, ground, u, v)
        high = look.wall(xp, ground._replace(tone=sheet.wall), right, up)
    if look.set == "land":
        # What is finer than a ray is wide, far away, shows its mean.
        low = mix(times(sheet.tone, 0.9), low, smoothstep(xp, -0.08, -0.22, way[1]))
    color = mix(times(low, floor_grade), times(high, wall_grade), wall)
    return color, wall, along


@no_type_check
def _wall_share(xp: ModuleType, look: Look, way: RGBValues, z: Values) -> Values:
    if look.set == "table":
        share = smoothstep(xp, -1.30, -1.36, z)
    elif look.set in ("room", "cloth"):
        share = smoothstep(xp, 0.0, -0.02, z + look.away)
    elif look.set == "land":
        share = smoothstep(xp, -3.5, -7.0, z)
    else:
        # Seamless paper rolls up behind the product.
        share = smoothstep(xp, -0.4, -5.5, z)
    return xp.where(way[1] < -1e-4, share, 1.0)


@no_type_check
def _grades(
    xp: ModuleType,
    look: Look,
    way: RGBValues,
    floor: tuple[Values, Values],
    up: Values,
) -> tuple[Values, Values]:
    """Brightness of floor and wall: a pool of light in front, dimmer above."""
    if look.set == "white":
        return 1.0, 1.0
    height = smoothstep(xp, -0.35, 0.25, way[1])
    if look.set == "table":
        return 1.0, 1.0 - 0.28 * height
    x, z = floor
    pool = xp.exp(-(x * x + (z - 0.2) * (z - 0.2)) * 0.22)
    if look.set == "gradient":
        return 0.78 + 0.22 * pool, 0.78 - 0.28 * height
    if look.set == "paper":
        return 0.90 + 0.10 * pool, 0.90 - 0.06 * height
    if look.set == "land":
        return 1.0, 1.0
    # Little light reaches the corner where the wall stands on the floor.
    low, high = xp.abs(z + look.away), xp.maximum(up, 0.0)
    low_corner, high_corner = 0.16 * xp.exp(-5.0 * low), 0.16 * xp.exp(-5.0 * high)
    return 0.92 + 0.08 * pool - low_corner, 0.94 - 0.16 * height - high_corner
