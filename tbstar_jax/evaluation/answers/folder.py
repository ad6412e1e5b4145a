"""Pictures that another system made: files named by their prompts."""

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path

from tbstar_jax.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
"""Of files that are read, in the order they are looked for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """What a folder holds of a set of prompts.

    Attributes:
      paths: prompt id to file.
      missing: ids without one.
      unknown: picture files of no prompt, relative to the folder; at most ten.
    """

    paths: dict[str, Path]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


def find_outputs(folder: Path, ids: Sequence[str]) -> Found:
    """Looks for `<prompt id>.png` (or .jpg, .jpeg, .webp) of every prompt.

    Args:
      folder: with the pictures, e.g. `mini/recolor/003/en.png`.
      ids: of the prompts, or `sample_names` of them.

    Raises:
      UserError: there is no such folder, or it holds the picture of no prompt.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder} with the outputs to be scored")
    paths: dict[str, Path] = {}
    for id in ids:
        if (path := find_output(folder, id)) is not None:
            paths[id] = path
    known = set(paths.values())
    unknown = [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path not in known
    ]
    if not paths:
        raise UserError(_nothing_found(folder, ids, unknown))
    return Found(
        paths=paths,
        missing=tuple(id for id in ids if id not in paths),
        unknown=tuple(unknown[:10]),
    )


def find_output(folder: Path, id: str) -> Path | None:
    """The picture of one prompt; None where there is none."""
    suffixes = [case(suffix) for suffix in SUFFIXES for case in (str.lower, str.upper)]
    paths = (folder / f"{id}{suffix}" for suffix in suffixes)
    return next((path for path in paths if path.is_file()), None)


def _nothing_found(folder: Path, ids: Sequence[str], unknown: Sequence[str]) -> str:
    wanted = f"{ids[0]}.png"
    near = difflib.get_close_matches(wanted, unknown, n=1, cutoff=0.0)
    hint = f"; it holds {len(unknown)} others, such as {near[0]}" if near else ""
    return (
        f"{folder} holds the picture of none of the {len(ids)} prompts{hint}; name "
        f"the files by their prompts, such as {wanted}"
    )
