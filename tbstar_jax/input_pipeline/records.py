"""The record: what one edit pair is, on disk and in memory.

A record set is a directory of shards (`record_shards`) that hold examples of TFDS. A
set is of one kind: *pairs*, or *photos* that wait for their edit and have neither
target nor instructions.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, SupportsIndex

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.example_parser import ExampleParserNp

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, encode_png, image_size
from tbstar_jax.input_pipeline.record_shards import (
    MANIFEST,
    ExampleWriter,
    open_shards,
    write_shards,
)

__all__ = [
    "MANIFEST",
    "SCHEMA_VERSION",
    "EditRecord",
    "Kind",
    "RecordCodec",
    "RecordSource",
    "check_record",
    "decode_image",
    "encode_png",
    "kind_of",
    "open_shards",
    "record_features",
    "write_records",
    "write_shards",
]

SCHEMA_VERSION = 1

Kind = Literal["pairs", "photos"]
"""What a set holds: edit pairs, or photos without target and instructions."""

_WHAT_PHOTOS_MISS = (
    ": photos have no target and no instruction yet; make pairs of them with "
    "`python -m data.build --stage=construct`"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditRecord:
    """One edit pair, or one photo without target; images are encoded files.

    Attributes:
      key: unique within its set.
      source_images: none (text to image) or more; the first is the one being edited.
      target_image: the edited image; empty bytes make the record a photo.
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
        """Target's and sources' (rows, columns) in pixels, from headers alone.

        A photo has no target: the first is its own.
        """
        named = [("target_image", self.target_image)] if self.target_image else []
        named += [(f"source_images[{k}]", v) for k, v in enumerate(self.source_images)]
        return tuple(
            image_size(data, f"{name} of record {self.key!r}") for name, data in named
        )


def record_features() -> tfds.features.FeaturesDict:
    """The fields of a record as TFDS describes them."""
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


class RecordCodec:
    """Records to serialised examples of TFDS and back."""

    def __init__(self) -> None:
        """Builds serialiser and parser: made once, used for many records."""
        features = record_features()
        self._writer = ExampleWriter(features)
        self._parser = ExampleParserNp(features.get_serialized_info())

    def serialise(self, record: EditRecord) -> bytes:
        """Writes a record as bytes, the same for equal records.

        Raises:
          UserError: the provenance holds what JSON cannot.
        """
        return self._writer.serialise(_example(record))

    def parse(self, example: bytes, place: str) -> EditRecord:
        """Reads a record; images stay encoded.

        Args:
          example: from `serialise`.
          place: what to call it in an error.

        Raises:
          UserError: the record was written under another schema version.
        """
        fields = dict(self._parser.parse_example(example))
        if fields["schema_version"] != SCHEMA_VERSION:
            raise UserError(
                f"{place} has schema version {fields['schema_version']}, but this "
                f"version reads {SCHEMA_VERSION}"
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


def _example(record: EditRecord) -> dict[str, Any]:
    example = dataclasses.asdict(record)
    try:
        example["provenance"] = json.dumps(
            record.provenance, ensure_ascii=False, sort_keys=True, allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the provenance of record {record.key!r} is not JSON ({error})"
        ) from error
    return example


def write_records(
    directory: str | os.PathLike[str],
    dataset_name: str,
    split: str,
    records: Iterable[EditRecord],
    records_per_shard: int,
    kind: Kind = "pairs",
) -> int:
    """Writes a record set of one split.

    Args:
      directory: must not hold a finished set; appears only when all is written.
      dataset_name: lower-case letters, digits and underscores.
      split: likewise, e.g. `train`.
      records: at least one; consumed once, held one at a time.
      records_per_shard: records per file, at least 1.
      kind: what all the records are.

    Returns:
      How many records were written.

    Raises:
      UserError: the directory is taken, a name is not valid, there is no record, a key
        repeats, an instruction is missing or empty, an image or mask is not acceptable,
        or a record is of the other kind.
    """
    keys: set[str] = set()

    def examples() -> Iterator[dict[str, Any]]:
        for record in records:
            if not record.key or record.key in keys:
                raise UserError(
                    f"record key {record.key!r} is empty or used twice in this set"
                )
            keys.add(record.key)
            check_record(record, kind)
            yield _example(record)

    return write_shards(
        directory,
        dataset_name,
        split,
        record_features(),
        examples(),
        records_per_shard,
        {"schema_version": SCHEMA_VERSION, "kind": kind},
    )


def kind_of(record: EditRecord) -> Kind:
    """What a record is, by whether it has a target."""
    return "pairs" if record.target_image else "photos"


def check_record(record: EditRecord, kind: Kind) -> None:
    """Checks what one record holds before it is written; its key is the set's matter.

    Args:
      record: any.
      kind: of the set it goes to.

    Raises:
      UserError: a pair has no instruction or an empty one; a photo has one, or a
        target, or no image; an image's header or the mask's size is not acceptable.
    """
    if kind == "pairs":
        _check_texts(record)
    elif record.target_image or record.instructions_en or record.instructions_zh:
        raise UserError(
            f"record {record.key!r} has a target or instructions, but a set of photos "
            "holds only photos; write pairs to a set of their own"
        )
    elif not record.source_images:
        raise UserError(f"photo {record.key!r} has no image")
    sizes = record.image_sizes()
    if record.change_mask:
        mask_size = image_size(record.change_mask, f"change_mask of {record.key!r}")
        # Behind the target, where there is one, come the sources.
        edited = 1 if record.target_image and len(sizes) > 1 else 0
        if mask_size != sizes[edited]:
            raise UserError(
                f"change_mask of record {record.key!r} is {mask_size} (rows, columns), "
                f"but its image is {sizes[edited]}"
            )


def _check_texts(record: EditRecord) -> None:
    if not record.target_image:
        raise UserError(
            f"record {record.key!r} has no target image, but the set is one of pairs; "
            "write photos to a set of kind 'photos'"
        )
    texts = record.instructions_en + record.instructions_zh
    # The empty text is kept for guidance: it means that the request was dropped.
    if not texts or not all(text.strip() for text in texts):
        raise UserError(
            f"record {record.key!r} has no instruction, or an empty one among "
            f"{len(texts)}"
        )


class RecordSource:
    """Random access to a record set: `source[k]` is an `EditRecord`.

    Attributes:
      directory: where it lies.
      kind: what it holds.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        split: str,
        kind: Kind | None = "pairs",
    ):
        """Opens a set.

        Args:
          directory: of the set.
          split: e.g. `train`.
          kind: what the caller can use; None takes either.

        Raises:
          UserError: as `open_shards`; the set holds no edit records, or the other kind.
        """
        self.directory = Path(directory)
        info, self._shards = open_shards(directory, split)
        self._codec = RecordCodec()
        absent = set(record_features()) - set(info.features or ())
        if absent:
            raise UserError(
                f"{directory} is not a set of edit records: it has no field "
                f"{', '.join(sorted(absent))}; import it with a field mapping"
            )
        self.kind = _read_kind(self.directory)
        if kind is not None and kind != self.kind:
            hint = _WHAT_PHOTOS_MISS if self.kind == "photos" else ""
            raise UserError(
                f"{directory} holds {self.kind}, but {kind} are needed here{hint}"
            )

    def __len__(self) -> int:
        """Number of records."""
        return len(self._shards)

    def __getitem__(self, index: SupportsIndex) -> EditRecord:
        """Reads one record; images stay encoded.

        Raises:
          UserError: the record was written under another schema version.
        """
        place = f"record {index.__index__()} of {self.directory}"
        return self._codec.parse(self._shards[index], place)

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


def _read_kind(directory: Path) -> Kind:
    """What the manifest says; sets from before there were photos hold pairs."""
    try:
        text = (directory / MANIFEST).read_text(encoding="utf-8")
        kind: Kind = json.loads(text).get("kind", "pairs")
    except FileNotFoundError:
        return "pairs"
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            f"the record set {directory} has a damaged {MANIFEST}; build it again"
        ) from error
    if kind not in ("pairs", "photos"):
        raise UserError(
            f"the record set {directory} holds {kind!r}, which this version does not "
            "know; it reads pairs and photos"
        )
    return kind
