"""ImgEdit-Bench (arXiv 2505.20275): the basic suite, and UGE, the hard one.

A JSON object of `key: {"id": photo, "prompt": ..., "edit_type": ...}`; UGE has no type.
The answer to an item is `<key>.png`.

Verified in PKU-YuanGroup/ImgEdit (c14480a): Benchmark/Basic/basic_bench.py,
basic_bench_readme.md, Benchmark/UGE/UGE_bench.py, UGE_bench_readme.md. `compose` is
published as "Hybrid". From memory alone: `singleturn.json` as another name of the basic
suite's file.

The judge's texts of the basic suite, `prompts.json`, are used when judge.yaml's
`prompts` names their folder. UGE's text stands in its program; a user who wants it
saves it as `uge_prompt.txt` beside `UGE_edit.json`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tbstar_jax.data_engine.collect.rows import FolderFiles
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.public.items import (
    JudgeText,
    PublicItem,
    Suite,
    SuiteName,
    checked_id,
    checked_text,
    suite_of,
)
from tbstar_jax.evaluation.public.tables import (
    file_photo,
    image_root,
    read_json_file,
)

TYPES: tuple[str, ...] = (
    "add",
    "adjust",
    "extract",
    "replace",
    "remove",
    "background",
    "style",
    "compose",
    "action",
)
"""In the order of the published tables."""

UGE_TASK = "uge"
UGE_MARKS = ("Score",)
PLACE = "<edit_prompt>"
"""In judges' texts: where the instruction goes."""

_FILES: dict[SuiteName, tuple[str, ...]] = {
    "imgedit": ("basic_edit.json", "singleturn.json"),
    "uge": ("UGE_edit.json",),
}
_MAX_TEXT_BYTES = 1 << 16
_SAMPLE = 20


def read_imgedit(path: Path, language: Language | None) -> Suite:
    """Reads the basic suite: its JSON file, or the folder it is in.

    Raises:
      UserError: there is no such file, no photos, or no items.
    """
    return _read("imgedit", path, language)


def read_uge(path: Path, language: Language | None) -> Suite:
    """Reads UGE, likewise."""
    return _read("uge", path, language)


def _read(name: SuiteName, path: Path, language: Language | None) -> Suite:
    file = _file(name, path)
    entries = read_json_file(file)
    if not isinstance(entries, dict):
        raise UserError(f"{file} is no object of items")
    names = [
        entry["id"]
        for entry in entries.values()
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    ]
    root = image_root([file.parent], names[:_SAMPLE])
    texts = _uge_text(file.parent) if name == "uge" else ()
    return suite_of(name, _items(name, entries, root), language, texts)


def _file(name: SuiteName, path: Path) -> Path:
    if path.is_file():
        return path
    for known in _FILES[name]:
        if (path / known).is_file():
            return path / known
    raise UserError(f"{path} has no {' or '.join(_FILES[name])}")


def _items(
    name: SuiteName, entries: dict[str, Any], root: FolderFiles
) -> Iterator[PublicItem | Reject]:
    for key, entry in entries.items():
        try:
            yield _item(name, key, entry, root)
        except UserError as error:
            yield Reject(row=f"item {key[:60]}", reason=str(error))


def _item(name: SuiteName, key: str, entry: Any, root: FolderFiles) -> PublicItem:
    if not isinstance(entry, dict):
        raise UserError("it is no object of JSON")
    task = entry.get("edit_type") if name == "imgedit" else UGE_TASK
    known = TYPES if name == "imgedit" else (UGE_TASK,)
    if not isinstance(task, str) or task not in known:
        raise UserError(f"edit_type is {task!r:.40}; known are {', '.join(known)}")
    photo = file_photo(root, entry.get("id"))
    return PublicItem(
        suite=name,
        id=checked_id(key),
        case=entry["id"],
        task=task,
        language="en",
        instruction=checked_text(entry.get("prompt"), "prompt"),
        photos=(photo,),
    )


def _uge_text(folder: Path) -> tuple[JudgeText, ...]:
    """The user's copy of UGE's judge text; empty where there is none.

    Raises:
      UserError: it is too long, not UTF-8, or has no place for the instruction.
    """
    path = folder / "uge_prompt.txt"
    if not path.is_file():
        return ()
    data = path.read_bytes()[: _MAX_TEXT_BYTES + 1]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8") from error
    if len(data) > _MAX_TEXT_BYTES or PLACE not in text:
        raise UserError(f"{path} is too long, or has no {PLACE}")
    return (JudgeText(task=UGE_TASK, text=text, marks=UGE_MARKS),)
