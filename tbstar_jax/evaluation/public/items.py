"""A request of a public benchmark, whichever it is."""

import dataclasses
import re
from collections.abc import Iterable
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.judge.item import Item

SuiteName: TypeAlias = Literal[
    "gedit", "imgedit", "uge", "kontext", "kwai", "textedit", "paintbench"
]
SUITES: tuple[SuiteName, ...] = (
    "gedit",
    "imgedit",
    "uge",
    "kontext",
    "kwai",
    "textedit",
    "paintbench",
)

MAX_INSTRUCTION = 4000
"""Longest instruction that is read, in characters."""

MAX_ITEMS = 100_000
"""Most items of a suite."""

_PART = re.compile(r"[^\x00-\x1f\x7f\\/:*?\"<>|]+")
_MAX_ID = 200


@runtime_checkable
class Photo(Protocol):
    """A picture that is read when it is called, from one thread."""

    def __call__(self) -> UInt8[np.ndarray, "h w 3"]:
        """Decodes it to sRGB, 0..255.

        Raises:
          UserError: it cannot be read.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class Texts:
    """What a text edit is about.

    Attributes:
      before: what the photo says there.
      after: what it must say.
    """

    before: str
    after: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublicItem:
    """One request.

    Attributes:
      suite: where it is from.
      id: names it within the suite, and its answer: `<id>.png`.
      case: requests of one case share a photo, so they are not independent.
      task: the suite's own name for the kind of edit; means are taken over tasks.
      language: of the instruction.
      instruction: what the editor is told.
      photos: before the edit; the first is edited, others are shown beside it.
      reference: the right edit, where the suite has one.
      texts: of a text edit, where the suite names them.
      flags: what the suite marks it as, e.g. `intersection`.
    """

    suite: SuiteName
    id: str
    case: str
    task: str
    language: Language
    instruction: str
    photos: tuple[Photo, ...]
    reference: Photo | None = None
    texts: Texts | None = None
    flags: frozenset[str] = frozenset()

    def as_item(self) -> Item:
        """What a judge is asked about; reads the first photo.

        Raises:
          UserError: it cannot be read.
        """
        return Item(
            prompt=self.id,
            case=self.case,
            task=self.task,
            language=self.language,
            instruction=self.instruction,
            source=self.photos[0](),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Suite:
    """A user's copy of a benchmark.

    Attributes:
      name: which.
      items: in the order of the copy.
      skipped: rows that are no item, each with its place and one reason.
      judge_texts: the suite's own judge texts by task, where the copy holds them.
    """

    name: SuiteName
    items: tuple[PublicItem, ...]
    skipped: tuple[Reject, ...]
    judge_texts: tuple["JudgeText", ...] = ()

    def languages(self) -> tuple[Language, ...]:
        """Those of the instructions, in the order of the items."""
        return tuple(dict.fromkeys(item.language for item in self.items))


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeText:
    """The words that a suite asks its judge with, from the user's copy.

    Attributes:
      task: they are for.
      text: with `<edit_prompt>` where the instruction goes.
      marks: names of the marks, as the reply must name them.
    """

    task: str
    text: str
    marks: tuple[str, ...]


def suite_of(
    name: SuiteName,
    found: Iterable[PublicItem | Reject],
    language: Language | None = None,
    judge_texts: tuple[JudgeText, ...] = (),
) -> Suite:
    """Collects items; the second of two with one id is skipped.

    Args:
      name: of the suite.
      found: its rows, in order.
      language: only items of this one; None for all.
      judge_texts: see `Suite`.

    Raises:
      UserError: there is no item, or more than `MAX_ITEMS`.
    """
    items: dict[str, PublicItem] = {}
    skipped: list[Reject] = []
    for one in found:
        if isinstance(one, Reject):
            skipped.append(one)
        elif one.id in items:
            skipped.append(Reject(row=one.id, reason="another item has this id"))
        elif language is None or one.language == language:
            items[one.id] = one
        if len(items) + len(skipped) > MAX_ITEMS:
            raise UserError(f"this copy of {name} has more than {MAX_ITEMS} rows")
    if not items:
        why = f"; {skipped[0].row}: {skipped[0].reason}" if skipped else ""
        wanted = f" in {language}" if language else ""
        raise UserError(f"this copy of {name} has no items{wanted}{why}")
    return Suite(
        name=name,
        items=tuple(items.values()),
        skipped=tuple(skipped),
        judge_texts=judge_texts,
    )


def checked_id(text: str) -> str:
    """An id that is safe as the name of a file below a folder.

    Raises:
      UserError: it is none.
    """
    parts = text.split("/")
    is_fine = all(
        _PART.fullmatch(part) and part == part.strip() and part not in (".", "..")
        for part in parts
    )
    # Half a surrogate pair is a text of Python's and no name of a file.
    if not is_fine or len(text.encode(errors="ignore")) > _MAX_ID or not _is_utf8(text):
        raise UserError(
            f'the id {text[:60]!r} cannot name a file: it has one of \\ : * ? " < > |, '
            f"leaves the folder, or has more than {_MAX_ID} bytes"
        )
    return text


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked_text(value: object, name: str) -> str:
    """A text of some length.

    Raises:
      UserError: it is empty, too long, or no text.
    """
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{name!r} is {value!r:.60}, but must be a text")
    if len(value) > MAX_INSTRUCTION:
        raise UserError(
            f"{name!r} has {len(value)} characters, more than {MAX_INSTRUCTION}"
        )
    return value
