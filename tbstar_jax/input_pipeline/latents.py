"""Sets that were encoded ahead: latents and embeddings, joined to records by key.

A latent set is a directory like a record set. Per record it holds named arrays:
`target_latent` and `source_latent_1`, `source_latent_2`, ...; optionally the context of
every instruction, `context_en_0`, `context_zh_0`, ... (numbered as the paraphrases) and
`context_dropped` for the empty one. Arrays keep their dtype. The set names what made it
(weights, padding, scaling) by a hash, which must be the one that training expects.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

import ml_dtypes
import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.example_parser import ExampleParserNp

from tbstar_jax.array_types import Int
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import MANIFEST, open_shards, write_shards

Arrays = Mapping[str, np.ndarray]
"""Named arrays of one record."""


def _dtypes() -> dict[str, np.dtype]:
    return {
        "float32": np.dtype("<f4"),
        "float16": np.dtype("<f2"),
        "bfloat16": np.dtype(ml_dtypes.bfloat16),
    }


def _latent_features() -> tfds.features.FeaturesDict:
    # TFDS' Tensor feature would fix one dtype and spell out numbers; bytes stay bytes.
    texts = ("names", "dtypes", "shapes", "data")
    sequences = {name: tfds.features.Sequence(tfds.features.Text()) for name in texts}
    return tfds.features.FeaturesDict({"key": tfds.features.Text(), **sequences})


def write_latents(
    directory: str | os.PathLike[str],
    dataset_name: str,
    split: str,
    latents: Iterable[tuple[str, Arrays]],
    records_per_shard: int,
    preprocessing_hash: str,
) -> int:
    """Writes a latent set; a killed writer leaves nothing that opens.

    Args:
      directory: must not hold a finished set.
      dataset_name: lower-case letters, digits and underscores.
      split: as in the record set.
      latents: the record's key and its arrays (float32, float16 or bfloat16), with the
        same names for every record that shares a batch.
      records_per_shard: records per file, at least 1.
      preprocessing_hash: names the weights and settings that made the arrays.

    Returns:
      How many records were written.

    Raises:
      UserError: as `write_records`, or for an array of another dtype.
    """
    keys: list[str] = []
    # Filled while the shards are written; what is written last is this.
    manifest: dict[str, Any] = {
        "preprocessing_hash": preprocessing_hash,
        "longest_context": 0,
        "keys": keys,
    }

    def examples() -> Iterator[dict[str, Any]]:
        seen: set[str] = set()
        for key, arrays in latents:
            if key in seen:
                raise UserError(f"latents of record {key!r} are given twice")
            seen.add(key)
            keys.append(key)
            lengths = [len(a) for name, a in arrays.items() if is_context(name)]
            manifest["longest_context"] = max([manifest["longest_context"], *lengths])
            yield _encode(key, arrays)

    return write_shards(
        directory,
        dataset_name,
        split,
        _latent_features(),
        examples(),
        records_per_shard,
        manifest,
    )


def _encode(key: str, arrays: Arrays) -> dict[str, Any]:
    dtypes = _dtypes()
    for name, array in arrays.items():
        if array.dtype.name not in dtypes:
            raise UserError(
                f"{name} of record {key!r} is {array.dtype.name}; use one of "
                f"{', '.join(dtypes)}"
            )
    return {
        "key": key,
        "names": list(arrays),
        "dtypes": [array.dtype.name for array in arrays.values()],
        "shapes": [json.dumps(array.shape) for array in arrays.values()],
        "data": [
            array.astype(dtypes[array.dtype.name]).tobytes()
            for array in arrays.values()
        ],
    }


def holds_context(directory: str | os.PathLike[str]) -> bool:
    """Whether a latent set holds contexts beside latents.

    Raises:
      UserError: there is no latent set.
    """
    return _read_manifest(Path(directory))[0]["longest_context"] > 0


def is_context(name: str) -> bool:
    """Whether an array of a latent set is a context rather than a latent."""
    return name.startswith("context_")


def _read_manifest(directory: Path) -> tuple[dict[str, Any], bytes]:
    try:
        text = (directory / MANIFEST).read_bytes()
        manifest = json.loads(text)
        if {"preprocessing_hash", "longest_context", "keys"} <= manifest.keys():
            return manifest, text
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{directory} is not a set of latents") from error
    raise UserError(f"{directory} is not a set of latents")


class LatentSource:
    """Random access to a latent set: `source[k]` is a key and its arrays.

    Attributes:
      directory: where it lies.
      longest_context: tokens of the longest context; 0 where there are none.
      fingerprint: names its content.
    """

    def __init__(
        self, directory: str | os.PathLike[str], split: str, preprocessing_hash: str
    ):
        """Opens a latent set.

        Args:
          directory: where `write_latents` put it.
          split: as in the record set.
          preprocessing_hash: what training expects.

        Raises:
          UserError: it does not open, or was made by other weights or settings.
        """
        self.directory = Path(directory)
        _, self._shards = open_shards(directory, split)
        self._parser = ExampleParserNp(_latent_features().get_serialized_info())
        manifest, text = _read_manifest(self.directory)
        found, keys = manifest["preprocessing_hash"], manifest["keys"]
        self.longest_context = int(manifest["longest_context"])
        if found != preprocessing_hash:
            raise UserError(
                f"the latents in {directory} were made with preprocessing {found!r}, "
                f"but this run expects {preprocessing_hash!r}; compute them again"
            )
        self._row_of = {key: row for row, key in enumerate(keys)}
        self.fingerprint = hashlib.sha256(text).hexdigest()

    def __len__(self) -> int:
        """Number of records."""
        return len(self._shards)

    def __getitem__(self, index: SupportsIndex) -> tuple[str, dict[str, np.ndarray]]:
        """Reads one record's arrays."""
        fields = self._parser.parse_example(self._shards[index])
        dtypes = _dtypes()
        arrays = {
            name.decode(): np.frombuffer(data, dtypes[dtype.decode()]).reshape(
                json.loads(shape)
            )
            for name, dtype, shape, data in zip(
                fields["names"],
                fields["dtypes"],
                fields["shapes"],
                fields["data"],
                strict=True,
            )
        }
        return fields["key"].decode(), arrays

    def rows_of(self, keys: Sequence[str]) -> Int[np.ndarray, " r"]:
        """Finds the rows of records by their keys.

        Raises:
          UserError: some records have no latents.
        """
        missing = [key for key in keys if key not in self._row_of]
        if missing:
            raise UserError(
                f"{self.directory} has no latents for {len(missing)} of {len(keys)} "
                f"records, e.g. {missing[0]!r}; compute them again"
            )
        return np.array([self._row_of[key] for key in keys], np.int64)
