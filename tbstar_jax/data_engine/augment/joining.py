"""Several requests in one sentence."""

import re
from collections.abc import Sequence

import numpy as np

from tbstar_jax.data_engine.facts import Language

_ABOUT_THE_REST = re.compile(
    r"\b(?:keep|unchanged|as it is|only|rest|nothing|anything|everything|leave|same)\b"
    r"|不变|保持|保留|只[要留]|原图|别动|不要修改",
    re.IGNORECASE,
)
"""Clauses that forbid what another request asks for."""

_ALONE = re.compile(r"[?？!！]|谢谢|吗")
_COMMAND_EN = re.compile(
    r"(?:please )?(?:add|arrange|change|clean|clear|continue|delete|erase|extend|fix"
    r"|get|give|make|move|place|put|recolor|relight|remove|repair|replace|shift|show|swap"
    r"|take|turn|update|use|write|zoom)\b",
    re.IGNORECASE,
)
_ARTICLE_EN = re.compile(r"(?:the|an?|there|no|without|please)\b", re.IGNORECASE)
_COMMAND_ZH = re.compile(r"把|将|请|去[掉除]|擦|删|加上|在|给|用|换成|清除|修复|让")
_JOINS: dict[Language, tuple[tuple[str, ...], str]] = {
    "en": ((", and ", ", then ", "; "), "; "),
    "zh": (("，并", "，再", "；"), "；"),
}
"""Between commands, and between anything else."""


def joined_requests(
    rng: np.random.Generator,
    requests: Sequence[Sequence[str]],
    language: Language,
    num_texts: int,
    max_bytes: int,
) -> tuple[str, ...]:
    """Joins one text of each request, in the order of the requests.

    Args:
      rng: draws the texts and the words between them.
      requests: for each edit, texts that ask for it.
      language: of all texts.
      num_texts: how many sentences at most.
      max_bytes: longest sentence, in UTF-8 bytes.

    Returns:
      Distinct sentences; none where a request has no text that can stand beside
      others: questions cannot, nor what asks to keep everything else.
    """
    usable = [
        [text.strip().rstrip(".。;；") for text in texts if can_be_joined(text)]
        for texts in requests
    ]
    if not all(usable):
        return ()
    orders = [rng.permutation(len(texts)) for texts in usable]
    found: dict[str, None] = {}
    for turn in range(max(len(texts) for texts in usable)):
        parts = [
            texts[int(order[turn % len(texts)])]
            for texts, order in zip(usable, orders, strict=True)
        ]
        sentence = _joined(rng, parts, language)
        if len(sentence.encode()) <= max_bytes and len(found) < num_texts:
            found[sentence] = None
    return tuple(found)


def can_be_joined(text: str) -> bool:
    """Whether a request says nothing about other edits and is no question."""
    return bool(text.strip()) and not (
        _ABOUT_THE_REST.search(text) or _ALONE.search(text)
    )


def _joined(rng: np.random.Generator, parts: Sequence[str], language: Language) -> str:
    between, otherwise = _JOINS[language]
    command = _COMMAND_EN if language == "en" else _COMMAND_ZH
    are_commands = all(command.match(part) for part in parts)
    word = between[int(rng.integers(len(between)))] if are_commands else otherwise
    if language == "en":
        # "Make it red." begins a sentence, "and make it red" does not.
        parts = [parts[0], *(_in_mid_sentence(part) for part in parts[1:])]
    if word == "，并":
        parts = [parts[0], *(part.removeprefix("请") for part in parts[1:])]
    return word.join(parts)


def _in_mid_sentence(text: str) -> str:
    is_known = _COMMAND_EN.match(text) or _ARTICLE_EN.match(text)
    return text[:1].lower() + text[1:] if is_known else text
