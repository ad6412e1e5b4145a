"""Sets of examples on disk: ArrayRecord shards with the metadata of TFDS.

`tfds.builder_from_directory` opens such a directory; TensorFlow is not needed. Images
stay encoded, so shards are written uncompressed, one record per group: a random read
touches one record. A shard is written beside its place and renamed when it is whole,
and so is a set: a directory either holds a whole set or does not open.
"""

import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grain
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.core.example_serializer import ExampleSerializer

from tbstar_jax.errors import UserError

MANIFEST = "manifest.json"
"""Name of the file of facts beside the shards."""

_WRITER_OPTIONS = "group_size:1,uncompressed"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shard:
    """A finished shard.

    Attributes:
      path: the file.
      num_records: how many examples it holds.
      num_bytes: its size.
      sha256: of its content.
    """

    path: Path
    num_records: int
    num_bytes: int
    sha256: str


class ExampleWriter:
    """Turns examples of fixed features into bytes."""

    def __init__(self, features: tfds.features.FeaturesDict):
        """Prepares for features as TFDS describes them."""
        self._features = features
        self._serializer = ExampleSerializer(features.get_serialized_info())

    def serialise(self, example: Mapping[str, Any]) -> bytes:
        """Serialises one example; images must be handed over encoded."""
        encoded = self._features.encode_example(dict(example))
        # TFDS' own call leaves the order of fields to the process' hash seed.
        return self._serializer.get_tf_example(encoded).SerializeToString(
            deterministic=True
        )


def write_shard(path: Path, examples: Iterable[bytes]) -> Shard:
    """Writes one shard that is on the disk, whole, when it has its name.

    Args:
      path: of the shard; a file of this name is replaced.
      examples: serialised, consumed once, held one at a time; none makes a valid,
        empty shard.

    Returns:
      What was written.
    """
    temporary = path.with_name(path.name + ".tmp")
    num_records = 0
    try:
        writer = ArrayRecordWriter(os.fspath(temporary), _WRITER_OPTIONS)
        try:
            for example in examples:
                writer.write(example)
                num_records += 1
        finally:
            # An unclosed writer complains when it is collected.
            writer.close()
        with temporary.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            num_bytes = os.fstat(file.fileno()).st_size
        replace_durably(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return Shard(path=path, num_records=num_records, num_bytes=num_bytes, sha256=digest)


def replace_durably(temporary: Path, path: Path) -> None:
    """Renames a file so that after a power cut the name has the old content or the new.

    Args:
      temporary: in the same directory as `path`; closed, need not be flushed.
      path: the name it gets; a file of that name is replaced.
    """
    sync(temporary)
    os.replace(temporary, path)
    sync(path.parent)


def write_durably(path: Path, content: bytes) -> None:
    """Writes a small file at once: it has its old content or the new, never a part."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    replace_durably(temporary, path)


def sync(path: Path) -> None:
    """Waits until a file's content, or a directory's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_set_names(dataset_name: str, split: str) -> None:
    """Checks what becomes part of file names.

    Raises:
      UserError: a name has other characters than lower-case letters, digits and
        underscores.
    """
    for name in (dataset_name, split):
        if not _NAME.fullmatch(name):
            raise UserError(
                f"{name!r} is not a valid set or split name: use lower-case letters, "
                "digits and underscores"
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
    """Writes a set of one split.

    Args:
      directory: must not hold a finished set; appears only when all is written.
      dataset_name: lower-case letters, digits and underscores.
      split: likewise, e.g. `train`.
      features: TFDS features; images must be handed over encoded.
      examples: one mapping per record, at least one.
      records_per_shard: records per file, at least 1.
      manifest: facts to keep in `manifest.json` beside the shards' names, counts and
        SHA-256; it may be filled while `examples` are consumed.

    Returns:
      How many examples were written.

    Raises:
      UserError: the directory is taken, a name is not valid or nothing was given.
    """
    directory = Path(directory)
    check_set_names(dataset_name, split)
    if records_per_shard < 1:
        raise UserError(f"records_per_shard is {records_per_shard}, but must be >= 1")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError(f"{directory} is not empty; remove it or write elsewhere")
    partial = directory.with_name(directory.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        shards = _write_shard_files(partial, features, examples, records_per_shard)
        if not shards:
            raise UserError(f"there is no record to write to {directory}")
        finish_set(partial, dataset_name, split, features, shards, manifest)
        os.rename(partial, directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return sum(shard.num_records for shard in shards)


def _write_shard_files(
    partial: Path,
    features: tfds.features.FeaturesDict,
    examples: Iterable[Mapping[str, Any]],
    records_per_shard: int,
) -> list[Shard]:
    serialised = map(ExampleWriter(features).serialise, examples)
    shards: list[Shard] = []
    # The look ahead of one example tells whether another shard is needed.
    for first in serialised:
        path = partial / f"{len(shards):05d}"
        chunk = _chain_first(first, serialised, records_per_shard)
        shards.append(write_shard(path, chunk))
    return shards


def _chain_first(first: bytes, rest: Iterator[bytes], count: int) -> Iterator[bytes]:
    yield first
    for _, example in zip(range(count - 1), rest, strict=False):
        yield example


def shard_name(dataset_name: str, split: str, index: int, count: int) -> str:
    """The name that TFDS expects of a shard."""
    return f"{dataset_name}-{split}.array_record-{index:05d}-of-{count:05d}"


def finish_set(
    directory: Path,
    dataset_name: str,
    split: str,
    features: tfds.features.FeaturesDict,
    shards: Sequence[Shard],
    manifest: Mapping[str, Any],
) -> None:
    """Names the shards, and writes the manifest and the metadata of TFDS.

    What was done before by a run that was killed is done again; the metadata come
    last, since a set opens when they are there.

    Args:
      directory: holds the shards, under their own or already under their final names.
      dataset_name: as in `write_shards`.
      split: as in `write_shards`.
      features: of the examples.
      shards: in the order of the set, none of them empty.
      manifest: facts to keep beside the shards' names, counts and SHA-256.
    """
    listed = []
    for index, shard in enumerate(shards):
        name = shard_name(dataset_name, split, index, len(shards))
        if shard.path.exists():
            os.replace(shard.path, directory / name)
        listed.append(
            {"name": name, "records": shard.num_records, "sha256": shard.sha256}
        )
    text = json.dumps({**manifest, "split": split, "shards": listed}, indent=1)
    write_durably(directory / MANIFEST, f"{text}\n".encode())
    tfds.folder_dataset.write_metadata(
        data_dir=directory,
        features=features,
        split_infos=[
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=[shard.num_records for shard in shards],
                num_bytes=sum(shard.num_bytes for shard in shards),
            )
        ],
        # The check reads with TensorFlow, which is not installed.
        check_data=False,
    )
    for name in ("features.json", "dataset_info.json"):
        sync(directory / name)
    sync(directory)


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
