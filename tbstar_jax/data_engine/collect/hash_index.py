"""The hashes by which equal and nearly equal photos are found, for a whole set.

Hashes are computed where photos are decoded anyway and kept in a record's provenance;
the index of a set is then put together without decoding an image.
"""

import dataclasses
import hashlib
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from tbstar_jax.array_types import Bool, Int, Shaped, UInt8
from tbstar_jax.data_engine.annotate import annotated, is_photo
from tbstar_jax.data_engine.collect.assemble import content_key
from tbstar_jax.data_engine.collect.phash import (
    CHROMA_CELLS,
    chroma_signature,
    perceptual_hash,
)
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, image_size
from tbstar_jax.input_pipeline.record_shards import replace_durably
from tbstar_jax.input_pipeline.records import EditRecord

_NOTE = "hashes"
_NUM_CHROMA = 2 * CHROMA_CELLS**2


@dataclasses.dataclass(frozen=True, kw_only=True)
class HashIndex:
    """Hashes of the first image of `n` records, in the order of the set.

    Attributes:
      keys: the records' keys, all different.
      content: names images and requests, see `content_key`.
      is_photo: whether it waits for its edit.
      sha256: of the image file, in hexadecimal digits.
      phash: see `perceptual_hash`.
      chroma: see `chroma_signature`.
      num_pixels: of that image.
    """

    keys: Shaped[np.ndarray, " n"]
    content: Shaped[np.ndarray, " n"]
    is_photo: Bool[np.ndarray, " n"]
    sha256: Shaped[np.ndarray, " n"]
    phash: Shaped[np.ndarray, " n"]
    chroma: UInt8[np.ndarray, "n c"]
    num_pixels: Int[np.ndarray, " n"]

    def save(self, path: str | os.PathLike[str]) -> str:
        """Writes the index as `.npz`; it is there as a whole or not at all.

        Returns:
          SHA-256 of the file.
        """
        path = Path(path)
        partial = path.with_name(path.name + ".tmp")
        with partial.open("wb") as file:
            np.savez(file, **{name: getattr(self, name) for name in _names()})
        replace_durably(partial, path)
        return index_digest(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "HashIndex":
        """Reads what `save` wrote.

        Raises:
          UserError: it is no such file.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{name: arrays[name] for name in _names()})
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{path} is no index of hashes ({error})") from error


def index_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of the file of an index."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _names() -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(HashIndex))


def with_hashes(record: EditRecord, photo: UInt8[np.ndarray, "h w 3"]) -> EditRecord:
    """The record with the hashes of its first image in its provenance.

    Args:
      record: any.
      photo: its first image, decoded.
    """
    return annotated(record, **{_NOTE: _note(first_image(record), photo)})


def first_image(record: EditRecord) -> bytes:
    """The photo of a record: its first source or, without sources, its target."""
    return (*record.source_images, record.target_image)[0]


def _note(data: bytes, photo: UInt8[np.ndarray, "h w 3"]) -> dict[str, str]:
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "phash": f"{int(perceptual_hash(photo)):016x}",
        "chroma": chroma_signature(photo).tobytes().hex(),
    }


def hash_records(records: Iterable[EditRecord]) -> HashIndex:
    """Puts the index of a set together.

    Args:
      records: photos and pairs, in the order of the set. Images are
        decoded only where the hashes in a record's provenance are not of its image.

    Raises:
      UserError: an image cannot be decoded.
    """
    keys, content, photos, sizes = [], [], [], []
    sha256, phash, chroma = [], [], bytearray()
    for record in records:
        texts = record.instructions_en + record.instructions_zh
        keys.append(record.key)
        content.append(content_key(record.source_images, record.target_image, texts))
        photos.append(is_photo(record))
        note = _checked_note(record)
        sha256.append(note["sha256"].encode())
        phash.append(int(note["phash"], 16))
        chroma += bytes.fromhex(note["chroma"])
        sizes.append(math.prod(image_size(first_image(record), record.key)))
    return HashIndex(
        keys=np.array(keys, "U"),
        content=np.array(content, "S32"),
        is_photo=np.array(photos, bool),
        sha256=np.array(sha256, "S64"),
        phash=np.array(phash, np.uint64),
        chroma=np.frombuffer(bytes(chroma), np.uint8).reshape(-1, _NUM_CHROMA),
        num_pixels=np.array(sizes, np.int64),
    )


def _checked_note(record: EditRecord) -> Mapping[str, str]:
    """The hashes of the record's image, which may not be the one they were taken of."""
    data = first_image(record)
    note = record.provenance.get(_NOTE)
    if isinstance(note, Mapping) and set(note) == {"sha256", "phash", "chroma"}:
        if note["sha256"] == hashlib.sha256(data).hexdigest():
            return note
    return _note(data, decode_image(data, f"the first image of {record.key}"))
