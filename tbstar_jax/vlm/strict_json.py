"""JSON as the standard has it, from a sender who need not be friendly.

Python's reader accepts NaN and Infinity, turns 1e999 into infinity, keeps the last of
two equal keys and gives up on deep nesting with an error of its own. Here all of these
are one error.
"""

import json
import math
from typing import Any

MAX_DEPTH = 64
"""Deepest nesting of objects and lists."""


class NotJsonError(ValueError):
    """A text that is no JSON, or JSON that nobody should act on."""


def read_json(text: str | bytes) -> Any:
    """Reads JSON; control characters inside strings are accepted.

    Args:
      text: in any of JSON's encodings, bounded by the caller.

    Raises:
      NotJsonError: syntax, NaN, an infinite number, a key given twice, nesting beyond
        `MAX_DEPTH` or text that is not Unicode.
    """
    try:
        value = json.loads(
            text,
            strict=False,
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_without_repeats,
        )
    except RecursionError as error:
        raise NotJsonError("it is nested too deeply") from error
    except ValueError as error:
        raise NotJsonError(str(error)) from error
    if _depth(value) > MAX_DEPTH:
        raise NotJsonError(f"it is nested more than {MAX_DEPTH} deep")
    return value


def _no_constant(name: str) -> Any:
    raise NotJsonError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotJsonError("a number is too large")
    return number


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJsonError("a key is given twice")
    return found


def _depth(value: Any) -> int:
    """Levels of objects and lists, without recursion."""
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, (dict, list))]:
        depth += 1
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth
