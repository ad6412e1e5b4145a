"""The edit only inside its mask: `source * (1 - m) + edited * m`, in integers.

What an editor did outside the mask (a shift, a cast, another codec's noise) goes, and
every pixel outside is the photo's own. The seam can be softened, inside the mask only.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.data_engine.augment.offspring import is_usable, offspring
from tbstar_jax.data_engine.augment.pictures import (
    Pictures,
    encode_mask,
    pictures_of,
)
from tbstar_jax.data_engine.plain_method import PlainMethod
from tbstar_jax.data_engine.stage import Made
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import erode
from tbstar_jax.input_pipeline.images import decode_mask, encode_png
from tbstar_jax.input_pipeline.records import EditRecord

MAX_FEATHER = 64
"""Widest seam, in pixels."""

_SAME_EDIT = ("facts", "inverse_en", "inverse_zh", "tasks", "paraphrase")
"""Notes that are as true of the pasted pair."""


def paste_back(
    source: UInt8[np.ndarray, "h w 3"],
    edited: UInt8[np.ndarray, "eh ew 3"],
    mask: UInt8[np.ndarray, "mh mw"],
    feather: int,
) -> UInt8[np.ndarray, "h w 3"]:
    """Puts an edit back into its photo.

    Args:
      source: the photo.
      edited: the edited photo, of the same size.
      mask: above 127 edited, else kept, as everywhere.
      feather: rows or columns over which the edit fades in, counted from the mask's
        rim inwards; 0 is a hard seam. The picture's border is no rim.

    Returns:
      `source` outside the mask, bit for bit; inside, the edit, blended near the rim and
      rounded to nearest.

    Raises:
      UserError: sizes differ, or the feather is out of range.
    """
    if not source.shape[:2] == edited.shape[:2] == mask.shape:
        raise UserError(
            f"photo {source.shape[:2]}, edit {edited.shape[:2]} and mask {mask.shape} "
            "(rows, columns) must have one size"
        )
    weights = seam_weights(mask, feather).astype(np.int32)[:, :, None]
    blend = (
        source.astype(np.int32) * (255 - weights) + edited.astype(np.int32) * weights
    )
    return ((blend + 127) // 255).astype(np.uint8)


def seam_weights(
    mask: UInt8[np.ndarray, "h w"], feather: int
) -> UInt8[np.ndarray, "h w"]:
    """How much of the edit each pixel takes, of 255.

    Args:
      mask: above 127 edited.
      feather: as in `paste_back`.

    Returns:
      0 outside; inside, `255 * k // (feather + 1)` on the k-th ring from the rim, 255
      behind the last.
    """
    if not 0 <= feather <= MAX_FEATHER:
        raise UserError(f"feather is {feather}, but must be 0 to {MAX_FEATHER} pixels")
    inside = mask > 127
    weights = np.zeros(mask.shape, np.uint8)
    for ring in range(1, feather + 2):
        weights[inside] = 255 * ring // (feather + 1)
        inside = erode(inside, 1)
    return weights


@dataclasses.dataclass(frozen=True, kw_only=True)
class PasteBack(PlainMethod):
    """Adds, to a pair whose edit left its mask, the pair with the edit pasted back.

    Photo and result are PNG, so that the new mask, which is exactly where they differ,
    holds after decoding anywhere. A pair that was rejected, has no mask, several
    sources, or a target of another size stays alone.

    Attributes:
      feather: width of the seam, pixels.
    """

    name = "paste_back"
    feather: int

    def __post_init__(self) -> None:
        """Checks the feather.

        Raises:
          UserError: out of range.
        """
        seam_weights(np.zeros((1, 1), np.uint8), self.feather)

    def transform(self, record: EditRecord, rng: np.random.Generator) -> Iterable[Made]:
        """The record, then the pair with the edit pasted back."""
        yield record
        if not is_usable(record) or not record.change_mask:
            return
        pictures = pictures_of(record)
        mask = decode_mask(record.change_mask, f"mask of record {record.key!r}")
        if pictures is None or mask.shape != pictures.source.shape[:2]:
            return
        result = paste_back(pictures.source, pictures.target, mask, self.feather)
        pasted = Pictures(source=pictures.source, target=result)
        is_as_before = np.array_equal(result, pictures.target)
        if is_as_before or not pasted.differs.any():
            return
        notes = {k: v for k, v in record.provenance.items() if k in _SAME_EDIT}
        yield offspring(
            record,
            key=f"{record.key}-pasted",
            transform="paste_back",
            parents=[record],
            notes=notes,
            source_images=(encode_png(pasted.source),),
            target_image=encode_png(pasted.target),
            change_mask=encode_mask(pasted.differs),
        )
