"""What is on a contact sheet: pictures that lie on disk, and tables of scores.

A sheet names files, not arrays: the page embeds their bytes and the picture is drawn
from them, so nothing is shown that was not written.
"""

import dataclasses
from pathlib import Path

from tbstar_jax.evaluation.consistency import ConsistencySummary


@dataclasses.dataclass(frozen=True, kw_only=True)
class SheetColumn:
    """The pictures of one origin, one per row of the sheet.

    Attributes:
      title: the model that made them, or what they are.
      note: how long it was trained, or where they come from.
      pictures: image files.
    """

    title: str
    note: str
    pictures: tuple[Path, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SheetRow:
    """What was asked for in one row.

    Attributes:
      task: its task id.
      instruction: the text the models were given.
      translation: the same request in the other language, for the reader.
    """

    task: str
    instruction: str
    translation: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownEdit:
    """One edit shown by itself, as a user makes it.

    Attributes:
      title: what the photo is.
      instruction: the text the model was given.
      english: the same request in English, where Chinese cannot be drawn.
      model: the model that made the edit.
      result: what was measured on the written file.
      source: the photo.
      edit: the edited photo.
      mask: white where the edit may change pixels.
    """

    title: str
    instruction: str
    english: str
    model: str
    result: str
    source: Path
    edit: Path
    mask: Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """The scores of one model.

    Attributes:
      name: the model.
      note: how long it was trained.
      summary: means over the held-out pairs, with counts.
    """

    name: str
    note: str
    summary: ConsistencySummary


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreTable:
    """The scores of several models on the same pairs.

    Attributes:
      title: which models these are, such as "shipped".
      rows: one per model.
    """

    title: str
    rows: tuple[ScoreRow, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContactSheet:
    """A whole sheet.

    Attributes:
      title: of the page.
      notes: sentences on how it was made.
      edits: shown first, by themselves.
      rows: what was asked for.
      source: the photos, left of the instructions.
      columns: everything right of the instructions.
      tables: below the pictures.
    """

    title: str
    notes: tuple[str, ...]
    edits: tuple[ShownEdit, ...]
    rows: tuple[SheetRow, ...]
    source: SheetColumn
    columns: tuple[SheetColumn, ...]
    tables: tuple[ScoreTable, ...]

    def __post_init__(self) -> None:
        for column in (self.source, *self.columns):
            assert len(column.pictures) == len(self.rows), column.title
