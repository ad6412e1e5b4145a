"""Which language an instruction is written in, by its script; how long it may be."""

import re

from tbstar_jax.data_engine.facts import Language

MAX_INSTRUCTION_BYTES = 400
"""Longest instruction that is made unless another limit is set, in UTF-8 bytes."""

_QUOTED = re.compile(
    r"""\"[^\"]*\"|“[^”]*”|「[^」]*」|『[^』]*』|《[^》]*》|'[^']*'(?!\w)"""
)
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_OTHER_SCRIPT = re.compile(
    r"[\u0370-\u1fff\u3040-\u30ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]"
)
_LOWER_WORD = re.compile(r"\b[a-z]+\b")
_LATIN = re.compile(r"[A-Za-z]")


def language_of(text: str) -> Language | None:
    """Tells English from Chinese.

    What stands in quotation marks does not count: it is the text on the product.
    Unquoted product names do little, since only words in small letters are weighed
    against ideographs.

    Args:
      text: an instruction.

    Returns:
      `en` or `zh`; None for other scripts (kana, Hangul, Cyrillic, Greek ...) and for
      texts without letters.
    """
    outside = _QUOTED.sub(" ", text)
    if not _LATIN.search(outside) and not _IDEOGRAPH.search(outside):
        outside = text
    if _OTHER_SCRIPT.search(outside):
        return None
    num_ideographs = len(_IDEOGRAPH.findall(outside))
    num_words = len(_LOWER_WORD.findall(outside))
    if num_ideographs and num_ideographs >= num_words:
        return "zh"
    return "en" if _LATIN.search(outside) else None
