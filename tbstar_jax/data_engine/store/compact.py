"""Pairs in a third of the space, for stage 1: JPEG of quality 95 at full colour."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from tbstar_jax.data_engine.annotate import annotated, is_photo
from tbstar_jax.data_engine.plain_method import PlainMethod
from tbstar_jax.data_engine.stage import Made
from tbstar_jax.data_engine.store.codecs import codec_of, encode_jpeg
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.records import EditRecord

__all__ = ["AsJpeg"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AsJpeg(PlainMethod):
    """Encodes a pair's lossless images as JPEG; masks, photos and JPEGs stay.

    Source and target get the same block grid, so nothing changes farther than one
    block from the edit. Stage 2 takes no such pair.
    """

    name = "as_jpeg"

    def transform(self, record: EditRecord, rng: np.random.Generator) -> Iterable[Made]:
        """The record with JPEGs in it."""
        del rng  # nothing here is random
        if is_photo(record):
            return [record]
        compact = dataclasses.replace(
            record,
            source_images=tuple(map(_compact, record.source_images)),
            target_image=_compact(record.target_image),
        )
        return [annotated(compact, stored_as="jpeg q95 4:4:4")]


def _compact(data: bytes) -> bytes:
    return data if codec_of(data) == "jpeg" else encode_jpeg(decode_image(data))
