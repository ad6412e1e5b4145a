"""Edit pairs from real photos: overlays put on, taken off, changed or moved.

The photo is a pair's untouched ground, so the answer is exact whatever it shows. It is
used at its own size, or scaled down to `max_side`, never cropped.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from tbstar_jax.data_engine.annotate import derived
from tbstar_jax.data_engine.language import MAX_INSTRUCTION_BYTES
from tbstar_jax.data_engine.layout.edits import PHOTO_TASKS, sample_photo_edit
from tbstar_jax.data_engine.layout.pairs import (
    LAYOUT_VERSION,
    draw_edit,
    pair_fields,
)
from tbstar_jax.data_engine.plain_method import PlainMethod
from tbstar_jax.data_engine.stage import Made, Reject
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import MAX_ASPECT_RATIO
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.records import EditRecord

LEAST_SIDE = 64
"""Shorter side of the smallest photo whose overlays can be read, pixels."""


def require_tasks(tasks: Sequence[str], known: Sequence[str]) -> None:
    """Checks a choice of tasks.

    Raises:
      UserError: none is chosen, or one that has no exact target here.
    """
    wrong = [task for task in tasks if task not in known]
    if wrong or not tasks:
        named = repr(wrong[0]) if wrong else "nothing"
        raise UserError(f"tasks name {named}, but must be some of {', '.join(known)}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class OverlayMethod(PlainMethod):
    """Makes pairs from photos.

    Attributes:
      pairs_per_photo: how many, at least 1, each with its own overlays.
      tasks: ids the tasks are drawn from, all equally likely; some of `PHOTO_TASKS`.
      max_side: longest side of the pictures, pixels, at least 64.
      max_instruction_bytes: longest instruction, UTF-8 bytes.
    """

    name = "overlay"
    version = LAYOUT_VERSION
    pairs_per_photo: int = 1
    tasks: tuple[str, ...] = PHOTO_TASKS
    max_side: int = 1024
    max_instruction_bytes: int = MAX_INSTRUCTION_BYTES

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
          UserError: a setting is out of range.
        """
        require_tasks(self.tasks, PHOTO_TASKS)
        if self.pairs_per_photo < 1 or self.max_side < LEAST_SIDE:
            raise UserError(
                f"pairs_per_photo is {self.pairs_per_photo} and max_side "
                f"{self.max_side}, but must be at least 1 and {LEAST_SIDE}"
            )

    def transform(self, record: EditRecord, rng: np.random.Generator) -> Iterator[Made]:
        """Pairs of the photo, or why there are none."""
        return _pairs(self, record, rng)


def _pairs(
    method: OverlayMethod, record: EditRecord, rng: np.random.Generator
) -> Iterator[Made]:
    if not record.source_images:
        yield Reject(row=record.key, reason="the record has no source image")
        return
    try:
        photo = decode_image(record.source_images[0], "the photo")
    except UserError as error:
        yield Reject(row=record.key, reason=str(error))
        return
    photo = _scaled(photo, method.max_side)
    short, long = sorted(photo.shape[:2])
    if short < LEAST_SIDE or long > MAX_ASPECT_RATIO * short:
        yield Reject(
            row=record.key,
            reason=(
                f"the photo is {photo.shape[1]}x{photo.shape[0]} pixels once its "
                f"longer side is at most {method.max_side}; overlays need a shorter "
                f"side of {LEAST_SIDE} pixels and a ratio within 1:{MAX_ASPECT_RATIO}"
            ),
        )
        return
    for index in range(method.pairs_per_photo):
        task = method.tasks[int(rng.integers(len(method.tasks)))]
        sample = functools.partial(sample_photo_edit, task=task, photo=photo)
        drawn = draw_edit(rng, sample, photo)
        if drawn is None:
            yield Reject(
                row=f"{record.key} pair {index}",
                reason=f"no overlay for task {task!r} finds room on this photo",
            )
            continue
        fields = pair_fields(rng, drawn, method.max_instruction_bytes)
        yield derived(
            record,
            key=f"{record.key}-overlay-{index}",
            parents=[record],
            **{"transform": fields["provenance"].pop("transform"), **fields},
        )


def _scaled(
    photo: UInt8[np.ndarray, "h w 3"], max_side: int
) -> UInt8[np.ndarray, "nh nw 3"]:
    longest = max(photo.shape[:2])
    if longest <= max_side:
        return photo
    rows, columns = (max(1, round(s * max_side / longest)) for s in photo.shape[:2])
    image = Image.fromarray(photo)
    return np.asarray(image.resize((columns, rows), Image.Resampling.LANCZOS))
