"""Floor and backdrop of the studio: which patterns lie where, and how they are lit.

    ray --+-- meets the floor before its edge --> floor's pattern at (x, z) --+
          |                                                                   +--> mix
          +-- else, the wall behind it ---------> wall's pattern at (x, y) ---+

Colours are linear light; unshadowed white is exactly 1.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Literal, NamedTuple, TypeAlias, no_type_check

from tbstar_jax.data_engine.studio import cloths, grounds, tiles, walls
from tbstar_jax.data_engine.studio.fields import Values
from tbstar_jax.data_engine.studio.patterns import (
    Ground,
    RGBValues,
    mix,
    plain,
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


LOOKS: Mapping[BackdropKind, Look] = MappingProxyType(
    {
        "white": Look("white", plain, plain),
        "plain": Look("paper", plain, plain),
        "gradient": Look("gradient", plain, plain),
        "wood": Look("table", tiles.boards, plain),
        "marble": Look("table", grounds.marble, plain),
        "tiles": Look("table", tiles.tiles, plain),
        "concrete": Look("room", grounds.concrete, grounds.concrete, 1.5),
        "terrazzo": Look("table", grounds.terrazzo, plain),
        "linen": Look("cloth", cloths.linen, cloths.linen, 1.6),
        "stripes": Look("cloth", cloths.stripes, cloths.stripes, 1.6),
        "dots": Look("cloth", cloths.dots, cloths.dots, 1.6),
        "gingham": Look("table", cloths.gingham, plain),
        "checkers": Look("room", tiles.checkers, plain, 1.6),
        "herringbone": Look("room", tiles.herringbone, plain, 1.6),
        "brick": Look("table", tiles.boards, tiles.bricks),
        "shelf": Look("room", walls.shelf, plain, 0.75),
        "bokeh": Look("table", plain, walls.bokeh, 2.6),
        "metal": Look("table", grounds.brushed, plain),
        "sand": Look("land", grounds.sand, walls.sky, 6.0),
        "grass": Look("land", grounds.grass, walls.sky, 6.0),
        "window": Look("cloth", walls.window, walls.window, 1.5),
        "panels": Look("room", tiles.boards, walls.panels, 1.5),
        "slats": Look("room", plain, walls.slats, 1.5),
        "curtain": Look("room", plain, walls.curtain, 1.4),
        "duo": Look("room", plain, plain, 1.0),
        "hexagons": Look("table", plain, tiles.hexagons),
        "subway": Look("table", tiles.boards, tiles.subway),
        "scales": Look("table", tiles.boards, tiles.scales),
        "mosaic": Look("table", plain, tiles.mosaic),
        "basketweave": Look("room", tiles.basketweave, plain, 1.6),
        "chevron": Look("cloth", cloths.chevron, cloths.chevron, 1.6),
        "tartan": Look("cloth", cloths.tartan, cloths.tartan, 1.6),
        "argyle": Look("cloth", cloths.argyle, cloths.argyle, 1.6),
        "rattan": Look("cloth", cloths.rattan, cloths.rattan, 1.6),
        "waves": Look("table", tiles.boards, cloths.waves),
        "silk": Look("cloth", cloths.silk, cloths.silk, 1.6),
        "tufted": Look("room", plain, cloths.tufted, 1.4),
        "squares": Look("cloth", cloths.squares, cloths.squares, 1.6),
        "kraft": Look("cloth", cloths.kraft, cloths.kraft, 1.6),
        "cork": Look("cloth", grounds.cork, grounds.cork, 1.6),
        "travertine": Look("room", grounds.travertine, grounds.travertine, 1.5),
        "pebbles": Look("land", grounds.pebbles, walls.sky, 6.0),
        "snow": Look("land", grounds.snow, walls.sky, 6.0),
        "water": Look("land", grounds.water, walls.sky, 6.0),
        "alcove": Look("room", plain, walls.alcove, 1.2),
        "sunburst": Look("room", plain, walls.sunburst, 1.4),
        "foliage": Look("cloth", walls.foliage, walls.foliage, 1.5),
        "pegboard": Look("table", tiles.boards, walls.pegboard),
        "corrugated": Look("room", plain, walls.corrugated, 1.5),
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
