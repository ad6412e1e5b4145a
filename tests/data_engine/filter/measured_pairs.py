"""A small pair of a photograph, and the method applied to it."""

import numpy as np

from tbstar_jax.data_engine.filter.method import MeasurePairs
from tbstar_jax.data_engine.stage import record_generator
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.input_pipeline.records import EditRecord
from tests.data_engine.filter.photographs import square

SIDE = 96


def record(source=None, target=None, mask=None, **changes):
    if source is None:
        source = square(0, SIDE)
    box = np.zeros(source.shape[:2], bool)
    box[30:50, 40:60] = True
    if target is None:
        target = source.copy()
        target[box] = (20, 40, 220)
    fields = {
        "key": "r1",
        "source_images": (encode_png(source),),
        "target_image": encode_png(target),
        "change_mask": encode_png(
            (box if mask is None else mask).astype(np.uint8) * 255
        ),
        "instructions_en": ("make it blue",),
        "instructions_zh": ("改成蓝色",),
        "task": "recolor",
        "scene": "s",
        "provenance": {"method": "import", "transform": "construct"},
    }
    return EditRecord(**(fields | changes))


def measured(one, method=None):
    with (method or MeasurePairs()).open() as transform:
        (out,) = transform(one, record_generator(0, "filter", one.key))
    return out
