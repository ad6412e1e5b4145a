"""Geometry: exact padding, one isotropic scale, masks that never lose an edit."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tbstar_jax import geometry
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import plan_canvas

TINY_BUDGET = 128 * 128


def sizes(max_side: int):
    """Heights and widths with a ratio from 1:4 to 4:1."""
    side = st.integers(1, max_side)
    return st.tuples(side, side).filter(lambda hw: max(hw) <= 4 * min(hw))


def random_image(size, channels=3):
    seed = size[0] * 1000 + size[1]
    shape = (*size, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@given(sizes(400))
def test_pad_then_crop_is_exact_within_the_budget(size):
    plan = plan_canvas(*size, pixel_budget=512 * 512)
    if plan.is_scaled:  # only when padding alone leaves the budget
        assert np.prod([-(-side // 16) * 16 for side in size]) > 512 * 512
        return
    image = random_image(size)
    padded = geometry.to_model(image, plan)
    assert padded.shape[:2] == plan.padded
    np.testing.assert_array_equal(geometry.from_model(padded, plan), image)


@given(sizes(6000))
@example((129, 127))
@example((6000, 1500))
def test_plan_stays_in_budget_with_one_scale(size):
    plan = plan_canvas(*size, pixel_budget=TINY_BUDGET)
    assert plan.padded[0] * plan.padded[1] <= TINY_BUDGET
    assert plan.padded == (plan.grid[0] * 16, plan.grid[1] * 16)
    assert 0 < plan.scale <= 1
    for working, padded in zip(plan.working, plan.padded, strict=True):
        assert padded - 16 < working <= padded


@given(sizes(600))
@settings(max_examples=50)
def test_no_larger_scale_fits(size):
    plan = plan_canvas(*size, pixel_budget=TINY_BUDGET)
    if not plan.is_scaled:
        return
    larger = plan.scale + Fraction(1, 10**6)
    rows, columns = (-(-side * larger // 16) for side in size)
    assert rows * columns * 256 > TINY_BUDGET


def test_known_plans():
    assert plan_canvas(128, 128, TINY_BUDGET).grid == (8, 8)
    assert plan_canvas(144, 112, TINY_BUDGET).grid == (9, 7)
    plan = plan_canvas(100, 60, TINY_BUDGET)
    assert (plan.scale, plan.padded) == (1, (112, 64))
    plan = plan_canvas(4000, 1000, TINY_BUDGET)
    assert (plan.scale, plan.padded) == (Fraction(256, 4000), (256, 64))


def test_padding_repeats_the_edge_at_the_bottom_and_right():
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    padded = geometry.to_model(image, plan_canvas(2, 3, 64, multiple=4))
    expected = [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
    np.testing.assert_array_equal(padded[:, :, 0], expected)


@pytest.mark.parametrize("size", [(300, 400), (401, 299), (1000, 333)])
def test_scaling_is_isotropic(size):
    """A ramp r + c has the same slope, the exact scale, in rows and columns."""
    plan = plan_canvas(*size, TINY_BUDGET)
    rows, columns = np.mgrid[: size[0], : size[1]]
    for ramp, axis in ((rows, 0), (columns, 1)):
        values = (ramp * (250 / max(size))).astype(np.uint8)[:, :, None]
        small = geometry.to_model(values, plan)[:, :, 0].astype(float)
        inside = [slice(4, int(side) - 4) for side in plan.working]
        small = small[tuple(inside)]
        steps = np.arange(small.shape[axis])
        slope = np.polyfit(steps, small.mean(axis=1 - axis), 1)[0]
        assert slope == pytest.approx(250 / max(size) / float(plan.scale), rel=5e-3)


def test_scaled_round_trip_keeps_a_smooth_image():
    size = (301, 407)
    rows, columns = np.mgrid[: size[0], : size[1]]
    smooth = 127 + 60 * np.sin(rows / 40) + 60 * np.cos(columns / 30)
    image = smooth.astype(np.uint8)[:, :, None]
    plan = plan_canvas(*size, TINY_BUDGET)
    back = geometry.from_model(geometry.to_model(image, plan), plan)
    assert back.shape == image.shape
    assert np.abs(back.astype(int) - image).max() <= 4


@given(sizes(300), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_masks_never_lose_an_edited_pixel(size, random):
    plan = plan_canvas(*size, TINY_BUDGET)
    mask = np.zeros(size, np.uint8)
    row, column = random.randrange(size[0]), random.randrange(size[1])
    mask[row, column] = 255
    padded = geometry.mask_to_model(mask, plan)
    centre = [int((at + 0.5) * plan.scale) for at in (row, column)]
    assert padded[tuple(centre)] == 255
    assert geometry.mask_from_model(padded, plan)[row, column] == 255
    cells = geometry.mask_to_grid(mask, plan)
    assert cells[centre[0] // 16, centre[1] // 16]
    assert geometry.mask_from_grid(cells, plan)[row, column] == 255
    reach = int(2 / plan.scale) + 2  # no wider than the pixels that touch it
    assert (geometry.mask_from_model(padded, plan) > 0).sum() <= reach**2


def test_mask_is_exact_without_scaling():
    plan = plan_canvas(40, 50, TINY_BUDGET)
    mask = np.where(random_image((40, 50), 1)[:, :, 0] > 127, 255, 0).astype(np.uint8)
    padded = geometry.mask_to_model(mask, plan)
    np.testing.assert_array_equal(padded, np.pad(mask, ((0, 8), (0, 14)), mode="edge"))
    np.testing.assert_array_equal(geometry.mask_from_model(padded, plan), mask)


def test_mask_scaled_by_half_is_any_of_each_cell():
    mask = np.array([[0, 0, 0, 0], [0, 255, 0, 0], [0, 0, 0, 0], [0, 0, 0, 128]])
    plan = plan_canvas(4, 4, 4, multiple=1)
    padded = geometry.mask_to_model(mask.astype(np.uint8), plan)
    np.testing.assert_array_equal(padded, [[255, 0], [0, 255]])
    np.testing.assert_array_equal(
        geometry.mask_from_model(padded, plan),
        np.kron(padded, np.ones((2, 2), np.uint8)),
    )


@pytest.mark.parametrize("size", [(100, 401), (401, 100)])
def test_aspect_beyond_four_to_one_is_refused(size):
    with pytest.raises(UserError, match="between 1:4 and 4:1"):
        plan_canvas(*size, TINY_BUDGET)


def test_empty_image_is_refused():
    with pytest.raises(UserError, match="is empty"):
        plan_canvas(0, 5, TINY_BUDGET)


def test_budget_below_a_token_is_refused():
    with pytest.raises(UserError, match="pixel budget of 255"):
        plan_canvas(16, 16, 255)


def test_image_of_another_size_is_refused():
    plan = plan_canvas(20, 30, TINY_BUDGET)
    with pytest.raises(UserError, match=r"30x20 pixels .* 20x30"):
        geometry.to_model(random_image((30, 20)), plan)


@given(sizes(60), st.tuples(*[st.integers(0, 20)] * 4))
@settings(max_examples=50)
def test_outpainting_keeps_the_photo_and_frees_the_rest(size, margins):
    top, bottom, left, right = margins
    canvas_size = (size[0] + top + bottom, size[1] + left + right)
    plan = geometry.plan_outpaint(size, canvas_size, (top, left))
    photo = random_image(size)
    canvas = geometry.place_on_canvas(photo, plan)
    mask = geometry.outpaint_mask(plan)
    assert canvas.shape == (*canvas_size, 3)
    np.testing.assert_array_equal(canvas[plan.photo.slices], photo)
    assert (mask == 0).sum() == photo.shape[0] * photo.shape[1]
    assert (mask[plan.photo.slices] == 0).all()
    assert (canvas[mask == 255] == geometry.OUTPAINT_FILL).all()


@pytest.mark.parametrize("offset", [(-1, 0), (0, -1), (11, 0), (0, 11)])
def test_photo_off_the_canvas_is_refused(offset):
    with pytest.raises(UserError, match=r"the photo of 10x10 .* inside the canvas"):
        geometry.plan_outpaint((10, 10), (20, 20), offset)


def test_crop_box_selects_its_pixels():
    box = geometry.crop_box((4, 5), offset=(1, 2), crop_size=(2, 3))
    image = np.arange(20).reshape(4, 5)
    np.testing.assert_array_equal(image[box.slices], [[7, 8, 9], [12, 13, 14]])


@pytest.mark.parametrize("crop_size", [(0, 1), (4, 3), (2, 4)])
def test_crop_off_the_image_is_refused(crop_size):
    with pytest.raises(UserError, match=r"the crop of .* inside the image of 5x4"):
        geometry.crop_box((4, 5), offset=(1, 2), crop_size=crop_size)


def test_erosion_drops_the_rim_but_not_at_the_border():
    mask = np.ones((5, 6), bool)
    mask[0, 5] = False
    expected = np.ones((5, 6), bool)
    expected[:3, 3:] = False
    np.testing.assert_array_equal(geometry.erode(mask, 2), expected)
    np.testing.assert_array_equal(geometry.erode(mask, 0), mask)
