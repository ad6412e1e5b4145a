"""The pictures of a pair, and where they differ."""

import dataclasses
import hashlib

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, encode_png
from tbstar_jax.input_pipeline.records import EditRecord


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pictures:
    """Source and target of one pair, uint8 RGB of the same size."""

    source: UInt8[np.ndarray, "h w 3"]
    target: UInt8[np.ndarray, "h w 3"]

    @property
    def differs(self) -> Bool[np.ndarray, "h w"]:
        """Where any channel differs."""
        return np.any(self.source != self.target, axis=2)


def pictures_of(record: EditRecord) -> Pictures | None:
    """Decodes a pair; None where target and first source have other sizes.

    Args:
      record: a pair with a source.

    Raises:
      UserError: a file cannot be decoded.
    """
    source = decode_image(record.source_images[0], f"source of record {record.key!r}")
    target = decode_image(record.target_image, f"target of record {record.key!r}")
    if source.shape != target.shape:
        return None
    return Pictures(source=source, target=target)


def has_one_source(record: EditRecord) -> bool:
    """Whether the record is a pair of one photo and its edit."""
    return bool(record.target_image) and len(record.source_images) == 1


def encode_mask(is_changed: Bool[np.ndarray, "h w"]) -> bytes:
    """A record's `change_mask`: PNG, 255 = changed, 0 = kept."""
    return encode_png(np.where(is_changed, np.uint8(255), np.uint8(0)))


def source_digest(record: EditRecord) -> str:
    """SHA-256 of the photo's file, by which edits of one photo are found.

    Raises:
      UserError: the record has no source.
    """
    if not record.source_images:
        raise UserError(f"record {record.key!r} has no source image to be found by")
    return hashlib.sha256(record.source_images[0]).hexdigest()
