"""The JSON object in a model's reply, repaired only where nothing has to be guessed.

Models wrap JSON in fences and prose, leave a comma before a bracket, and write curly
or single quotes. What is undone here has exactly one reading:

- a leading `<think>...</think>` is not part of the answer;
- prose around the outermost `{...}`, and braces in prose that hold no colon; two
  objects are two answers, unless they are equal, and one that cannot be read may have
  been the answer: both refused;
- a comma directly before `}` or `]`, outside of strings;
- curly double quotes as delimiters, when the object has no straight ones;
- single quotes as delimiters, when it has no double ones at all and every single quote
  stands at the border of a string.

A missing bracket, a missing quote, a missing comma, a bare word: refused.
"""

import json
import re
from typing import Any

from tbstar_jax.vlm.strict_json import NotJsonError, read_json

MAX_CHARACTERS = 200_000
"""Longest reply that is searched."""

MAX_OBJECTS = 100
"""Most objects it may hold side by side."""

_THOUGHTS = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_OPENS_STRING = re.compile(r"[{\[,:]\s*'")
_STRING_OR_COMMA = re.compile(
    r"""("(?:[^"\\]|\\.)*")|(?<=[\w"\]}])\s*,(?=\s*[}\]])""", re.DOTALL
)
_CLOSES_STRING = re.compile(r"'\s*[}\],:]")


def object_in(text: str) -> dict[str, Any]:
    """Finds the JSON object of a reply.

    Args:
      text: the reply.

    Raises:
      NotJsonError: none, several different ones, or one that has to be guessed.
    """
    if len(text) > MAX_CHARACTERS:
        raise NotJsonError(f"the reply has more than {MAX_CHARACTERS} characters")
    candidates = _outermost_objects(without_thoughts(text))
    if len(candidates) > MAX_OBJECTS:
        raise NotJsonError(f"the reply holds {len(candidates)} objects in braces")
    found: dict[str, dict[str, Any]] = {}
    for candidate in candidates:
        try:
            value = _read(candidate)
        except NotJsonError as error:
            if ":" not in candidate:
                continue  # braces in prose
            raise NotJsonError(f"the reply's JSON cannot be read: {error}") from error
        # Not compared as values: to Python, 1 equals true.
        found[json.dumps(value, sort_keys=True)] = value
    if len(found) != 1:
        raise NotJsonError(f"the reply holds {len(found)} JSON objects, not one")
    (value,) = found.values()
    return value


def without_thoughts(text: str) -> str:
    """A reply without the `<think>...</think>` it begins with."""
    return _THOUGHTS.sub("", text, count=1) if _THOUGHTS.match(text) else text


def _outermost_objects(text: str) -> list[str]:
    """Texts from a brace to the one that closes it, in one pass."""
    found, depth, start, quote, is_escaped = [], 0, 0, "", False
    # Only what delimits strings in this text can hide a brace.
    opening = {'"': '"'} if '"' in text else {"\u201c": "\u201d"}
    for at, letter in enumerate(text):
        if quote:
            if is_escaped:
                is_escaped = False
            elif letter == "\\":
                is_escaped = True
            elif letter == quote:
                quote = ""
        elif depth and letter in opening:
            quote = opening[letter]
        elif letter == "{":
            start = at if depth == 0 else start
            depth += 1
        elif letter == "}" and depth:
            depth -= 1
            if depth == 0:
                found.append(text[start : at + 1])
    if depth:
        raise NotJsonError("the reply ends inside an object")
    return found


def _read(candidate: str) -> dict[str, Any]:
    """Reads one object: as it is, else with the repairs that apply."""
    try:
        return read_json(candidate)
    except NotJsonError as error:
        repaired = _without_trailing_commas(_with_straight_quotes(candidate))
        if repaired == candidate:
            raise error
        return read_json(repaired)


def _with_straight_quotes(text: str) -> str:
    if '"' in text:
        return text
    if "\u201c" in text or "\u201d" in text:
        marks = re.findall("[\u201c\u201d]", text)
        is_paired = marks == ["\u201c", "\u201d"] * (len(marks) // 2)
        return re.sub("[\u201c\u201d]", '"', text) if is_paired else text
    borders = {match.end() - 1 for match in _OPENS_STRING.finditer(text)}
    borders |= {match.start() for match in _CLOSES_STRING.finditer(text)}
    if "\\" in text or len(borders) != text.count("'") or len(borders) % 2:
        return text
    return text.replace("'", '"')


def _without_trailing_commas(text: str) -> str:
    # A string, kept whole, or a comma before a closing bracket, dropped.
    return _STRING_OR_COMMA.sub(lambda match: match.group(1) or "", text)
