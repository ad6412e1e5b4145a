"""GEdit-Bench (arXiv 2504.17761), as the Hugging Face hub has it or as it was saved.

A row: `task_type`, `key`, `instruction`, `instruction_language` (`en` or `cn`),
`input_image` and `Intersection_exist`. The judged photo is `input_image`, not
`input_image_raw`.

Verified in stepfun-ai/Step1X-Edit (e78b811), GEdit-Bench/generate_image_example.py: the
names of the columns, and the folder of the answers, `<task>/<language>/<key>.png` below
`fullset`, which the ids follow. The hub's page of the set names Arrow as its format.
From the reference code as read before, not again: the languages' names. `source_image`
in place of `input_image` is what a copy on the hub (Jialuo21/GEdit) has.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tbstar_jax.data_engine.collect.rows import Row, Rows
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.public.items import (
    PublicItem,
    Suite,
    checked_id,
    checked_text,
    suite_of,
)
from tbstar_jax.evaluation.public.tables import Photos, items_of_rows, open_tables

TASKS: tuple[str, ...] = (
    "background_change",
    "color_alter",
    "material_alter",
    "motion_change",
    "ps_human",
    "style_change",
    "subject-add",
    "subject-remove",
    "subject-replace",
    "text_change",
    "tone_transfer",
)
"""All that the mean is taken over."""

INTERSECTION = "intersection"
"""Flag of requests that all systems of the first comparison answered."""

_LANGUAGES: Mapping[str, Language] = {"en": "en", "cn": "zh", "zh": "zh"}
_COLUMNS = (
    "task_type",
    "key",
    "instruction",
    "instruction_language",
    "Intersection_exist",
)
_PHOTOS = ("input_image", "source_image")


def read_gedit(path: Path, language: Language | None) -> Suite:
    """Reads a copy.

    Args:
      path: a table, or a folder of Parquet, Arrow or JSON-lines files.
      language: of the instructions; None for both.

    Raises:
      UserError: there is no such table, or it has no items.
    """
    tables = open_tables(path, _COLUMNS)
    photos = {name: open_tables(path, [name]) for name in _PHOTOS}
    return suite_of("gedit", _items(tables, photos), language)


def _items(
    tables: Sequence[Rows], photos: Mapping[str, Sequence[Rows]]
) -> Iterator[PublicItem | Reject]:
    for number, table in enumerate(tables):
        columns = {name: Photos(rows[number], name) for name, rows in photos.items()}
        column = _photo_column(photos, number)

        def read(index: int, row: Row, photo: Photos = columns[column]) -> PublicItem:
            return _item(index, row, photo)

        yield from items_of_rows(table, read)


def _photo_column(photos: Mapping[str, Sequence[Rows]], number: int) -> str:
    """The first of the two names that the table's first row has a value for."""
    for name, tables in photos.items():
        for row in tables[number].read(0, 1):
            if isinstance(row, Row) and row.values.get(name) is not None:
                return name
    return _PHOTOS[0]


def _item(index: int, row: Row, photos: Photos) -> PublicItem:
    values = row.values
    language = values.get("instruction_language")
    if not isinstance(language, str) or language not in _LANGUAGES:
        raise UserError(f"instruction_language is {language!r:.40}, but must be en, cn")
    task = values.get("task_type")
    if not isinstance(task, str) or task not in TASKS:
        raise UserError(f"task_type is {task!r:.40}; known are {', '.join(TASKS)}")
    is_in = values.get("Intersection_exist")
    if not isinstance(is_in, bool):
        raise UserError(
            f"Intersection_exist is {is_in!r:.40}, but must be true or false"
        )
    key = checked_text(values.get("key"), "key")
    return PublicItem(
        suite="gedit",
        id=checked_id(f"{task}/{language}/{key}"),
        case=f"{task}/{key}",
        task=task,
        language=_LANGUAGES[language],
        instruction=checked_text(values.get("instruction"), "instruction"),
        photos=(lambda: photos.read(index),),
        flags=frozenset({INTERSECTION} if is_in else ()),
    )
