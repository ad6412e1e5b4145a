import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from tbstar_jax.convert.folder import load_weights
from tbstar_jax.evaluation.heldout import (
    HeldoutEdit,
    HeldoutPair,
    copy_of_input,
    edit_pairs,
    score_pairs,
    spread_over_tasks,
    summary_of,
)
from tbstar_jax.inference.editor import Editor, SamplingOptions
from tbstar_jax.inference.pipeline import SHIPPED_WEIGHTS


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


def test_further_pictures_go_to_the_model_and_keep_the_order():
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    alone = [
        dataclasses.replace(
            PAIRS[0], source=one, target=one, change_mask=np.zeros((32, 32), bool)
        )
        for one in pictures
    ]
    shown = dataclasses.replace(alone[1], references=(pictures[2],))
    weights = load_weights(SHIPPED_WEIGHTS)
    parts = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), weights.parts)
    editor = Editor(weights.config)
    options = SamplingOptions(num_steps=1, guidance_scale=1.0, use_gate=False)

    def images(pairs):
        edits = edit_pairs(editor, parts, pairs, options, batch_size=2)
        return [edit.image for edit in edits]

    mixed = images([alone[0], shown, alone[2]])
    plain = images([alone[0], alone[1], alone[2]])
    np.testing.assert_array_equal(mixed[0], plain[0])
    assert (mixed[1] != plain[1]).mean() > 0.05
    # The noise goes by a pair's place, wherever it is in its batch.
    assert np.abs(mixed[2].astype(int) - plain[2]).max() <= 1
