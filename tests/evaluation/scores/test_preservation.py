"""Preservation at its edges: guard bands, nothing kept, unknown motions, names."""

import math

import numpy as np
import pytest
from scipy import ndimage

from tbstar_jax.evaluation.cases.kept import guard_band, kept_region
from tbstar_jax.evaluation.scores.comparison import CURVE
from tbstar_jax.evaluation.scores.preservation import factor, preservation
from tbstar_jax.metrics.color import srgb_to_lab
from tbstar_jax.metrics.registration import Registration, register
from tbstar_jax.metrics.resampling import Motion, moved_back
from tbstar_jax.metrics.similarity import ciede2000_map, psnr, ssim

SIZE = (96, 128)


def pair(seed=0):
    """A blotchy source, a reference and the mask of its edit."""
    rng = np.random.default_rng(seed)
    small = rng.integers(40, 216, (SIZE[0] // 8, SIZE[1] // 8, 3), np.uint8)
    source = small.repeat(8, axis=0).repeat(8, axis=1)
    edit = np.zeros(SIZE, bool)
    edit[30:60, 40:90] = True
    reference = source.copy()
    reference[edit] = (250, 10, 10)
    return source, reference, edit


def test_the_guard_band_grows_with_the_canvas():
    sides = (64, 128, 256, 384, 512, 1024, 2048)
    assert [guard_band((side, 64)) for side in sides] == [2, 2, 2, 3, 4, 8, 8]
    kept = kept_region(pair()[2])
    assert not kept[28:62, 38:92].any()
    assert kept.sum() == SIZE[0] * SIZE[1] - 34 * 54


def test_the_guard_band_and_the_edit_are_not_measured():
    source, reference, edit = pair()
    answer = reference.copy()
    answer[28:62, 38:92] = 0
    result = preservation(source, reference, answer, edit)
    assert result.score == result.share_identical == 1
    answer[27, 50] ^= 1
    result = preservation(source, reference, answer, edit)
    assert result.share_identical < 1
    assert result.psnr_keep > 60


@pytest.mark.parametrize(
    ("rows", "columns", "zoom", "expected"),
    [
        (0.3, 0.4, 1.002, 1.0),
        (0.0, 4.25, 1.0, 0.5),
        (0.0, 0.0, 0.974, 0.5),
        (4.25, 0.0, 1.026, 0.25),
        (0.0, 8.0, 1.0, 0.0),
        (30.0, 0.0, 1.0, 0.0),
        (0.0, 0.0, 1.05, 0.0),
        (math.nan, math.nan, math.nan, 1.0),
    ],
)
def test_the_factor_falls_linearly(rows, columns, zoom, expected):
    motion = Registration(rows=rows, columns=columns, zoom=zoom)
    assert factor(motion) == pytest.approx(expected, abs=1e-9)


def test_shares_are_those_of_the_map():
    source, reference, edit = pair()
    answer = reference.copy()
    answer[:20] = np.clip(answer[:20].astype(int) + 9, 0, 255)
    result = preservation(source, reference, answer, edit)
    kept = kept_region(edit)
    difference = ciede2000_map(source, answer)[kept]
    expected = tuple((difference <= limit).mean() for limit in (2, 5, 10))
    assert result.within == result.within_registered == pytest.approx(expected)
    shares = [(difference <= limit).mean() for limit in CURVE]
    assert result.curve == pytest.approx(shares)
    assert list(result.curve) == sorted(result.curve)
    assert result.curve[0] < result.curve[-1]
    assert result.ciede2000_keep == pytest.approx(difference.mean())
    assert result.score == pytest.approx(np.mean(expected))
    assert result.drift[0] > 0.5
    labs = srgb_to_lab(source), srgb_to_lab(answer)
    assert result.drift == pytest.approx((labs[1] - labs[0])[kept].mean(axis=0))
    assert result.psnr_keep == pytest.approx(float(psnr(source, answer, kept)))
    assert result.ssim_keep == pytest.approx(float(ssim(source, answer, kept)))
    assert result.drift_norm == pytest.approx(np.linalg.norm(result.drift))


@pytest.mark.parametrize("levels", [0, 12, 60, 110, 255])
def test_the_worst_tile_costs_what_it_differs(levels):
    """One tile of 64 is made brighter: by area it is worth 1.6 %."""
    source = np.zeros((256, 256, 3), np.uint8)
    answer = source.copy()
    answer[64:96, 64:96] = levels
    result = preservation(source, source, answer, np.zeros((256, 256), bool))
    differs = float(ciede2000_map(source, answer)[64, 64])
    assert result.worst_tile == pytest.approx(differs)
    assert result.area >= 1 - 1.01 / 64
    left = min(1.0, max(0.0, (50 - differs) / 45))
    assert result.score == pytest.approx(result.area * left)
    assert (levels, left) in [(0, 1), (12, 1), (60, left), (110, left), (255, 0)]
    assert (0 < left < 1) == (levels in (60, 110))


def test_where_all_may_change_the_place_of_things_is_what_is_kept():
    source, reference, edit = pair()
    everywhere = np.ones_like(edit)

    def result(answer, reference=reference):
        return preservation(source, reference, answer, everywhere)

    assert result(reference).score == 1
    assert result(np.roll(reference, 4, axis=1)).score == pytest.approx(4 / 7.5)
    assert result(pair(seed=1)[0]).score == 0  # shows something else
    flat = np.full_like(source, 200)
    assert result(flat).score == 0
    assert result(source, reference=flat).score == 1  # has no place to keep
    kept = result(reference)
    assert kept.kept_share == 0
    assert math.isnan(kept.psnr_keep)
    assert math.isnan(kept.shift)
    sliver = everywhere.copy()
    sliver[:2] = sliver[2:4, :10] = False
    assert preservation(source, reference, source, sliver).kept_share == 0


def test_an_answer_that_cannot_be_registered_is_compared_as_it_lies():
    source, reference, edit = pair()
    result = preservation(source, reference, pair(seed=1)[0], edit)
    assert math.isnan(result.shift_rows)
    assert math.isnan(result.zoom)
    assert result.within_registered == result.within
    assert result.area == pytest.approx(np.mean(result.within))
    assert result.score <= result.area < 0.2


def _soft_photo():
    """One broad glow on white, which a small motion hardly changes."""
    y, x = np.mgrid[:256, :256]
    glow = np.exp(-(((x - 170) / 40) ** 2 + ((y - 120) / 60) ** 2))
    return np.rint(255 - glow[..., None] * np.array([120, 60, 20])).astype(np.uint8)


def _brushed_lines():
    """Lines along the rows, which fit themselves when moved along, under a glow."""
    rows = ndimage.gaussian_filter1d(np.random.default_rng(0).standard_normal(256), 0.8)
    lines = np.rint(170 + 4 * rows / rows.std())[:, None, None] + np.array([0, 2, 5])
    glow = 30 * np.exp(-(((np.arange(256) - 200) / 120) ** 2))
    return np.rint(lines - glow[:, None]).astype(np.uint8)


def _edited(source):
    """Reference and edit mask."""
    mask = np.zeros(source.shape[:2], bool)
    mask[90:150, 40:100] = True
    return np.where(mask[..., None], np.uint8((200, 60, 50)), source), mask


@pytest.mark.parametrize("sigma", [0.7, 1.5])
@pytest.mark.parametrize("photo", [_soft_photo, _brushed_lines])
def test_a_blur_of_a_soft_photo_or_of_lines_is_no_motion(photo, sigma):
    source = photo()
    reference, mask = _edited(source)
    blurred = ndimage.gaussian_filter(reference, (sigma, sigma, 0))
    # Registration alone is taken in.
    assert register(source, blurred, kept_region(mask)).shift > 1
    result = preservation(source, reference, blurred, mask)
    assert (result.shift, result.zoom) == (0, 1)
    assert result.area > 0.98
    assert result.score > 0.85


def test_a_motion_of_lines_costs():
    source = _brushed_lines()
    reference, mask = _edited(source)
    moved = moved_back(reference, Motion(zoom=1.0, rows=-1.5, columns=1.0))
    result = preservation(source, reference, moved, mask)
    assert result.score < 0.9
    assert result.shift == pytest.approx(math.hypot(1.5, 1.0), abs=0.1)


def test_a_flat_photo_has_no_motion_and_keeps_its_colour():
    flat = np.full((*SIZE, 3), 240, np.uint8)
    edit = pair()[2]
    result = preservation(flat, flat, flat - np.uint8(1), edit)
    assert math.isnan(result.shift)
    assert result.score == 1
    assert result.share_identical == 0


def test_metrics_have_flat_names():
    source, reference, edit = pair()
    metrics = preservation(source, reference, source, edit).as_metrics()
    assert set(metrics) == {
        "kept_share",
        "psnr_keep",
        "ssim_keep",
        "psnr_keep_registered",
        "ssim_keep_registered",
        "shift_rows",
        "shift_columns",
        "shift",
        "zoom",
        "drift_l",
        "drift_a",
        "drift_b",
        "drift_norm",
        "ciede2000_keep",
        "tile95",
        "share_identical",
        "preservation_area",
        "worst_tile",
        "structure_lost",
        *(
            f"{name}_{threshold}"
            for name in ("keep_within", "keep_within_registered")
            for threshold in ("0.5", "1", "2", "3", "5", "7", "10", "15", "20")
        ),
    }
    assert all(type(value) is float for value in metrics.values())
    assert metrics["psnr_keep"] == math.inf
    assert metrics["ssim_keep"] == 1
