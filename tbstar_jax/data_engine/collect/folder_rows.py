"""A folder of images as rows: photos, or pairs by equal names in sibling folders.

Every image has a caption beside it if there is a text file of the same stem. Where the
images lie inside the folder may be a rule of its own: the column `folder` holds it.
"""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tbstar_jax.data_engine.collect.rows import FolderFiles, Row
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError

IMAGE_SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".bmp",
    ".tif",
    ".tiff",
    ".gif",
    ".avif",
)
_MAX_CAPTION_BYTES = 65536


@dataclasses.dataclass(frozen=True, kw_only=True)
class FolderLayout:
    """Where the images of a row lie.

    Attributes:
      columns: column name and sub-folder; the first decides the rows, the others hold
        images of the same stem. Several folders may share a column, or be missing.
      caption_suffix: of the text beside the first column's image; column `caption`.
    """

    columns: tuple[tuple[str, str], ...] = (("image", "."),)
    caption_suffix: str = ".txt"


PHOTO_LAYOUT = FolderLayout()
"""Photos anywhere below the folder."""


class FolderRows:
    """One row per image of the layout's first folder, sorted by path.

    Columns: those of the layout, `caption` (when there is one), `stem` and `folder`
    (the folder below the first column's, empty at its top).
    """

    def __init__(self, root: str | os.PathLike[str], layout: FolderLayout):
        """Lists the images.

        Raises:
          UserError: the first folder is missing.
        """
        self.files = FolderFiles(root)
        self.names_files = True
        self._root = Path(root)
        self._layout = layout
        first = layout.columns[0][1]
        self._names = [os.path.join(first, name) for name in self._images(first)]
        self._others = [
            (column, folder, {os.path.splitext(n)[0]: n for n in self._images(folder)})
            for column, folder in layout.columns[1:]
        ]

    def _images(self, folder: str) -> list[str]:
        root = self._root / folder
        if not root.is_dir() and folder == self._layout.columns[0][1]:
            raise UserError(f"there is no folder {root}")
        # Folders of the other columns that lie below are not taken for photos.
        others = {
            (self._root / other).resolve()
            for _, other in self._layout.columns
            if other != folder
        }
        found = []
        for directory, folders, names in os.walk(root):
            folders[:] = [
                name
                for name in folders
                if (Path(directory) / name).resolve() not in others
                and not name.startswith(".")
            ]
            inside = os.path.relpath(directory, root)
            found += [
                os.path.normpath(os.path.join(inside, name))
                for name in names
                if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")
            ]
        return sorted(found)

    def __len__(self) -> int:
        """Number of images in the first folder."""
        return len(self._names)

    def read(self, start: int, stop: int) -> Iterator[Row | Reject]:
        """Rows `start` up to `stop`; images are named, not read."""
        for name in self._names[start:stop]:
            place = os.path.normpath(name)
            try:
                yield Row(place=place, values=self._values(name))
            except UserError as error:
                yield Reject(row=place, reason=str(error))

    def _values(self, name: str) -> dict[str, Any]:
        column, first = self._layout.columns[0]
        stem = os.path.splitext(os.path.relpath(name, first))[0]
        values: dict[str, Any] = {
            column: os.path.normpath(name),
            "stem": stem,
            "folder": os.path.dirname(stem),
        }
        for other, folder, by_stem in self._others:
            if stem in by_stem:
                path = os.path.normpath(os.path.join(folder, by_stem[stem]))
                values.setdefault(other, []).append(path)
        caption = self._caption(os.path.splitext(name)[0] + self._layout.caption_suffix)
        return {**values, "caption": caption} if caption else values

    def _caption(self, name: str) -> str:
        """The lines of the caption's file as one text; empty when there is none."""
        if not (self._root / name).is_file():
            return ""
        path = self.files.path(os.path.normpath(name))
        if path.stat().st_size > _MAX_CAPTION_BYTES:
            raise UserError(
                f"the caption {name} is longer than {_MAX_CAPTION_BYTES} bytes"
            )
        try:
            return path.read_text(encoding="utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise UserError(f"the caption {name} is not UTF-8 ({error})") from error
