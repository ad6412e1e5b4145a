"""What an editing expert is: photo and request in, edited photo of the same size out.

An expert is a frozen dataclass of settings, picklable like a `Method`; `open()` loads
what it needs once per process and gives the function that edits. An expert that cannot
do what is asked says so (`CannotEdit`): it never returns the photo unedited, and never
another edit than the one that was asked for.
"""

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from tbstar_jax.array_types import UInt8
from tbstar_jax.errors import UserError
from tbstar_jax.tasks import task_by_id


class CannotEdit(Exception):  # noqa: N818
    """An expert declines a request: one sentence says why.

    Attributes:
      reason: that sentence.
      is_garbled: whether an answer came that cannot be read: no decision of the expert.
    """

    def __init__(self, reason: str, *, is_garbled: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_garbled = is_garbled


@dataclasses.dataclass(frozen=True, kw_only=True)
class Region:
    """A labelled box, in pixels; rows and columns from the top left corner.

    Attributes:
      label: what is there, in English, e.g. `mug`, `watermark`, `price tag`.
      top: first row inside.
      left: first column inside.
      bottom: first row below, more than `top`.
      right: first column beyond, more than `left`.
    """

    label: str
    top: int
    left: int
    bottom: int
    right: int

    def __post_init__(self) -> None:
        if not (0 <= self.top < self.bottom and 0 <= self.left < self.right):
            raise UserError(
                f"the box of {self.label!r} has rows {self.top} to {self.bottom} and "
                f"columns {self.left} to {self.right}; it must have pixels inside the "
                "photo"
            )

    def fits(self, height: int, width: int) -> bool:
        """Whether the whole box lies inside a photo of this size."""
        return self.bottom <= height and self.right <= width


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditRequest:
    """One edit that is asked for.

    Attributes:
      task: an id of `tbstar_jax/tasks.py`.
      instruction_en: the request in English.
      instruction_zh: the same in Chinese.
      regions: where; empty for edits of the whole photo.
      parameters: what an expert without language needs, by name: `color` (present),
        `new_color` (an English name or `#rrggbb`), `text` (present), `new_text`,
        `background` (a description or `#rrggbb`), `material`, `new_material`,
        `object` and `new_object` (English nouns), `direction`, `light` (an id of
        `needs.LIGHTS`, or a description).
      mask: the pixels that may change, 255 inside and 0 outside, of the photo's size;
        None when nobody knows more than the boxes.
      references: further pictures that the instruction speaks of, RGB, from the second
        on.
    """

    task: str
    instruction_en: str
    instruction_zh: str
    regions: tuple[Region, ...]
    parameters: Mapping[str, str]
    mask: UInt8[np.ndarray, "h w"] | None
    references: tuple[UInt8[np.ndarray, "_ _ 3"], ...] = ()

    def __post_init__(self) -> None:
        task_by_id(self.task)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditedPhoto:
    """What an expert made.

    Attributes:
      image: RGB of the photo's size, 0..255.
      mask: 255 where the expert edited and 0 where it left the photo bit for bit
        alone; None when it does not know, as a generative model does not.
    """

    image: UInt8[np.ndarray, "h w 3"]
    mask: UInt8[np.ndarray, "h w"] | None


Edit: TypeAlias = Callable[
    [UInt8[np.ndarray, "h w 3"], EditRequest, np.random.Generator], EditedPhoto
]
"""Edits a photo as asked, thread-safe; raises `CannotEdit`."""


@runtime_checkable
class Expert(Protocol):
    """Settings of something that edits photos: a frozen dataclass, picklable."""

    @property
    def name(self) -> str:
        """Lower-case letters, digits and underscores, e.g. `inpaint`."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides the output (see `stage.fingerprint_of`)."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Ids of the tasks it can be asked for."""

    def open(self) -> AbstractContextManager[Edit]:
        """Loads what is needed, once per process."""
