"""Records as the folders other trainers read; `collect/presets.py` reads them back.

    diffsynth       images/, and metadata.jsonl: image, edit_image, prompt
    diffsynth-csv   the same in metadata.csv, one source per record
    musubi          images/ with captions, controls/, and dataset.jsonl
    diffusers       an imagefolder: images/ and metadata.jsonl
    ai-toolkit      target/ with captions, control/, control_2/, ...

Image bytes pass unchanged. Masks, scores and further paraphrases have no place there.
"""

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord

Layout = Literal["diffsynth", "diffsynth-csv", "musubi", "diffusers", "ai-toolkit"]

_Files: TypeAlias = dict[str, bytes]
_Line: TypeAlias = dict[str, Any]
_Writer: TypeAlias = Callable[[str, EditRecord, str], tuple[_Files, _Line]]
"""From a stem, a record and its request to its files and its line of the table."""


def export_records(
    records: Iterable[EditRecord],
    directory: str | os.PathLike[str],
    layout: Layout,
    language: Literal["en", "zh"] = "en",
) -> int:
    """Writes pairs in the layout of another trainer.

    Args:
      records: pairs, consumed once.
      directory: must be absent or empty; appears only when all is written.
      layout: see above.
      language: of the request; the other one is taken where a record lacks it.

    Returns:
      How many pairs were written.

    Raises:
      UserError: the directory is taken, nothing was given, or a record does not fit the
        layout: a photo without edit, or more sources than the layout can name.
    """
    directory = Path(directory)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError(f"{directory} is not empty; remove it or write elsewhere")
    partial = directory.with_name(directory.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write, table = _LAYOUTS[layout]
    try:
        lines = []
        for position, record in enumerate(records):
            files, line = write(f"{position:08d}", record, _request(record, language))
            for name, data in files.items():
                path = partial / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
            lines.append(line)
        if not lines:
            raise UserError(f"there is no record to write to {directory}")
        if table:
            encode = _csv if table.endswith(".csv") else _jsonl
            (partial / table).write_text(encode(lines), encoding="utf-8", newline="")
        directory.parent.mkdir(parents=True, exist_ok=True)
        os.rename(partial, directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return len(lines)


def _request(record: EditRecord, language: str) -> str:
    texts = (record.instructions_en, record.instructions_zh)
    first, second = texts if language == "en" else texts[::-1]
    if not record.target_image or not first + second:
        raise UserError(
            f"record {record.key!r} is a photo without edit; only pairs can be exported"
        )
    return (first + second)[0]


def _diffsynth(stem: str, record: EditRecord, request: str) -> tuple[_Files, _Line]:
    files, target, sources = _placed(stem, record, "images", "images")
    line: _Line = {"prompt": request, "image": target}
    if sources:
        line["edit_image"] = sources[0] if len(sources) == 1 else sources
    return files, line


def _diffsynth_csv(stem: str, record: EditRecord, request: str) -> tuple[_Files, _Line]:
    if len(record.source_images) != 1:
        raise UserError(
            f"record {record.key!r} has {len(record.source_images)} sources, but "
            "metadata.csv names exactly one; take the layout diffsynth"
        )
    return _diffsynth(stem, record, request)


def _musubi(stem: str, record: EditRecord, request: str) -> tuple[_Files, _Line]:
    files, target, sources = _placed(stem, record, "images", "controls")
    files[f"images/{stem}.txt"] = request.encode()
    names = (
        ["control_path"]
        if len(sources) == 1
        else [f"control_path_{k}" for k in range(len(sources))]
    )
    controls = dict(zip(names, sources, strict=True))
    return files, {"image_path": target, "caption": request, **controls}


def _diffusers(stem: str, record: EditRecord, request: str) -> tuple[_Files, _Line]:
    files, target, sources = _placed(stem, record, "images", "images")
    line: _Line = {"edited_image_file_name": target, "edit_prompt": request}
    if sources:
        line["original_image_file_name"] = sources[0]
    if sources[1:]:
        line["reference_images_file_names"] = sources[1:]
    return files, line


def _ai_toolkit(stem: str, record: EditRecord, request: str) -> tuple[_Files, _Line]:
    suffix = _suffix(record.target_image)
    files = {
        f"target/{stem}{suffix}": record.target_image,
        f"target/{stem}.txt": request.encode(),
    }
    for k, source in enumerate(record.source_images, start=1):
        folder = "control" if k == 1 else f"control_{k}"
        files[f"{folder}/{stem}{_suffix(source)}"] = source
    return files, {}


def _placed(
    stem: str, record: EditRecord, targets: str, controls: str
) -> tuple[_Files, str, list[str]]:
    """The images' files, the target's name and the sources' names.

    A first source in a folder of its own has the target's stem, as folders pair them.
    """
    target = f"{targets}/{stem}{_suffix(record.target_image)}"
    sources = {}
    for k, data in enumerate(record.source_images):
        mark = "" if k == 0 and targets != controls else f"_source{k}"
        sources[f"{controls}/{stem}{mark}{_suffix(data)}"] = data
    return {target: record.target_image, **sources}, target, list(sources)


def _suffix(data: bytes) -> str:
    if data.startswith(b"\x89PNG"):
        return ".png"
    return ".jpg" if data.startswith(b"\xff\xd8") else ".webp"


def _jsonl(lines: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _csv(lines: list[_Line]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()


_LAYOUTS: dict[Layout, tuple[_Writer, str]] = {
    "diffsynth": (_diffsynth, "metadata.jsonl"),
    "diffsynth-csv": (_diffsynth_csv, "metadata.csv"),
    "musubi": (_musubi, "dataset.jsonl"),
    "diffusers": (_diffusers, "metadata.jsonl"),
    "ai-toolkit": (_ai_toolkit, ""),
}
