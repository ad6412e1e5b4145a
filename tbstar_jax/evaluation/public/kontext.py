"""KontextBench (arXiv 2506.15742): pairs of photo and request, judged by people alone.

Lines of JSON: `file_name`, `instruction`, `category`, `key`, `image_idx`. It publishes
no automatic score; its answers belong on the blind page (see `preference`).

Verified in a copy of `test/metadata.jsonl` (lrzjason/Kontext-Bench-Analysis 5d11aef)
and on the set's page of the Hugging Face hub, which names the folder `test` and the
format "imagefolder".
"""

from collections.abc import Iterator
from pathlib import Path

from tbstar_jax.data_engine.collect.rows import FolderFiles, Row, Rows
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
from tbstar_jax.evaluation.public.tables import file_photo, items_of_rows, open_tables

_NAME = "metadata.jsonl"


def read_kontext(path: Path, language: Language | None) -> Suite:
    """Reads a copy.

    Args:
      path: `metadata.jsonl`, or a folder somewhere above it.
      language: of the instructions; they are English.

    Raises:
      UserError: there is no such file, or it has no items.
    """
    file = path if path.is_file() else next(iter(sorted(path.rglob(_NAME))), None)
    if file is None:
        raise UserError(f"{path} has no {_NAME}")
    (rows,) = open_tables(file, ())
    return suite_of("kontext", _items(rows, FolderFiles(file.parent)), language)


def _items(rows: Rows, files: FolderFiles) -> Iterator[PublicItem | Reject]:
    def read(_: int, row: Row) -> PublicItem:
        values = row.values
        photo = file_photo(files, values.get("file_name"))
        return PublicItem(
            suite="kontext",
            id=checked_id(checked_text(values.get("key"), "key")),
            case=values["file_name"],
            task=checked_text(values.get("category"), "category"),
            language="en",
            instruction=checked_text(values.get("instruction"), "instruction"),
            photos=(photo,),
        )

    yield from items_of_rows(rows, read)
