"""Pictures that another system made: files named by their prompts."""

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path

from tbstar_jax.errors import UserError
from tbstar_jax.vlm.strict_json import NotJsonError, read_json

TOLD = "run.json"
"""Beside the pictures: how they were made."""

_MAX_TOLD, _MAX_TOLD_BYTES = 500, 1 << 16

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


def told_settings(folder: Path) -> dict[str, str | int | float | bool | None]:
    """What the makers of pictures say of them, in a `run.json` beside them.

    Nobody checks it: system, hash of the weights, commit, sampler, steps, guidance,
    seed, resize rule, wall time, device, or whatever else they name.

    Args:
      folder: with the pictures.

    Returns:
      Names to values; empty without such a file.

    Raises:
      UserError: the file is no JSON object of short names and single values.
    """
    path = folder / TOLD
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > _MAX_TOLD_BYTES:
            raise NotJsonError(f"it has more than {_MAX_TOLD_BYTES} bytes")
        told = read_json(path.read_bytes())
    except (OSError, NotJsonError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); it may tell how the pictures were made, "
            "or be left out"
        ) from error
    is_plain = isinstance(told, dict) and all(
        len(name) <= _MAX_TOLD and len(str(value)) <= _MAX_TOLD and _is_single(value)
        for name, value in told.items()
    )
    if not is_plain:
        raise UserError(
            f"{path} is no object of names and single values of at most {_MAX_TOLD} "
            'characters, such as {"system": "ours", "num_steps": 28}'
        )
    return dict(told)


def _is_single(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


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
