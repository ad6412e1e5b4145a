"""A folder of images with `metadata.jsonl` as a source of edit pairs.

The file may come from anywhere, so a path in it is followed only to a regular file
inside the folder.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord
from tbstar_jax.tasks import task_by_id

METADATA = "metadata.jsonl"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Line:
    """One checked line of `metadata.jsonl`; image paths are relative to the folder."""

    place: str
    key: str
    target_image: str
    source_images: tuple[str, ...]
    change_mask: str | None
    instructions_en: tuple[str, ...]
    instructions_zh: tuple[str, ...]
    task: str
    scene: str


class FolderSource:
    """A folder of images with `metadata.jsonl`, one JSON object per line.

    Fields: `target_image` (or `image`); `source_image` (or `edit_image`, or the list
    `source_images`); `instruction` (or `prompt`) and `instruction_zh` (or
    `instruction_cn`), a text or a list of paraphrases, at least one of both; optional
    `mask` (255 = changed), `task`, `scene` and `key`. Paths are relative to the folder
    and stay inside it, symbolic links included. Other fields are not read.
    """

    def __init__(self, directory: str | os.PathLike[str]):
        """Reads and checks `metadata.jsonl`; images are read later.

        Raises:
          UserError: naming file and line.
        """
        self.directory = Path(directory)
        self._root = self.directory.resolve()
        digest = hashlib.sha256()
        lines: dict[str, _Line] = {}
        for place, text in _read_lines(self.directory / METADATA):
            line = _parse_line(place, text)
            if line.key in lines:
                raise UserError(
                    f"{place}: key {line.key!r} was used before, in "
                    f"{lines[line.key].place}; keys must differ"
                )
            digest.update(text.encode())
            for path in _image_paths(line):
                size = self._confine(place, path).stat().st_size
                digest.update(f"\n{size}".encode())
            lines[line.key] = line
        if not lines:
            raise UserError(f"{self.directory / METADATA} holds no line")
        self._lines = tuple(lines.values())
        self._fingerprint = digest.hexdigest()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the metadata and of the size of every image file."""
        return self._fingerprint

    def __len__(self) -> int:
        """Number of lines."""
        return len(self._lines)

    def __getitem__(self, index: SupportsIndex) -> EditRecord:
        """Reads the files of one line.

        Raises:
          UserError: a file has gone or left the folder since the source was opened.
        """
        line = self._lines[index]
        return EditRecord(
            key=line.key,
            source_images=tuple(self._read(line, path) for path in line.source_images),
            target_image=self._read(line, line.target_image),
            change_mask=self._read(line, line.change_mask) if line.change_mask else b"",
            instructions_en=line.instructions_en,
            instructions_zh=line.instructions_zh,
            task=line.task,
            scene=line.scene,
            provenance={"method": "import", "origin": line.place},
        )

    def _read(self, line: _Line, path: str) -> bytes:
        return self._confine(line.place, path).read_bytes()

    def _confine(self, place: str, path: str) -> Path:
        """Resolves a relative path to a regular file inside the folder."""
        if os.path.isabs(path) or ".." in Path(path).parts or "\0" in path:
            raise UserError(
                f"{place}: path {path!r} must be relative and stay inside the folder"
            )
        resolved = (self._root / path).resolve()
        if not resolved.is_relative_to(self._root):
            raise UserError(f"{place}: {path!r} is a link that leaves the folder")
        if not resolved.is_file():
            raise UserError(f"{place}: there is no file {path!r} in the folder")
        return resolved


def _read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yields the place and the text of every line that is not blank."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(
            f"there is no {path}; an image folder is described by {METADATA}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not readable UTF-8 text ({error})") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}:{number}", line


def _parse_line(place: str, text: str) -> _Line:
    try:
        row = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{place}: not valid JSON ({error})") from error
    if not isinstance(row, dict):
        raise UserError(f"{place}: expected a JSON object with named fields")
    (target,) = _texts(place, row, ("target_image", "image"), is_list=False) or (None,)
    if target is None:
        raise UserError(f"{place}: needs the field 'target_image' or 'image'")
    sources = _texts(place, row, ("source_images", "source_image", "edit_image"))
    instructions_en = _texts(place, row, ("instruction", "prompt"))
    instructions_zh = _texts(place, row, ("instruction_zh", "instruction_cn"))
    if not instructions_en and not instructions_zh:
        raise UserError(
            f"{place}: needs the field 'instruction' or 'instruction_zh', not empty"
        )
    (mask,) = _texts(place, row, ("mask",), is_list=False) or (None,)
    (task,) = _texts(place, row, ("task",), is_list=False) or ("",)
    try:
        if task:
            task_by_id(task)
    except UserError as error:
        raise UserError(f"{place}: {error}") from error
    content = json.dumps([target, sources, instructions_en, instructions_zh])
    (key,) = _texts(place, row, ("key",), is_list=False) or (
        hashlib.sha256(content.encode()).hexdigest()[:32],
    )
    # Edits of one photo belong to one side of a split.
    (scene,) = _texts(place, row, ("scene",), is_list=False) or (
        sources[0] if sources else target,
    )
    return _Line(
        place=place,
        key=key,
        target_image=target,
        source_images=sources,
        change_mask=mask,
        instructions_en=instructions_en,
        instructions_zh=instructions_zh,
        task=task,
        scene=scene,
    )


def _texts(
    place: str, row: Mapping[str, Any], names: Sequence[str], is_list: bool = True
) -> tuple[str, ...]:
    """Reads a text or a list of texts under the one name of `names` that is given."""
    given = [name for name in names if row.get(name) is not None]
    if not given:
        return ()
    if len(given) > 1:
        raise UserError(
            f"{place}: the fields {' and '.join(map(repr, given))} mean the same; "
            "give one of them"
        )
    value = row[given[0]]
    texts = value if isinstance(value, list) and is_list else [value]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise UserError(
            f"{place}: field {given[0]!r} must be a text"
            f"{' or a list of texts' * is_list}, not empty, but is "
            f"{json.dumps(value, ensure_ascii=False)[:80]}"
        )
    return tuple(texts)


def _image_paths(line: _Line) -> tuple[str, ...]:
    mask = (line.change_mask,) if line.change_mask else ()
    return (line.target_image, *line.source_images, *mask)
