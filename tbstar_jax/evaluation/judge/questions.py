"""The messages of each mode, and the reader of their answers."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge import parse, rubrics
from tbstar_jax.evaluation.judge.item import Item
from tbstar_jax.evaluation.judge.modes import JSON_MODES, Mode, Settings
from tbstar_jax.evaluation.judge.pictures import as_sent
from tbstar_jax.vlm.asking import NotAnAnswerError
from tbstar_jax.vlm.messages import ImagePart, Message, Part
from tbstar_jax.vlm.schema import NotValidError, schema_of

Winner: TypeAlias = Literal["first", "second", "tie"]

_BEST = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Consistency:
    """A `strict` answer about source and edit."""

    reason: str
    success: int
    restraint: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quality:
    """A `strict` answer about the edit alone."""

    reason: str
    naturalness: int
    cleanness: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answers:
    """An answer to a checklist."""

    answers: tuple[Literal["yes", "no"], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """An answer about two edits."""

    reason: str
    winner: Winner


@dataclasses.dataclass(frozen=True, kw_only=True)
class Read:
    """What a reader found.

    Attributes:
      scores: on the mode's scale; for a checklist, 1 for every right answer and 0 for
        every wrong one; for a pair, 1, 0 or 0.5 for the first edit.
      reason: the model's.
    """

    scores: tuple[float, ...]
    reason: str


Reader: TypeAlias = Callable[[str], Read]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """One call.

    Attributes:
      part: which of a mode's questions.
      messages: what is sent.
      schema: of the answer; None for free text.
      read: raises `NotAnAnswerError`.
    """

    part: rubrics.Part
    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None
    read: Reader


def questions_of(
    mode: Mode,
    item: Item,
    answer: UInt8[np.ndarray, "h w 3"],
    rubric: rubrics.Rubric,
    settings: Settings,
) -> tuple[Question, ...]:
    """The questions about one edit.

    Args:
      mode: any but `pairwise`.
      item: the request.
      answer: the edit.
      rubric: the words.
      settings: how pictures are sent.

    Raises:
      UserError: a checklist of an item without checks.
    """
    size = item.source.shape[:2] if settings.is_resized else None
    source = as_sent(item.source, settings)
    edited = as_sent(answer, settings, size)
    is_shown = rubrics.shows_object(mode)

    def ask(
        part: rubrics.Part, pictures: tuple[bytes, ...], form: type | None, read: Reader
    ) -> Question:
        text = rubric.text(part, item) + rubrics.about_object(part, item, mode)
        shown = _object(item, settings) if part != "pq" and is_shown else ()
        return Question(
            part=part,
            messages=_messages(rubric, text, (*pictures, *shown), settings),
            schema=None if form is None else schema_of(form),
            read=read,
        )

    if mode == "imgedit":
        names = rubric.marks(item.task)
        marks = functools.partial(_marks, names=names)
        return (ask("imgedit", (source, edited), None, marks),)
    if mode == "checklist":
        if not item.checks:
            raise UserError(
                f"{item.prompt} has no questions, so mode checklist cannot judge it"
            )
        truths = tuple(check.answer for check in item.checks)
        checked = functools.partial(_checked, truths=truths)
        return (ask("checklist", (source, edited), Answers, checked),)
    if mode in JSON_MODES:
        return (
            ask("sc", (source, edited), Consistency, _consistency),
            ask("pq", (edited,), Quality, _quality),
        )
    return (
        ask("sc", (source, edited), None, _vie_scores),
        ask("pq", (edited,), None, _vie_scores),
    )


def pair_question(
    item: Item,
    first: UInt8[np.ndarray, "h w 3"],
    second: UInt8[np.ndarray, "_ _ 3"],
    rubric: rubrics.Rubric,
    settings: Settings,
) -> Question:
    """The question which of two edits is better, in this order."""
    pictures = [as_sent(one, settings) for one in (item.source, first, second)]
    pictures += _object(item, settings)
    text = rubric.text("pair", item) + rubrics.about_object("pair", item, "pairwise")
    return Question(
        part="pair",
        messages=_messages(rubric, text, tuple(pictures), settings),
        schema=schema_of(Verdict),
        read=_verdict,
    )


def _object(item: Item, settings: Settings) -> tuple[bytes, ...]:
    """The editor's second picture, where there was one."""
    shown = item.object_photo
    return () if shown is None else (as_sent(shown, settings),)


def _messages(
    rubric: rubrics.Rubric, text: str, pictures: tuple[bytes, ...], settings: Settings
) -> tuple[Message, ...]:
    images = tuple(ImagePart(data=data) for data in pictures)
    is_text_first = settings.order == "text_first"
    parts: tuple[Part, ...] = (text, *images) if is_text_first else (*images, text)
    asked = Message(role="user", parts=parts)
    if rubric.system is None:
        return (asked,)
    return (Message(role="system", parts=(rubric.system,)), asked)


def _vie_scores(text: str) -> Read:
    scores, reason = parse.read_scores(text, count=2, lowest=0.0, highest=float(_BEST))
    return Read(scores=scores, reason=reason)


def _marks(text: str, names: tuple[str, str, str] | None) -> Read:
    marks, reason = parse.read_marks(text, names=names, lowest=1, highest=5)
    return Read(scores=marks, reason=reason)


def _consistency(text: str) -> Read:
    found = parse.read_object(
        text, Consistency, lambda one: _require_scale(one.success, one.restraint)
    )
    return Read(
        scores=(float(found.success), float(found.restraint)),
        reason=parse.readable(found.reason),
    )


def _quality(text: str) -> Read:
    found = parse.read_object(
        text, Quality, lambda one: _require_scale(one.naturalness, one.cleanness)
    )
    return Read(
        scores=(float(found.naturalness), float(found.cleanness)),
        reason=parse.readable(found.reason),
    )


def _require_scale(*scores: int) -> None:
    if not all(0 <= score <= _BEST for score in scores):
        raise NotValidError(f"a score is not in 0 to {_BEST}")


def _checked(text: str, truths: tuple[bool, ...]) -> Read:
    found = parse.read_object(text, Answers, lambda _: None).answers
    if len(found) != len(truths):
        raise NotAnAnswerError(
            "unparsed", f"{len(found)} answers to {len(truths)} questions"
        )
    pairs = zip(found, truths, strict=True)
    right = tuple(float((said == "yes") == truth) for said, truth in pairs)
    return Read(scores=right, reason=" ".join(found))


def _verdict(text: str) -> Read:
    found = parse.read_object(text, Verdict, lambda _: None)
    share = {"first": 1.0, "second": 0.0, "tie": 0.5}[found.winner]
    return Read(scores=(share,), reason=parse.readable(found.reason))
