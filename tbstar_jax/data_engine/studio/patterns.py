"""What floors and walls are made of: colour as a function of a place on them.

Every pattern is smooth or made of cells with soft borders, and none uses random
numbers: cells differ by sines of their numbers. `u` runs to the right, `v` towards the
viewer on a floor, upwards on a wall; lengths are the world's. Detail finer than a few
rays of a picture of 256 pixels is not drawn.
"""

from types import ModuleType
from typing import NamedTuple, TypeAlias, no_type_check

from tbstar_jax.data_engine.studio.fields import Values

RGBValues: TypeAlias = tuple[Values, Values, Values]


_FLAT = 0.02
"""Half width of a border that is seen at a flat angle, and so foreshortened."""


class Ground(NamedTuple):
    """What a pattern is drawn with.

    Attributes:
      tone: main colour, linear light.
      accent: second colour, linear light.
      phase: moves and changes the pattern, 0 to 1.
    """

    tone: RGBValues
    accent: RGBValues
    phase: Values


class Cell(NamedTuple):
    """The cell of a lattice that a place lies in.

    Attributes:
      x: place in it, -0.5 to 0.5.
      y: likewise.
      first: a number of the cell's own, -1 to 1.
      second: another.
    """

    x: Values
    y: Values
    first: Values
    second: Values


def smoothstep(xp: ModuleType, low: Values, high: Values, value: Values) -> Values:
    """0 below `low`, 1 above `high`, smooth between."""
    share = xp.clip((value - low) / (high - low), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def times(color: RGBValues, factor: Values) -> RGBValues:
    """A colour, brighter or darker."""
    return color[0] * factor, color[1] * factor, color[2] * factor


def mix(first: RGBValues, second: RGBValues, share: Values) -> RGBValues:
    """From `first` (share 0) to `second` (share 1)."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


@no_type_check
def own(xp: ModuleType, i: Values, j: Values) -> Values:
    """A number of a cell's own, -1 to 1, that neighbours do not share."""
    wave = xp.sin(i * 12.9898 + j * 78.233)
    return xp.sin(wave * 91.7 + i * 3.7 + j * 1.3)


@no_type_check
def cell(xp: ModuleType, u: Values, v: Values, size: float) -> Cell:
    """Cuts the plane into squares."""
    i, j = xp.floor(u / size), xp.floor(v / size)
    first, second = own(xp, i, j), own(xp, j + 7.0, i - 3.0)
    return Cell(u / size - i - 0.5, v / size - j - 0.5, first, second)


@no_type_check
def line(xp: ModuleType, value: Values, period: float, width: float) -> Values:
    """1 on lines across `value`, 0 between; soft borders."""
    share = value / period
    off = xp.abs(share - xp.floor(share + 0.5)) * period
    return 1.0 - smoothstep(xp, 0.5 * width, 0.5 * width + 0.012, off)


@no_type_check
def band(xp: ModuleType, value: Values, period: float, soft: float = 0.008) -> Values:
    """1 on every second of two bands of equal width, 0 on the other.

    Args:
      xp: NumPy or `jax.numpy`.
      value: place across the bands.
      period: width of two bands.
      soft: half width of a border.
    """
    share = value / period
    off = xp.abs(share - xp.floor(share) - 0.5)
    edge = soft / period
    return smoothstep(xp, 0.25 + edge, 0.25 - edge, off)


@no_type_check
def clouds(xp: ModuleType, u: Values, v: Values, phase: Values) -> Values:
    """Irregular blotches of three sizes, -1 to 1."""
    one = xp.sin(u * 1.9 + phase * 6.0 + 1.7 * xp.sin(v * 1.3 + phase * 3.0))
    one = one * xp.sin(v * 2.3 - 1.3 * xp.sin(u * 1.1 + phase))
    two = xp.sin(u * 5.3 + v * 1.9 + 2.1 * one) * xp.sin(v * 4.7 - u - 1.9 * one)
    three = xp.sin(u * 13.1 - v * 4.0 + 2.7 * two) * xp.sin(v * 11.9 + u + 2.3 * two)
    return 0.5 * one + 0.3 * two + 0.2 * three


@no_type_check
def plain(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """One colour."""
    return times(ground.tone, 1.0 + 0.0 * u)


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
def tiles(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Square tiles with grout of the accent."""
    phase = ground.phase
    off_u = xp.abs(u / 0.5 + phase - xp.floor(u / 0.5 + phase) - 0.5)
    off_v = xp.abs(v / 0.5 + phase - xp.floor(v / 0.5 + phase) - 0.5)
    share = smoothstep(xp, 0.5, 0.482, xp.maximum(off_u, off_v))
    return mix(ground.accent, ground.tone, share)


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
    both = band(xp, u + moved, 0.3) + band(xp, v + moved, 0.3, _FLAT)
    return mix((0.93, 0.93, 0.92), ground.accent, 0.5 * both)


@no_type_check
def checkers(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Squares of two colours in turn."""
    one = band(xp, u + 0.7 * ground.phase, 0.7)
    other = band(xp, v + 0.1, 0.7, _FLAT)
    return mix(ground.tone, ground.accent, one + other - 2.0 * one * other)


@no_type_check
def dots(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Round dots of the accent, every other row between the others."""
    row = xp.floor(v / 0.26)
    a = u / 0.3 + 0.5 * row + ground.phase
    x, y = 0.3 * (a - xp.floor(a) - 0.5), 0.26 * (v / 0.26 - row - 0.5)
    share = smoothstep(xp, 0.078, 0.064, xp.sqrt(x * x + y * y))
    return mix(ground.tone, ground.accent, share)


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
