"""CSV with a header line as rows."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tbstar_jax.data_engine.collect.rows import Files, Row
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError

_MAX_LINE_BYTES = 2**20


class _Lines:
    """The lines of a file as text, with the offset behind the last one read.

    Bytes that are not UTF-8 become surrogates, so that a bad field spoils its own row
    and not the file.
    """

    def __init__(self, file: BinaryIO, offset: int):
        file.seek(offset)
        self._file = file
        self.offset = offset

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(_MAX_LINE_BYTES):
            self.offset += len(line)
            if len(line) == _MAX_LINE_BYTES and not line.endswith(b"\n"):
                # NUL gets the record refused that this line belongs to.
                line = b"\0\n"
                while piece := self._file.readline(_MAX_LINE_BYTES):
                    self.offset += len(piece)
                    if piece.endswith(b"\n"):
                        break
            yield line.decode("utf-8", "surrogateescape")


class CsvRows:
    """The records below the header; a quoted field may span lines.

    Fields are texts. A field is at most as long as the csv module allows (131,072
    characters); an unclosed quote therefore costs a bounded part of the file.
    """

    def __init__(self, path: str | os.PathLike[str], files: Files):
        """Finds the records.

        Raises:
          UserError: there is no header, or it names a column twice.
        """
        self.files = files
        self.names_files = True
        self._path = Path(path)
        with self._path.open("rb") as file:
            lines = _Lines(file, 3 if file.read(3) == b"\xef\xbb\xbf" else 0)
            reader = csv.reader(lines)
            try:
                self._names = next(reader, [])
            except csv.Error as error:
                raise UserError(f"{path} has no readable header ({error})") from error
            twice = {n for n in self._names if self._names.count(n) > 1}
            if not self._names or twice:
                raise UserError(
                    f"{path} has no header line"
                    if not self._names
                    else f"{path} names the column {sorted(twice)[0]!r} twice"
                )
            offsets = [lines.offset]
            for record in _records(reader):
                if record == []:
                    offsets[-1] = lines.offset
                else:
                    offsets.append(lines.offset)
        self._offsets = np.array(offsets[:-1], np.int64)

    def __len__(self) -> int:
        """Number of records."""
        return len(self._offsets)

    def read(self, start: int, stop: int) -> Iterator[Row | Reject]:
        """Parses the records `start` up to `stop`."""
        stop = min(stop, len(self))
        if start >= stop:
            return
        with self._path.open("rb") as file:
            reader = csv.reader(_Lines(file, int(self._offsets[start])))
            records = (record for record in _records(reader) if record != [])
            for index, record in zip(range(start, stop), records, strict=False):
                yield self._row(f"{self._path.name} record {index}", record)

    def _row(self, place: str, record: list[str] | csv.Error) -> Row | Reject:
        reason = ""
        if isinstance(record, csv.Error):
            reason = f"not readable as CSV ({record})"
        elif len(record) != len(self._names):
            reason = f"it has {len(record)} fields, but the header {len(self._names)}"
        elif any("\0" in field for field in record):
            reason = "a field holds NUL characters"
        elif any("\udc80" <= c <= "\udcff" for field in record for c in field):
            reason = "a field is not UTF-8"
        if reason or isinstance(record, csv.Error):
            return Reject(row=place, reason=reason)
        # An empty field says nothing.
        pairs = zip(self._names, record, strict=True)
        return Row(place=place, values={name: text for name, text in pairs if text})


def _records(reader: Iterator[list[str]]) -> Iterator[list[str] | csv.Error]:
    """The records of a reader, which goes on with the next line after an error."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield error
