"""Pairs as JPEG: smaller, and equal farther than a block from the edit."""

import numpy as np
from skimage import data as photos

from tbstar_jax.data_engine.store.codecs import codec_of, is_lossless
from tbstar_jax.data_engine.store.compact import AsJpeg
from tbstar_jax.input_pipeline.images import decode_image, encode_png
from tbstar_jax.input_pipeline.records import EditRecord


def compact(record):
    with AsJpeg().open() as transform:
        (made,) = transform(record, np.random.default_rng(0))
    return made


def test_a_compact_pair_is_equal_farther_than_a_block_from_its_edit():
    source = photos.coffee()[:192, :256]
    target, mask = source.copy(), np.zeros(source.shape[:2], np.uint8)
    target[60:100, 80:140], mask[60:100, 80:140] = (200, 20, 20), 255
    record = EditRecord(
        key="a",
        source_images=(encode_png(source),),
        target_image=encode_png(target),
        change_mask=encode_png(mask),
        instructions_en=("x",),
        instructions_zh=(),
        task="recolor",
        scene="s",
        provenance={},
    )
    made = compact(record)
    assert [codec_of(made.source_images[0]), codec_of(made.target_image)] == [
        "jpeg"
    ] * 2
    assert made.change_mask == record.change_mask
    assert len(made.target_image) < len(record.target_image) / 2
    assert not is_lossless(made)
    differs = np.any(
        decode_image(made.source_images[0]) != decode_image(made.target_image), axis=2
    )
    near = np.zeros(mask.shape, bool)
    near[60 - 8 : 100 + 8, 80 - 8 : 140 + 8] = True
    assert differs[70:90, 90:130].all()
    assert not differs[~near].any()
    assert compact(made).target_image == made.target_image


def test_photos_stay():
    record = EditRecord(
        key="a",
        source_images=(encode_png(np.zeros((32, 32, 3), np.uint8)),),
        target_image=b"",
        change_mask=b"",
        instructions_en=(),
        instructions_zh=(),
        task="",
        scene="s",
        provenance={},
    )
    assert compact(record) is record
