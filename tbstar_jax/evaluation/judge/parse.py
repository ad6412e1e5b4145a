"""Replies of judges, read tolerantly; a score is never guessed.

What is read has one reading; all else is `unparsed`, and scores that are not on the
scale are `out_of_range`: rejected, never clamped. A reply without scores that begins
as refusals do is `refused`. Length, depth and digits are bounded, so hostile replies
cost little time.
"""

import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from tbstar_jax.evaluation.judge.refusal import is_refusal
from tbstar_jax.vlm.asking import NotAnAnswerError
from tbstar_jax.vlm.json_reply import MAX_CHARACTERS, object_in, without_thoughts
from tbstar_jax.vlm.schema import NotValidError, read_as
from tbstar_jax.vlm.strict_json import NotJsonError, read_json

MAX_REASON = 1000
"""Longest reason that is kept, in characters."""

_MAX_LINE = 300
_MAX_LINES = 2000
_MAX_LISTS = 100
_FLAT_LIST = re.compile(r"\[[^\[\]]*\]")
_NUMBER = re.compile(r"[+-]?\d{1,9}(?:\.\d{1,9})?")
_MARK = re.compile(
    r"([+-]?\d{1,9}(?:\.\d{1,9})?)\s*(?:/\s*5)?\s*(?:\([^()]*\)|（[^（）]*）)?"
)

_Read = TypeVar("_Read")


def read_scores(
    text: str, *, count: int, lowest: float, highest: float
) -> tuple[tuple[float, ...], str]:
    """Reads the scores of a reply of VIEScore's form.

    Read are `{"score": [a, b], "reasoning": "..."}` with the repairs of
    `vlm.json_reply`; without any brace, the one list of numbers in the reply. A number
    may stand in quotes. In a sentence, a list of just the ends of the scale is taken
    for the scale itself and not for scores.

    Args:
      text: the reply.
      count: scores that were asked for; another number of them is no answer.
      lowest: end of the scale, included.
      highest: the other.

    Returns:
      The scores and the reason, empty where there is none.

    Raises:
      NotAnAnswerError: there are no such scores.
    """
    value, reason = _scores_of(text, (lowest, highest))
    values = value if isinstance(value, list) else [value]
    numbers = [_number(one) for one in values]
    found = [number for number in numbers if number is not None]
    if len(found) < len(numbers) or len(found) != count:
        _reject(f"the reply has not {count} scores")
    if not all(lowest <= number <= highest for number in found):
        raise NotAnAnswerError(
            "out_of_range", f"a score is not in {lowest:g} to {highest:g}"
        )
    return tuple(float(number) for number in found), reason


def read_marks(
    text: str, *, names: tuple[str, str, str] | None, lowest: int, highest: int
) -> tuple[tuple[float, ...], str]:
    """Reads three lines `Name: 4`, of ImgEdit-Bench's form.

    Bullets, stars, a full-width colon, `4/5` and a remark in brackets after the number
    are tolerated; a fraction, a fourth or a missing line are not.

    Args:
      text: the reply.
      names: of the marks, in order; None: any three, in their order.
      lowest: end of the scale, included.
      highest: the other.

    Returns:
      The marks, whole numbers, and all of the reply as the reason.

    Raises:
      NotAnAnswerError: there are no such marks.
    """
    if len(text) > MAX_CHARACTERS:
        _reject("the reply is too long")
    text = without_thoughts(text)
    if text.count("\n") > _MAX_LINES:
        _reject("the reply has too many lines")
    lines = [found for line in text.splitlines() if (found := _mark(line))]
    if names is not None:
        wanted = [name.casefold() for name in names]
        lines = [found for found in lines if found[0] in wanted]
        lines.sort(key=lambda found: wanted.index(found[0]))
        is_complete = [label for label, _ in lines] == wanted
    else:
        is_complete = len(lines) == 3
    if not is_complete:
        _reject_or_refused(text, "the reply has not the three lines of marks")
    if not all(number.lstrip("+-").isdigit() for _, number in lines):
        _reject("a mark is no whole number")
    marks = tuple(int(number) for _, number in lines)
    if not all(lowest <= mark <= highest for mark in marks):
        raise NotAnAnswerError(
            "out_of_range", f"a mark is not in {lowest} to {highest}"
        )
    return tuple(float(mark) for mark in marks), readable(text)


def read_object(text: str, cls: type[_Read], check: Callable[[_Read], None]) -> _Read:
    """Reads a reply as a dataclass (see `vlm.schema`).

    Args:
      text: the reply.
      cls: the dataclass.
      check: raises `NotValidError` for a value off the scale.

    Raises:
      NotAnAnswerError: the reply is none.
    """
    try:
        value = read_as(cls, object_in(text))
    except (NotJsonError, NotValidError) as error:
        _reject_or_refused(text, str(error))
    try:
        check(value)
    except NotValidError as error:
        raise NotAnAnswerError("out_of_range", str(error)) from error
    return value


def readable(text: str) -> str:
    """A reason as it is stored: printable, on one line, at most `MAX_REASON` long."""
    cut = text[: 4 * MAX_REASON]
    words = "".join(letter if letter.isprintable() else " " for letter in cut).split()
    return " ".join(words)[:MAX_REASON]


def _scores_of(text: str, scale: tuple[float, float]) -> tuple[Any, str]:
    """The value that holds the scores, and the reason."""
    if len(text) > MAX_CHARACTERS:
        _reject("the reply is too long")
    text = without_thoughts(text)
    if "{" not in text:
        return _only_list(text, scale), ""
    try:
        found = object_in(text)
    except NotJsonError as error:
        _reject_or_refused(text, str(error))
    if "score" not in found:
        _reject("the reply has no score")
    reason = found.get("reasoning", found.get("reason", ""))
    return found["score"], readable(reason) if isinstance(reason, str) else ""


def _only_list(text: str, scale: tuple[float, float]) -> list[Any]:
    """The one list of numbers in a text without braces."""
    found: list[list[Any]] = []
    is_alone = False
    for match in _FLAT_LIST.finditer(text):
        try:
            values = read_json(match.group())
        except NotJsonError:
            continue
        if values and all(_number(value) is not None for value in values):
            if len(found) == _MAX_LISTS:
                _reject("the reply has too many lists")
            found.append(values)
            is_alone = match.group() == text.strip().strip("`").strip()
    distinct = [values for at, values in enumerate(found) if values not in found[:at]]
    if len(distinct) != 1 or (not is_alone and tuple(distinct[0]) == scale):
        _reject_or_refused(text, f"the reply has {len(distinct)} lists of scores")
    return distinct[0]


def _number(value: Any) -> float | int | None:
    if type(value) in (int, float):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return None


def _mark(line: str) -> tuple[str, str] | None:
    """Label, in small letters, and number of a line; None for any other line."""
    if len(line) > _MAX_LINE:
        return None
    label, colon, rest = line.replace("：", ":").partition(":")
    label = label.strip(" \t*#>-_•.0123456789").casefold()
    match = _MARK.fullmatch(rest.strip(" \t*_."))
    if not colon or not label or match is None:
        return None
    return label, match.group(1)


def _reject(detail: str) -> NoReturn:
    raise NotAnAnswerError("unparsed", detail)


def _reject_or_refused(text: str, detail: str) -> NoReturn:
    if is_refusal(without_thoughts(text[:MAX_CHARACTERS])):
        raise NotAnAnswerError("refused", f"the model declined: {readable(text)}")
    _reject(detail)
