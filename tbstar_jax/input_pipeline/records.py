"""The record: what one edit pair is, on disk and in memory.

A record set is a directory of ArrayRecord shards with the metadata of TensorFlow
Datasets, so that `tfds.builder_from_directory` opens it; TensorFlow is not needed.
Images stay encoded, so shards are written uncompressed, one record per group: a random
read touches one record. A set is written beside its place and renamed when finished,
so that a directory either holds a whole set or does not open.
"""

import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, SupportsIndex

import grain
import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.core.example_parser import ExampleParserNp
from tensorflow_datasets.core.example_serializer import ExampleSerializer

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, encode_png, image_size

__all__ = [
    "SCHEMA_VERSION",
    "EditRecord",
    "RecordSource",
    "decode_image",
    "encode_png",
    "open_shards",
    "write_records",
    "write_shards",
]

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
_WRITER_OPTIONS = "group_size:1,uncompressed"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditRecord:
    """One edit pair; images are encoded files.

    Attributes:
      key: unique within its set.
      source_images: none (text to image) or more; the first is the one being edited.
      target_image: the edited image.
      change_mask: PNG of one channel, 255 = changed, 0 = kept, of the first source's
        size (the target's without sources); empty bytes when it is not known.
      instructions_en: paraphrases of the same request in English.
      instructions_zh: the same in Chinese.
      task: an id of `tbstar_jax/tasks.py`.
      scene: what must not be shared between training and held-out sets.
      provenance: method, licence, origin, seed, scores; anything JSON can hold.
      schema_version: `SCHEMA_VERSION` of the writer.
    """

    key: str
    source_images: tuple[bytes, ...]
    target_image: bytes
    change_mask: bytes
    instructions_en: tuple[str, ...]
    instructions_zh: tuple[str, ...]
    task: str
    scene: str
    provenance: dict[str, Any]
    schema_version: int = SCHEMA_VERSION

    def image_sizes(self) -> tuple[tuple[int, int], ...]:
        """Target's and sources' (rows, columns) in pixels, from headers alone."""
        images = (self.target_image, *self.source_images)
        names = ("target_image", *(f"source_images[{k}]" for k in range(len(images))))
        return tuple(
            image_size(data, f"{name} of record {self.key!r}")
            for data, name in zip(images, names, strict=False)
        )


def _record_features() -> tfds.features.FeaturesDict:
    features = tfds.features
    return features.FeaturesDict(
        {
            "key": features.Text(),
            "source_images": features.Sequence(features.Image(shape=(None, None, 3))),
            "target_image": features.Image(shape=(None, None, 3)),
            "change_mask": features.Image(shape=(None, None, 1)),
            "instructions_en": features.Sequence(features.Text()),
            "instructions_zh": features.Sequence(features.Text()),
            "task": features.Text(),
            "scene": features.Text(),
            "provenance": features.Text(),
            "schema_version": features.Scalar(np.int64),
        }
    )


def write_records(
    directory: str | os.PathLike[str],
    dataset_name: str,
    split: str,
    records: Iterable[EditRecord],
    records_per_shard: int,
) -> int:
    """Writes a record set of one split.

    Args:
      directory: must not hold a finished set; appears only when all is written.
      dataset_name: lower-case letters, digits and underscores.
      split: likewise, e.g. `train`.
      records: at least one; consumed once, held one at a time.
      records_per_shard: records per file, at least 1.

    Returns:
      How many records were written.

    Raises:
      UserError: the directory is taken, a name is not valid, there is no record, a key
        repeats, an instruction is missing or empty, or an image or mask is not
        acceptable.
    """
    keys: set[str] = set()

    def examples() -> Iterable[dict[str, Any]]:
        for record in records:
            _check_record(record, keys)
            example = dataclasses.asdict(record)
            example["provenance"] = json.dumps(
                record.provenance, ensure_ascii=False, sort_keys=True
            )
            yield example

    return write_shards(
        directory,
        dataset_name,
        split,
        _record_features(),
        examples(),
        records_per_shard,
        {"schema_version": SCHEMA_VERSION},
    )


def _check_record(record: EditRecord, keys: set[str]) -> None:
    if not record.key or record.key in keys:
        raise UserError(f"record key {record.key!r} is empty or used twice in this set")
    keys.add(record.key)
    texts = record.instructions_en + record.instructions_zh
    # The empty text is kept for guidance: it means that the request was dropped.
    if not texts or not all(text.strip() for text in texts):
        raise UserError(
            f"record {record.key!r} has no instruction, or an empty one among "
            f"{len(texts)}"
        )
    sizes = record.image_sizes()
    if record.change_mask:
        mask_size = image_size(record.change_mask, f"change_mask of {record.key!r}")
        edited_size = sizes[min(1, len(sizes) - 1)]
        if mask_size != edited_size:
            raise UserError(
                f"change_mask of record {record.key!r} is {mask_size} (rows, columns), "
                f"but its image is {edited_size}"
            )


def write_shards(
    directory: str | os.PathLike[str],
    dataset_name: str,
    split: str,
    features: tfds.features.FeaturesDict,
    examples: Iterable[Mapping[str, Any]],
    records_per_shard: int,
    manifest: Mapping[str, Any],
) -> int:
    """Writes examples of any features as `write_records` does.

    Args:
      directory: as in `write_records`.
      dataset_name: as in `write_records`.
      split: as in `write_records`.
      features: TFDS features; images must be handed over encoded.
      examples: one mapping per record.
      records_per_shard: records per file, at least 1.
      manifest: facts to keep in `manifest.json` beside the shards' names, counts and
        SHA-256.

    Returns:
      How many examples were written.

    Raises:
      UserError: the directory is taken, a name is not valid or nothing was given.
    """
    directory = Path(directory)
    for name in (dataset_name, split):
        if not _NAME.fullmatch(name):
            raise UserError(
                f"{name!r} is not a valid set or split name: use lower-case letters, "
                "digits and underscores"
            )
    if records_per_shard < 1:
        raise UserError(f"records_per_shard is {records_per_shard}, but must be >= 1")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError(f"{directory} is not empty; remove it or write elsewhere")
    partial = directory.with_name(directory.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        lengths = _write_shard_files(partial, features, examples, records_per_shard)
        if not lengths:
            raise UserError(f"there is no record to write to {directory}")
        _finish(partial, dataset_name, split, features, lengths, manifest)
        os.rename(partial, directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return sum(lengths)


def _write_shard_files(
    partial: Path,
    features: tfds.features.FeaturesDict,
    examples: Iterable[Mapping[str, Any]],
    records_per_shard: int,
) -> list[int]:
    serializer = ExampleSerializer(features.get_serialized_info())
    lengths: list[int] = []
    writer = None
    try:
        for example in examples:
            if writer is None or lengths[-1] == records_per_shard:
                if writer is not None:
                    writer.close()
                path = partial / f"{len(lengths):05d}.tmp"
                writer = ArrayRecordWriter(os.fspath(path), _WRITER_OPTIONS)
                lengths.append(0)
            encoded = features.encode_example(dict(example))
            writer.write(serializer.serialize_example(encoded))
            lengths[-1] += 1
    finally:
        # An unclosed writer complains when it is collected.
        if writer is not None:
            writer.close()
    return lengths


def _finish(
    partial: Path,
    dataset_name: str,
    split: str,
    features: tfds.features.FeaturesDict,
    lengths: list[int],
    manifest: Mapping[str, Any],
) -> None:
    """Names the shards, and writes the manifest and the metadata of TFDS."""
    shards = []
    num_bytes = 0
    for index, length in enumerate(lengths):
        path = partial / (
            f"{dataset_name}-{split}.array_record-{index:05d}-of-{len(lengths):05d}"
        )
        os.rename(partial / f"{index:05d}.tmp", path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        shards.append({"name": path.name, "records": length, "sha256": digest})
        num_bytes += path.stat().st_size
    text = json.dumps({**manifest, "split": split, "shards": shards}, indent=1)
    (partial / MANIFEST).write_text(text + "\n", encoding="utf-8")
    tfds.folder_dataset.write_metadata(
        data_dir=partial,
        features=features,
        split_infos=[
            tfds.core.SplitInfo(name=split, shard_lengths=lengths, num_bytes=num_bytes)
        ],
        # The check reads with TensorFlow, which is not installed.
        check_data=False,
    )


def open_shards(
    directory: str | os.PathLike[str], split: str
) -> tuple[tfds.core.DatasetInfo, grain.sources.ArrayRecordDataSource]:
    """Opens a finished set for random access to its serialised examples.

    Returns:
      TFDS' description of the set, and the shards as one sequence of bytes.

    Raises:
      UserError: missing, unfinished or damaged directory, unknown split, lost shard.
    """
    directory = Path(directory)
    if not (directory / "dataset_info.json").is_file():
        raise UserError(
            f"{directory} holds no finished record set; the tiny sets are built by "
            "`python -m data.build --preset=tiny`"
        )
    try:
        info = tfds.builder_from_directory(directory).info
    # TFDS raises whatever its parsers meet in a damaged file.
    except Exception as error:
        raise UserError(
            f"the record set {directory} is damaged ({type(error).__name__} in its "
            "metadata); build it again"
        ) from error
    if info.file_format is not tfds.core.FileFormat.ARRAY_RECORD:
        raise UserError(
            f"{directory} is stored as {info.file_format}, which has no random access; "
            "prepare it with file_format='array_record'"
        )
    if split not in info.splits:
        raise UserError(
            f"the record set {directory} has no split {split!r}, only "
            f"{', '.join(sorted(info.splits))}"
        )
    paths = [os.fspath(path) for path in info.splits[split].filepaths]
    lost = [path for path in paths if not os.path.isfile(path)]
    if lost:
        raise UserError(
            f"the record set {directory} misses {len(lost)} of {len(paths)} shards, "
            f"e.g. {os.path.basename(lost[0])}; build it again"
        )
    try:
        shards = grain.sources.ArrayRecordDataSource(paths)
        num_records = len(shards)
    except Exception as error:
        raise UserError(
            f"a shard of the record set {directory} is damaged; build it again"
        ) from error
    if num_records != info.splits[split].num_examples:
        raise UserError(
            f"the record set {directory} holds {num_records} records instead of "
            f"{info.splits[split].num_examples}; build it again"
        )
    return info, shards


class RecordSource:
    """Random access to a record set: `source[k]` is an `EditRecord`."""

    def __init__(self, directory: str | os.PathLike[str], split: str):
        """Opens the set; raises as `open_shards`, or for another schema version."""
        self.directory = Path(directory)
        info, self._shards = open_shards(directory, split)
        self._parser = ExampleParserNp(_record_features().get_serialized_info())
        absent = set(_record_features()) - set(info.features or ())
        if absent:
            raise UserError(
                f"{directory} is not a set of edit records: it has no field "
                f"{', '.join(sorted(absent))}; import it with a field mapping"
            )

    def __len__(self) -> int:
        """Number of records."""
        return len(self._shards)

    def __getitem__(self, index: SupportsIndex) -> EditRecord:
        """Reads one record; images stay encoded.

        Raises:
          UserError: the record was written under another schema version.
        """
        fields = dict(self._parser.parse_example(self._shards[index]))
        if fields["schema_version"] != SCHEMA_VERSION:
            raise UserError(
                f"record {index} of {self.directory} has schema version "
                f"{fields['schema_version']}, but this version reads {SCHEMA_VERSION}"
            )
        return EditRecord(
            key=fields["key"].decode(),
            source_images=tuple(fields["source_images"]),
            target_image=fields["target_image"],
            change_mask=fields["change_mask"],
            instructions_en=tuple(text.decode() for text in fields["instructions_en"]),
            instructions_zh=tuple(text.decode() for text in fields["instructions_zh"]),
            task=fields["task"].decode(),
            scene=fields["scene"].decode(),
            provenance=json.loads(fields["provenance"]),
        )

    @property
    def fingerprint(self) -> str:
        """Names the content: SHA-256 of the manifest, which holds the shards' own.

        Raises:
          UserError: there is no manifest.
        """
        try:
            return hashlib.sha256((self.directory / MANIFEST).read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(
                f"the record set {self.directory} has no {MANIFEST}; build it again"
            ) from error
