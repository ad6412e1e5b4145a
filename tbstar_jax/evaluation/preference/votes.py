"""Reads votes that raters sent back, strictly, and says whose edits they chose."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.preference.study import (
    ItemKind,
    Key,
    KeyItem,
    read_bounded,
)
from tbstar_jax.vlm.schema import NotValidError, read_as
from tbstar_jax.vlm.strict_json import NotJsonError, read_json

Outcome: TypeAlias = Literal["first", "same", "second", "bad"]
"""Which system was better; `bad`: neither was any good."""

MAX_VOTES_BYTES = 4 * 2**20
"""About 15,000 votes."""

_MAX_RATER = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vote:
    """One judgement, unblinded.

    Attributes:
      rater: the name they gave.
      item: id of the comparison.
      kind: a pair or a check of attention.
      prompt: what was compared.
      case: its case.
      task: its task.
      language: of the instruction.
      first: system; of two systems the same one is always first.
      second: the other system.
      outcome: who won.
      is_first_left: whether the first system was A.
      milliseconds: from the pictures' display to the vote.
    """

    rater: str
    item: str
    kind: ItemKind
    prompt: str
    case: str
    task: str
    language: Language
    first: str
    second: str
    outcome: Outcome
    is_first_left: bool
    milliseconds: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Votes:
    """All judgements of a study.

    Attributes:
      study: its id.
      systems: in the study's order.
      votes: one per rater and item, by rater, then by item.
      num_files: that were read.
      num_repeated: earlier votes of the same rater on the same item, not counted.
      num_items: comparisons of the page, checks among them.
      num_unseen: of these, how many nobody judged.
    """

    study: str
    systems: tuple[str, ...]
    votes: tuple[Vote, ...]
    num_files: int
    num_repeated: int
    num_items: int
    num_unseen: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class _FileVote:
    item: str
    left: str
    right: str
    choice: Literal["left", "same", "right", "bad"]
    place: int
    milliseconds: int
    at: int

    def __post_init__(self) -> None:
        if min(self.place, self.milliseconds, self.at) < 0:
            raise ValueError("place, milliseconds or at is below 0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _VoteFile:
    format: Literal["tbstar-preference-votes"]
    version: int
    study: str
    rater: str
    interface: Language
    votes: tuple[_FileVote, ...]

    def __post_init__(self) -> None:
        if self.version != 1:
            raise ValueError(f"version {self.version} is not 1")
        if not self.rater.strip() or len(self.rater) > _MAX_RATER:
            raise ValueError(f"rater is empty or has over {_MAX_RATER} characters")
        if not self.rater.isprintable():
            raise ValueError("rater has characters that cannot be printed")


def read_votes(paths: Sequence[Path], key: Key) -> Votes:
    """Reads vote files of one study.

    Where a rater judged an item more than once, also in several files, the latest vote
    counts.

    Args:
      paths: files that the page saved; not trusted.
      key: of the page.

    Raises:
      UserError: no file, or one that is too large, malformed, of another study, or has
        an item or answer that the page has not. Nothing of it is counted then.
    """
    if not paths:
        raise UserError("there is no file of votes: give what raters sent back")
    items = {item.id: item for item in key.items}
    latest: dict[tuple[str, str], tuple[int, Vote]] = {}
    num_votes = 0
    for path in paths:
        file = _read_file(path, key)
        for vote in file.votes:
            read = _unblind(vote, file.rater, items, path)
            known = latest.get((read.rater, read.item))
            num_votes += 1
            if known is None or vote.at >= known[0]:
                latest[read.rater, read.item] = (vote.at, read)
    seen = {item for _, item in latest}
    return Votes(
        study=key.study,
        systems=key.systems,
        votes=tuple(latest[place][1] for place in sorted(latest)),
        num_files=len(paths),
        num_repeated=num_votes - len(latest),
        num_items=len(items),
        num_unseen=len(items) - len(seen),
    )


def _read_file(path: Path, key: Key) -> _VoteFile:
    data = read_bounded(path, MAX_VOTES_BYTES, "the votes")
    try:
        file = read_as(_VoteFile, read_json(data), "file")
    except (NotJsonError, NotValidError) as error:
        raise UserError(
            f"{path} is no file of votes ({error}): give it as the page saved it"
        ) from error
    if file.study != key.study:
        raise UserError(
            f"{path} has votes of study {file.study[:40]!r} and the key is of "
            f"{key.study!r}: give the key of that page"
        )
    return file


def _unblind(
    vote: _FileVote, rater: str, items: dict[str, KeyItem], path: Path
) -> Vote:
    item = items.get(vote.item)
    if item is None:
        raise UserError(
            f"{path} has a vote on the unknown item {vote.item[:40]!r}: "
            "it was changed or belongs to another page"
        )
    is_first_left = vote.left == item.first.id
    expected = (item.first.id, item.second.id)
    if (vote.left, vote.right) != (expected if is_first_left else expected[::-1]):
        raise UserError(
            f"{path} has a vote on item {item.id} with other answers than the page: "
            "it was changed or belongs to another page"
        )
    outcome: Outcome
    if vote.choice in ("left", "right"):
        outcome = "first" if (vote.choice == "left") == is_first_left else "second"
    else:
        outcome = "same" if vote.choice == "same" else "bad"
    return Vote(
        rater=rater,
        item=item.id,
        kind=item.kind,
        prompt=item.prompt,
        case=item.case,
        task=item.task,
        language=item.language,
        first=item.first.system,
        second=item.second.system,
        outcome=outcome,
        is_first_left=is_first_left,
        milliseconds=vote.milliseconds,
    )
