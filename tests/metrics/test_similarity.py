"""Similarity: literals, scikit-image, masks that hide everything else, jax twins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from tbstar_jax.metrics import similarity


def images(size=(24, 31), seed=0):
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 256, (*size, 3), np.uint8)
    noise = rng.integers(-20, 21, first.shape)
    return first, np.clip(first + noise, 0, 255).astype(np.uint8)


def half_mask(size=(24, 31)):
    mask = np.zeros(size, bool)
    mask[:, : size[1] // 2] = True
    return mask


def test_psnr_of_one_level_is_48_13_db():
    first = np.full((4, 4, 3), 100, np.uint8)
    assert similarity.psnr(first, first + np.uint8(1)) == pytest.approx(48.1308, 1e-5)
    unit = np.zeros((4, 4, 3))
    assert similarity.psnr(unit, unit + 0.1) == pytest.approx(20.0)


def test_psnr_of_identical_pixels_is_infinite():
    first, second = images()
    second[:, :15] = first[:, :15]
    assert similarity.psnr(first, second, half_mask()) == np.inf
    assert np.isfinite(similarity.psnr(first, second))


def test_psnr_over_a_mask_is_psnr_of_the_cut():
    first, second = images()
    cut = similarity.psnr(first[:, :15], second[:, :15])
    assert similarity.psnr(first, second, half_mask()) == pytest.approx(float(cut))


@pytest.mark.parametrize(
    "metric", ["psnr", "ciede2000_mean", "share_identical", "ssim"]
)
def test_an_empty_mask_gives_nan(metric):
    first, second = images()
    empty = np.zeros(first.shape[:2], bool)
    assert np.isnan(getattr(similarity, metric)(first, second, empty))


def test_leading_dims_are_kept():
    pairs = [images(seed=seed) for seed in (1, 2)]
    first, second = (np.stack(side) for side in zip(*pairs, strict=True))
    together = similarity.psnr(first, second)
    assert together.shape == (2,)
    for k, pair in enumerate(pairs):
        assert together[k] == pytest.approx(float(similarity.psnr(*pair)))


def test_shares_count_pixels():
    first = np.full((2, 2, 3), 100, np.uint8)
    second = first.copy()
    second[0, 0, 2] += 1  # invisible
    second[0, 1] = 255
    assert similarity.share_identical(first, second) == 0.5
    difference = similarity.ciede2000_map(first, second)
    assert similarity.share_within(difference, 1.0) == 0.75
    bottom = np.array([[False, False], [True, True]])
    assert similarity.share_identical(first, second, bottom) == 1.0
    assert similarity.share_within(difference, 1.0, ~bottom) == 0.5
    assert similarity.share_within(np.full((1, 1), 2.0), 2.0) == 1  # at most
    assert similarity.ciede2000_mean(first, second) == difference.mean()


def test_tiles_have_means_where_they_count_a_quarter():
    difference = np.zeros((40, 64))
    difference[:32, 32:] = 5.0
    difference[32:, :32] = 7.0
    mask = np.ones((40, 64), bool)
    mask[:, 32:] = False
    mask[:16, 32:48] = True  # 256 pixels
    means = similarity.tile_means(difference, mask)
    np.testing.assert_array_equal(means, [[0, 5], [7, np.nan]])
    mask[0, 32] = False
    expected = [[0, np.nan], [7, np.nan]]
    np.testing.assert_array_equal(similarity.tile_means(difference, mask), expected)
    np.testing.assert_array_equal(similarity.tile_means(difference), [[0, 5], [7, 0]])


def test_tile95_is_the_percentile_of_the_tiles():
    difference = np.random.default_rng(0).random((2, 160, 130))
    means = similarity.tile_means(difference).reshape(2, -1)
    expected = np.nanpercentile(means, 95, axis=1)
    np.testing.assert_allclose(similarity.tile95(difference), expected)
    lost = np.zeros((320, 320))  # 100 tiles, of which five are lost: one counts
    lost[:32, : 5 * 32] = 40.0
    assert similarity.tile95(lost) == pytest.approx(0.05 * 40)
    lost[:32, : 6 * 32] = 40.0
    assert similarity.tile95(lost) == 40
    assert similarity.share_within(lost, 2.0) == 0.94
    assert np.isnan(similarity.tile95(lost, lost > 40))
    assert np.isnan(similarity.tile95(lost[:15, :16]))


def test_the_worst_tile_is_one_of_many():
    difference = np.zeros((2, 320, 320))
    difference[0, 32:64, 64:96] = 40.0
    difference[1, 0, 0] = 1024.0
    np.testing.assert_array_equal(similarity.worst_tile(difference), [40, 1])
    np.testing.assert_array_equal(
        similarity.worst_tile(difference, difference < 40), [0, 0]
    )
    assert np.isnan(similarity.worst_tile(difference[0, :15, :16]))
    np.testing.assert_array_equal(
        similarity.worst_tile(difference, side=64), [10, 0.25]
    )


def test_the_iou_of_an_edit_punishes_what_is_missed_and_what_is_spoilt():
    asked = np.zeros((4, 5))
    asked[0] = 20.0
    edit = np.zeros((4, 5), bool)
    edit[:2] = True  # the second row may change and does not
    perfect = np.zeros((4, 5))

    def iou(left, uncounted=None):
        return similarity.edit_iou(asked, left, 5.0, edit, uncounted)

    assert iou(perfect) == 1
    assert iou(asked) == 0  # a copy of the source
    missed, spoilt = perfect.copy(), perfect.copy()
    missed[0, 0] = 6.0
    assert iou(missed) == pytest.approx(4 / 5)
    spoilt[1, 0] = spoilt[2, 0] = spoilt[3, :3] = 6.0
    assert iou(spoilt) == pytest.approx(5 / 10)
    guard = np.zeros((4, 5), bool)
    guard[2] = True
    assert iou(spoilt, guard) == pytest.approx(5 / 9)
    assert np.isnan(similarity.edit_iou(asked, perfect, 30.0, edit))


def test_the_twins_of_tiles_and_iou_are_equal():
    rng = np.random.default_rng(3)
    asked, left = (rng.random((2, 70, 90), np.float32) * 10 for _ in range(2))
    mask = rng.random((2, 70, 90)) < 0.6
    mask[1] = False
    for function, arrays in (
        (similarity.tile95, (left, mask)),
        (similarity.worst_tile, (left, mask)),
        (similarity.tile_means, (left, mask)),
        (lambda a, b, m: similarity.edit_iou(a, b, 5.0, m, ~m), (asked, left, mask)),
        (lambda a, m: similarity.share_within(a, 5.0, m), (asked, mask)),
    ):
        expected = function(*arrays)
        result = jax.jit(function)(*(jnp.asarray(array) for array in arrays))
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_ciede2000_mean_sees_only_the_mask():
    first, second = images()
    second[:, :15] = first[:, :15]
    assert similarity.ciede2000_mean(first, second, half_mask()) == 0
    assert similarity.ciede2000_mean(first, second) > 1


@pytest.mark.parametrize("seed", [0, 1])
def test_ssim_equals_scikit_image(seed):
    first, second = images((40, 33), seed)
    expected = structural_similarity(
        first,
        second,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    assert similarity.ssim(first, second) == pytest.approx(expected, abs=1e-9)


def test_masked_ssim_sees_nothing_outside():
    first, second = images()
    mask = half_mask()
    changed = second.copy()
    changed[~mask] = 0
    masked = similarity.ssim(first, second, mask)
    assert similarity.ssim(first, changed, mask) == masked
    assert masked == pytest.approx(
        float(similarity.ssim(first[:, :15], second[:, :15]))
    )


def test_ssim_of_an_image_smaller_than_its_window_is_nan():
    assert np.isnan(similarity.ssim(*images((10, 40))))


def test_mask_iou():
    first = np.array([[True, True, False, False]])
    second = np.array([[False, True, True, False]])
    empty = np.zeros_like(first)
    assert similarity.mask_iou(first, second) == pytest.approx(1 / 3)
    assert similarity.mask_iou(first, first) == 1
    assert similarity.mask_iou(first, empty) == 0
    assert similarity.mask_iou(empty, empty) == 1


@pytest.mark.parametrize(
    "metric", ["psnr", "ciede2000_mean", "share_identical", "ssim"]
)
def test_no_product_is_rounded_by_an_accelerator(metric):
    # GPUs round the factors of matrix products to 11 bits (TF32) unless told not to,
    # TPUs to 8: CIEDE2000 was off by 0.06.
    arrays = (*images(), half_mask())
    program = str(jax.make_jaxpr(getattr(similarity, metric))(*arrays))
    assert "dot_general" not in program
    assert "conv_general_dilated" not in program


@pytest.mark.parametrize(
    "metric", ["psnr", "ciede2000_mean", "share_identical", "ssim"]
)
def test_jax_equals_numpy(metric):
    first, second = images()
    second[3:5] = first[3:5]
    function = getattr(similarity, metric)
    expected = function(first, second, half_mask())
    arrays = (jnp.asarray(array) for array in (first, second, half_mask()))
    assert jax.jit(function)(*arrays) == pytest.approx(float(expected), rel=1e-4)
