"""What a paraphrase or a translation must keep, and whether it did.

Numbers, quoted texts, brands, colours and positions are what an edit is about; a
rewriter that loses, swaps or invents one asks for another edit. The two texts may be in
different languages.
"""

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

from tbstar_jax.data_engine.augment.paraphrase.lexicon import (
    color_ids,
    goal_color_ids,
    numbers,
    position_ids,
)
from tbstar_jax.data_engine.language import language_of

Problem: TypeAlias = Literal[
    "empty", "language", "length", "quote", "number", "brand", "color", "position"
]
"""What is wrong with a paraphrase: the first check that it fails."""

MAX_RATIO = 5
"""A rewritten text is at most this many times longer or shorter, in UTF-8 bytes."""

_QUOTES = re.compile(r'"([^"]+)"|“([^”]+)”|「([^」]+)」|『([^』]+)』|《([^》]+)》')
_NO_NAMES = frozenset({"I", "T", "T-shirt", "T-shirts"})
"""Spelled like names; the T is that of a Chinese T-shirt, too."""
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9&+-]*")
_ARROW_OR_GOAL = re.compile(
    r"(?:\b(?:to|into|with|read|say|saying|for)\s+|->\s*|[成为改写])$", re.IGNORECASE
)


def problem(
    original: str, paraphrase: str, brands: Sequence[str] = ()
) -> Problem | None:
    """Finds what a paraphrase lost, swapped or invented.

    Args:
      original: an instruction.
      paraphrase: the same request in other words, in English or Chinese.
      brands: names to keep beside those recognised by their capitals.

    Returns:
      The first check that fails, or None: the paraphrase can be used.
    """
    if not paraphrase.strip() or not paraphrase.isprintable():
        return "empty"
    if language_of(paraphrase) is None:
        return "language"
    lengths = sorted(len(text.encode()) for text in (original, paraphrase))
    if lengths[1] > MAX_RATIO * max(lengths[0], 1):
        return "length"
    if sorted(quotes(original)) != sorted(quotes(paraphrase)):
        return "quote"
    if _differ(_goal_quotes(original), _goal_quotes(paraphrase)):
        return "quote"
    # What stands in quotes is kept verbatim: its words are no colours or positions.
    first, second = unquoted(original), unquoted(paraphrase)
    if numbers(first) != numbers(second):
        return "number"
    if _lost_brand(first, second, brands):
        return "brand"
    if set(color_ids(first)) != set(color_ids(second)):
        return "color"
    if _differ(goal_color_ids(first), goal_color_ids(second)):
        return "color"
    if position_ids(first) != position_ids(second):
        return "position"
    return None


def quotes(text: str) -> list[str]:
    """The texts inside quotation marks, English or Chinese, in their order."""
    return [next(filter(None, groups)) for groups in _QUOTES.findall(text)]


def unquoted(text: str) -> str:
    """The text with everything quoted taken out."""
    return _QUOTES.sub(" ", text)


def brand_words(text: str) -> set[str]:
    """Latin words that are names by their spelling.

    A word with a capital behind its first letter (`iPhone`, `NEW`) always, one with
    a capital in front (`Nike`) unless it begins a sentence.

    Args:
      text: any.
    """
    found = set()
    for match in _LATIN.finditer(text):
        word = match.group()
        is_mixed = any(letter.isupper() for letter in word[1:])
        before = text[: match.start()].rstrip()
        begins = not before or before[-1] in ".!?:;。！？：；"
        # In a Chinese sentence a Latin word is a name wherever it stands.
        is_foreign = language_of(text) == "zh"
        is_capital = word[0].isupper() and (not begins or is_foreign)
        if (is_mixed or is_capital) and word not in _NO_NAMES:
            found.add(word)
    return found


def _lost_brand(first: str, second: str, brands: Sequence[str]) -> bool:
    if any((brand in first) != (brand in second) for brand in brands):
        return True
    words = set(_LATIN.findall(first)), set(_LATIN.findall(second))
    names = brand_words(first) | brand_words(second)
    return any((name in words[0]) != (name in words[1]) for name in names)


def _goal_quotes(text: str) -> list[str]:
    """Quoted texts that stand where the new text is named."""
    return [
        next(filter(None, match.groups()))
        for match in _QUOTES.finditer(text)
        if _ARROW_OR_GOAL.search(text[: match.start()])
    ]


def _differ(first: list[str], second: list[str]) -> bool:
    """Whether two texts name other goals; one that names none is not held to it."""
    return bool(first) and bool(second) and set(first) != set(second)
