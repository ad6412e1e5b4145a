"""What a card consists of: immutable parameters, no pixels.

A card is a backdrop (a photo, or drawn) under parts, lowest first. Two cards that
differ in one part are an editing pair. Lengths are fractions of the canvas's height
and width, so that a card can be drawn at any size; random textures are kept as seeds.
"""

import dataclasses
import hashlib
import json
from typing import Any, Literal, TypeAlias

from tbstar_jax.data_engine.facts import Language, Position
from tbstar_jax.data_engine.fonts.loader import Weight
from tbstar_jax.data_engine.render.logos import LogoForm
from tbstar_jax.data_engine.render.scene import RGB, Background, Color, Scene, Size

Form = Literal[
    "circle",
    "burst",
    "pill",
    "plate",
    "ribbon",
    "tag",
    "hexagon",
    "shield",
    "flag",
]
"""The outline of a badge or plate."""

Align = Literal["left", "center", "right"]
TextKind = Literal["headline", "note"]
FrameForm = Literal["line", "double", "corners"]
MarkPattern = Literal["diagonal", "tiled", "corner", "band"]
LightKind = Literal["vignette", "left", "right", "top"]
DamageKind = Literal["scratch", "dust", "stain"]
PromoKind = Literal["plain", "gradient", "rays", "dots", "split", "arc"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rect:
    """A rectangle, in fractions of the canvas's height and width."""

    top: float
    left: float
    height: float
    width: float

    def overlaps(self, other: "Rect", gap: float = 0.0) -> bool:
        """Whether the two come closer than `gap` in both directions."""
        return (
            self.top < other.top + other.height + gap
            and other.top < self.top + self.height + gap
            and self.left < other.left + other.width + gap
            and other.left < self.left + self.width + gap
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Text:
    """A line or block of text.

    Attributes:
      id: unique in the card.
      kind: how large and important it is.
      rect: the space it may fill.
      place: where that is, in words.
      text: what it says.
      language: of the text.
      ink: its colour.
      weight: of the font.
      align: of its lines.
      outline: contour of another colour, where the ground is uneven.
      plate: colour of an opaque plate below it.
    """

    id: str
    kind: TextKind
    rect: Rect
    place: Position
    text: str
    language: Language
    ink: Color
    weight: Weight
    align: Align
    outline: RGB | None
    plate: Color | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Price:
    """A price, with the old one struck through above it if there is one.

    Attributes:
      id: unique in the card.
      rect: the space it may fill.
      place: where that is, in words.
      text: the price with its currency sign.
      old_text: what it cost before.
      ink: colour of the print.
      plate: colour of the plate below it.
    """

    id: str
    rect: Rect
    place: Position
    text: str
    old_text: str | None
    ink: Color
    plate: Color


@dataclasses.dataclass(frozen=True, kw_only=True)
class Badge:
    """A coloured shape with a few words.

    Attributes:
      id: unique in the card.
      rect: the space it fills.
      place: where that is, in words.
      form: its outline.
      text: what it says.
      language: of the text.
      fill: colour of the shape.
      ink: colour of the text and the rim.
      turn: of the text, degrees counter-clockwise.
      shadow: opacity of the soft shadow below it, 0 for none.
    """

    id: str
    rect: Rect
    place: Position
    form: Form
    text: str
    language: Language
    fill: Color
    ink: Color
    turn: float
    shadow: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Logo:
    """An invented geometric mark with an invented name.

    Attributes:
      id: unique in the card.
      rect: the space it fills.
      place: where that is, in words.
      form: of the mark.
      name: the brand, printed beside the mark.
      language: of the name.
      fill: colour of mark and name.
      plate: RGB of the plate below it, which makes it legible anywhere.
    """

    id: str
    rect: Rect
    place: Position
    form: LogoForm
    name: str
    language: Language
    fill: Color
    plate: RGB


@dataclasses.dataclass(frozen=True, kw_only=True)
class Code:
    """A white sticker with a square pattern that looks like a QR code, and is none.

    Attributes:
      id: unique in the card.
      rect: the space it fills.
      place: where that is, in words.
      seed: of the pattern.
    """

    id: str
    rect: Rect
    place: Position
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """A border along the canvas; `thickness` in fractions of the shorter side."""

    id: str
    form: FrameForm
    fill: Color
    thickness: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watermark:
    """A semi-transparent text over the picture.

    Attributes:
      id: unique in the card.
      text: what it says.
      language: of the text.
      pattern: one diagonal word, the word all over, one in a corner, or a band.
      gray: brightness of the ink, 0..255.
      opacity: (0, 1).
      turn: degrees counter-clockwise; corner and band are not turned.
    """

    id: str
    text: str
    language: Language
    pattern: MarkPattern
    gray: int
    opacity: float
    turn: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Light:
    """Light or darkness over the whole picture; `strength` is its largest opacity."""

    id: str
    kind: LightKind
    strength: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Damage:
    """Scratches, dust or a stain over the picture; `gray` is its brightness, 0..255."""

    id: str
    kind: DamageKind
    seed: int
    gray: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Product:
    """A product of the renderer, drawn without the scene's background.

    Attributes:
      id: unique in the card.
      scene: its size must be the size the card is drawn at.
      has_shadow: whether it throws one.
    """

    id: str
    scene: Scene
    has_shadow: bool


Part: TypeAlias = (
    Text | Price | Badge | Logo | Code | Frame | Watermark | Light | Damage | Product
)
Placed: TypeAlias = Text | Price | Badge | Logo | Code
"""Parts that lie in a rectangle and can be moved."""

ORDER: tuple[type, ...] = (
    Product,
    Light,
    Frame,
    Code,
    Logo,
    Badge,
    Price,
    Text,
    Watermark,
    Damage,
)
"""Kinds of parts, lowest first."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Promo:
    """A flat two-coloured backdrop."""

    kind: PromoKind
    first: Color
    second: RGB


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photo:
    """A given picture as backdrop, known by the SHA-256 of its pixels."""

    digest: str


Backdrop: TypeAlias = Promo | Background | Photo


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """A picture's parameters.

    Attributes:
      size: rows and columns, pixels.
      backdrop: what lies below everything.
      parts: what lies above it, lowest first.
    """

    size: Size
    backdrop: Backdrop
    parts: tuple[Part, ...]

    def part(self, id: str) -> Part | None:
        """The part of this id, if the card has one."""
        return next((part for part in self.parts if part.id == id), None)

    def without(self, *ids: str) -> "Card":
        """The card without these parts."""
        kept = tuple(part for part in self.parts if part.id not in ids)
        return dataclasses.replace(self, parts=kept)

    def plus(self, *parts: Part) -> "Card":
        """The card with these parts: in place of those of their id, or in `ORDER`."""
        given = {part.id: part for part in parts}
        merged = [given.pop(part.id, part) for part in self.parts]
        merged = sorted(
            (*merged, *given.values()), key=lambda part: ORDER.index(type(part))
        )
        return dataclasses.replace(self, parts=tuple(merged))


def card_digest(card: Card) -> str:
    """SHA-256 over all parameters, hexadecimal: equal cards are equal pictures."""
    facts = [
        list(card.size),
        _tagged(card.backdrop),
        [_tagged(part) for part in card.parts],
    ]
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _tagged(part: Part | Backdrop) -> list[Any]:
    return [type(part).__name__, dataclasses.asdict(part)]
