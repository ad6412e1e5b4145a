"""Random parts for a card: where they fit, in colours that can be read there."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from tbstar_jax.data_engine.facts import Language, Position
from tbstar_jax.data_engine.layout import vocabulary
from tbstar_jax.data_engine.layout.card import (
    Badge,
    Card,
    Code,
    Damage,
    Form,
    Frame,
    FrameForm,
    Light,
    LightKind,
    Logo,
    MarkPattern,
    Part,
    Placed,
    Price,
    Rect,
    Text,
    Watermark,
)
from tbstar_jax.data_engine.layout.placement import (
    Grounds,
    contrast,
    distinct_fills,
    free_places,
    legible_inks,
)
from tbstar_jax.data_engine.layout.shapes import ASPECTS
from tbstar_jax.data_engine.layout.vocabulary import Words
from tbstar_jax.data_engine.render.logos import LogoForm
from tbstar_jax.data_engine.render.sampling import choose, uniform
from tbstar_jax.data_engine.render.scene import RGB, Color, color_by_id

PartId: TypeAlias = Literal["headline", "note", "price", "badge", "logo", "code"]
"""What can be placed on a card; also the id of the part."""

EDGES: tuple[Position, ...] = (
    "top left",
    "top right",
    "bottom left",
    "bottom right",
    "top",
    "bottom",
    "left",
    "right",
)
CORNERS: tuple[Position, ...] = EDGES[:4]

_GLOWS: tuple[LightKind, ...] = ("left", "right", "top")
_INK_CHOICES = ("white", "black", "yellow", "red", "blue")
_PATTERNS: tuple[MarkPattern, ...] = (
    "diagonal",
    "tiled",
    "tiled",
    "corner",
    "band",
)
_LIGHT_PLATE: RGB = (252, 252, 250)
_DARK_PLATE: RGB = (34, 34, 38)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Base:
    """What parts are put on.

    Attributes:
      card: backdrop, and the product if there is one.
      grounds: the pictures that may lie below the parts, before and after the edit.
      taken: where no part may lie.
      language: most texts are written in it.
      margin: distance of parts from the edges, fraction of the canvas.
      noun: what the product is, if that is known.
      color: the product's colour, likewise.
    """

    card: Card
    grounds: Grounds
    taken: tuple[Rect, ...]
    language: Language
    margin: float
    noun: Words | None
    color: Color | None


def sample_part(
    rng: np.random.Generator, base: Base, id: PartId, taken: Sequence[Rect]
) -> Placed | None:
    """Draws a part and a free place for it.

    Args:
      rng: source of random numbers.
      base: what it is put on.
      id: what is wanted.
      taken: where other parts lie.

    Returns:
      The part, or None where there is no room for it.
    """
    form: Form = choose(rng, tuple(ASPECTS))
    found = _place(rng, base, taken, _extents(rng, base, id, form))
    if found is None:
        return None
    place, rect = found
    match id:
        case "headline" | "note":
            return _text(rng, base, id, place, rect)
        case "price":
            return _price(rng, base, place, rect)
        case "badge":
            return sample_badge(rng, base, form, place, rect)
        case "logo":
            return sample_logo(rng, base, place, rect)
        case "code":
            seed = int(rng.integers(2**31))
            return Code(id="code", rect=rect, place=place, seed=seed)


def _extents(
    rng: np.random.Generator, base: Base, id: PartId, form: Form
) -> list[tuple[tuple[float, float], Sequence[Position]]]:
    """Heights and widths to be tried, and where; fractions of the canvas."""
    rows, columns = base.card.size
    tall, wide = min(rows, columns) / rows, min(rows, columns) / columns
    match id:
        case "headline":
            return [
                ((0.14 * tall, 0.84), ("top", "bottom")),
                ((0.20 * tall, 0.40), ("top left", "top right", "left", "right")),
            ]
        case "note":
            return [
                ((0.085 * tall, 0.60), ("bottom", "top")),
                ((0.085 * tall, 0.44), CORNERS),
            ]
        case "price":
            return [((0.13 * tall, 0.36 * wide), ("bottom", *CORNERS, "left", "right"))]
        case "badge":
            aspect = ASPECTS[form]
            height = uniform(rng, 0.22, 0.27) if aspect < 1.5 else 0.14
            return [((height * tall, height * aspect * wide), EDGES)]
        case "logo":
            return [((0.10 * tall, 0.36 * wide), (*CORNERS, "top", "bottom"))]
        case "code":
            return [((0.21 * tall, 0.21 * wide), (*CORNERS, "left", "right"))]


def _place(
    rng: np.random.Generator,
    base: Base,
    taken: Sequence[Rect],
    extents: Sequence[tuple[tuple[float, float], Sequence[Position]]],
) -> tuple[Position, Rect] | None:
    for extent, places in extents:
        free = free_places(extent, places, (*base.taken, *taken), base.margin)
        if free:
            return choose(rng, free)
    return None


def sample_language(rng: np.random.Generator, base: Base) -> Language:
    """Draws the card's language, or sometimes the other."""
    other: Language = "zh" if base.language == "en" else "en"
    return base.language if rng.random() < 0.85 else other


def _text(
    rng: np.random.Generator,
    base: Base,
    id: Literal["headline", "note"],
    place: Position,
    rect: Rect,
) -> Text:
    choices = vocabulary.HEADLINES if id == "headline" else vocabulary.NOTES
    language = sample_language(rng, base)
    tones = base.grounds.tones(rect)
    inks = legible_inks(tones)
    is_plain = base.grounds.is_even(rect) and bool(inks) and rng.random() < 0.75
    plate, outline = None, None
    if is_plain:
        ink = choose(rng, inks)
    elif rng.random() < 0.5 or id == "note":
        plate = _fill(rng, tones)
        ink = _ink_on(rng, plate.rgb)
    else:
        ink = color_by_id(choose(rng, _INK_CHOICES))
        outline = _DARK_PLATE if contrast(ink.rgb, _DARK_PLATE) > 4 else _LIGHT_PLATE
    side = place.split()[-1]
    return Text(
        id=id,
        kind=id,
        rect=rect,
        place=place,
        text=choose(rng, choices).of(language),
        language=language,
        ink=ink,
        weight="bold" if id == "headline" else "regular",
        align="left" if side == "left" else "right" if side == "right" else "center",
        outline=outline,
        plate=plate,
    )


def _price(rng: np.random.Generator, base: Base, place: Position, rect: Rect) -> Price:
    sign = "¥" if sample_language(rng, base) == "zh" else "$"
    index = int(rng.integers(len(vocabulary.PRICES) - 1))
    old = None
    if rng.random() < 0.5:
        old = sign + choose(rng, vocabulary.PRICES[index + 1 :])
    plate = _fill(rng, base.grounds.tones(rect))
    return Price(
        id="price",
        rect=rect,
        place=place,
        text=sign + vocabulary.PRICES[index],
        old_text=old,
        ink=_ink_on(rng, plate.rgb),
        plate=plate,
    )


def sample_badge(
    rng: np.random.Generator, base: Base, form: Form, place: Position, rect: Rect
) -> Badge:
    """Draws a badge of a form for a given place."""
    language = sample_language(rng, base)
    fill = _fill(rng, base.grounds.tones(rect))
    is_turned = form in ("circle", "burst") and rng.random() < 0.4
    return Badge(
        id="badge",
        rect=rect,
        place=place,
        form=form,
        text=choose(rng, vocabulary.BADGES).of(language),
        language=language,
        fill=fill,
        ink=_ink_on(rng, fill.rgb),
        turn=12.0 if is_turned else 0.0,
        shadow=0.35 if rng.random() < 0.5 else 0.0,
    )


def sample_logo(
    rng: np.random.Generator, base: Base, place: Position, rect: Rect
) -> Logo:
    """Draws a logo for a given place."""
    language = sample_language(rng, base)
    tones = base.grounds.tones(rect)
    plate = _LIGHT_PLATE if contrast(tones[0], _LIGHT_PLATE) > 1.3 else _DARK_PLATE
    form: LogoForm = choose(rng, tuple(vocabulary.LOGO_NOUNS))
    return Logo(
        id="logo",
        rect=rect,
        place=place,
        form=form,
        name=choose(rng, vocabulary.BRANDS).of(language),
        language=language,
        fill=choose(rng, legible_inks([plate], 3.5)),
        plate=plate,
    )


def other_fill(
    rng: np.random.Generator, base: Base, part: Badge | Price
) -> Color | None:
    """Draws another colour for a part, on which its ink can still be read, if any."""
    old = part.fill if isinstance(part, Badge) else part.plate
    choices = [
        color
        for color in distinct_fills([old.rgb, *base.grounds.tones(part.rect)])
        if contrast(color.rgb, part.ink.rgb) >= 3.0
    ]
    return choose(rng, choices) if choices else None


def _fill(rng: np.random.Generator, tones: Sequence[RGB]) -> Color:
    return choose(rng, distinct_fills(tones) or distinct_fills(tones[:1]))


def _ink_on(rng: np.random.Generator, fill: RGB) -> Color:
    inks = legible_inks([fill])
    plain = [ink for ink in inks if ink.id in ("white", "black", "yellow")]
    return choose(rng, plain or inks)


def sample_watermark(rng: np.random.Generator, base: Base) -> Watermark:
    """Draws a watermark that can be seen on the base."""
    language = sample_language(rng, base)
    brightness = float(np.mean(base.grounds.pictures[0]))
    pattern = choose(rng, _PATTERNS)
    is_corner = pattern == "corner"
    return Watermark(
        id="watermark",
        text=choose(rng, vocabulary.MARKS).of(language),
        language=language,
        pattern=pattern,
        gray=int(rng.integers(20, 70)) if brightness > 150 else 255,
        opacity=uniform(rng, 0.55, 0.8) if is_corner else uniform(rng, 0.3, 0.55),
        turn=choose(rng, (30.0, 30.0, 45.0, -30.0)),
    )


def sample_light(rng: np.random.Generator, base: Base) -> Light:
    """Draws dark corners, or a light that can be seen on the base."""
    brightness = float(np.mean(base.grounds.pictures[0]))
    is_dark = brightness > 170 or rng.random() < 0.4
    kinds: tuple[LightKind, ...] = ("vignette",) if is_dark else _GLOWS
    return Light(
        id="light",
        kind=choose(rng, kinds),
        strength=uniform(rng, 0.5, 0.75),
    )


def sample_damage(rng: np.random.Generator, base: Base) -> Damage:
    """Draws scratches, dust or a stain that can be seen on the base."""
    brightness = float(np.mean(base.grounds.pictures[0]))
    return Damage(
        id="damage",
        kind=choose(rng, tuple(vocabulary.DAMAGE_NOUNS)),
        seed=int(rng.integers(2**31)),
        gray=70 if brightness > 150 else 240,
    )


def sample_frame(rng: np.random.Generator, base: Base) -> Frame:
    """Draws a border; parts keep clear of it when the base's margin is 0.07 or more."""
    tones = base.grounds.tones(Rect(top=0.0, left=0.0, height=0.05, width=1.0))
    forms: tuple[FrameForm, ...] = ("line", "double", "corners")
    return Frame(
        id="frame",
        form=choose(rng, forms),
        fill=_fill(rng, tones),
        thickness=uniform(rng, 0.014, 0.024),
    )


def fill_card(
    rng: np.random.Generator, base: Base, wanted: Sequence[PartId], num_others: int
) -> Card | None:
    """Puts parts on a base.

    Args:
      rng: source of random numbers.
      base: what they are put on.
      wanted: parts that must be there.
      num_others: most further parts; fewer where there is no room.

    Returns:
      The card, or None where there is no room for all that is wanted.
    """
    parts: list[Part] = []
    taken: list[Rect] = []
    others = [id for id in _OTHERS if id not in wanted]
    order = rng.permutation(len(others))
    chosen: list[PartId] = [*wanted, *(others[int(k)] for k in order[:num_others])]
    for position, id in enumerate(chosen):
        part = sample_part(rng, base, id, taken)
        if part is not None:
            parts.append(part)
            taken.append(part.rect)
        elif position < len(wanted):
            return None
    card = base.card.plus(*parts)
    return card.plus(sample_frame(rng, base)) if base.margin >= 0.07 else card


_OTHERS: tuple[PartId, ...] = ("headline", "note", "price", "badge", "logo", "code")
