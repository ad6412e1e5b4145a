"""What a reference program would have reported of the same replies: never our number.

The programs behind four modes treat replies that they cannot read in ways that add
noise: a random number from 0 to 10, asking for ever, an exception, a mean over what is
left, an answer that is left out in silence. `bug_compatible: true` computes from the
stored replies what they would have come to, without drawing anything: a number between
two bounds, its expectation where the program would draw, and how many answers were
treated so. It stands beside our score in the report, labelled, and in no leaderboard.

VIEScore's programs ask both questions again where either cannot be read, and guess from
the second attempt on. A question that was asked here only once gets its only reply
again: what a judge of temperature 0 would answer. A reply with braces that stays broken
at the second attempt counts as a loop: whether and how it would end is not known.

GEdit-Bench's Qwen path sets the seed 42 before every reply, which makes its guesses
constants: 10 for the first of an answer, 1 for the second.
"""

import collections
import dataclasses
import itertools
import math
import statistics
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from tbstar_jax.evaluation.judge.judgement import Asked, Judgement
from tbstar_jax.evaluation.judge.modes import SCALES, Mode
from tbstar_jax.evaluation.judge.quirk_parsers import (
    MAX_CHARACTERS,
    VieReading,
    read_imgedit,
    read_vie,
)

Kind: TypeAlias = Literal["scored", "guessed", "loops", "crashes", "skipped", "unknown"]

_EMPTY = ("rate_limited", "filtered", "bad_request")
"""Statuses whose reply is an empty text to VIEScore's programs."""
_NOT_KNOWN = ("timeout", "http_error", "not_cached")
_QWEN_GUESSES = (10, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What becomes of one answer.

    Attributes:
      kind: `scored`; `guessed`, one of its scores at least; `loops`: asked for ever;
        `crashes`: an exception (GEdit-Bench then tries again 10,000 times); `skipped`:
        left out of the mean; `unknown`: not judged, or its replies are not stored.
      lowest: the least mark it may get; None where skipped.
      highest: the largest, likewise.
      expected: the mean over what may be drawn; None where the program gives no mark,
        or none that is known.
      is_partial: whether a mean was taken over other than three marks (`imgedit`).
    """

    kind: Kind
    lowest: float | None
    highest: float | None
    expected: float | None
    is_partial: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReferenceNumber:
    """What the program would report of a system: macro mean over tasks.

    Attributes:
      expected: None where an answer has no known mark, so that the program would not
        end or stop without a number, and where a task has no answer left.
      lowest: with the least mark for each; answers without a known mark get the lowest
        of the scale. None where a task has no answer left.
      highest: with the largest, likewise.
      kinds: how many answers became what; they add up to the prompts.
      num_partial: means over other than three marks.
    """

    expected: float | None
    lowest: float | None
    highest: float | None
    kinds: Mapping[Kind, int]
    num_partial: int


def reference_number(
    judgements: Iterable[Judgement], expected: Mapping[str, str], mode: Mode
) -> ReferenceNumber:
    """What the program behind a mode would report.

    Args:
      judgements: of one system by one judge, at most one per prompt.
      expected: task of every prompt that should be judged.
      mode: of `upstream.UPSTREAM_MODES`.
    """
    by_prompt = {one.prompt: one for one in judgements}
    outcomes = {
        prompt: reference_outcome(by_prompt[prompt])
        if prompt in by_prompt
        else _without_mark("unknown", mode)
        for prompt in expected
    }
    found = list(outcomes.values())
    has_all = all(one.expected is not None for one in found if one.kind != "skipped")
    lowest, highest, middle = (
        _macro(
            {prompt: getattr(one, name) for prompt, one in outcomes.items()},
            expected,
            mode,
        )
        for name in ("lowest", "highest", "expected")
    )
    return ReferenceNumber(
        expected=middle if has_all else None,
        lowest=lowest,
        highest=highest,
        kinds=dict(collections.Counter(one.kind for one in found)),
        num_partial=sum(one.is_partial for one in found),
    )


def reference_notes(judgements: Iterable[Judgement]) -> list[str]:
    """The number of every language in a sentence, over what was judged.

    Args:
      judgements: of one system by one judge, of a mode in `upstream.UPSTREAM_MODES`.
    """
    by_language: dict[str, list[Judgement]] = {}
    for one in judgements:
        by_language.setdefault(one.language, []).append(one)
    notes = []
    for language, own in by_language.items():
        tasks = {one.prompt: one.task for one in own}
        found = reference_number(own, tasks, own[0].mode)
        number, low, high = (
            "n/a" if value is None else f"{value:.2f}"
            for value in (found.expected, found.lowest, found.highest)
        )
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.kinds.items())
        if own[0].mode == "imgedit":
            kinds += f", {found.num_partial} with other than three marks"
        notes.append(
            "BUG-COMPATIBLE, no score: of these replies the reference program would "
            f"report {number} ({low} to {high}) in {language}; answers: {kinds}"
        )
    return notes


def reference_outcome(judgement: Judgement) -> Outcome:
    """What becomes of one answer; of several votes, the first is taken."""
    mode = judgement.mode
    if judgement.status == "missing":
        # ImgEdit-Bench stores an error in its place, and its second script stops there.
        if mode == "imgedit":
            return _without_mark("crashes", mode)
        return Outcome(kind="skipped", lowest=None, highest=None, expected=None)
    asked = judgement.votes[0].asked if judgement.votes else ()
    texts = [_texts(one) for one in asked]
    known = [one for one in texts if one is not None]
    if not known or len(known) < len(texts):
        return _without_mark("unknown", mode)
    if mode == "imgedit":
        return _imgedit(asked[0], known[0])
    return _vie(known, mode)


def _texts(asked: Asked) -> tuple[str, ...] | None:
    """The replies to a question; None where they are not known."""
    if not asked.replies or any(one in _NOT_KNOWN for one in asked.statuses):
        return None
    if any(len(text) >= MAX_CHARACTERS for text in asked.replies):
        return None
    return tuple(
        "" if status in _EMPTY else text
        for text, status in zip(asked.replies, asked.statuses, strict=True)
    )


def _imgedit(asked: Asked, texts: tuple[str, ...]) -> Outcome:
    if asked.statuses[0] in _EMPTY:  # an error object, which its second script trips on
        return _without_mark("crashes", "imgedit")
    try:
        marks = read_imgedit(texts[0])
        mean = round(sum(marks) / len(marks), 2) if marks else None
    except (ValueError, OverflowError):
        return _without_mark("crashes", "imgedit")
    return Outcome(
        kind="skipped" if mean is None else "scored",
        lowest=mean,
        highest=mean,
        expected=mean,
        is_partial=mean is not None and len(marks) != 3,
    )


def _vie(texts: list[tuple[str, ...]], mode: Mode) -> Outcome:
    readings = [read_vie(replies[0], is_first=True) for replies in texts]
    if _has(readings, "again") and not _has(readings, "error"):
        again = [replies[min(1, len(replies) - 1)] for replies in texts]
        readings = [read_vie(text, is_first=False) for text in again]
    if _has(readings, "error"):
        return _without_mark("crashes", mode)
    if _has(readings, "again"):
        return _without_mark("loops", mode)
    marks = _marks(readings, mode)
    if marks is None:
        return _without_mark("crashes", mode)
    return Outcome(
        kind="guessed" if _has(readings, "guess") else "scored",
        lowest=min(marks),
        highest=max(marks),
        expected=statistics.fmean(marks),
    )


def _marks(readings: list[VieReading], mode: Mode) -> list[float] | None:
    """O for everything that may be drawn; None where the program raises."""
    constants = iter(_QWEN_GUESSES)
    choices: list[list[Any]] = []
    for reading in readings:
        if reading.outcome == "guess":
            is_constant = mode == "gedit-qwen"
            choices.append([next(constants)] if is_constant else list(range(11)))
            continue
        scores = reading.scores
        # A text or a list has a smallest part too, but no square root.
        if not isinstance(scores, list) or not scores:
            return None
        if not all(isinstance(one, int | float) for one in scores):
            return None
        choices.append([min(scores)])
    try:
        marks = [math.sqrt(semantic * other) for semantic, other in _pairs(choices)]
    except (ValueError, OverflowError):
        return None
    return marks if all(map(math.isfinite, marks)) else None


def _pairs(choices: list[list[Any]]) -> Iterable[tuple[Any, Any]]:
    semantic, quality = choices
    return itertools.product(semantic, quality)


def _has(readings: list[VieReading], outcome: str) -> bool:
    return any(one.outcome == outcome for one in readings)


def _without_mark(kind: Kind, mode: Mode) -> Outcome:
    lowest, highest = SCALES[mode]
    return Outcome(kind=kind, lowest=lowest, highest=highest, expected=None)


def _macro(
    marks: Mapping[str, float | None], tasks: Mapping[str, str], mode: Mode
) -> float | None:
    """Mean over tasks of the mean over what is left of each."""
    by_task: dict[str, list[float]] = {task: [] for task in tasks.values()}
    for prompt, mark in marks.items():
        if mark is not None:
            by_task[tasks[prompt]].append(mark)
    if mode == "imgedit":  # types without an item do not appear
        by_task = {task: found for task, found in by_task.items() if found}
        means = [round(sum(found) / len(found), 2) for found in by_task.values()]
    elif not all(by_task.values()):  # the mean of nothing is NaN, and so is the whole
        return None
    else:
        means = [statistics.fmean(found) for found in by_task.values()]
    return statistics.fmean(means) if means else None
