import numpy as np

from tbstar_jax.evaluation.heldout import (
    HeldoutEdit,
    HeldoutPair,
    copy_of_input,
    score_pairs,
    spread_over_tasks,
    summary_of,
)


def _pair(key, task):
    source = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    mask = np.zeros((16, 16), bool)
    mask[:4] = True
    target = np.where(mask[..., None], 255 - source, source)
    return HeldoutPair(
        key=key,
        task=task,
        instruction="make it blue",
        source=source,
        target=target,
        change_mask=mask,
    )


PAIRS = [_pair("a", "x"), _pair("b", "y"), _pair("c", "x"), _pair("d", "y")]


def test_every_task_is_shown_before_one_is_shown_twice():
    assert spread_over_tasks(PAIRS, 2) == [0, 1]
    assert spread_over_tasks(PAIRS, 3) == [0, 2, 1]


def test_copying_the_input_is_exact_outside_and_wrong_inside():
    summary = summary_of(PAIRS, copy_of_input(PAIRS))
    assert summary.psnr_outside.num_exact == 4
    assert summary.share_identical_outside.mean == 1
    assert summary.psnr_inside.mean < 12
    assert summary.gate_iou.num_images == 0


def test_the_right_edit_with_the_right_mask_is_exact():
    edits = [HeldoutEdit(pair.target, pair.change_mask) for pair in PAIRS]
    for score in score_pairs(PAIRS, edits):
        assert score.psnr_inside == score.psnr_outside == np.inf
        assert score.gate_iou == 1
