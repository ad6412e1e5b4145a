"""What a request presupposes: does it still make sense after an earlier edit?

After "make the red mug blue" there is no red mug, so "remove the ball beside the red
mug" no longer names anything. A request is stale when it uses a word for something the
earlier edit did away with; where that cannot be known, every request counts as stale.
"""

import re
from collections.abc import Sequence

from tbstar_jax.data_engine.augment.paraphrase.checks import quotes
from tbstar_jax.data_engine.augment.paraphrase.lexicon import color_ids
from tbstar_jax.data_engine.facts import Language, facts_of
from tbstar_jax.data_engine.language import language_of
from tbstar_jax.input_pipeline.records import EditRecord

_GONE: dict[str, str] = {
    "bg_white": "background",
    "bg_scene": "background",
    "recolor": "color",
    "material": "material",
    "text_remove": "text",
    "text_replace_en": "text",
    "text_replace_zh": "text",
    "object_remove": "object",
    "object_replace": "object",
    "light_shadow": "light",
    "layout": "layout",
    "repair_zoom": "defect",
}
"""The fact that holds before an edit and not after it, by task."""

_WATERMARK = {"en": "watermark", "zh": "水印"}

_NOTHING_GOES = ("text_add", "object_add", "identity")

_OWN_TEXTS_TELL = ("recolor", "text_remove", "text_replace_en", "text_replace_zh")
"""Tasks whose instructions name what goes in a way that is recognised."""


def gone_words(record: EditRecord, language: Language) -> tuple[str, ...] | None:
    """Words for what an edit did away with.

    Args:
      record: the edit.
      language: of the words.

    Returns:
      None of them where nothing goes; None where the record does not tell. Moved
      things are not told: where they were and are is said in many ways.

    Raises:
      UserError: the record's facts are not readable.
    """
    if record.task in _NOTHING_GOES:
        return ()
    facts = facts_of(record)
    if record.task == "watermark_remove":
        return (_WATERMARK[language], *((facts.text,) if facts.text else ()))
    name = _GONE.get(record.task, "")
    word = getattr(facts, name if name == "text" else f"{name}_{language}", None)
    if word is not None:
        return (word,)
    return () if record.task in _OWN_TEXTS_TELL else None


def is_stale(text: str, earlier: EditRecord) -> bool:
    """Whether a request names something that an earlier edit did away with.

    Args:
      text: the request, or a word of its facts.
      earlier: an edit of the same photo that has been made already.

    Raises:
      UserError: the facts of `earlier` are not readable.
    """
    words = gone_words(earlier, language_of(text) or "en")
    if words is None:
        return True
    if words:
        return says_any(text, words, earlier.task)
    return _shares_what_is_named(text, earlier)


def says_any(text: str, words: Sequence[str], task: str) -> bool:
    """Whether a text has one of the words that an edit of this task did away with."""
    if any(says(text, word) for word in words):
        return True
    # "red" and "reddish", 红色 and 红: other words, the same colour.
    named = {id for word in words for id in color_ids(word)}
    return task == "recolor" and not named.isdisjoint(color_ids(text))


def says(text: str, word: str) -> bool:
    """Whether a text has a word: whole words in Latin letters, anywhere in Chinese."""
    if word.isascii():
        pattern = rf"(?<!\w){re.escape(word.lower())}(?!\w)"
        return re.search(pattern, text.lower(), re.ASCII) is not None
    return word in text


def _shares_what_is_named(text: str, earlier: EditRecord) -> bool:
    """Without facts: colours and quoted texts that the earlier request names too."""
    if earlier.task not in _OWN_TEXTS_TELL:
        return False
    named: set[str] = set()
    for other in (*earlier.instructions_en, *earlier.instructions_zh):
        named |= _named(other)
    return not named.isdisjoint(_named(text))


def _named(text: str) -> set[str]:
    return {*color_ids(text), *(f'"{quote}"' for quote in quotes(text))}


def still_true(texts: Sequence[str], earlier: Sequence[EditRecord]) -> tuple[str, ...]:
    """The requests that none of the earlier edits made stale."""
    return tuple(
        text for text in texts if not any(is_stale(text, one) for one in earlier)
    )
