"""Replies on disk, named by the content of what was asked.

One JSON file per question, `ab/abcdef....json`, written beside its place and linked
into it: several processes may share a directory, a file is whole or absent, and the
first answer to a question stays, so that all read the same one. Keys, addresses and
times are not stored; images are, in the question, only as SHA-256.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAX_ENTRY_BYTES = 64 << 20
"""Largest file that is read back."""


def request_key(request: Mapping[str, Any]) -> str:
    """SHA-256 of a question: of its canonical JSON.

    Args:
      request: all that the answer depends on, images by their SHA-256.
    """
    text = json.dumps(
        dict(request), sort_keys=True, ensure_ascii=True, separators=(",", ":")
    )
    return hashlib.sha256(text.encode()).hexdigest()


class ReplyCache:
    """A directory of answers."""

    def __init__(self, directory: Path) -> None:
        """Names the directory; it is made when the first answer is stored."""
        self._directory = directory

    def get(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer to a question; None when there is none, or a damaged one."""
        key = request_key(request)
        try:
            with open(self._path(key), "rb") as file:
                data = file.read(MAX_ENTRY_BYTES + 1)
            entry = json.loads(data) if len(data) <= MAX_ENTRY_BYTES else None
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(entry, dict) or entry.get("key") != key:
            return None
        reply = entry.get("reply")
        return reply if isinstance(reply, dict) else None

    def put(
        self, request: Mapping[str, Any], reply: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Stores an answer, unless another process was faster.

        Args:
          request: as given to `get`.
          reply: anything JSON can hold.

        Returns:
          What the cache holds now: the other's answer, where it was faster.
        """
        key = request_key(request)
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        entry = {"key": key, "request": dict(request), "reply": dict(reply)}
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                # ASCII: a reply may hold half a surrogate pair, which UTF-8 cannot.
                json.dump(entry, file, ensure_ascii=True, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            return self._place(Path(name), path, request) or dict(reply)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)

    def _place(
        self, part: Path, path: Path, request: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Moves a file to its place; returns the answer that was there before."""
        try:
            os.link(part, path)
            return None
        except FileExistsError:
            stored = self.get(request)
            if stored is not None:
                return stored
        except OSError:
            pass  # a file system without links: the last answer stays, also whole
        os.replace(part, path)
        return None

    def _path(self, key: str) -> Path:
        return self._directory / key[:2] / f"{key}.json"
