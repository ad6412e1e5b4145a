"""Scaling pairs down: what was kept stays equal, what changed is marked."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tbstar_jax.data_engine.scale import Scale, scaled_size
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, decode_mask, encode_png
from tbstar_jax.input_pipeline.records import EditRecord


def pair(rows=90, columns=70, num_changed=1, seed=0, **notes):
    rng = np.random.default_rng(seed)
    source = rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    target = source.copy()
    mask = np.zeros((rows, columns), np.uint8)
    for _ in range(num_changed):
        row, column = rng.integers(rows), rng.integers(columns)
        target[row, column] = 255 - target[row, column]
        mask[row, column] = 255
    return EditRecord(
        key="a",
        source_images=(encode_png(source),),
        target_image=encode_png(target),
        change_mask=encode_png(mask),
        instructions_en=("x",),
        instructions_zh=(),
        task="recolor",
        scene="s",
        provenance=notes,
    )


def scaled(record, max_pixels=40 * 30):
    with Scale(max_pixels=max_pixels).open() as transform:
        (made,) = transform(record, np.random.default_rng(0))
    return made


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_outside_the_new_mask_source_and_target_are_equal(seed, num_changed):
    made = scaled(pair(seed=seed, num_changed=num_changed))
    source, target = (
        decode_image(data) for data in (made.source_images[0], made.target_image)
    )
    mask = decode_mask(made.change_mask)
    assert source.shape[:2] == target.shape[:2] == mask.shape == (32, 24)
    assert not np.any(source != target, axis=2)[mask == 0].any()
    assert 0 < (mask == 255).sum() <= 4 * num_changed


def test_within_the_budget_every_byte_stays():
    record = pair()
    assert scaled(record, 96 * 80) is record


def test_boxes_are_of_the_new_pixels():
    made = scaled(
        pair(
            text_boxes=[{"text": "A", "box": [9, 7, 18, 14]}],
            auxiliary={
                "regions": [
                    {"label": "m", "top": 0, "left": 0, "bottom": 90, "right": 70}
                ]
            },
        )
    )
    notes = made.provenance
    assert notes["scaled_from"] == [90, 70]
    assert notes["text_boxes"] == [{"text": "A", "box": [3, 2, 7, 5]}]
    (region,) = notes["auxiliary"]["regions"]
    assert (region["bottom"], region["right"]) == (32, 24)


def test_transparency_of_a_cutout_is_kept():
    cutout = np.zeros((60, 60, 4), np.uint8)
    cutout[:30] = (200, 10, 10, 255)
    buffer = io.BytesIO()
    Image.fromarray(cutout).save(buffer, format="PNG")
    photo = EditRecord(
        key="a",
        source_images=(buffer.getvalue(),),
        target_image=b"",
        change_mask=b"",
        instructions_en=(),
        instructions_zh=(),
        task="",
        scene="s",
        provenance={},
    )
    made = scaled(photo, 32 * 32)
    with Image.open(io.BytesIO(made.source_images[0])) as image:
        assert image.mode == "RGBA"
        assert image.size == (32, 32)
        assert image.getpixel((3, 3)) == (200, 10, 10, 255)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((100, 200), (48, 96)), ((10, 10), (10, 10)), ((1024, 1024), (64, 64))],
)
def test_the_shape_stays(size, expected):
    assert scaled_size(size, 5000) == expected


def test_a_tiny_budget_is_refused():
    with pytest.raises(UserError, match="max_pixels is 100"):
        Scale(max_pixels=100)
