"""What to collect: where a source lies, how it is stored, what its columns mean."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from tbstar_jax.data_engine.collect.csv_rows import CsvRows
from tbstar_jax.data_engine.collect.field_map import FieldMap
from tbstar_jax.data_engine.collect.folder_rows import (
    IMAGE_SUFFIXES,
    PHOTO_LAYOUT,
    FolderLayout,
    FolderRows,
)
from tbstar_jax.data_engine.collect.jsonl_rows import JsonListRows, JsonlRows
from tbstar_jax.data_engine.collect.parquet_rows import ParquetRows
from tbstar_jax.data_engine.collect.rows import Files, FolderFiles, Rows
from tbstar_jax.data_engine.collect.tar_rows import TarFiles, TarRows
from tbstar_jax.data_engine.collect.tfds_rows import TfdsRows
from tbstar_jax.data_engine.collect.zip_files import ZipFiles
from tbstar_jax.errors import UserError

Format = Literal["folder", "jsonl", "json", "csv", "parquet", "tar", "tfds"]

_SUFFIXES: tuple[tuple[Format, str], ...] = (
    ("jsonl", ".jsonl"),
    ("parquet", ".parquet"),
    ("tar", ".tar"),
    ("csv", ".csv"),
    ("json", ".json"),
)
PHOTOS = FieldMap(
    source=("image",), notes=("folder", "caption"), auxiliary="auxiliary", facts="facts"
)
"""How a plain folder of photos is read."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceSpec:
    """One source of photos or pairs.

    Attributes:
      path: a file, or a folder that holds the files of the format.
      format: how it is stored; `guess_format` tells.
      fields: which column is what.
      layout: for `folder`: where the images of a row lie.
      images: folder, tar or zip archive with the files that rows name; empty: where
        the table lies.
      split: for `tfds`.
      task_names: the set's names of tasks and our ids for them; case does not count.
      origin: what to call the source; empty: the path's last part.
      licence: SPDX id or name of the licence, for rows that name none.
      commercial: whether the licence allows commercial use; None: nobody said.
    """

    path: str
    format: Format
    fields: FieldMap = PHOTOS
    layout: FolderLayout = PHOTO_LAYOUT
    images: str = ""
    split: str = "train"
    task_names: tuple[tuple[str, str], ...] = ()
    origin: str = ""
    licence: str = "unknown"
    commercial: bool | None = None


def guess_format(path: str | os.PathLike[str]) -> Format:
    """Tells how a source is stored, by the names of its files.

    Raises:
      UserError: there is nothing, or nothing that is known.
    """
    path = Path(path)
    if path.is_file():
        for kind, suffix in _SUFFIXES:
            if path.name.lower().endswith(suffix):
                return kind
    elif path.is_dir():
        if (path / "dataset_info.json").is_file():
            return "tfds"
        for kind, suffix in _SUFFIXES[:-1]:
            if _files(path, suffix):
                return kind
        if any(name.lower().endswith(IMAGE_SUFFIXES) for name in _walk(path)):
            return "folder"
    else:
        raise UserError(f"there is no file or folder {path}")
    known = ", ".join(suffix for _, suffix in _SUFFIXES)
    raise UserError(
        f"cannot tell how {path} is stored: it is neither one of {known} nor a folder "
        "with images; name the format"
    )


def parts(spec: SourceSpec) -> list[str]:
    """The containers of a source, in order: paths relative to it, `.` for itself.

    Raises:
      UserError: there is none.
    """
    path = Path(spec.path)
    if spec.format in ("folder", "tfds"):
        if not path.is_dir():
            raise UserError(f"there is no folder {path}")
        return ["."]
    if path.is_file():
        return ["."]
    found = _files(path, dict(_SUFFIXES)[spec.format]) if path.is_dir() else []
    if not found:
        raise UserError(f"there is no {spec.format} file at {path}")
    return found


def part_path(spec: SourceSpec, part: str) -> Path:
    """Where a container lies."""
    return Path(spec.path) if part == "." else Path(spec.path) / part


def open_part(spec: SourceSpec, part: str) -> Rows:
    """Opens one container of a source.

    Raises:
      UserError: it is damaged as a whole.
    """
    path = part_path(spec, part)
    fields = spec.fields

    def files() -> Files:
        if not spec.images:
            return FolderFiles(path.parent)
        if not Path(spec.images).is_file():
            return FolderFiles(spec.images)
        is_zip = spec.images.lower().endswith(".zip")
        return ZipFiles(spec.images) if is_zip else TarFiles(spec.images)

    opened: dict[Format, Callable[[], Rows]] = {
        "folder": lambda: FolderRows(path, spec.layout),
        "jsonl": lambda: JsonlRows(path, files()),
        "json": lambda: JsonListRows(path, files()),
        "csv": lambda: CsvRows(path, files()),
        "parquet": lambda: ParquetRows(
            path, files(), fields.names(), _heads(fields.image_columns())
        ),
        "tar": lambda: TarRows(path, _alternatives(fields.image_columns())),
        "tfds": lambda: TfdsRows(path, spec.split),
    }
    try:
        return opened[spec.format]()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error})") from error


def _alternatives(expressions: Sequence[str]) -> list[str]:
    return [branch for e in expressions for branch in e.split("|")]


def _heads(expressions: Sequence[str]) -> list[str]:
    return [branch.split(".")[0] for branch in _alternatives(expressions)]


def _files(folder: Path, suffix: str) -> list[str]:
    return [name for name in _walk(folder) if name.lower().endswith(suffix)]


def _walk(folder: Path) -> list[str]:
    """Files below a folder, sorted; links to folders are not followed."""
    found = []
    for directory, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = os.path.relpath(directory, folder)
        found += [os.path.normpath(os.path.join(inside, name)) for name in names]
    return sorted(name for name in found if not os.path.basename(name).startswith("."))
