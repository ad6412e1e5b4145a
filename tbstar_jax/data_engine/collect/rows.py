"""What a row is, and which files a row may name.

A reader turns one container (a table, an archive, a folder) into numbered rows whose
values are texts, numbers, bytes, lists and mappings; a text where an image is mapped
names a file. Names come from anywhere, so they are followed only to regular files
inside the root, and no file is read that is larger than `MAX_FILE_BYTES`.
"""

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError

MAX_FILE_BYTES = 256 * 2**20
"""Largest file a row may name, in bytes."""

_CONTAINER_BLOCKS = (64, 65536)
_IMAGE_BLOCKS = (4, 4096)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a source.

    Attributes:
      place: where it is, e.g. `train-00001.parquet row 17`.
      values: column name to value.
    """

    place: str
    values: Mapping[str, Any]


@runtime_checkable
class Files(Protocol):
    """The files that rows name."""

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
          UserError: the name leaves the root, or there is no such file.
        """

    def digest(self, name: str) -> str:
        """Changes when the file changes; empty when there is no such file."""


@runtime_checkable
class Rows(Protocol):
    """Random access to the rows of one container, always in the same order."""

    @property
    def files(self) -> Files:
        """The files that its rows name."""

    @property
    def names_files(self) -> bool:
        """Whether images lie outside the container, in files that rows name."""

    def __len__(self) -> int:
        """Number of rows, those that cannot be read included."""

    def read(self, start: int, stop: int) -> Iterator[Row | Reject]:
        """Rows `start` up to `stop`, in order; a bad row comes as a `Reject`."""


class FolderFiles:
    """The regular files below a folder."""

    def __init__(self, root: str | os.PathLike[str]):
        """Takes the folder as the root of all names."""
        self.root = Path(root)
        self._resolved = self.root.resolve()

    def path(self, name: str) -> Path:
        """Resolves a name to a file.

        Args:
          name: relative to the root, or absolute and below it.

        Raises:
          UserError: it leaves the root, by itself or by a link, or is no regular file.
        """
        if os.path.isabs(name):
            name = os.path.relpath(name, self.root.absolute())
        if ".." in Path(name).parts or "\0" in name:
            raise UserError(f"the path {name[:200]!r} leaves the folder of the images")
        try:
            resolved = (self._resolved / name).resolve()
            is_inside = resolved.is_relative_to(self._resolved)
            is_file = is_inside and resolved.is_file()
        except OSError as error:
            raise UserError(f"{name[:200]!r} is not a valid path ({error})") from error
        if not is_inside:
            raise UserError(f"{name[:200]!r} is a link that leaves the folder")
        if not is_file:
            raise UserError(f"there is no file {name[:200]!r} among the images")
        return resolved

    def read(self, name: str) -> bytes:
        """The content of a file; raises as `path` does, or when it is too large."""
        path = self.path(name)
        check_size(name, path.stat().st_size)
        return path.read_bytes()

    def digest(self, name: str) -> str:
        """Size and four samples of a file; empty when there is no such file."""
        try:
            return content_digest(self.path(name), *_IMAGE_BLOCKS)
        except (UserError, OSError):
            return ""


def printable(text: str) -> str:
    """The text with what UTF-8 cannot hold (names of files, escapes) spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def check_size(name: str, num_bytes: int) -> None:
    """Refuses a file that is too large to be an image."""
    if num_bytes > MAX_FILE_BYTES:
        raise UserError(
            f"{name[:200]!r} has {num_bytes} bytes, more than the limit of "
            f"{MAX_FILE_BYTES}"
        )


def content_digest(
    path: Path,
    num_blocks: int = _CONTAINER_BLOCKS[0],
    block_bytes: int = _CONTAINER_BLOCKS[1],
) -> str:
    """SHA-256 of a file's size and of blocks spread over it, from first to last.

    A file of at most `num_blocks * block_bytes` is read whole. The default reads 4 MiB
    of a container of any size; when it was last changed does not count.

    Args:
      path: a regular file.
      num_blocks: how many blocks are read, at least 2.
      block_bytes: length of one.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(f"{size}\n".encode())
    with path.open("rb") as file:
        if size <= num_blocks * block_bytes:
            digest.update(file.read())
        else:
            for k in range(num_blocks):
                file.seek((size - block_bytes) * k // (num_blocks - 1))
                digest.update(file.read(block_bytes))
    return digest.hexdigest()
