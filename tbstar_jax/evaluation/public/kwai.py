"""Kwai E-com Bench (KwaiMind, arXiv 2609.26375): eleven shop tasks, some of two photos.

    data/<task>.json                    [{"id", "prompt", "images": [file, ...]}, ...]
    images/...                          named from the copy's root
    judge/task_judge_prompts.jsonl      the judge's text and the names of its four marks

The answer to an item is `<task>/<id>.png`. Requests are Chinese.

Verified in KwaiMmu/KwaiMind (d280a3d): benchmarks/ecom/evaluate.py, run_evaluation.sh,
download.sh, data/virtual_tryon.json. Its licences (CC BY-NC-ND, CC BY-ND) allow neither
copies nor translations here: the judge's texts are read where the user keeps them, and
there are none of ours in their place.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tbstar_jax.data_engine.collect.rows import FolderFiles, Row
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.public.imgedit import PLACE
from tbstar_jax.evaluation.public.items import (
    JudgeText,
    PublicItem,
    Suite,
    checked_id,
    checked_text,
    suite_of,
)
from tbstar_jax.evaluation.public.tables import (
    file_photo,
    open_tables,
    read_json_file,
)

NUM_MARKS = 4
"""Of every task."""

_JUDGE = Path("judge") / "task_judge_prompts.jsonl"
_MAX_PHOTOS = 4
_MAX_MARK = 60
_MAX_TEXT = 50_000


def read_kwai(path: Path, language: Language | None) -> Suite:
    """Reads a copy, and its judge's texts where it has them.

    Args:
      path: the root of the copy.
      language: of the instructions; they are Chinese.

    Raises:
      UserError: there are no manifests, no items, or damaged judge's texts.
    """
    manifests = sorted((path / "data").glob("*.json"))
    if not manifests:
        raise UserError(f"{path} has no manifests data/<task>.json of Kwai E-com Bench")
    return suite_of("kwai", _items(manifests, path), language, _judge_texts(path))


def _items(manifests: list[Path], root: Path) -> Iterator[PublicItem | Reject]:
    files = FolderFiles(root)
    for manifest in manifests:
        entries = read_json_file(manifest)
        if not isinstance(entries, list):
            yield Reject(row=manifest.name, reason="it is no list of items")
            continue
        for number, entry in enumerate(entries):
            try:
                yield _item(manifest.stem, entry, files)
            except UserError as error:
                row = f"{manifest.name} item {number}"
                yield Reject(row=row, reason=str(error))


def _item(task: str, entry: Any, files: FolderFiles) -> PublicItem:
    if not isinstance(entry, dict):
        raise UserError("it is no object of JSON")
    names = entry.get("images")
    if not isinstance(names, list) or not 1 <= len(names) <= _MAX_PHOTOS:
        raise UserError(
            f"images is {names!r:.60}, but must be a list of 1 to {_MAX_PHOTOS} files"
        )
    photos = tuple(file_photo(files, name) for name in names)
    key = str(entry["id"]) if isinstance(entry.get("id"), int) else entry.get("id")
    return PublicItem(
        suite="kwai",
        id=checked_id(f"{task}/{checked_text(key, 'id')}"),
        case=f"{task}/{key}",
        task=task,
        language="zh",
        instruction=checked_text(entry.get("prompt"), "prompt"),
        photos=photos,
    )


def _judge_texts(root: Path) -> tuple[JudgeText, ...]:
    path = root / _JUDGE
    if not path.is_file():
        return ()
    (rows,) = open_tables(path, ())
    return tuple(_judge_text(row, path) for row in rows.read(0, len(rows)))


def _judge_text(row: Row | Reject, path: Path) -> JudgeText:
    if isinstance(row, Reject):
        raise UserError(f"{path}: {row.row}: {row.reason}")
    task, text = row.values.get("task_id"), row.values.get("judge_prompt")
    marks = row.values.get("dimension_names_cn")
    if not isinstance(text, str) or PLACE not in text or len(text) > _MAX_TEXT:
        raise UserError(f"{path}: {row.place}: judge_prompt is no text with {PLACE}")
    is_fine = isinstance(marks, list) and all(
        isinstance(mark, str) and 0 < len(mark) <= _MAX_MARK for mark in marks
    )
    if not is_fine or len(set(marks)) != NUM_MARKS:  # type: ignore[arg-type]
        raise UserError(
            f"{path}: {row.place}: dimension_names_cn is {marks!r:.80}, but must be "
            f"{NUM_MARKS} different names"
        )
    return JudgeText(
        task=checked_text(task, "task_id"),
        text=text,
        marks=tuple(marks),  # type: ignore[arg-type]
    )
