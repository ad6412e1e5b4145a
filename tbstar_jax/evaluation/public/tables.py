"""Rows of a user's copy, and the photos in them.

Rows are read twice: once without photos, for the list of items, and once from first to
last when photos are looked at. A table whose photos are asked for in their order is
decoded once; nothing but the batch in hand is in memory.

`data_engine/collect` reads Parquet, JSON lines and JSON lists. Arrow files, which the
`datasets` library writes with `save_to_disk` and keeps in its cache, are read here.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

from tbstar_jax.data_engine.collect.image_bytes import fit_image
from tbstar_jax.data_engine.collect.jsonl_rows import JsonListRows, JsonlRows
from tbstar_jax.data_engine.collect.parquet_rows import ParquetRows
from tbstar_jax.data_engine.collect.rows import Files, FolderFiles, Row, Rows
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.public.items import PublicItem
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.vlm.strict_json import NotJsonError, read_json

MAX_JSON_BYTES = 64 << 20
"""Largest JSON file that is read whole."""

SUFFIXES = (".parquet", ".arrow", ".jsonl", ".json")
"""Of tables, in the order they are looked for."""

_NO_TABLES = ("state.json", "dataset_info.json", "dataset_dict.json")
"""What `save_to_disk` writes beside the Arrow files."""

_BLOCK = 64
_BROKEN = (pa.ArrowException, OSError, ValueError)


class ArrowRows:
    """The rows of an Arrow file, mapped into memory, not read."""

    def __init__(self, path: Path, files: Files, names: Sequence[str]) -> None:
        """Finds the batches.

        Args:
          path: in Arrow's stream or file format.
          files: that rows name.
          names: columns to read; those that the file lacks are left out.

        Raises:
          UserError: the file is damaged or no Arrow file.
        """
        self.files = files
        self.names_files = True
        self._name = path.name
        try:
            batches = list(_batches(path))
            wanted = [] if not batches else batches[0].schema.names
            columns = [name for name in wanted if name in set(names)]
            self._batches = [batch.select(columns) for batch in batches]
            for batch in self._batches:
                batch.validate(full=True)
        except _BROKEN as error:
            raise UserError(
                f"{path} is damaged or no Arrow file ({type(error).__name__})"
            ) from error

    def __len__(self) -> int:
        """Number of rows."""
        return sum(batch.num_rows for batch in self._batches)

    def read(self, start: int, stop: int) -> Iterator[Row | Reject]:
        """Reads rows `start` up to `stop`."""
        first = 0
        for batch in self._batches:
            for k in range(max(start - first, 0), min(stop - first, batch.num_rows)):
                place = f"{self._name} row {first + k}"
                try:
                    names, columns = batch.schema.names, batch.columns
                    values = {
                        name: column[k].as_py()
                        for name, column in zip(names, columns, strict=True)
                    }
                except _BROKEN as error:
                    reason = f"not readable ({type(error).__name__})"
                    yield Reject(row=place, reason=reason)
                else:
                    yield Row(place=place, values=values)
            first += batch.num_rows


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    source = pa.memory_map(os.fspath(path))
    try:
        yield from pa.ipc.open_stream(source)
    except pa.ArrowInvalid:
        source.seek(0)
        reader = pa.ipc.open_file(source)
        for k in range(reader.num_record_batches):
            yield reader.get_batch(k)


class Photos:
    """One column of pictures of a table, read from first to last."""

    def __init__(self, rows: Rows, column: str) -> None:
        """Takes rows that were opened with this column and no other."""
        self._rows = rows
        self._column = column
        self._next = 0
        self._reading: Iterator[Row | Reject] | None = None

    def read(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decodes the picture of a row.

        Raises:
          UserError: there is none, or it cannot be read.
        """
        if self._reading is None or index < self._next:
            self._reading = self._rows.read(index, len(self._rows))
            self._next = index
        for row in self._reading:
            here = self._next
            self._next += 1
            if isinstance(row, Reject):
                # It may stand for several rows, so the place is lost.
                self._reading = None
                break
            if here == index:
                return picture(row.values.get(self._column), self._rows.files)
        raise UserError(f"the picture {self._column!r} of row {index} cannot be read")


def picture(value: Any, files: Files) -> UInt8[np.ndarray, "h w 3"]:
    """Decodes a value of a picture's column: bytes, `{bytes, path}` or a file's name.

    Raises:
      UserError: it holds no picture, or one that cannot be read.
    """
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, str) and value:
        return decoded(files.read(value), value)
    if isinstance(value, bytes | bytearray) and value:
        return decoded(bytes(value), "the picture")
    raise UserError(f"there is no picture but {value!r:.60}")


def decoded(data: bytes, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """Decodes a file of any common format to sRGB; raises as `fit_image` does."""
    return decode_image(fit_image(data).data, name)


def open_tables(path: Path, names: Sequence[str]) -> list[Rows]:
    """Opens a table, or all tables of the first known kind below a folder.

    Args:
      path: the file or the folder.
      names: columns that are read.

    Raises:
      UserError: there is none, or it is damaged.
    """
    files = table_files(path)
    if not files:
        raise UserError(
            f"{path} holds no table ({', '.join(SUFFIXES)}); give the folder or file "
            "that was downloaded or saved"
        )
    return [_open(file, names) for file in files]


def table_files(path: Path) -> list[Path]:
    """Files of the first kind of `SUFFIXES` that there is; hidden ones do not count."""
    if path.is_file():
        return [path]
    for suffix in SUFFIXES:
        found = [
            file
            for file in sorted(path.rglob(f"*{suffix}"))
            if file.is_file()
            and file.name not in _NO_TABLES
            and not any(one.startswith(".") for one in file.relative_to(path).parts)
        ]
        if found:
            return found
    return []


def _open(path: Path, names: Sequence[str]) -> Rows:
    files = FolderFiles(path.parent)
    opened: dict[str, Callable[[], Rows]] = {
        ".parquet": lambda: ParquetRows(path, files, names, ()),
        ".arrow": lambda: ArrowRows(path, files, names),
        ".jsonl": lambda: JsonlRows(path, files),
        ".json": lambda: JsonListRows(path, files),
    }
    if path.suffix not in opened:
        raise UserError(f"{path} is no table; known are {', '.join(SUFFIXES)}")
    try:
        return opened[path.suffix]()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error})") from error


def each_row(rows: Rows) -> Iterator[tuple[int, Row | Reject]]:
    """All rows with their numbers; a block that cannot be read is read row by row."""
    for start in range(0, len(rows), _BLOCK):
        stop = min(start + _BLOCK, len(rows))
        block = list(rows.read(start, stop))
        if len(block) < stop - start:
            block = [_one_row(rows, k) for k in range(start, stop)]
        yield from enumerate(block, start)


def _one_row(rows: Rows, index: int) -> Row | Reject:
    lost = Reject(row=f"row {index}", reason="not readable")
    return next(rows.read(index, index + 1), lost)


def items_of_rows(
    rows: Rows, read: Callable[[int, Row], PublicItem]
) -> Iterator[PublicItem | Reject]:
    """Reads every row as an item; what is wrong with one is its reason to be skipped.

    Args:
      rows: of a table.
      read: number and row to item; raises `UserError` for a row that is none.
    """
    for index, row in each_row(rows):
        if isinstance(row, Reject):
            yield row
            continue
        try:
            yield read(index, row)
        except UserError as error:
            yield Reject(row=row.place, reason=str(error))


def read_json_file(path: Path) -> Any:
    """Reads a JSON file of bounded size.

    Raises:
      UserError: it cannot be read, is too large or no JSON.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    if len(data) > MAX_JSON_BYTES:
        raise UserError(f"{path} has more than {MAX_JSON_BYTES} bytes")
    try:
        return read_json(data)
    except NotJsonError as error:
        raise UserError(f"{path} is no JSON: {error}") from error


def file_photo(
    files: FolderFiles, name: object
) -> Callable[[], UInt8[np.ndarray, "h w 3"]]:
    """A picture in a file below a folder.

    Raises:
      UserError: the name is none, leaves the folder, or there is no such file.
    """
    if not isinstance(name, str) or not name:
        raise UserError(f"the picture's file is {name!r:.60}, but must be a name")
    files.path(name)

    def read() -> UInt8[np.ndarray, "h w 3"]:
        return decoded(files.read(name), name)

    return read


def image_root(candidates: Sequence[Path], names: Sequence[str]) -> FolderFiles:
    """The folder below which most of the named files are.

    Args:
      candidates: folders, the likeliest first; their sub-folders are looked at too.
      names: of some pictures.

    Raises:
      UserError: none holds any.
    """
    folders: dict[Path, int] = {}
    for candidate in candidates:
        inside = sorted(candidate.iterdir()) if candidate.is_dir() else []
        for folder in (candidate, *(one for one in inside if one.is_dir())):
            folders.setdefault(folder, 0)
            folders[folder] = sum(_is_below(folder, name) for name in names)
    best = max(folders, key=lambda folder: folders[folder], default=None)
    if best is None or not folders[best]:
        looked = ", ".join(str(one) for one in candidates)
        raise UserError(
            f"no picture such as {names[0] if names else ''!r:.80} lies in {looked} or "
            "a folder there; put the benchmark's pictures there"
        )
    return FolderFiles(best)


def _is_below(folder: Path, name: str) -> bool:
    try:
        FolderFiles(folder).path(name)
    except UserError:
        return False
    return True
