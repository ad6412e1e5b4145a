"""Real photos as records, 64 pixels high, and an expert that needs nothing."""

import contextlib
import dataclasses
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

from tbstar_jax.data_engine.construct.protocol import CannotEdit, EditedPhoto
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.input_pipeline.records import EditRecord

HEIGHT, WIDTH = 64, 96


def coffee():
    path = Path(skimage.__file__).parent / "data" / "coffee.png"
    with Image.open(path) as image:
        small = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        return np.array(small)


def photo(key="coffee", **provenance):
    return EditRecord(
        key=key,
        source_images=(encode_png(coffee()),),
        target_image=b"",
        change_mask=b"",
        instructions_en=(),
        instructions_zh=(),
        task="identity",
        scene="coffee",
        provenance={"licence": "CC0-1.0", "origin": "scikit-image", **provenance},
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BoxExpert:
    """Fills the request's box with a drawn colour, or declines."""

    name: str = "box"
    tasks: tuple[str, ...] = ("recolor", "object_remove", "text_replace_en")
    declines: bool = False
    gives_mask: bool = True
    levels: int = 200
    spills: bool = False

    @property
    def fingerprint(self):
        return f"{self.name} {self.levels}"

    @contextlib.contextmanager
    def open(self):
        yield self.edit

    def edit(self, image, request, rng):
        if self.declines:
            raise CannotEdit("not today")
        mask = np.zeros(image.shape[:2], np.uint8)
        for region in request.regions:
            mask[region.top : region.bottom, region.left : region.right] = 255
        drawn = image + np.uint8(self.levels) + rng.integers(0, 3, 3, dtype=np.uint8)
        if self.levels == 0:
            drawn = image
        inside = (mask[..., None] > 0) | self.spills
        edited = np.where(inside, drawn, image)
        return EditedPhoto(image=edited, mask=mask if self.gives_mask else None)
