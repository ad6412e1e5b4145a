"""WebDataset archives as rows, and the members of archives as named files.

An archive is never unpacked. Its headers are read once; members are read by offset.
Links, devices and names that point outside are refused.
"""

import dataclasses
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tbstar_jax.data_engine.collect.jsonl_rows import parsed_object
from tbstar_jax.data_engine.collect.rows import Row, check_size
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError

_TEXTS = ("txt", "text", "caption", "cls")


@dataclasses.dataclass(frozen=True, slots=True)
class _Member:
    offset: int
    size: int


class TarFiles:
    """The regular members of one archive, by name."""

    def __init__(self, path: str | os.PathLike[str]):
        """Reads the headers.

        Raises:
          UserError: the archive is compressed, or none.
        """
        self.path = Path(path)
        self.members: dict[str, _Member] = {}
        self.rejects: list[Reject] = []
        try:
            # "r:" refuses compression, which would make random access a rescan.
            with tarfile.open(path, "r:") as archive:
                self._index(archive)
        except tarfile.TarError as error:
            raise UserError(
                f"{path} is not an uncompressed tar archive ({error}); unpack its "
                "compression first"
            ) from error

    def _index(self, archive: tarfile.TarFile) -> None:
        size = self.path.stat().st_size
        try:
            for member in archive:
                # Python keeps every header it has seen.
                archive.members = []  # type: ignore[attr-defined]
                reason = _objection(member, size, self.members)
                if reason:
                    self._reject(member.name, reason)
                elif member.isreg():
                    name = os.path.normpath(member.name)
                    self.members[name] = _Member(member.offset_data, member.size)
            # The tarfile module takes a damaged header for the end of the archive.
            with self.path.open("rb") as file:
                if os.pread(file.fileno(), 512, archive.offset).strip(b"\0"):
                    self._reject("the rest", "no header where one is due")
        except (tarfile.TarError, OSError, ValueError, EOFError) as error:
            self._reject("the rest", f"the archive is damaged ({error})")

    def _reject(self, name: str, reason: str) -> None:
        place = f"{self.path.name} member {name[:200]!r}"
        self.rejects.append(Reject(row=place, reason=reason))

    def read(self, name: str) -> bytes:
        """The content of a member.

        Raises:
          UserError: there is no such regular member, or it is too large.
        """
        member = self.members.get(os.path.normpath(name))
        if member is None:
            raise UserError(f"there is no file {name[:200]!r} in {self.path.name}")
        check_size(name, member.size)
        with self.path.open("rb") as file:
            data = os.pread(file.fileno(), member.size, member.offset)
        if len(data) != member.size:
            raise UserError(f"{name[:200]!r} is cut off at the end of the archive")
        return data

    def digest(self, name: str) -> str:
        """Where a member lies and how long it is; empty when there is none."""
        member = self.members.get(os.path.normpath(name))
        return f"{member.offset} {member.size}" if member else ""


def _objection(
    member: tarfile.TarInfo, archive_bytes: int, seen: Mapping[str, _Member]
) -> str:
    """Why a member is not taken; empty when it is."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\0" in member.name:
        return "its name leaves the archive"
    if member.isdir():
        return ""
    if member.issym() or member.islnk():
        return f"it is a link, to {member.linkname[:200]!r}; links are not followed"
    if not member.isreg() or member.issparse():
        return "it is not a regular file"
    if member.offset_data + member.size > archive_bytes:
        return f"it declares {member.size} bytes, beyond the end of the archive"
    if os.path.normpath(member.name) in seen:
        return "its name was used before in this archive"
    return ""


class TarRows:
    """Members that share a name up to their suffix, in order of first appearance.

    Columns are the suffixes, e.g. `1.0.jpg`, holding a member's name; JSON members are
    parsed, text members read. `__key__` is the shared name.
    """

    def __init__(self, path: str | os.PathLike[str], suffixes: Sequence[str] = ()):
        """Reads the headers and groups the members.

        Args:
          path: the archive.
          suffixes: where a name is cut when it ends in one of these; elsewhere at the
            first dot of its last part.

        Raises:
          UserError: as `TarFiles` does.
        """
        self.files = TarFiles(path)
        self.names_files = False
        self._path = Path(path)
        ordered = sorted({s.lstrip(".") for s in suffixes if s}, key=len, reverse=True)
        samples: dict[str, dict[str, str]] = {}
        for name in self.files.members:
            key, suffix = _cut(name, ordered)
            samples.setdefault(key, {})[suffix] = name
        self._samples = list(samples.items())

    def __len__(self) -> int:
        """Number of samples, and of members that were refused."""
        return len(self._samples) + len(self.files.rejects)

    def read(self, start: int, stop: int) -> Iterator[Row | Reject]:
        """Reads the texts of samples `start` up to `stop`; refused members last."""
        for index in range(start, min(stop, len(self))):
            if index >= len(self._samples):
                yield self.files.rejects[index - len(self._samples)]
                continue
            key, members = self._samples[index]
            place = f"{self._path.name} sample {key[:200]!r}"
            try:
                yield self._row(place, key, members)
            except UserError as error:
                yield Reject(row=place, reason=str(error))

    def _row(self, place: str, key: str, members: Mapping[str, str]) -> Row | Reject:
        values: dict[str, Any] = {"__key__": key}
        for suffix, name in members.items():
            kind = suffix.rsplit(".", 1)[-1].lower()
            if kind == "json":
                parsed = parsed_object(place, self.files.read(name))
                if isinstance(parsed, Reject):
                    return parsed
                values[suffix] = parsed.values
            elif kind in _TEXTS:
                try:
                    values[suffix] = self.files.read(name).decode().strip()
                except UnicodeDecodeError as error:
                    raise UserError(f"{name!r} is not UTF-8 ({error})") from error
            else:
                values[suffix] = name
        return Row(place=place, values=values)


def _cut(name: str, suffixes: Sequence[str]) -> tuple[str, str]:
    for suffix in suffixes:
        if name.endswith("." + suffix):
            return name[: -len(suffix) - 1].rstrip("."), suffix
    folder, base = os.path.split(name)
    stem, _, suffix = base.partition(".")
    return os.path.join(folder, stem), suffix
