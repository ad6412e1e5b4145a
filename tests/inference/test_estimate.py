"""The region of an edit, found in pictures whose change is known."""

import dataclasses

import numpy as np
import pytest

from tbstar_jax.inference.estimate import RegionConfig, estimate_region
from tests.support.qwen_vl import photo

BARE = RegionConfig(blur_px=0.1, closing_px=0, margin_px=0)


def _square(image, rows, columns, colour=(250, 20, 20)):
    edited = image.copy()
    edited[rows, columns] = colour
    return edited


def test_an_image_that_did_not_change_has_no_region():
    image = photo(40, 50)
    assert not estimate_region(image, image).any()


def test_a_hard_edit_is_found_to_the_pixel_without_blur_and_margin():
    image = photo(40, 50)
    edited = _square(image, slice(10, 20), slice(5, 30))
    expected = np.zeros((40, 50), np.uint8)
    expected[10:20, 5:30] = 255
    np.testing.assert_array_equal(estimate_region(edited, image, BARE), expected)


def test_the_default_covers_the_edit_and_little_more():
    image = photo(40, 50)
    edited = _square(image, slice(10, 20), slice(5, 30))
    mask = estimate_region(edited, image)
    assert mask[10:20, 5:30].min() == 255
    outside = np.ones((40, 50), bool)
    outside[5:25, 0:35] = False
    assert not mask[outside].any()


def test_noise_of_the_model_is_no_edit():
    image = photo(40, 50)
    noise = np.random.default_rng(0).integers(-4, 5, image.shape)
    edited = np.clip(image + noise, 0, 255).astype(np.uint8)
    assert not estimate_region(edited, image).any()


def test_a_weak_change_counts_only_beside_a_strong_one():
    image = np.full((20, 40, 3), 128, np.uint8)
    edited = image.copy()
    edited[5:10, 2:8] = 143  # about 6, between the two thresholds
    assert not estimate_region(edited, image, BARE).any()
    edited[5:10, 8:12] = 200
    expected = np.zeros((20, 40), np.uint8)
    expected[5:10, 2:12] = 255
    np.testing.assert_array_equal(estimate_region(edited, image, BARE), expected)


@pytest.mark.parametrize(("closing", "is_closed"), [(0, False), (2, True)])
def test_a_narrow_gap_is_closed(closing, is_closed):
    image = photo(30, 40)
    edited = _square(image, slice(5, 25), slice(5, 15))
    edited = _square(edited, slice(5, 25), slice(18, 30))
    config = dataclasses.replace(BARE, closing_px=closing)
    mask = estimate_region(edited, image, config)
    assert (mask[15, 16] == 255) == is_closed
