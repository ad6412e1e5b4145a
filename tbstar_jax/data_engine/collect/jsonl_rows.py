"""JSON as rows: one object per line (`.jsonl`), or one list of objects (`.json`)."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tbstar_jax.data_engine.collect.rows import Files, Row
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError

_MAX_LINE_BYTES = 16 * 2**20
_MAX_LIST_BYTES = 2 * 2**30


class JsonlRows:
    """The lines of a file, blank ones left out; only their offsets are held."""

    def __init__(self, path: str | os.PathLike[str], files: Files):
        """Finds the lines.

        Args:
          path: the file.
          files: the images that rows name.
        """
        self.files = files
        self.names_files = True
        self._path = Path(path)
        with self._path.open("rb") as file:
            lines = [line for line in _lines(file) if not line[-1]]
        self._numbers = np.array([line[0] for line in lines], np.int64)
        self._spans = np.array([line[1:3] for line in lines], np.int64).reshape(-1, 2)

    def __len__(self) -> int:
        """Number of lines that are not blank."""
        return len(self._numbers)

    def read(self, start: int, stop: int) -> Iterator[Row | Reject]:
        """Parses the lines `start` up to `stop`."""
        with self._path.open("rb") as file:
            for index in range(start, min(stop, len(self))):
                place = f"{self._path.name} line {self._numbers[index]}"
                begin, length = map(int, self._spans[index])
                if length > _MAX_LINE_BYTES:
                    reason = f"the line has {length} bytes, more than {_MAX_LINE_BYTES}"
                    yield Reject(row=place, reason=reason)
                    continue
                file.seek(begin)
                yield parsed_object(place, file.read(length))


def _lines(file: BinaryIO) -> Iterator[tuple[int, int, int, bool]]:
    """Number, offset and length of every line, and whether it is blank."""
    offset = number = 0
    while piece := file.readline(_MAX_LINE_BYTES):
        number += 1
        length, is_blank = len(piece), not piece.strip()
        while not piece.endswith(b"\n") and (piece := file.readline(_MAX_LINE_BYTES)):
            length += len(piece)
            is_blank = is_blank and not piece.strip()
        yield number, offset, length, is_blank
        offset += length


class JsonListRows:
    """The objects of one JSON list; the file is held in memory."""

    def __init__(self, path: str | os.PathLike[str], files: Files):
        """Reads the file.

        Raises:
          UserError: it is too large, or no list.
        """
        self.files = files
        self.names_files = True
        self._path = Path(path)
        size = self._path.stat().st_size
        if size > _MAX_LIST_BYTES:
            raise UserError(
                f"{path} has {size} bytes, more than {_MAX_LIST_BYTES}; write it as "
                "JSON lines"
            )
        try:
            items = json.loads(self._path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} is not valid JSON ({error})") from error
        if not isinstance(items, list):
            raise UserError(f"{path} holds no list of objects")
        self._items = items

    def __len__(self) -> int:
        """Number of items."""
        return len(self._items)

    def read(self, start: int, stop: int) -> Iterator[Row | Reject]:
        """The items `start` up to `stop`."""
        for index in range(start, min(stop, len(self))):
            place = f"{self._path.name} item {index}"
            item = self._items[index]
            if isinstance(item, dict):
                yield Row(place=place, values=item)
            else:
                yield Reject(row=place, reason="not a JSON object with named fields")


def parsed_object(place: str, data: bytes) -> Row | Reject:
    """Parses one JSON object that names no field twice."""
    try:
        values = json.loads(data, object_pairs_hook=_without_repetition)
    except UserError as error:
        return Reject(row=place, reason=str(error))
    except (ValueError, RecursionError) as error:
        return Reject(row=place, reason=f"not valid JSON ({error})")
    if not isinstance(values, dict):
        return Reject(row=place, reason="not a JSON object with named fields")
    return Row(place=place, values=values)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"the field {twice[:80]!r} is given twice")
    return values
