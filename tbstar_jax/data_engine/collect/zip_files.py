"""The members of a zip archive as files that rows name; nothing is unpacked."""

import os
import zipfile
from pathlib import Path

from tbstar_jax.data_engine.collect.rows import MAX_FILE_BYTES, check_size
from tbstar_jax.errors import UserError


class ZipFiles:
    """The members of one archive, by name."""

    def __init__(self, path: str | os.PathLike[str]):
        """Reads the directory of the archive.

        Raises:
          UserError: it is damaged or none.
        """
        self._path = Path(path)
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise UserError(f"{path} is no readable zip archive ({error})") from error
        self._members = {
            os.path.normpath(one.filename): one for one in self._archive.infolist()
        }

    def read(self, name: str) -> bytes:
        """The content of a member.

        Raises:
          UserError: there is none of the name, it is damaged, encrypted or too large;
            what it declares is not trusted.
        """
        member = self._members.get(os.path.normpath(name))
        if member is None or member.is_dir():
            raise UserError(f"there is no file {name[:200]!r} in {self._path.name}")
        check_size(name, member.file_size)
        try:
            with self._archive.open(member) as file:
                data = file.read(MAX_FILE_BYTES + 1)
        # Decompressors, encryption and unknown methods raise what they like.
        except Exception as error:
            raise UserError(f"{name[:200]!r} cannot be read ({error})") from error
        check_size(name, len(data))
        return data

    def digest(self, name: str) -> str:
        """Checksum and length of a member; empty when there is none."""
        member = self._members.get(os.path.normpath(name))
        return f"{member.CRC} {member.file_size}" if member else ""
