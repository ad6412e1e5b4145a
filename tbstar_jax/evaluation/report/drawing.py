"""A figure as shapes: drawn once, shown as SVG in the page and as PNG beside it.

Lengths are CSS pixels, y grows downwards. A colour is `#rrggbb`, or the name of a role
that is dark on light or light on dark as the reader likes it.
"""

import dataclasses
from typing import Literal, TypeAlias

Length: TypeAlias = float | int
"""CSS pixels."""

Role: TypeAlias = Literal["ink", "muted", "rule", "ground", "band"]

LIGHT: dict[str, str] = {
    "ink": "#1d1d1f",
    "muted": "#5c5c61",
    "rule": "#d9d9de",
    "ground": "#ffffff",
    "band": "#f2f2f5",
}
"""Roles on a light ground: those of PNG files."""

DARK: dict[str, str] = {
    "ink": "#ececf0",
    "muted": "#a9a9b2",
    "rule": "#3b3b42",
    "ground": "#161618",
    "band": "#232327",
}
"""The same on a dark one."""

BLUE, ORANGE, GREY = "#2f7fd0", "#cf620c", "#85858c"
"""Of data: 3:1 against both grounds, and apart for every kind of colour vision."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
    """Straight lines through points."""

    points: tuple[tuple[Length, Length], ...]
    color: str
    width: Length = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rect:
    """A filled rectangle; `hint` is shown where the pointer rests."""

    x: Length
    y: Length
    width: Length
    height: Length
    color: str
    hint: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dot:
    """A circle: filled, or the ring of one."""

    x: Length
    y: Length
    radius: Length
    color: str
    is_filled: bool = True
    hint: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Text:
    """A line of text; y is its baseline."""

    x: Length
    y: Length
    text: str
    size: Length = 12.0
    color: str = "ink"
    anchor: Literal["start", "middle", "end"] = "start"
    is_bold: bool = False


Shape: TypeAlias = Line | Rect | Dot | Text


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure.

    Attributes:
      title: what it shows, in a sentence: its alternative text.
      width: of the canvas.
      height: of the canvas.
      shapes: the later ones over the earlier.
    """

    title: str
    width: Length
    height: Length
    shapes: tuple[Shape, ...]


def moved(shape: Shape, x: Length, y: Length) -> Shape:
    """The shape elsewhere."""
    if isinstance(shape, Line):
        points = tuple((a + x, b + y) for a, b in shape.points)
        return dataclasses.replace(shape, points=points)
    return dataclasses.replace(shape, x=shape.x + x, y=shape.y + y)


def beside(title: str, drawings: tuple[Drawing, ...], gap: Length = 24.0) -> Drawing:
    """Drawings from left to right, their tops in a line."""
    shapes: list[Shape] = []
    left = 0.0
    for drawing in drawings:
        shapes += [moved(shape, left, 0.0) for shape in drawing.shapes]
        left += drawing.width + gap
    return Drawing(
        title=title,
        width=left - gap,
        height=max(drawing.height for drawing in drawings),
        shapes=tuple(shapes),
    )


def cut(text: str, num_characters: int) -> str:
    """A name that fits; what is cut is told by an ellipsis."""
    text = " ".join(text.split())
    if len(text) <= num_characters:
        return text
    return text[: num_characters - 1].rstrip() + "…"
