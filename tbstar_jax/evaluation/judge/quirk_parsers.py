"""What the reference programs' own readers make of a reply; for `quirks` alone.

Their outcomes are reproduced from their definitions, and nothing is drawn: where they
would take a random number, `GUESS` says so.

VIEScore (viescore/utils.py, `mllm_output_to_dict`; GEdit-Bench has the same file):
what stands from the first `{` to the last `}` is read as JSON, once as it is and once
after a repair; without braces, a reply that is nothing but a list of two whole numbers
from its first `[` on, or a whole number from 0 to 10, counts at the first attempt, and
at any later one every reply without braces is replaced by a guess.

ImgEdit-Bench (Benchmark/Basic/step1_get_avgscore.py): every line with exactly one ": "
and nothing but digits behind it is a mark, whatever its name and value.
"""

import dataclasses
import json
import re
from typing import Any, Literal

MAX_CHARACTERS = 20_000
"""Longest reply that is read here, and stored (`judgement.asked_of`)."""

_DELIMITER = "||V^=^V||"
_TWO_NUMBERS = re.compile(r"\[\d+, ?\d+\]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_BARE_WORDS = ("true", "false", "null")


@dataclasses.dataclass(frozen=True, kw_only=True)
class VieReading:
    """What VIEScore's reader does.

    Attributes:
      outcome: `scores`; `guess`: a whole number from 0 to 10 is drawn; `again`: both
        questions are asked again; `error`: an exception.
      scores: where the outcome is `scores`: what the program would take the smallest
        of, of any type.
    """

    outcome: Literal["scores", "guess", "again", "error"]
    scores: Any = None


GUESS = VieReading(outcome="guess")
AGAIN = VieReading(outcome="again")
ERROR = VieReading(outcome="error")


def read_vie(text: str, *, is_first: bool) -> VieReading:
    """Reads a reply as VIEScore does.

    Args:
      text: the reply; empty where the service answered with an error.
      is_first: whether it is the first attempt.
    """
    if text.count(_DELIMITER) == 2:
        _, inner, _ = text.split(_DELIMITER)
        return _read_object(inner) if inner else AGAIN
    if "{" in text and "}" in text:
        return _read_object(text[text.find("{") : text.rfind("}") + 1])
    if not is_first:
        return GUESS
    inner = text[max(0, text.find("[")) : text.rfind("]") + 1]
    if _TWO_NUMBERS.fullmatch(inner):
        try:
            return VieReading(outcome="scores", scores=json.loads(inner))
        except ValueError:  # e.g. a leading zero: nothing catches it
            return ERROR
    try:
        number = int(text)
    except ValueError:
        return AGAIN
    return VieReading(outcome="scores", scores=[number]) if 0 <= number <= 10 else AGAIN


def _read_object(text: str) -> VieReading:
    text = text.strip().replace("\n", "")
    try:
        found = json.loads(text)
        scores = found["score"]
        return VieReading(
            outcome="scores", scores=scores if isinstance(scores, list) else [scores]
        )
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    try:
        found = json.loads(_repaired(text))
    except (ValueError, RecursionError):
        return AGAIN
    if found is False:  # the program's own sign for what it could not read
        return AGAIN
    # Else it is taken as it is: its score need not be there, nor be a list.
    scores = found.get("score") if isinstance(found, dict) else None
    return VieReading(outcome="scores", scores=scores)


def _repaired(text: str) -> str:
    """The program's repair: every name before a colon, and every value, is quoted.

    A value reaches to the next comma or closing brace; a number becomes a list of one.
    One pass each: the program's patterns need quadratic time, and the text is a
    stranger's.
    """
    *stems, rest = text.split(":")
    text = "".join(f"{_with_quoted_end(stem)}:" for stem in stems) + rest
    parts: list[str] = []
    at = 0
    while (opens := text.find('"', at)) >= 0:
        closes = text.find('":', opens + 1)
        ends = [end for end in (text.find(c, closes + 2) for c in ",}") if end >= 0]
        if closes < 0 or not ends:
            break
        end = min(ends)
        value = text[closes + 2 : end].strip()
        if _NUMBER.fullmatch(value):
            value = f"[{value}]"
        elif value.lower() not in _BARE_WORDS:
            value = f'"{value}"'
        parts += [text[at : closes + 1], ": ", value, text[end]]
        at = end + 1
    return "".join(parts) + text[at:]


def _with_quoted_end(stem: str) -> str:
    """The word that a text ends with, in quotes."""
    start = len(stem)
    while start and (stem[start - 1].isalnum() or stem[start - 1] == "_"):
        start -= 1
    return f'{stem[:start]}"{stem[start:]}"' if start < len(stem) else stem


def read_imgedit(text: str) -> list[int]:
    """Reads a reply as ImgEdit-Bench does: the marks of all lines it can read.

    Raises:
      ValueError: a mark is of digits that Python makes no number of, which nothing in
        the program catches.
    """
    parts = [line.strip().split(": ") for line in text.splitlines()]
    return [int(two[1]) for two in parts if len(two) == 2 and two[1].isdigit()]
