"""The colour of what rays meet: surfaces under studio lamps, floor and backdrop.

Colours are linear sRGB; 1 is the white of the image. Surfaces mirror a studio of two
strip lights over a dim room; glass shows the backdrop straight through, tinted. Floor
and backdrop are painted by `backdrops` and tinted here; pure white paper is exactly 1.
"""

from types import ModuleType
from typing import NamedTuple, get_args, no_type_check

from tbstar_jax.data_engine.studio.backdrops import Sheet, paint_sheet
from tbstar_jax.data_engine.studio.fields import (
    Body,
    Values,
    is_nothing,
    to_local,
    turn,
    turn_back,
)
from tbstar_jax.data_engine.studio.patterns import RGBValues, smoothstep
from tbstar_jax.data_engine.studio.scene import BackdropKind

_KINDS: tuple[BackdropKind, ...] = get_args(BackdropKind)
_SHOULDER = 0.72
"""Brightness above which surfaces are compressed instead of clipped."""


class Paint(NamedTuple):
    """What a thing is painted with.

    Attributes:
      slots: `[2 11]`, main and accent: colour, reflectance, roughness, metal, glass,
        wood, weave, grain, folds.
      plate: `[15]`: whether there is one, y, half width, half height, radius, plate
        colour, ink colour; left, top, right and bottom of its text's part, -1 to 1.
      print: `[u v]` ink of the plate, 0 to 1.
    """

    slots: Values
    plate: Values
    print: Values


class Lamps(NamedTuple):
    """The lamps and what they shine on.

    Attributes:
      light: `[4]`: unit direction to the key light, and its softness.
      key: `[3]`: colour of the key light.
      fill: `[]`: brightness of what comes from everywhere.
      sheet: `[11]`: tone, accent, wall's colour, phase, and the kind's number.
      tint: `[3]`: colour cast of the light on the sheet.
    """

    light: Values
    key: Values
    fill: Values
    sheet: Values
    tint: Values


def backdrop_number(kind: BackdropKind) -> int:
    """What stands for a kind of backdrop in `Lamps.sheet`."""
    return _KINDS.index(kind)


def kind_of(lamps: Lamps) -> BackdropKind:
    """The kind of backdrop; the sheet must be an array of NumPy's."""
    return _KINDS[int(lamps.sheet[10])]


def sheet_color(
    xp: ModuleType, lamps: Lamps, origin: RGBValues, way: RGBValues
) -> tuple[Values, ...]:
    """As `backdrop_color` of the lamps' own kind, which must be known."""
    return backdrop_color(xp, kind_of(lamps), lamps, origin, way)


def backdrop_color(
    xp: ModuleType, kind: BackdropKind, lamps: Lamps, origin: RGBValues, way: RGBValues
) -> tuple[Values, ...]:
    """Floor and backdrop where nothing stands on them.

    Args:
      xp: NumPy or `jax.numpy`.
      kind: of the backdrop: what it shows is chosen in Python, so that nothing is
        computed that is not seen.
      lamps: the lamps, and the sheet.
      origin: the camera.
      way: unit directions of the rays.

    Returns:
      The colour's three channels, and distance along the ray to the floor.
    """
    values = tuple(lamps.sheet[k] for k in range(10))
    sheet = Sheet(values[0:3], values[3:6], values[6:9], values[9])
    color, wall, along = paint_sheet(xp, kind, sheet, origin, way)
    shown = _each(lambda k: xp.minimum(color[k] * lamps.tint[k], 1.0))
    return (*shown, xp.where(wall < 1.0, along, 1e9))


def studio_light(
    xp: ModuleType, lamps: Lamps, way: RGBValues, roughness: Values
) -> RGBValues:
    """What a mirror sees in a direction: strip lights, room and floor.

    Args:
      xp: NumPy or `jax.numpy`.
      lamps: the lamps, and the sheet.
      way: unit directions.
      roughness: widens the lights' edges, 0 to 1.
    """
    dx, dy, dz = way
    soft = 0.035 + 0.55 * roughness * roughness + 0.12 * roughness
    flat = xp.sqrt(dx * dx + dz * dz) + 1e-6
    span = xp.sqrt(lamps.light[0] * lamps.light[0] + lamps.light[2] * lamps.light[2])
    span = span + 1e-6
    toward = (dx * lamps.light[0] + dz * lamps.light[2]) / (flat * span)
    beside = (dx * lamps.light[2] - dz * lamps.light[0]) / (flat * span)
    inside = smoothstep(xp, -0.62 - soft, -0.5 + soft, dy) * (
        1.0 - smoothstep(xp, 0.86 - soft, 0.93 + soft, dy)
    )
    key = smoothstep(xp, 0.90 - soft, 0.93 + soft, toward) * inside
    # The second strip stands behind the product, on the other side.
    angle = xp.abs(beside * 0.80 + toward * 0.60)
    rim = smoothstep(xp, 0.93 - soft, 0.96 + soft, angle) * inside
    rim = rim * (1.0 - smoothstep(xp, 0.70 - soft, 0.80 + soft, toward))
    top = smoothstep(xp, 0.80 - soft, 0.95 + soft, dy)
    room = 0.16 + 0.40 * smoothstep(xp, -0.3, 0.8, dy)
    up = smoothstep(xp, -0.60 - soft, -0.28 + soft, dy)
    dim = 1.0 / (1.0 + 1.4 * soft)
    return _each(
        lambda k: (
            (1.0 - up) * 0.62 * lamps.sheet[k]
            + up * lamps.fill * room * 1.6
            + dim * (3.0 * key * lamps.key[k] + 1.5 * rim + 0.6 * top)
        )
    )


@no_type_check
def _each(channel: object) -> RGBValues:
    assert callable(channel)
    return channel(0), channel(1), channel(2)


@no_type_check
def shade(
    xp: ModuleType,
    lamps: Lamps,
    body: Body,
    paint: Paint,
    *samples: Values,
) -> tuple[Values, ...]:
    """The colour of surface points of one thing.

    Args:
      xp: NumPy or `jax.numpy`.
      lamps: the lamps.
      body: the thing.
      paint: what it is painted with.
      *samples: point (3), normal (3), slot, ray's direction (3), shares of the key
        light and of the surroundings that arrive, the backdrop's colour behind (3).

    Returns:
      The colour's three channels, printed ink, and whether its text has room there.
    """
    x, y, z, nx, ny, nz, slot, dx, dy, dz, lit, is_open, *behind = samples
    at = to_local(xp, body, x, y, z)
    is_accent = slot > 0.5
    main, accent = paint.slots[0], paint.slots[1]
    values = [xp.where(is_accent, accent[k], main[k]) for k in range(11)]
    _, roughness, metal, glass = values[3], values[4], values[5], values[6]
    albedo = texture(xp, at, values)
    front = turn_back(body, nx, ny, nz)
    albedo, plate, *printed = _print(xp, paint, at, front, is_accent, albedo)
    metal, glass = metal * (1.0 - plate), glass * (1.0 - plate)
    reflectance = xp.where(plate > 0.5, 0.03, values[3])
    roughness = roughness + (0.5 - roughness) * plate
    if not is_nothing(xp, *paint.slots[:, 10]):
        nx, ny, nz = _tilted(xp, body, at, values, (nx, ny, nz), plate)
    facing = xp.clip(-(nx * dx + ny * dy + nz * dz), 0.0, 1.0)
    mirror = (dx + 2.0 * facing * nx, dy + 2.0 * facing * ny, dz + 2.0 * facing * nz)
    studio = studio_light(xp, lamps, mirror, roughness)
    grazing = (1.0 - facing) ** 5 * (1.0 - roughness) * 0.32
    toward = nx * lamps.light[0] + ny * lamps.light[1] + nz * lamps.light[2]
    sky = lamps.fill * (0.74 + 0.26 * ny) * is_open
    key, ground = xp.maximum(toward, 0.0) * lit, 0.16 * (1.0 - ny) * is_open
    # Reflections are dimmed where the surroundings are hidden.
    clear, shine = 0.35 + 0.65 * is_open, 0.45 + 0.55 * lit
    # A flat metal front mirrors a light that fades with height.
    brushed = 1.0 + metal * 0.38 * xp.sin(at[1] * 4.6 - at[0] * 1.4 - 1.2)

    def channel(k: int) -> Values:
        color = albedo[k]
        light = lamps.key[k] * key + sky + ground * lamps.sheet[k]
        diffuse = color * light * (1.0 - metal) * (1.0 - glass)
        base = reflectance + (color - reflectance) * metal
        mirrored = (base + (1.0 - base) * grazing) * studio[k] * clear
        mirrored = mirrored * (shine + (1.0 - shine) * metal) * brushed
        # Coloured glass takes more out of the light where the wall is seen edge on.
        thin = 1.18 - 0.28 / (0.35 + facing)
        through = glass * behind[k] * (0.12 + 0.88 * color) * thin
        return shoulder(xp, diffuse + mirrored + xp.maximum(through, 0.0))

    return (*_each(channel), *printed)


def shoulder(xp: ModuleType, value: Values) -> Values:
    """Brightness up to `_SHOULDER` as it is, above it ever slower towards 1.

    Args:
      xp: NumPy or `jax.numpy`.
      value: linear brightness, at least 0.
    """
    rest = 1.0 - _SHOULDER
    over = xp.maximum(value - _SHOULDER, 0.0) / rest
    return xp.minimum(value, _SHOULDER) + rest * (1.0 - xp.exp(-over))


def texture(xp: ModuleType, at: RGBValues, values: list[Values]) -> RGBValues:
    """The colour of a surface point with its wood grain or weave.

    Args:
      xp: NumPy or `jax.numpy`.
      at: points in the thing's own coordinates.
      values: a row of `Paint.slots`, per point or for all.
    """
    wood, weave, grain = values[7], values[8], values[9]
    x, y, z = at
    warp = 0.5 * xp.sin(y * 3.1 + grain * 9.0) + 0.3 * xp.sin(z * 4.7 + x * 3.9 + grain)
    radius = xp.sqrt((x + 0.9) * (x + 0.9) + (z + 0.5 * grain) * (z + 0.5 * grain))
    rings = xp.sin((radius + 0.03 * warp) * 95.0)
    pores = xp.sin(x * 160.0 + 12.0 * warp) * xp.sin(z * 150.0 + y * 6.0)
    tone = 0.86 + 0.15 * rings + 0.05 * pores
    brown = (0.42 * tone, 0.225 * tone * tone, 0.098 * tone * tone)
    thread = xp.sin(y * 150.0) * xp.sin((x + 0.6 * z) * 150.0)
    cloth = 1.0 - weave * (0.13 - 0.17 * thread)
    return _each(lambda k: (values[k] + (brown[k] - values[k]) * wood) * cloth)


def folded(xp: ModuleType, at: RGBValues, values: list[Values]) -> RGBValues:
    """The slope of a surface point in the soft folds of its cloth.

    Args:
      xp: NumPy or `jax.numpy`.
      at: points in the thing's own coordinates.
      values: a row of `Paint.slots`, per point or for all.

    Returns:
      What is added to the unit normal, in the thing's own coordinates.
    """
    grain, folds = values[9], values[10]
    x, y, z = at
    bend = xp.sin(y * 3.3 + x * 1.7 + grain * 9.0)
    long = 0.26 * folds * xp.cos(x * 19.0 + z * 13.0 + y * 6.0 + 1.8 * bend)
    bend = xp.sin(x * 4.1 + grain * 5.0)
    short = 0.20 * folds * xp.cos(y * 10.0 - x * 7.0 + z * 5.0 + 1.5 * bend)
    return (
        0.80 * long - 0.50 * short,
        0.25 * long + 0.75 * short,
        0.55 * long + 0.40 * short,
    )


@no_type_check
def _tilted(
    xp: ModuleType,
    body: Body,
    at: RGBValues,
    values: list[Values],
    normal: RGBValues,
    plate: Values,
) -> RGBValues:
    """The unit normal in the folds of its cloth; a printed plate is flat."""
    slope = turn(body, *folded(xp, at, values))
    x, y, z = (n + s * (1.0 - plate) for n, s in zip(normal, slope, strict=True))
    length = xp.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


def _print(
    xp: ModuleType,
    paint: Paint,
    at: RGBValues,
    front: RGBValues,
    is_accent: Values,
    albedo: RGBValues,
) -> tuple[RGBValues, Values, Values, Values]:
    """Lays the printed plate on the front: new colour, plate, ink, room."""
    on, middle, half_width, half_height, radius = (paint.plate[k] for k in range(5))
    x, y, z = at
    round_ = xp.where(radius > 0.0, xp.arctan2(x, z) * radius, x)
    u, v = round_ / half_width, (middle - y) / half_height
    is_front = (z > 0.0) & ((radius > 0.0) | (front[2] > 0.55)) & ~is_accent
    inside = (xp.abs(u) < 1.0) & (xp.abs(v) < 1.0) & is_front
    plate = xp.where(inside, on, 0.0)
    rows, columns = paint.print.shape
    column = xp.clip((u + 1.0) * 0.5 * columns - 0.5, 0.0, columns - 1.001)
    row = xp.clip((v + 1.0) * 0.5 * rows - 0.5, 0.0, rows - 1.001)
    left, top = xp.floor(column), xp.floor(row)
    across, down = column - left, row - top
    i, j = top.astype("int32"), left.astype("int32")
    upper = paint.print[i, j] * (1.0 - across) + paint.print[i, j + 1] * across
    lower = paint.print[i + 1, j] * (1.0 - across) + paint.print[i + 1, j + 1] * across
    ink = (upper * (1.0 - down) + lower * down) * plate
    start, above, end, below = (paint.plate[k] for k in range(11, 15))
    is_room = (u > start) & (u < end) & (v > above) & (v < below)

    def channel(k: int) -> Values:
        printed = paint.plate[5 + k] + (paint.plate[8 + k] - paint.plate[5 + k]) * ink
        return albedo[k] + (printed - albedo[k]) * plate

    return _each(channel), plate, ink, xp.where(is_room, plate, 0.0)
