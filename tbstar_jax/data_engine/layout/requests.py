"""The facts of an edit as instructions in English and Chinese."""

import string
from collections.abc import Mapping

from tbstar_jax.data_engine.facts import Facts, Language
from tbstar_jax.data_engine.layout.edit import Wording
from tbstar_jax.data_engine.layout.phrases_en import ENGLISH
from tbstar_jax.data_engine.layout.phrases_zh import CHINESE
from tbstar_jax.data_engine.layout.vocabulary import (
    DESTINATIONS,
    DIRECTIONS,
    LANGUAGES,
    POSITIONS,
)
from tbstar_jax.errors import UserError

_WITH_ARTICLE = ("color", "new_color", "object", "new_object", "new_background")


def requests(
    wording: Wording, facts: Facts, max_bytes: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Phrases an edit.

    Args:
      wording: how it is asked for.
      facts: what is true of it.
      max_bytes: longest instruction, UTF-8 bytes.

    Returns:
      English and Chinese phrasings, at least one of each.

    Raises:
      UserError: no phrasing is short enough.
    """
    english = _fill(ENGLISH[wording], slots(facts, "en"), max_bytes)
    chinese = _fill(CHINESE[wording], slots(facts, "zh"), max_bytes)
    if not english or not chinese:
        raise UserError(
            f"no instruction for {wording!r} fits into {max_bytes} bytes; allow at "
            "least 96"
        )
    return english, chinese


def slots(facts: Facts, language: Language) -> dict[str, str]:
    """What phrases of a language can say of an edit: only what is known."""
    known = facts.to_json()
    filled: dict[str, str] = {}
    for name, value in known.items():
        stem, _, suffix = name.rpartition("_")
        if stem and suffix == language:
            filled[stem] = str(value)
        elif name in ("text", "new_text"):
            filled[name] = str(value)
    tables = (
        ("at", POSITIONS, facts.position),
        ("new_at", POSITIONS, facts.new_position),
        ("to", DESTINATIONS, facts.new_position),
        ("toward", DIRECTIONS, facts.direction),
    )
    for slot, table, value in tables:
        if value is not None:
            filled[slot] = table[value].of(language)
    for slot in ("text", "new_text"):
        if slot in filled:
            quoted = f'"{filled[slot]}"' if language == "en" else f"“{filled[slot]}”"
            filled[slot.replace("text", "quoted")] = quoted
    for slot, spoken in (
        ("language", facts.text_language),
        ("new_language", facts.new_text_language),
    ):
        if spoken is not None:
            filled[slot] = LANGUAGES[spoken].of(language)
    if language == "en":
        for slot in _WITH_ARTICLE:
            if slot in filled:
                filled[f"a_{slot}"] = _with_article(filled[slot])
    return filled


def _fill(
    phrases: tuple[str, ...], filled: Mapping[str, str], max_bytes: int
) -> tuple[str, ...]:
    texts = [
        phrase.format_map(filled)
        for phrase in phrases
        if all(slot in filled for slot in slots_of(phrase))
    ]
    fitting = [text for text in texts if len(text.encode()) <= max_bytes]
    return tuple(dict.fromkeys(fitting))


def slots_of(phrase: str) -> set[str]:
    """The names of the slots in a phrase."""
    return {slot for _, slot, _, _ in string.Formatter().parse(phrase) if slot}


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
