"""A suite's photos and requests in a folder, so that any system can answer.

    prompts.jsonl               a line per item: id, instruction, photos, answer
    photos/<id>.png             the photo; of items with several, photos/<id>.2.png ...

Answers belong in another folder, as `<id>.png`.
"""

import json
from pathlib import Path

from tqdm import tqdm

from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.files import write_whole
from tbstar_jax.evaluation.journal import read_journal
from tbstar_jax.evaluation.public.items import PublicItem, Suite
from tbstar_jax.input_pipeline.images import encode_png

INDEX = "prompts.jsonl"
PHOTOS = "photos"


def export_suite(suite: Suite, folder: Path) -> tuple[Reject, ...]:
    """Writes a suite; `prompts.jsonl` last, so that it names what is there.

    Args:
      suite: whose photos are read.
      folder: made where absent; an export of the same suite is written over.

    Returns:
      Items whose photos could not be read; they are not exported.

    Raises:
      UserError: the folder holds another suite, or no photo could be read.
    """
    index = folder / INDEX
    others = {entry.get("suite") for entry in read_journal(index)} - {suite.name}
    if others:
        raise UserError(
            f"{index} is of another suite ({', '.join(map(str, others))}); export "
            f"{suite.name} to a folder of its own"
        )
    lines: list[str] = []
    skipped: list[Reject] = []
    for item in tqdm(suite.items, desc=f"{suite.name}: photos", unit="item"):
        try:
            names = _write_photos(item, folder)
        except UserError as error:
            skipped.append(Reject(row=item.id, reason=str(error)))
            continue
        lines.append(json.dumps(_entry(item, names), ensure_ascii=False) + "\n")
    if not lines:
        raise UserError(f"no photo of {suite.name} could be read: {skipped[0].reason}")
    write_whole(index, "".join(lines).encode())
    return tuple(skipped)


def photo_name(item: PublicItem, number: int = 0) -> str:
    """Where an exported photo lies, relative to the folder.

    Args:
      item: whose photo.
      number: of the photo, from 0.
    """
    part = "" if number == 0 else f".{number + 1}"
    return f"{PHOTOS}/{item.id}{part}.png"


def _write_photos(item: PublicItem, folder: Path) -> list[str]:
    names = [photo_name(item, number) for number in range(len(item.photos))]
    for name, photo in zip(names, item.photos, strict=True):
        write_whole(folder / name, encode_png(photo()))
    return names


def _entry(item: PublicItem, names: list[str]) -> dict[str, object]:
    return {
        "suite": item.suite,
        "id": item.id,
        "task": item.task,
        "language": item.language,
        "instruction": item.instruction,
        "photos": names,
        "answer": f"{item.id}.png",
    }
