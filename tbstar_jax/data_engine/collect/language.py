"""Which language a request is written in, told by its script."""

import re
import unicodedata
from typing import Literal

_QUOTED = re.compile(
    r"\"[^\"]*\"|“[^”]*”|「[^」]*」|『[^』]*』|《[^》]*》|'[^']*'(?!\w)"
)
_WORD = re.compile(r"[^\W\d_]+")


def language_of(text: str) -> Literal["en", "zh", ""]:
    """Tells English and Chinese apart.

    What is quoted does not count, unless nothing else is there: a Chinese request may
    spell an English label. Every Han character weighs as much as a Latin word.

    Args:
      text: a request.

    Returns:
      `zh`; `en` for any text in Latin letters or without letters; empty for other
      scripts (kana, hangul, Cyrillic, ...).
    """
    outside = _QUOTED.sub(" ", text)
    counts = _counts(outside if _WORD.search(outside) else text)
    if counts["other"] > max(counts["han"], counts["latin"]):
        return ""
    # Japanese mixes Han characters with kana, Chinese never does.
    if counts["kana"] * 4 > counts["han"] and counts["kana"] > counts["latin"]:
        return ""
    is_chinese = counts["han"] and counts["han"] >= counts["latin"]
    return "zh" if is_chinese else "en"


def _counts(text: str) -> dict[str, int]:
    counts = {"han": 0, "latin": 0, "kana": 0, "other": 0}
    for word in _WORD.findall(text):
        scripts = [_script(character) for character in word]
        for script in ("han", "kana"):
            counts[script] += scripts.count(script)
        counts["latin"] += "latin" in scripts
        counts["other"] += "other" in scripts
    return counts


def _script(character: str) -> str:
    if character.isascii():
        return "latin"
    name = unicodedata.name(character, "")
    if name.startswith("CJK"):
        return "han"
    if name.startswith(("HIRAGANA", "KATAKANA")):
        return "kana"
    return "latin" if name.startswith(("LATIN", "FULLWIDTH LATIN")) else "other"
