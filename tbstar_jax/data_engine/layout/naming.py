"""Parts in words: the facts that name a part, its colour and what is written on it."""

from typing import Any

from tbstar_jax.data_engine.layout import vocabulary
from tbstar_jax.data_engine.layout.card import (
    Badge,
    Code,
    Logo,
    Part,
    Placed,
    Price,
    Product,
    Text,
    Watermark,
)
from tbstar_jax.data_engine.layout.vocabulary import Words
from tbstar_jax.data_engine.render.scene import Color


def worded(stem: str, words: Words) -> dict[str, Any]:
    """The two fields of `Facts` that hold a thing's name in both languages."""
    return {f"{stem}_en": words.en, f"{stem}_zh": words.zh}


def named_color(stem: str, color: Color) -> dict[str, Any]:
    """The two fields of `Facts` that hold a colour's name."""
    return worded(stem, Words(color.name_en, color.name_zh))


def noun_of(part: Part) -> Words:
    """What an instruction calls a part, without its colour."""
    match part:
        case Text():
            is_headline = part.kind == "headline"
            return vocabulary.HEADLINE_NOUN if is_headline else vocabulary.NOTE_NOUN
        case Price():
            return vocabulary.PRICE_PLATE_NOUN
        case Badge():
            return vocabulary.FORM_NOUNS[part.form]
        case Logo():
            return vocabulary.LOGO_NOUNS[part.form]
        case Code():
            return vocabulary.CODE_NOUN
        case Watermark():
            return vocabulary.WATERMARK_NOUN
        case Product():
            return Words(part.scene.family.name_en, part.scene.family.name_zh)
        case _:
            raise AssertionError(f"{type(part).__name__} has no name")


def color_of(part: Part) -> Color | None:
    """The colour a part is known by."""
    match part:
        case Text():
            return part.ink
        case Price():
            return part.plate
        case Badge() | Logo():
            return part.fill
        case Product():
            return part.scene.color
        case _:
            return None


def text_of(part: Part) -> str:
    """What is written on a part; empty where nothing is."""
    match part:
        case Text() | Price() | Badge() | Watermark():
            return part.text
        case Logo():
            return part.name
        case _:
            return ""


def object_facts(part: Placed | Product) -> dict[str, Any]:
    """A part as the object of an edit: noun, colour and place."""
    named, color = worded("object", noun_of(part)), color_of(part)
    if not isinstance(part, Product):
        named["position"] = part.place
    if isinstance(part, Logo):
        named["brands"] = (part.name,)
    return named | (named_color("color", color) if color else {})


def text_facts(part: Part, prefix: str = "") -> dict[str, Any]:
    """What is written on a part, in the source, or with prefix `new_` in the target."""
    if not text_of(part):
        return {}
    facts = {f"{prefix}text": text_of(part)}
    if isinstance(part, (Text, Badge, Logo, Watermark)):
        facts[f"{prefix}text_language"] = part.language
    return facts


def kind_facts(part: Part) -> dict[str, Any]:
    """What kind of text is on a part."""
    kinds = {Price: vocabulary.PRICE_NOUN, Badge: vocabulary.BADGE_TEXT_NOUN}
    noun = kinds[type(part)] if type(part) in kinds else noun_of(part)
    return worded("text_kind", noun)
