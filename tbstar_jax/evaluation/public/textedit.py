"""TextEdit (arXiv 2603.09877): one text of a photo replaced by another.

    eval_prompts/<fullset or miniset>/<category>.jsonl
        id, prompt, original_image, gt_image, source_text, target_text, gt_caption
    data/<category>/image/original/...     as `original_image` names it

The answer to an item is `<category>/<name of the photo>`, with any suffix that answers
may have.

Verified in open-compass/TextEdit (7fc7b40, 0ca14ba): README.md,
eval_pipeline/classic_metrics_eval.py, eval_prompts/miniset/1.1.1.jsonl.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from tbstar_jax.data_engine.collect.rows import FolderFiles, Row
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.public.items import (
    PublicItem,
    Suite,
    Texts,
    checked_id,
    checked_text,
    suite_of,
)
from tbstar_jax.evaluation.public.tables import (
    each_row,
    file_photo,
    image_root,
    items_of_rows,
    open_tables,
)

_PROMPTS = Path("eval_prompts") / "fullset"


def group_of(task: str) -> str:
    """`Virtual` for the categories `1.*`, `Real` for `2.*`, as it is published."""
    return "Virtual" if task.startswith("1.") else "Real"


def read_textedit(path: Path, language: Language | None) -> Suite:
    """Reads a copy.

    Args:
      path: the root of the copy (all items are read), or a folder of its JSON-lines
        files, e.g. `eval_prompts/miniset`.
      language: of the instructions; they are English.

    Raises:
      UserError: there are no such files, no photos, or no items.
    """
    folder = path / _PROMPTS if (path / _PROMPTS).is_dir() else path
    files = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    if not files:
        raise UserError(f"{folder} has no files <category>.jsonl of TextEdit")
    above = [folder, *folder.resolve().parents[:2]]
    root = image_root(
        [one for parent in above for one in (parent / "data", parent)],
        _some_names(files),
    )
    return suite_of("textedit", _items(files, root), language)


def _some_names(files: Sequence[Path]) -> list[str]:
    (rows,) = open_tables(files[0], ())
    names = [
        row.values.get("original_image")
        for _, row in zip(range(20), (row for _, row in each_row(rows)), strict=False)
        if isinstance(row, Row)
    ]
    return [name for name in names if isinstance(name, str)]


def _items(files: Sequence[Path], root: FolderFiles) -> Iterator[PublicItem | Reject]:
    for file in files:
        (rows,) = open_tables(file, ())

        def read(_: int, row: Row, category: str = file.stem) -> PublicItem:
            return _item(category, row, root)

        yield from items_of_rows(rows, read)


def _item(category: str, row: Row, root: FolderFiles) -> PublicItem:
    values = row.values
    photo = file_photo(root, values.get("original_image"))
    right = values.get("gt_image")
    name = PurePosixPath(values["original_image"]).stem
    return PublicItem(
        suite="textedit",
        id=checked_id(f"{category}/{name}"),
        case=f"{category}/{name}",
        task=category,
        language="en",
        instruction=checked_text(values.get("prompt"), "prompt"),
        photos=(photo,),
        reference=file_photo(root, right) if right else None,
        texts=Texts(
            before=checked_text(values.get("source_text"), "source_text"),
            after=checked_text(values.get("target_text"), "target_text"),
        ),
    )
