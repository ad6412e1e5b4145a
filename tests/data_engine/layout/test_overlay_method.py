import dataclasses

import numpy as np
import pytest
import skimage.data

from tbstar_jax.data_engine.layout.edits import PHOTO_TASKS
from tbstar_jax.data_engine.layout.overlay_method import OverlayMethod
from tbstar_jax.data_engine.stage import Method, Reject, record_generator
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, decode_mask
from tbstar_jax.input_pipeline.records import EditRecord, encode_png


def photo_record(pixels, key="coffee"):
    return EditRecord(
        key=key,
        source_images=(encode_png(np.ascontiguousarray(pixels)),),
        target_image=b"",
        change_mask=b"",
        instructions_en=(),
        instructions_zh=(),
        task="identity",
        scene="cluster-7",
        provenance={"licence": "CC0-1.0", "origin": "skimage", "scores": {"blur": 1.0}},
    )


def made(method, record, seed=0):
    rng = record_generator(seed, method.name, record.key)
    with method.open() as transform:
        return list(transform(record, rng))


PHOTO = skimage.data.coffee()[100:196, 200:328]


def test_pairs_of_a_photo_are_exact_and_keep_its_origin():
    method = OverlayMethod(pairs_per_photo=30)
    assert isinstance(method, Method)
    pairs = made(method, photo_record(PHOTO))
    assert len({pair.key for pair in pairs}) == 30
    assert len({pair.task for pair in pairs}) > 9
    for pair in pairs:
        before = decode_image(pair.source_images[0])
        after = decode_image(pair.target_image)
        differs = np.any(before != after, axis=2)
        assert before.shape == after.shape == PHOTO.shape
        assert np.array_equal(decode_mask(pair.change_mask) == 255, differs)
        assert pair.scene == "cluster-7"
        notes = pair.provenance
        assert (notes["licence"], notes["origin"]) == ("CC0-1.0", "skimage")
        assert notes["parents"] == ["coffee"]
        assert notes["method"] == "template"
        assert "scores" not in notes
        assert pair.instructions_en
        assert pair.instructions_zh


def test_the_answer_to_a_removal_is_the_photo_itself():
    method = OverlayMethod(pairs_per_photo=8, tasks=("repair_zoom", "watermark_remove"))
    bare = [
        pair
        for pair in made(method, photo_record(PHOTO))
        if len(pair.provenance["text_boxes"]) == (pair.task == "watermark_remove")
    ]
    targets = [decode_image(pair.target_image) for pair in bare]
    assert any(np.array_equal(target, PHOTO) for target in targets)


def test_the_same_seed_gives_the_same_pairs():
    method = OverlayMethod(pairs_per_photo=3)
    record = photo_record(PHOTO)
    assert made(method, record) == made(method, record)
    assert made(method, record) != made(method, record, seed=1)


def test_a_large_photo_is_scaled_down_and_not_cropped():
    method = OverlayMethod(max_side=150, tasks=("object_remove",))
    (pair,) = made(method, photo_record(skimage.data.coffee()))
    assert pair.image_sizes() == ((100, 150), (100, 150))


@pytest.mark.parametrize("shape", [(40, 64, 3), (64, 300, 3)])
def test_a_photo_without_room_is_rejected_with_the_reason(shape):
    (reject,) = made(OverlayMethod(), photo_record(np.full(shape, 200, np.uint8)))
    assert isinstance(reject, Reject)
    assert reject.row == "coffee"
    assert f"{shape[1]}x{shape[0]} pixels" in reject.reason


def test_a_record_without_a_readable_photo_is_rejected():
    record = photo_record(PHOTO)
    cut = dataclasses.replace(record, source_images=(record.source_images[0][:900],))
    bare = dataclasses.replace(record, source_images=())
    rejects = [*made(OverlayMethod(), cut), *made(OverlayMethod(), bare)]
    assert [reject.row for reject in rejects] == ["coffee", "coffee"]
    assert "damaged or truncated" in rejects[0].reason
    assert "no source image" in rejects[1].reason


@pytest.mark.parametrize("gray", [0, 128, 255])
def test_overlays_can_be_seen_on_plain_photos_of_any_brightness(gray):
    method = OverlayMethod(pairs_per_photo=len(PHOTO_TASKS) * 2)
    pairs = made(method, photo_record(np.full((64, 64, 3), gray, np.uint8)))
    found = [pair for pair in pairs if isinstance(pair, EditRecord)]
    # Light cannot be seen on white, dark corners not on black.
    assert len(found) >= 0.8 * len(pairs)
    for pair in found:
        assert decode_mask(pair.change_mask).any() == (pair.task != "identity")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tasks": ("bg_white",)}, "tasks name 'bg_white'"),
        ({"pairs_per_photo": 0}, "pairs_per_photo is 0"),
        ({"max_side": 32}, "max_side 32"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        OverlayMethod(**settings)
