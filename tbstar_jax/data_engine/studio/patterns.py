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


FLAT = 0.02
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


class Stone(NamedTuple):
    """The irregular cell that a place lies in.

    Attributes:
      x: place from its middle, in sizes.
      y: likewise.
      number: its own, -1 to 1.
      border: how much farther the next middle is, in sizes; 0 at its border.
    """

    x: Values
    y: Values
    number: Values
    border: Values


class Scale(NamedTuple):
    """The disc that a place lies on, of rows of discs that cover each other.

    Attributes:
      x: place from its middle, in radii.
      y: likewise, 0 to 1: of every disc the upper part is seen.
      far: distance from its middle, in radii, at most 1.
      number: its own, -1 to 1.
    """

    x: Values
    y: Values
    far: Values
    number: Values


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
def stones(xp: ModuleType, u: Values, v: Values, size: float) -> Stone:
    """Cuts the plane into irregular rounded cells: those nearest to scattered points.

    Only the four points of the squares around a place are asked, which are scattered
    little enough that no other is nearer but at a few corners.
    """
    a, b = u / size, v / size
    i, j = xp.floor(a), xp.floor(b)
    a, b = a - i, b - j
    nearest = second = x = y = number = None
    for di, dj in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        one = own(xp, i + di, j + dj)
        # Large factors here would need more digits than single precision has.
        other = xp.sin(one * 5.0 + 1.3 * (i + di) + 2.9 * (j + dj))
        off_x, off_y = a - di - 0.27 * one, b - dj - 0.27 * other
        far = off_x * off_x + off_y * off_y
        if nearest is None:
            nearest, second, x, y, number = far, far + 9.0, off_x, off_y, one
            continue
        is_nearer = far < nearest
        second = xp.minimum(second, xp.maximum(far, nearest))
        nearest = xp.minimum(nearest, far)
        x, y = xp.where(is_nearer, off_x, x), xp.where(is_nearer, off_y, y)
        number = xp.where(is_nearer, one, number)
    border = xp.sqrt(second) - xp.sqrt(nearest)
    return Stone(x, y, number, border)


@no_type_check
def scale(xp: ModuleType, u: Values, v: Values, radius: float) -> Scale:
    """Covers the plane with rows of discs, each row in front of the one above it."""
    step = 0.5 * radius
    row = xp.floor(v / step)
    front = row - 1.0
    a = u / (2.0 * radius) + 0.5 * front
    b = a + 0.5
    i, j = xp.floor(a), xp.floor(b)
    y = (v - front * step) / radius
    x, behind_x, behind_y = 2.0 * (a - i) - 1.0, 2.0 * (b - j) - 1.0, y - 0.5
    far = xp.sqrt(x * x + y * y)
    is_front = far < 1.0
    behind = xp.sqrt(behind_x * behind_x + behind_y * behind_y)
    number = own(xp, xp.where(is_front, i, j), xp.where(is_front, front, row))
    return Scale(
        xp.where(is_front, x, behind_x),
        xp.where(is_front, y, behind_y),
        xp.where(is_front, far, xp.minimum(behind, 1.0)),
        number,
    )
