"""Which image files may be in a pair, told from their first bytes.

A codec that predicts across blocks (lossy WebP, AVIF) changes pixels far away from an
edit when source and target are encoded apart; a model trained on that learns to change
what it should keep. JPEG's blocks are independent on a fixed grid, so at equal settings
nothing changes farther than one block from the edit: enough for stage 1. Stage 2, which
teaches exact preservation, takes lossless files only.
"""

import io
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image

from tbstar_jax.array_types import UInt8
from tbstar_jax.data_engine.annotate import annotated, is_photo, status_of
from tbstar_jax.input_pipeline.records import EditRecord

Codec: TypeAlias = Literal["png", "jpeg", "webp_lossless", "webp_lossy", "other"]
"""How a file was encoded; `other` is what records cannot hold, AVIF among it."""

REJECTED_FOR_CODEC = "rejected:codec"
"""Status of a pair with an image that no pair may hold."""

_QUALITY = 95
_FRAME_HEADER = 16


def encode_jpeg(image: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Encodes an image for stage 1: quality 95, colours at full resolution (4:4:4).

    Args:
      image: RGB, 0..255. Source and target of a pair need the same block grid: crop
        before encoding by multiples of 8, or after decoding.

    Returns:
      A JPEG file.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(
        buffer, format="JPEG", quality=_QUALITY, subsampling="4:4:4"
    )
    return buffer.getvalue()


def codec_of(data: bytes) -> Codec:
    """Tells how an image file was encoded, from its headers alone."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp_lossless" if _is_webp_lossless(data) else "webp_lossy"
    return "other"


def _is_webp_lossless(data: bytes) -> bool:
    """Whether all frames are; a file without frames is not."""
    start, kinds = 12, set()
    while start + 8 <= len(data):
        kind = data[start : start + 4]
        size = int.from_bytes(data[start + 4 : start + 8], "little")
        if kind == b"ANMF":
            # Animated: the frame's own chunks follow behind its header.
            start += 8 + _FRAME_HEADER
            continue
        kinds.add(kind)
        start += 8 + size + size % 2
    return b"VP8L" in kinds and b"VP8 " not in kinds


def is_lossless_file(data: bytes) -> bool:
    """Whether an image file's format keeps every pixel: PNG, or lossless WebP."""
    return codec_of(data) in ("png", "webp_lossless")


def is_lossless(record: EditRecord) -> bool:
    """Whether every image of a record holds its pixels exactly: PNG, lossless WebP."""
    images = (record.target_image,) if record.target_image else ()
    return all(map(is_lossless_file, (*images, *record.source_images)))


def apply_codec_policy(record: EditRecord) -> EditRecord:
    """Rejects a pair that holds lossy WebP or what is not known; photos pass.

    Args:
      record: any.

    Returns:
      The record, with the status `REJECTED_FOR_CODEC` where it was not rejected before.
    """
    if is_photo(record) or status_of(record).startswith("rejected"):
        return record
    images = (record.target_image, *record.source_images)
    if {codec_of(data) for data in images} & {"webp_lossy", "other"}:
        return annotated(record, status=REJECTED_FOR_CODEC)
    return record
