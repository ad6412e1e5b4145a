"""Pictures above a pixel budget are scaled down, pairs without mixing what differs.

Training never scales a pair: that would mix changed with kept pixels. Here it is done
once and exactly. Every new pixel is the mean of the old pixels it covers, so where all
of them were kept, source and target stay equal; the mask marks every other one.
"""

import dataclasses
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from tbstar_jax.data_engine.annotate import annotated
from tbstar_jax.data_engine.plain_method import PlainMethod
from tbstar_jax.data_engine.stage import Made, Reject
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import plan_canvas
from tbstar_jax.input_pipeline.images import decode_image, decode_mask, encode_png
from tbstar_jax.input_pipeline.records import EditRecord

__all__ = ["Scale", "scaled_size"]

_SIDES = ("top", "left", "bottom", "right")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale(PlainMethod):
    """Scales records down to a budget; those within it pass byte for byte.

    A scaled record notes `scaled_from`, rows and columns of its first source before.

    Attributes:
      max_pixels: most pixels of an image, padding to whole tokens included: the
        `pixel_budget` of the model that is to be trained.
    """

    name = "scale"
    max_pixels: int

    def __post_init__(self) -> None:
        """Checks the budget.

        Raises:
          UserError: it is below 32 x 32 pixels.
        """
        if self.max_pixels < 32 * 32:
            raise UserError(f"max_pixels is {self.max_pixels}, but must be >= 1024")

    def transform(self, record: EditRecord, rng: np.random.Generator) -> Iterable[Made]:
        """The record within the budget, or why it cannot be scaled."""
        del rng  # nothing here is random
        try:
            return [self._scaled(record)]
        except UserError as error:
            return [Reject(row=record.key, reason=str(error))]

    def _scaled(self, record: EditRecord) -> EditRecord:
        sizes = record.image_sizes()
        if all(scaled_size(size, self.max_pixels) == size for size in sizes):
            return record
        sources = tuple(self._fit(data, record.key) for data in record.source_images)
        target = record.target_image
        mask = record.change_mask
        if mask:
            changed = decode_mask(mask, f"change_mask of {record.key}")
            size = scaled_size(changed.shape, self.max_pixels)
            # In floats, or one changed pixel among many would be rounded away.
            share = _resized(Image.fromarray(changed.astype(np.float32)), size)
            mask = encode_png(np.where(np.array(share) > 0, 255, 0).astype(np.uint8))
        changed_record = dataclasses.replace(
            record,
            source_images=sources,
            target_image=self._fit(target, record.key) if target else target,
            change_mask=mask,
        )
        first = sizes[min(1, len(sizes) - 1)]
        return annotated(
            changed_record,
            scaled_from=list(first),
            **_scaled_notes(record, first, scaled_size(first, self.max_pixels)),
        )

    def _fit(self, data: bytes, key: str) -> bytes:
        """One image within the budget; transparency is kept."""
        with Image.open(io.BytesIO(data)) as opened:
            has_alpha = opened.mode == "RGBA"
            rgba = np.array(opened) if has_alpha else None
        image = decode_image(data, f"an image of {key}") if rgba is None else rgba
        size = scaled_size(image.shape[:2], self.max_pixels)
        if size == image.shape[:2]:
            return data
        return encode_png(np.array(_resized(Image.fromarray(image), size)))


def _scaled_notes(
    record: EditRecord, before: tuple[int, int], after: tuple[int, int]
) -> dict[str, Any]:
    """Boxes that were noted in pixels of the first source, in its new pixels."""
    ratios = (after[0] / before[0], after[1] / before[1])

    def scaled(box: Sequence[int]) -> list[int]:
        top, left, bottom, right = box
        return [
            math.floor(top * ratios[0]),
            math.floor(left * ratios[1]),
            math.ceil(bottom * ratios[0]),
            math.ceil(right * ratios[1]),
        ]

    notes: dict[str, Any] = {}
    texts = record.provenance.get("text_boxes")
    if texts is not None:
        notes["text_boxes"] = [{**text, "box": scaled(text["box"])} for text in texts]
    auxiliary = record.provenance.get("auxiliary")
    if auxiliary is not None and "regions" in auxiliary:
        regions = [
            region | dict(zip(_SIDES, scaled([region[k] for k in _SIDES]), strict=True))
            for region in auxiliary["regions"]
        ]
        notes["auxiliary"] = {**auxiliary, "regions": regions}
    return notes


def scaled_size(size: tuple[int, ...], max_pixels: int) -> tuple[int, int]:
    """Rows and columns that training takes at a budget, of the same shape.

    Args:
      size: rows and columns, in pixels.
      max_pixels: most pixels, padding to whole tokens included; see `plan_canvas`.

    Raises:
      UserError: the picture is longer than 4:1.
    """
    rows, columns = size
    plan = plan_canvas(rows, columns, max_pixels)
    height, width = (max(1, math.floor(side)) for side in plan.working)
    return height, width


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize((size[1], size[0]), Image.Resampling.BOX)
