"""Paste-back: the photo outside the mask, bit for bit."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn_arrays

from tbstar_jax.data_engine.augment.paste_back import (
    PasteBack,
    paste_back,
    seam_weights,
)
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_mask, encode_png
from tests.support.rendered_pairs import (
    arrays,
    is_exact,
    rendered,
    scene_with_everything,
)


def same_size_images():
    sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))
    return sizes.flatmap(
        lambda size: st.tuples(
            drawn_arrays(np.uint8, (*size, 3)),
            drawn_arrays(np.uint8, (*size, 3)),
            drawn_arrays(np.uint8, size),
        )
    )


@given(same_size_images(), st.integers(0, 5))
def test_outside_is_the_photo_and_inside_lies_between_both(images, feather):
    source, changed, mask = images
    result = paste_back(source, changed, mask, feather)
    inside = mask > 127
    assert np.array_equal(result[~inside], source[~inside])
    assert np.all(result >= np.minimum(source, changed))
    assert np.all(result <= np.maximum(source, changed))
    if feather == 0:
        assert np.array_equal(result[inside], changed[inside])


@given(same_size_images(), st.integers(0, 5))
def test_the_blend_is_the_exact_one_rounded_to_nearest(images, feather):
    source, changed, mask = images
    result = paste_back(source, changed, mask, feather).astype(int)
    weights = seam_weights(mask, feather).astype(int)[:, :, None]
    exact = source.astype(int) * (255 - weights) + changed.astype(int) * weights
    assert np.all(2 * np.abs(255 * result - exact) <= 255)


def test_the_seam_fades_in_from_the_rim_but_not_from_the_border():
    mask = np.zeros((5, 7), np.uint8)
    mask[:, 2:] = 255
    row = [0, 0, 85, 170, 255, 255, 255]
    assert seam_weights(mask, 2).tolist() == [row] * 5
    assert seam_weights(mask, 0).tolist() == [[0, 0, 255, 255, 255, 255, 255]] * 5
    whole = np.full((3, 3), 255, np.uint8)
    assert seam_weights(whole, 9).tolist() == [[255] * 3] * 3


def test_sizes_must_agree_and_the_feather_has_a_limit():
    image, mask = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.uint8)
    with pytest.raises(UserError, match="must have one size"):
        paste_back(image, image, mask, 0)
    with pytest.raises(UserError, match="feather is 65, but must be 0 to 64"):
        PasteBack(feather=65)


def leaked(record):
    """The pair with noise of one level all over the target."""
    _, target, _ = arrays(record)
    noise = np.random.default_rng(1).integers(-1, 2, target.shape)
    noisy = np.clip(target.astype(int) + noise, 0, 255).astype(np.uint8)
    return dataclasses.replace(record, target_image=encode_png(noisy))


def run(record, feather=0):
    with PasteBack(feather=feather).open() as transform:
        return list(transform(record, np.random.default_rng(0)))


def test_an_edit_that_leaked_is_confined_to_its_mask():
    original = leaked(rendered(scene_with_everything(0), "object_remove"))
    assert not is_exact(original)
    same, pasted = run(original)
    assert same is original
    assert is_exact(pasted)
    source, target, mask = arrays(pasted)
    _, noisy, _ = arrays(original)
    declared = decode_mask(original.change_mask) > 127
    assert np.array_equal(source[~declared], target[~declared])
    assert np.array_equal(noisy[declared], target[declared])
    assert not np.any(mask[~declared])
    assert pasted.provenance["transform"] == "paste_back"
    assert pasted.provenance["parents"] == [original.key]
    assert pasted.provenance["facts"] == original.provenance["facts"]


def test_a_pair_that_is_exact_or_has_no_mask_stays_alone():
    exact = rendered(scene_with_everything(0), "object_remove")
    assert run(exact) == [exact]
    without_mask = dataclasses.replace(leaked(exact), change_mask=b"")
    assert run(without_mask) == [without_mask]


def test_an_edit_outside_its_mask_alone_leaves_nothing_to_keep():
    record = rendered(scene_with_everything(0), "object_remove")
    nowhere = encode_png(np.zeros((64, 64), np.uint8))
    record = dataclasses.replace(record, change_mask=nowhere)
    assert run(record) == [record]
