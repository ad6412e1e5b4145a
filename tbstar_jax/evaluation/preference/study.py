"""A preference study: pairs of edits to compare, and the key to their makers.

The page names answers by opaque ids only. Which system made which is in the key, one
JSON file that stays with the experimenter.
"""

import dataclasses
import json
from pathlib import Path
from typing import Literal, TypeAlias

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.vlm.schema import NotValidError, read_as
from tbstar_jax.vlm.strict_json import NotJsonError, read_json

ItemKind: TypeAlias = Literal["pair", "identical", "reference"]
"""`pair` is what the study is about. The others check attention: `identical` shows one
answer twice, `reference` the right edit beside the unchanged photo."""

MAX_KEY_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """An edit and who made it.

    Attributes:
      system: a name that raters never see.
      image: the picture.
    """

    system: str
    image: Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """Two systems' edits of one photo.

    Attributes:
      prompt: id of the prompt.
      case: id of its case; its prompts move together in statistics.
      task: its task.
      language: of the instruction.
      instruction: what the systems were told; may be hostile.
      source: the photo.
      first: one edit.
      second: the other, by another system.
      reference: the right edit, for attention checks.
      object_photo: the second picture that the systems were given; None without one.
    """

    prompt: str
    case: str
    task: str
    language: Language
    instruction: str
    source: Path
    first: Answer
    second: Answer
    reference: Path | None = None
    object_photo: Path | None = None

    def __post_init__(self) -> None:
        if self.first.system == self.second.system:
            raise UserError(
                f"prompt {self.prompt} pairs {self.first.system} with itself: "
                "compare two different systems"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeyAnswer:
    """An opaque id and the system behind it."""

    id: str
    system: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeyItem:
    """What one comparison of the page really is.

    Attributes:
      id: its opaque id.
      kind: a pair or a check of attention.
      prompt: of the pair; of the one a check was made from.
      case: likewise.
      task: likewise.
      language: likewise.
      first: an answer. In pairs, of the system that comes first in the study; in
        `reference`, the right edit.
      second: the other one; in `reference`, the unchanged photo.
    """

    id: str
    kind: ItemKind
    prompt: str
    case: str
    task: str
    language: Language
    first: KeyAnswer
    second: KeyAnswer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Key:
    """What the page does not say.

    Attributes:
      format: what kind of file it is.
      version: 1.
      study: id of the page; vote files name it.
      seed: that the page was built with.
      systems: in the order of their first pair.
      items: comparisons of the page.
    """

    format: Literal["tbstar-preference-key"]
    version: int
    study: str
    seed: int
    systems: tuple[str, ...]
    items: tuple[KeyItem, ...]

    def __post_init__(self) -> None:
        if self.version != 1:
            raise ValueError(f"version {self.version} is not 1")
        ids = [item.id for item in self.items]
        if len(set(ids)) < len(ids):
            raise ValueError("two items have one id")


def write_key(path: Path, key: Key) -> None:
    """Writes the key as JSON."""
    text = json.dumps(dataclasses.asdict(key), indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def read_key(path: Path) -> Key:
    """Reads a key.

    Raises:
      UserError: the file cannot be read or is no key.
    """
    data = read_bounded(path, MAX_KEY_BYTES, "the key")
    try:
        return read_as(Key, read_json(data), "key")
    except (NotJsonError, NotValidError) as error:
        raise UserError(
            f"{path} is no key of a preference study ({error}): give the key.json that "
            "was written with the page"
        ) from error


def read_bounded(path: Path, max_bytes: int, name: str) -> bytes:
    """The bytes of a file that nobody vouches for.

    Raises:
      UserError: it cannot be read or is larger than allowed.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot read {name} {path}: {reason}") from error
    if len(data) > max_bytes:
        raise UserError(
            f"{path} has more than {max_bytes} bytes, the most that is read of {name}: "
            "give the right file"
        )
    return data
