"""Lines of JSON that are appended one by one and survive being killed.

A line is written by one call and flushed, so a process that is killed leaves at most
one torn line, the last: it is dropped when the journal is opened again. One process
writes at a time; a second one is refused.
"""

import fcntl
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tbstar_jax.errors import UserError

MAX_LINE_BYTES = 16 << 20
"""Longest line that is read."""


class Journal:
    """An open journal; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Opens a file to append to, made where absent, and drops a torn last line.

        Raises:
          UserError: another process writes it, or it cannot be written.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b")
        except OSError as error:
            raise _not_written(path, error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise UserError(
                f"{path} is being written by another process; wait for it, or use "
                "another folder"
            ) from error
        self._file.truncate(_whole_bytes(path))

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:  # what could not be written is tried once more
            raise _not_written(self._path, failure) from failure

    def append(self, entry: Mapping[str, Any]) -> None:
        """Writes one object of JSON values, without NaN and infinity.

        Raises:
          UserError: the disk is full, for example.
        """
        line = line_of(entry)
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise _not_written(self._path, error) from error


def line_of(entry: Mapping[str, Any]) -> bytes:
    """An object of JSON values, without NaN and infinity, as a line of a journal."""
    text = json.dumps(dict(entry), ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def _not_written(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path} cannot be written ({error.strerror}); make room, or choose another "
        "folder"
    )


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Reads the whole lines of a journal; none where the file is absent.

    Raises:
      UserError: a line other than a torn last one is no object of JSON.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file, path), 1):
            if not line.endswith(b"\n"):
                return
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise UserError(
                    f"line {number} of {path} is no JSON ({error}); restore the file, "
                    "or delete it to compute its lines again"
                ) from error
            if not isinstance(entry, dict):
                raise UserError(f"line {number} of {path} is no object of JSON")
            yield entry


def _lines(file: Any, path: Path) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES:
            raise UserError(
                f"{path} has a line of {MAX_LINE_BYTES >> 20} MiB or more; it is not "
                "what this project writes"
            )
        yield line


def _whole_bytes(path: Path) -> int:
    """Length of a file up to its last newline."""
    data = path.read_bytes()
    return data.rfind(b"\n") + 1
