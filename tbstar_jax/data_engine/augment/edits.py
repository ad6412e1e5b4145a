"""Edits of one photo that can be combined: what they change does not overlap."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.data_engine.augment.offspring import is_usable
from tbstar_jax.data_engine.augment.pictures import pictures_of, source_digest
from tbstar_jax.data_engine.store.codecs import codec_of
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import erode
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.input_pipeline.records import EditRecord

MAX_EDITS_PER_PHOTO = 16
"""Most edits of one photo that are held in memory and combined."""

_COMBINED_ALREADY = ("compose", "chain", "identity")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edit:
    """A decoded pair.

    Attributes:
      record: the pair.
      source: the photo, uint8 RGB.
      target: the edited photo.
      differs: where any channel differs.
      reach: `differs` and what is nearer to it than the margin.
    """

    record: EditRecord
    source: UInt8[np.ndarray, "h w 3"]
    target: UInt8[np.ndarray, "h w 3"]
    differs: Bool[np.ndarray, "h w"]
    reach: Bool[np.ndarray, "h w"]


def decode_edits(records: Iterable[EditRecord], margin: int) -> list[Edit]:
    """Decodes the pairs that can be combined.

    Args:
      records: pairs of one photo; what is rejected, combined already, changes nothing
        or has another size than its photo is left out.
      margin: how far two edits must stay apart, in pixels; 0 lets them touch.

    Returns:
      At most `MAX_EDITS_PER_PHOTO` edits, in the order of the records.

    Raises:
      UserError: the photos are not the same file, or one cannot be decoded.
    """
    edits: list[Edit] = []
    digests: set[str] = set()
    for record in records:
        if record.provenance.get("transform") in _COMBINED_ALREADY:
            continue
        if not is_usable(record) or len(edits) == MAX_EDITS_PER_PHOTO:
            continue
        digests.add(source_digest(record))
        if len(digests) > 1:
            raise UserError(
                f"record {record.key!r} edits another photo than the ones before it; "
                "only edits of the same file can be combined"
            )
        pictures = pictures_of(record)
        if pictures is None or not pictures.differs.any():
            continue
        edits.append(
            Edit(
                record=record,
                source=pictures.source,
                target=pictures.target,
                differs=pictures.differs,
                reach=~erode(~pictures.differs, margin),
            )
        )
    return edits


def are_disjoint(edits: Sequence[Edit]) -> bool:
    """Whether each two edits stay a margin apart."""
    return not any(
        np.any(first.reach & second.differs)
        for first, second in itertools.combinations(edits, 2)
    )


def drawn_combinations(
    rng: np.random.Generator, edits: Sequence[Edit], largest: int, count: int
) -> Iterator[tuple[Edit, ...]]:
    """Draws sets of disjoint edits, each in a random order.

    Args:
      rng: decides which sets and in which order.
      edits: of one photo.
      largest: most edits of a set, at least 2.
      count: how many sets at most.
    """
    combinations = [
        combination
        for size in range(2, largest + 1)
        for combination in itertools.combinations(edits, size)
        if are_disjoint(combination)
    ]
    for index in rng.permutation(len(combinations))[:count]:
        chosen = combinations[int(index)]
        yield tuple(chosen[int(k)] for k in rng.permutation(len(chosen)))


def applied(
    picture: UInt8[np.ndarray, "h w 3"], edit: Edit
) -> UInt8[np.ndarray, "h w 3"]:
    """Makes an edit on a picture that equals its photo where the edit reaches."""
    return np.where(edit.differs[:, :, None], edit.target, picture)


def lossless(data: bytes, picture: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """The file itself if it holds its pixels exactly, otherwise a PNG of them.

    Args:
      data: an image file.
      picture: the same, decoded.
    """
    is_exact = codec_of(data) in ("png", "webp_lossless")
    return data if is_exact else encode_png(picture)
