"""The content of judged pictures, remembered while their files stay the same.

A judgement is of pixels (`judge.item.content_of`), so that a picture which was replaced
has none. To decode all pictures of a run for every report would be slow: the run's
folder remembers what each file held, by its size and time of change, and by its SHA-256
where these differ, e.g. after the folder was copied.
"""

import dataclasses
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.store import INDEX
from tbstar_jax.evaluation.files import file_digest, json_text, write_whole
from tbstar_jax.vlm.schema import NotValidError, read_as
from tbstar_jax.vlm.strict_json import NotJsonError, read_json

CONTENT_FILE = "judged_content.json"

_SETTLED_NS = 2_000_000_000
"""A file changed less than this ago may change again and keep its time."""
_UNSETTLED = -1
"""In place of the time of such a file: the next look hashes it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Known:
    """What one file held.

    Attributes:
      size: of the answer's file, in bytes; -1 where there is none.
      mtime_ns: when it was changed.
      sha256: of it; empty where there is none.
      cases_sha256: of the file of the cases, which pins their words and pictures.
      content: of request and pictures.
    """

    size: int
    mtime_ns: int
    sha256: str
    cases_sha256: str
    content: str


def contents_now(
    folder: Path,
    cases: Path,
    answers: Mapping[str, Path | None],
    content_of: Callable[[str], str],
) -> dict[str, str]:
    """The content of every prompt and its answer, as the files are now.

    Args:
      folder: of the run, which remembers.
      cases: folder of the cases.
      answers: prompt to the file of its answer; None: there is none.
      content_of: of a prompt; decodes its pictures, and is called only where they are
        not remembered.

    Raises:
      UserError: there are no cases.
    """
    path = folder / CONTENT_FILE
    before = _read(path)
    try:
        cases_sha256 = file_digest([cases / INDEX])
    except OSError as error:
        raise UserError(
            f"{cases} has no cases: the file {INDEX} cannot be read ({error.strerror})"
        ) from error
    now: dict[str, _Known] = {}
    for prompt, file in answers.items():
        known = _same(before.get(prompt), file, cases_sha256)
        if known is None:
            # Before it is decoded: a file that changes meanwhile is decoded again.
            size, mtime_ns = _stat(file)
            sha256 = _sha256(file)
            known = _Known(
                size=size,
                mtime_ns=_settled(mtime_ns),
                sha256=sha256,
                cases_sha256=cases_sha256,
                content=content_of(prompt),
            )
        now[prompt] = known
    if any(before.get(prompt) != known for prompt, known in now.items()):
        told = {prompt: dataclasses.asdict(known) for prompt, known in now.items()}
        write_whole(path, json_text({**_plain(before), **told}).encode())
    return {prompt: known.content for prompt, known in now.items()}


def _same(known: _Known | None, file: Path | None, cases: str) -> _Known | None:
    """What is known of a file that is as it was; None where it is not."""
    if known is None or known.cases_sha256 != cases:
        return None
    size, mtime_ns = _stat(file)
    if (known.size, known.mtime_ns) == (size, mtime_ns):
        return known
    if known.size != size or known.sha256 != _sha256(file):
        return None
    return dataclasses.replace(known, mtime_ns=_settled(mtime_ns))


def _settled(mtime_ns: int) -> int:
    is_young = abs(time.time_ns() - mtime_ns) < _SETTLED_NS
    return _UNSETTLED if is_young else mtime_ns


def _stat(file: Path | None) -> tuple[int, int]:
    if file is None:
        return -1, 0
    try:
        found = file.stat()
    except OSError:
        return -1, 0  # taken away since it was found
    return found.st_size, found.st_mtime_ns


def _sha256(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""


def _read(path: Path) -> dict[str, _Known]:
    """What is remembered; nothing where the file is absent or not ours."""
    try:
        value = read_json(path.read_bytes())
        if not isinstance(value, dict):
            return {}
        return {prompt: read_as(_Known, one) for prompt, one in value.items()}
    except (OSError, NotJsonError, NotValidError):
        return {}


def _plain(known: Mapping[str, _Known]) -> dict[str, Any]:
    return {prompt: dataclasses.asdict(one) for prompt, one in known.items()}
