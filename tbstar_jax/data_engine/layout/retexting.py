"""Other words in the same place: a text, its translation, a price."""

import dataclasses

import numpy as np

from tbstar_jax.data_engine.facts import Facts, Language
from tbstar_jax.data_engine.layout import vocabulary
from tbstar_jax.data_engine.layout.card import Badge, Card, Price, Text
from tbstar_jax.data_engine.layout.edit import Edit, Wording
from tbstar_jax.data_engine.layout.naming import kind_facts, text_facts
from tbstar_jax.data_engine.layout.sampling import Base, PartId, fill_card
from tbstar_jax.data_engine.layout.vocabulary import Words
from tbstar_jax.data_engine.render.sampling import choose

_CHOICES: dict[PartId, tuple[Words, ...]] = {
    "headline": vocabulary.HEADLINES,
    "note": vocabulary.NOTES,
    "badge": vocabulary.BADGES,
}
_KINDS: tuple[PartId, ...] = ("headline", "headline", "note", "badge", "price")


def replace_text(
    rng: np.random.Generator, base: Base, language: Language
) -> Edit | None:
    """Changes what one part says: other words, the same in another language, a price.

    Args:
      rng: source of random numbers.
      base: what the parts are put on.
      language: of the new text; a price in yuan counts as Chinese.

    Returns:
      The edit, or None where the part finds no room.
    """
    id = choose(rng, _KINDS)
    before = fill_card(rng, base, (id,), int(rng.integers(1, 3)))
    if before is None:
        return None
    part = before.part(id)
    if isinstance(part, Price):
        return _replace_price(rng, before, part, language)
    assert isinstance(part, (Text, Badge))
    is_translation = rng.random() < 0.25
    other: Language = "zh" if language == "en" else "en"
    old_language = other if is_translation else language
    old = choose(rng, _CHOICES[id])
    new = old
    if not is_translation:
        new = choose(rng, [words for words in _CHOICES[id] if words != old])
    part = dataclasses.replace(part, text=old.of(old_language), language=old_language)
    changed = dataclasses.replace(part, text=new.of(language), language=language)
    wording: Wording = "text_translate" if is_translation else "text_replace"
    return _edit(before.plus(part), part, changed, language, wording)


def _replace_price(
    rng: np.random.Generator, before: Card, part: Price, language: Language
) -> Edit:
    sign = "¥" if language == "zh" else "$"
    old, new = (
        vocabulary.PRICES[int(k)]
        for k in rng.permutation(len(vocabulary.PRICES) - 1)[:2]
    )
    # The struck price stays, so it must be higher than both.
    struck = sign + vocabulary.PRICES[-1] if part.old_text else None
    part = dataclasses.replace(part, text=sign + old, old_text=struck)
    changed = dataclasses.replace(part, text=sign + new)
    return _edit(before.plus(part), part, changed, language, "price_replace")


def _edit(
    before: Card,
    part: Text | Badge | Price,
    changed: Text | Badge | Price,
    language: Language,
    wording: Wording,
) -> Edit:
    return Edit(
        task=f"text_replace_{language}",
        before=before,
        after=before.plus(changed),
        wording=wording,
        facts=Facts(
            **kind_facts(part),
            **text_facts(part),
            **text_facts(changed, "new_"),
            position=part.place,
        ),
    )
