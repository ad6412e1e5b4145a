"""Registration: known displacements of photographs, and what cannot be registered."""

import math

import numpy as np
import pytest
from PIL import Image
from skimage import data as photos

from tbstar_jax.data_engine.construct.classical.relight import relit
from tbstar_jax.data_engine.filter.align import align, warped_back
from tbstar_jax.data_engine.filter.edits import shifted
from tests.data_engine.filter.photographs import square

COFFEE, CAT, MOTORCYCLE = 0, 2, 4
PAD = 12


def pair(index, rows, columns, side=128):
    """A source, a displaced target with a painted box, and the box's mask."""
    photo = square(index, side + 2 * PAD)
    target = shifted(photo, float(rows), float(columns))[PAD:-PAD, PAD:-PAD].copy()
    mask = np.zeros((side, side), bool)
    mask[40:70, 50:90] = True
    target[mask] = (10, 200, 30)
    return photo[PAD:-PAD, PAD:-PAD].copy(), target, mask


@pytest.mark.parametrize("index", [COFFEE, CAT, MOTORCYCLE])
@pytest.mark.parametrize("move", [(0.5, 0), (-0.3, 0.4), (1.5, -1.2), (-4.2, 4.4)])
@pytest.mark.parametrize("declares_mask", [True, False])
def test_displacements_are_found_to_a_tenth_of_a_pixel(index, move, declares_mask):
    source, target, mask = pair(index, *move)
    found = align(source, target, mask if declares_mask else None)
    assert (found.rows, found.columns) == pytest.approx(move, abs=0.1)
    assert found.zoom == 1


@pytest.mark.parametrize("declares_mask", [True, False])
def test_a_local_edit_is_no_displacement(declares_mask):
    source, target, mask = pair(COFFEE, 0, 0)
    found = align(source, target, mask if declares_mask else None)
    assert (found.shift, found.zoom, found.confidence) == (0, 1, 1)


def test_an_estimated_region_is_where_the_edit_is():
    source, target, mask = pair(CAT, 2, 1)
    region = align(source, target).region
    assert region[mask].all()
    assert region.mean() < 2 * mask.mean()


@pytest.mark.parametrize("scale", [0.98, 1.02])
def test_a_zoom_is_measured(scale):
    cv2 = pytest.importorskip("cv2")
    photo = square(MOTORCYCLE, 160)
    matrix = cv2.getRotationMatrix2D((79.5, 79.5), 0, scale)
    target = cv2.warpAffine(photo, matrix, (160, 160), flags=cv2.INTER_CUBIC)
    found = align(photo[8:-8, 8:-8], target[8:-8, 8:-8])
    assert found.zoom == pytest.approx(scale, abs=0.001)
    assert found.shift < 0.1


def test_warping_back_undoes_a_displacement():
    source, target, mask = pair(COFFEE, 2.4, -1.7)
    found = align(source, target, mask)
    back = warped_back(source, target, found.rows, found.columns)
    assert align(source, back, mask).shift < 0.02
    # The target never showed the last rows and the first columns: the source does.
    assert (back[-2:] == source[-2:]).all()
    assert (back[:, 0] == source[:, 0]).all()
    rest = np.s_[:35, 10:-10]
    before, after = (
        np.abs(image[rest].astype(int) - source[rest]).mean()
        for image in (target, back)
    )
    assert after < 0.15 * before


def test_a_whole_displacement_is_undone_exactly():
    photo = square(CAT, 96)
    back = warped_back(photo, np.roll(photo, (3, -2), (0, 1)), 3.0, -2.0)
    assert (back == photo).all()


def test_a_flat_picture_has_no_displacement():
    flat = np.full((64, 64, 3), 200, np.uint8)
    noisy = flat + np.random.default_rng(0).integers(0, 2, flat.shape, np.uint8)
    assert math.isnan(align(flat, noisy).shift)
    assert math.isnan(align(flat, noisy, np.zeros((64, 64), bool)).shift)


def test_two_different_pictures_have_no_displacement():
    found = align(square(COFFEE, 96), square(MOTORCYCLE, 96))
    assert math.isnan(found.shift)


def test_a_mask_over_everything_hides_no_displacement_of_a_kept_product():
    source, target, _ = pair(COFFEE, 3, 0)
    everything = np.ones(source.shape[:2], bool)
    found = align(source, target, everything)
    assert (found.rows, found.columns) == pytest.approx((3, 0), abs=0.1)
    moved = align(source, target, everything, may_look_inside=False)
    assert math.isnan(moved.shift)


def test_a_large_picture_is_searched_on_a_small_one():
    source, target, mask = pair(MOTORCYCLE, 14, -9, side=476)
    found = align(source, target, mask)
    assert (found.rows, found.columns) == pytest.approx((14, -9), abs=0.1)


@pytest.mark.parametrize("light", ["from_top", "from_left", "vignette"])
@pytest.mark.parametrize("moved", [0, 2])
def test_light_that_fades_across_the_photo_is_no_motion(light, moved):
    photo = np.asarray(Image.fromarray(photos.rocket()).resize((256, 192)))
    target = np.roll(relit(photo, light, 0.8), moved, axis=1)
    everything = np.ones(photo.shape[:2], bool)
    found = align(photo, target, everything)
    assert found.shift == pytest.approx(moved, abs=0.05)
    assert found.zoom == 1
