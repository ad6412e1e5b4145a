"""PaintBench: drawings with one right answer, compared pixel by pixel.

    <task>/<NNN>_input.png, <NNN>_answer.png, <NNN>.json

where the JSON has `instruction`, `task`, `problem_id`, `mode` and `visual_condition`;
or tables with `problem_id`, `task`, `instruction`, `input_image` and `answer_image`.
The answer to an item is `<task>/<NNNN>.png`, four digits; PaintBench's own programs
write `<NNNN>_output.png`.

Verified in PaintBench/PaintBench (e91d8ef): src/benchmark_source.py, src/eval.py.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tbstar_jax.data_engine.collect.rows import FolderFiles, Row
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.public.items import (
    Photo,
    PublicItem,
    Suite,
    checked_id,
    checked_text,
    suite_of,
)
from tbstar_jax.evaluation.public.tables import (
    Photos,
    file_photo,
    items_of_rows,
    open_tables,
    read_json_file,
)

_COLUMNS = ("problem_id", "task", "instruction")
_INPUT = "_input.png"
_NUMBER = re.compile(r"\d{1,6}")


def read_paintbench(path: Path, language: Language | None) -> Suite:
    """Reads a copy.

    Args:
      path: folder of the tasks, or of tables.
      language: of the instructions; they are English.

    Raises:
      UserError: it is neither, or has no items.
    """
    inputs = sorted(path.glob(f"*/*{_INPUT}")) if path.is_dir() else []
    found = _files(inputs, path) if inputs else _rows(path)
    return suite_of("paintbench", found, language)


def _files(inputs: list[Path], root: Path) -> Iterator[PublicItem | Reject]:
    files = FolderFiles(root)
    for file in inputs:
        task, stem = file.parent.name, file.name.removesuffix(_INPUT)
        place = f"{task}/{stem}"
        try:
            meta = read_json_file(file.with_name(f"{stem}.json"))
            if not isinstance(meta, dict):
                raise UserError("its JSON is no object")
            values = {"task": task, "problem_id": stem, **meta}
            photo = file_photo(files, f"{place}{_INPUT}")
            yield _item(values, photo, file_photo(files, f"{place}_answer.png"))
        except UserError as error:
            yield Reject(row=place, reason=str(error))


def _rows(path: Path) -> Iterator[PublicItem | Reject]:
    tables = open_tables(path, _COLUMNS)
    before, right = (open_tables(path, [f"{n}_image"]) for n in ("input", "answer"))
    for number, table in enumerate(tables):
        photos = Photos(before[number], "input_image")
        answers = Photos(right[number], "answer_image")

        def read(
            index: int, row: Row, photos: Photos = photos, answers: Photos = answers
        ) -> PublicItem:
            return _item(
                row.values, lambda: photos.read(index), lambda: answers.read(index)
            )

        yield from items_of_rows(table, read)


def _item(values: Any, photo: Photo, reference: Photo) -> PublicItem:
    task, number = checked_text(values.get("task"), "task"), values.get("problem_id")
    if isinstance(number, bool) or not _NUMBER.fullmatch(str(number)):
        raise UserError(f"problem_id is {number!r:.40}, but must be a number")
    id = checked_id(f"{task}/{int(number):04d}")
    return PublicItem(
        suite="paintbench",
        id=id,
        case=id,
        task=task,
        language="en",
        instruction=checked_text(values.get("instruction"), "instruction"),
        photos=(photo,),
        reference=reference,
    )
