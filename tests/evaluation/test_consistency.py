"""Consistency: perfect, copied and damaged edits score as they must."""

import math

import numpy as np
import pytest

from tbstar_jax.evaluation.consistency import (
    ConsistencyScores,
    ScoreMean,
    consistency_scores,
    summarize,
)

SIZE = (48, 64)


def pair():
    rng = np.random.default_rng(0)
    source = rng.integers(0, 256, (*SIZE, 3), np.uint8)
    change = np.zeros(SIZE, bool)
    change[10:30, 20:50] = True
    target = source.copy()
    target[change] = (250, 10, 10)
    return source, target, change


def scores(psnr_outside=40.0, gate_iou=math.nan):
    return ConsistencyScores(
        psnr_outside=psnr_outside,
        psnr_inside=20.0,
        ciede2000_outside=0.5,
        share_identical_outside=0.25,
        share_identical=0.2,
        shift=0.0,
        gate_iou=gate_iou,
    )


def test_the_target_itself_is_a_perfect_edit():
    source, target, change = pair()
    result = consistency_scores(source, target, target, change, predicted_mask=change)
    assert result.psnr_outside == math.inf
    assert result.psnr_inside == math.inf
    assert result.ciede2000_outside == 0
    assert result.share_identical_outside == 1
    assert result.share_identical == pytest.approx(1 - change.mean())
    assert result.shift == 0
    assert result.gate_iou == 1


def test_a_mask_of_cells_is_compared_cell_by_cell():
    source, target, change = pair()
    # Rows 10 to 30 and columns 20 to 50 touch 2 x 3 cells of 16 pixels.
    cells = np.zeros((3, 4), bool)
    cells[0:2, 1:4] = True
    mask = cells.repeat(16, axis=0).repeat(16, axis=1)

    def iou(mask, mask_cell):
        return consistency_scores(
            source, target, target, change, mask, mask_cell=mask_cell
        ).gate_iou

    assert iou(mask, 16) == 1
    assert iou(mask, 1) == pytest.approx(20 * 30 / (32 * 48))
    missed = mask.copy()
    missed[:16, 16:32] = False
    assert iou(missed, 16) == pytest.approx(5 / 6)


def test_a_mask_may_end_within_a_cell():
    source, target, change = (array[:40, :50] for array in pair())
    result = consistency_scores(source, target, target, change, change, mask_cell=16)
    assert result.gate_iou == 1


def test_a_copy_of_the_source_is_perfect_outside_and_wrong_inside():
    source, target, change = pair()
    result = consistency_scores(source, target, source, change)
    assert result.psnr_outside == math.inf
    assert result.psnr_inside < 15
    assert result.share_identical == 1
    assert math.isnan(result.gate_iou)


def test_each_side_sees_only_its_own_damage():
    source, target, change = pair()
    outside, inside = target.copy(), target.copy()
    outside[~change] ^= 1  # one level
    inside[change] ^= 1
    result = consistency_scores(source, target, outside, change)
    assert result.psnr_outside == pytest.approx(48.1308, rel=1e-5)
    assert result.psnr_inside == math.inf
    assert result.share_identical_outside == 0
    assert 0 < result.ciede2000_outside < 2
    result = consistency_scores(source, target, inside, change)
    assert result.psnr_inside == pytest.approx(48.1308, rel=1e-5)
    assert result.psnr_outside == math.inf


def test_a_moved_edit_is_measured_in_pixels():
    source, target, change = pair()
    edited = np.roll(source, (0, 3), axis=(0, 1))
    edited[change] = target[change]
    assert consistency_scores(source, target, edited, change).shift == 3


def test_a_change_of_everything_leaves_no_outside():
    source, target, _ = pair()
    result = consistency_scores(source, target, target, np.ones(SIZE, bool))
    assert math.isnan(result.psnr_outside)
    assert math.isnan(result.shift)


def test_means_stand_beside_their_counts():
    summary = summarize([scores(30.0), scores(40.0, gate_iou=0.5), scores(math.inf)])
    assert summary.num_images == 3
    assert summary.psnr_outside == ScoreMean(mean=35.0, num_images=2, num_exact=1)
    assert summary.gate_iou == ScoreMean(mean=0.5, num_images=1, num_exact=0)
    assert summary.share_identical.mean == pytest.approx(0.2)


def test_scalars_name_only_what_is_defined():
    scalars = summarize([scores(math.inf)]).as_scalars()
    assert scalars == {
        "num_images": 1.0,
        "psnr_outside_num_exact": 1.0,
        "psnr_inside": 20.0,
        "psnr_inside_num_exact": 0.0,
        "ciede2000_outside": 0.5,
        "share_identical_outside": 0.25,
        "share_identical": 0.2,
        "shift": 0.0,
    }


def test_no_edits_give_no_means():
    summary = summarize([])
    assert summary.num_images == 0
    assert math.isnan(summary.psnr_inside.mean)
