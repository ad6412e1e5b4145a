"""Where edit pairs come from: what a source is, and foreign sets of TFDS as one.

A source gives random access to `EditRecord` and passes image bytes on unchanged. It
also names its content, so that what was computed about it can be kept and checked.
`records.RecordSource` and `folder.FolderSource` are the others.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, SupportsIndex, runtime_checkable

import numpy as np
from tensorflow_datasets.core.example_parser import ExampleParserNp

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.input_pipeline.records import EditRecord, open_shards
from tbstar_jax.tasks import task_by_id

__all__ = [
    "DataSource",
    "Source",
    "TfdsFields",
    "TfdsSource",
    "open_tfds",
]


@runtime_checkable
class Source(Protocol):
    """Random access to edit records."""

    @property
    def directory(self) -> Path:
        """Where it lies; caches are kept there."""

    @property
    def fingerprint(self) -> str:
        """Changes when the content changes."""

    def __len__(self) -> int:
        """Number of records."""

    def __getitem__(self, index: SupportsIndex, /) -> EditRecord:
        """Reads one record; images stay encoded."""


@runtime_checkable
class DataSource(Protocol):
    """What `as_data_source` of TFDS returns: random access to named fields."""

    def __len__(self) -> int:
        """Number of examples."""

    def __getitem__(self, index: int, /) -> Mapping[str, Any]:
        """Reads one example."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TfdsFields:
    """Which field of a foreign set holds what.

    Attributes:
      target_image: an image.
      source_images: images, or sequences of images, in this order.
      instructions_en: texts, or sequences of texts.
      instructions_zh: the same in Chinese; at least one of the two is needed.
      change_mask: an image of one channel, 255 = changed; None when there is none.
      key: a text that is unique in the set; None: the row's number is taken.
      task: an id of `tbstar_jax/tasks.py`; None: not known.
      scene: a text; None: the key.
    """

    target_image: str
    source_images: tuple[str, ...]
    instructions_en: tuple[str, ...] = ()
    instructions_zh: tuple[str, ...] = ()
    change_mask: str | None = None
    key: str | None = None
    task: str | None = None
    scene: str | None = None

    def __post_init__(self) -> None:
        if not self.instructions_en + self.instructions_zh:
            raise UserError("a field mapping needs instructions_en or instructions_zh")

    def names(self) -> tuple[str, ...]:
        """All mapped fields."""
        single = (self.target_image, self.change_mask, self.key, self.task, self.scene)
        many = self.source_images + self.instructions_en + self.instructions_zh
        return tuple(name for name in single if name is not None) + many


class TfdsSource:
    """A `data_source` of TensorFlow Datasets, seen as edit records.

    Images may be encoded bytes, which pass unchanged, or uint8 arrays, which become
    PNG.
    """

    def __init__(
        self,
        data_source: DataSource,
        fields: TfdsFields,
        directory: str | os.PathLike[str],
        fingerprint: str,
    ):
        """Wraps an open data source.

        Args:
          data_source: random access to mappings from field name to value.
          fields: the mapping.
          directory: where the set lies; caches are kept there.
          fingerprint: names the content.

        Raises:
          UserError: a mapped field is not in the first record.
        """
        self.directory = Path(directory)
        self.fingerprint = fingerprint
        self._data_source = data_source
        self._fields = fields
        absent = sorted(set(fields.names()) - set(data_source[0]))
        if absent:
            raise UserError(
                f"{directory} has no field {', '.join(absent)}; it has "
                f"{', '.join(sorted(data_source[0]))}"
            )

    def __len__(self) -> int:
        """Number of records."""
        return len(self._data_source)

    def __getitem__(self, index: SupportsIndex) -> EditRecord:
        """Reads one record.

        Raises:
          UserError: a value cannot be read as what it is mapped to, or there is no
            instruction.
        """
        row = self._data_source[index.__index__()]
        fields = self._fields
        place = f"record {index.__index__()} of {self.directory}"

        def texts(names: Sequence[str]) -> tuple[str, ...]:
            values = (value for name in names for value in _items(row[name]))
            return tuple(text for text in (_text(place, v) for v in values) if text)

        def text(name: str | None, default: str) -> str:
            return default if name is None else _text(place, row[name])

        key = text(fields.key, str(index.__index__()))
        instructions_en = texts(fields.instructions_en)
        instructions_zh = texts(fields.instructions_zh)
        if not instructions_en and not instructions_zh:
            raise UserError(f"{place} has no instruction in its mapped fields")
        task = text(fields.task, "")
        try:
            if task:
                task_by_id(task)
        except UserError as error:
            raise UserError(f"{place}: {error}") from error
        mask = fields.change_mask
        return EditRecord(
            key=key,
            source_images=tuple(
                _image(place, value)
                for name in fields.source_images
                for value in _images(row[name])
            ),
            target_image=_image(place, row[fields.target_image]),
            change_mask=b"" if mask is None else _image(place, row[mask]),
            instructions_en=instructions_en,
            instructions_zh=instructions_zh,
            task=task,
            scene=text(fields.scene, key),
            provenance={"method": "import", "origin": place},
        )


class _ParsedShards:
    """The examples of a set as its shards hold them, images encoded."""

    def __init__(self, directory: str | os.PathLike[str], split: str):
        info, self._shards = open_shards(directory, split)
        self._parser = ExampleParserNp(info.features.get_serialized_info())
        files = info.splits[split].filepaths
        sizes = [(path.name, os.path.getsize(path)) for path in files]
        self.fingerprint = hashlib.sha256(json.dumps(sizes).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        return self._parser.parse_example(self._shards[index])


def open_tfds(
    directory: str | os.PathLike[str], split: str, fields: TfdsFields
) -> TfdsSource:
    """Opens a prepared set of TensorFlow Datasets, stored as ArrayRecord.

    Image bytes pass unchanged. Its content is named by its shards' names and sizes.

    Args:
      directory: what `tfds.builder_from_directory` takes.
      split: e.g. `train`.
      fields: which field holds what.

    Raises:
      UserError: the set does not open, or has no such split or field.
    """
    shards = _ParsedShards(directory, split)
    return TfdsSource(shards, fields, directory, shards.fingerprint)


def _items(value: Any) -> Sequence[Any]:
    is_single = isinstance(value, str | bytes) or np.ndim(value) == 0
    return [value] if is_single else list(value)


def _images(value: Any) -> Sequence[Any]:
    # An array of numbers with rows, columns and channels is one image.
    is_pixels = isinstance(value, np.ndarray) and value.dtype != object
    return [value] if is_pixels and value.ndim <= 3 else _items(value)


def _text(place: str, value: Any) -> str:
    value = value.item() if isinstance(value, np.ndarray | np.generic) else value
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise UserError(f"{place} has a text that is not UTF-8 ({error})") from error


def _image(place: str, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8:
        raise UserError(
            f"{place} has a {type(value).__name__} where an image is mapped"
        )
    return encode_png(value[..., 0] if value.shape[-1:] == (1,) else value)
