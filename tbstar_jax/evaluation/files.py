"""Files that are whole or not there, their digests, and JSON that any reader takes."""

import contextlib
import hashlib
import json
import math
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tbstar_jax.errors import UserError


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file beside its place, made where absent, and moves it there.

    A reader, or a run after one that was killed, finds the old file or the new one.

    Raises:
      UserError: it cannot be written: a full disk, or a folder that may not be.
    """
    own = f"{os.getpid()}.{threading.get_ident()}"
    part = path.with_name(f".{path.name}.{own}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}); make room, or choose "
            "another folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def file_digest(paths: Iterable[Path]) -> str:
    """SHA-256 over the contents of files, in the order given."""
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def json_text(value: Any) -> str:
    """Indented JSON with a newline; NaN is null, infinity the text "inf"."""
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, indent=1)
    return text + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
