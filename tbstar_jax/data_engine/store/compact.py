"""Pairs in a third of the space, for stage 1: JPEG of quality 95 at full colour."""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from tbstar_jax.data_engine.annotate import annotated, is_photo
from tbstar_jax.data_engine.stage import Made, Transform, fingerprint_of
from tbstar_jax.data_engine.store.codecs import codec_of, encode_jpeg
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.records import EditRecord

__all__ = ["AsJpeg"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AsJpeg:
    """Encodes a pair's lossless images as JPEG; masks, photos and JPEGs stay.

    Source and target get the same block grid, so nothing changes farther than one
    block from the edit. Stage 2 takes no such pair.
    """

    @property
    def name(self) -> str:
        """The method's name."""
        return "as_jpeg"

    @property
    def fingerprint(self) -> str:
        """Names the codec."""
        return fingerprint_of(self.name, 1, {})

    @property
    def num_threads(self) -> int:
        """It computes and never waits."""
        return 1

    @contextlib.contextmanager
    def open(self) -> Iterator[Transform]:
        """Nothing needs to be loaded."""

        def transform(record: EditRecord, rng: np.random.Generator) -> Iterable[Made]:
            del rng  # nothing here is random
            if is_photo(record):
                return [record]
            compact = dataclasses.replace(
                record,
                source_images=tuple(map(_compact, record.source_images)),
                target_image=_compact(record.target_image),
            )
            return [annotated(compact, stored_as="jpeg q95 4:4:4")]

        yield transform


def _compact(data: bytes) -> bytes:
    return data if codec_of(data) == "jpeg" else encode_jpeg(decode_image(data))
