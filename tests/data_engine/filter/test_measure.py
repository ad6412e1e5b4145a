"""What is measured of a registered pair, against literal values and our metrics."""

import io

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.data_engine.filter.measure import (
    MAX_PSNR,
    color_drift,
    luma_ssim,
    pair_scores,
    preservation,
    sharpness,
)
from tbstar_jax.data_engine.filter.region import (
    difference,
    estimated_region,
    outside_of,
)
from tbstar_jax.metrics import similarity
from tbstar_jax.metrics.color import lab_drift, srgb_to_lab
from tests.data_engine.filter.photographs import square

SIDE = 96


def box():
    mask = np.zeros((SIDE, SIDE), bool)
    mask[30:50, 40:60] = True
    return mask


def edited(source):
    target = source.copy()
    target[box()] = 255 - target[box()]
    return target


def test_outside_is_8_pixels_away_from_mask_and_border():
    outside = outside_of(box())
    assert outside[8, 8]
    assert not outside[7].any()
    assert not outside[:, -8].any()
    assert outside[21, 45]
    assert not outside[22:58, 32:68].any()
    assert outside[58, 45]


def test_an_exact_edit_leaves_everything_outside_alone():
    source = square(0, SIDE)
    scores = pair_scores(source, edited(source), box(), True)
    assert scores["leak_share"] == 0
    assert scores["region_share"] == 400 / SIDE**2
    assert scores["region_change"] > 50
    assert scores["color_mean"] == scores["color_p95"] == scores["drift_l"] == 0
    assert scores["psnr_outside"] == MAX_PSNR
    assert scores["ssim_outside"] == scores["identical_share"] == 1


def test_a_leak_is_counted_where_it_is():
    source = square(2, SIDE)
    target = edited(source)
    target[70:80, 10:30] ^= 128
    scores = pair_scores(source, target, box(), True)
    num_outside = SIDE**2 - 28 * 28
    # The smoothing carries a strong change two pixels beyond its 10 x 20.
    assert 200 / num_outside <= scores["leak_share"] <= 14 * 24 / num_outside
    assert "leak_share" in pair_scores(source, target, box(), False)
    assert np.isnan(pair_scores(source, target, box(), False)["leak_share"])


def test_a_single_level_is_no_change_and_five_are():
    source = square(0, SIDE) // 2
    assert difference(source, source + 1).max() == pytest.approx(1, abs=1e-3)
    for levels, share in ((3, 0), (5, 1)):
        scores = pair_scores(source, source + np.uint8(levels), box(), True)
        assert scores["changed_share"] == share


def test_drift_is_that_of_the_metric():
    source = np.full((SIDE, SIDE, 3), (90, 120, 60), np.uint8)
    target = np.full((SIDE, SIDE, 3), (100, 118, 66), np.uint8)
    outside = outside_of(box())
    found = color_drift(source, target, outside)
    expected = lab_drift(srgb_to_lab(source), srgb_to_lab(target), outside)
    assert [found[f"drift_{name}"] for name in "lab"] == pytest.approx(expected)
    error = similarity.ciede2000_mean(source, target, outside)
    assert found["color_mean"] == pytest.approx(error)
    assert found["color_p95"] == pytest.approx(error)


def test_psnr_and_equal_pixels_are_those_of_the_metrics():
    source = square(4, SIDE)
    target = source ^ np.random.default_rng(0).integers(0, 2, source.shape, np.uint8)
    outside = outside_of(box())
    found = preservation(source, target, outside)
    assert found["psnr_outside"] == pytest.approx(
        similarity.psnr(source, target, outside), abs=1e-4
    )
    assert found["identical_share"] == pytest.approx(
        similarity.share_identical(source, target, outside)
    )


def test_ssim_is_that_of_the_metric_on_grey_pictures():
    grey = square(4, SIDE)[:, :, :1]
    source = np.repeat(grey, 3, axis=2)
    noise = np.random.default_rng(0).integers(-20, 21, grey.shape)
    target = np.repeat(np.clip(grey + noise, 0, 255).astype(np.uint8), 3, axis=2)
    inner = np.zeros((SIDE, SIDE), bool)
    inner[5:-5, 5:-5] = True
    expected = float(similarity.ssim(source, target))
    assert luma_ssim(source, target, inner) == pytest.approx(expected, abs=1e-3)


def test_blur_shows_and_one_lost_corner_does_not():
    source = square(4, SIDE)
    image = Image.fromarray(source)
    small = image.resize((SIDE // 2, SIDE // 2), Image.Resampling.BOX)
    soft = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    everything = outside_of(np.zeros((SIDE, SIDE), bool))
    assert sharpness(source, source, everything) == {"blur_ratio": 1}
    assert sharpness(source, soft, everything)["blur_ratio"] < 0.3
    wiped = source.copy()
    wiped[:32, :32] = 128
    assert sharpness(source, wiped, everything)["blur_ratio"] == 1


def test_a_region_is_estimated_through_a_lossy_codec():
    source = square(0, SIDE)
    buffer = io.BytesIO()
    Image.fromarray(edited(source)).save(buffer, "JPEG", quality=75)
    region = estimated_region(source, np.array(Image.open(buffer)))
    assert region[box()].mean() > 0.95
    assert region[~box()].mean() < 0.06


def test_nothing_outside_gives_no_scores_of_it():
    source = square(0, SIDE)
    scores = pair_scores(source, edited(source), np.ones((SIDE, SIDE), bool), True)
    assert set(scores) == {
        "region_share",
        "changed_share",
        "region_change",
        "leak_share",
    }
    assert np.isnan(scores["leak_share"])
