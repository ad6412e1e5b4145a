"""What a stage trains, what it leaves alone, and that it can be stopped anywhere."""

import dataclasses
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest

from tbstar_jax.checkpoint import saved_steps
from tbstar_jax.model.tbstar import TBStar, init_variables
from tbstar_jax.training.logging import read_events
from tbstar_jax.trees import flatten, leaf_names
from tests.support import reduced

LAST_BLOCK = 1
# Nothing reads the text stream after the last block, so nothing that only shapes its
# output there has a gradient.
UNREAD_IN_STAGE1 = {
    f"pattern_shifting/transformer_blocks/{linear}/{factor}"
    for linear in (
        "attn/add_q_proj",
        "attn/to_add_out",
        "txt_mlp/linear_in",
        "txt_mlp/linear_out",
    )
    for factor in ("lora_a", "lora_b")
}


def initial(config, collection):
    """What training starts the stage's modules with."""
    key = jax.random.fold_in(jax.random.key(config.seed), 0)
    make = jax.jit(lambda key: init_variables(TBStar(config.model), key)[collection])
    return flatten({collection: make(key)})


def slices(leaf):
    """A leaf's blocks (or, outside the blocks, its rows), flat."""
    return np.asarray(leaf).reshape(leaf.shape[0], -1)


def second_moments(state):
    """Leaf to Adam's second moment: above 0 exactly where there was a gradient."""
    return {
        name.partition("/nu/")[2]: leaf
        for name, leaf in leaf_names(state.optimizer_state).items()
        if "/nu/" in name
    }


def without_gradient(state):
    """(leaf, block or row) of everything that never had a gradient."""
    return {
        (name, row)
        for name, leaf in second_moments(state).items()
        for row, values in enumerate(slices(leaf))
        if not values.any()
    }


@pytest.mark.parametrize(
    ("stage", "collection", "last"),
    [("stage1", "pattern_shifting", 2), ("stage2", "consistency", 22)],
)
def test_every_trainable_leaf_moves_in_two_steps(stage, collection, last, request):
    run = request.getfixturevalue(stage)
    state = run.snapshots.states[last]
    trained, average = flatten(state.trainable), flatten(state.ema)
    before = initial(run.config, collection)
    assert trained.keys() == average.keys() == before.keys()
    for name, start in before.items():
        assert np.abs(trained[name] - start).max() > 1e-5, name
        assert np.abs(average[name] - start).max() > 1e-6, name
        assert np.any(average[name] != trained[name]), name


def test_every_block_has_gradients_in_stage1_except_unread_text_and_absent_sources(
    stage1,
):
    absent = {("pattern_shifting/source_embedding", row) for row in (1, 2)}
    unread = {(name, LAST_BLOCK) for name in UNREAD_IN_STAGE1}
    assert without_gradient(stage1.snapshots.states[2]) == absent | unread


def test_every_block_has_gradients_in_stage2(stage2):
    # After the last block only the gate reads sources. Its zero output layer moves in
    # step 1, these adapters' zero `lora_b` then in step 2, their `lora_a` in step 3.
    waiting = {
        (f"consistency/transformer_blocks/{linear}/lora_a", LAST_BLOCK)
        for linear in (
            "attn/to_q",
            "attn/to_out",
            "img_mlp/linear_in",
            "img_mlp/linear_out",
        )
    }
    assert without_gradient(stage2.snapshots.states[22]) == waiting
    assert without_gradient(stage2.snapshots.states[23]) == set()


def test_the_frozen_base_is_bit_identical_after_training(stage1, stage2, base):
    for run, collections in (
        (stage1, {"params", "vae", "conditioner"}),
        (stage2, {"params", "vae", "conditioner", "pattern_shifting"}),
    ):
        frozen = run.snapshots.frozen
        assert frozen.keys() == collections
        for name in ("params", "vae", "conditioner"):
            reduced.assert_identical(frozen[name], base.parts[name])


def test_stage2_freezes_the_moving_average_of_stage1(stage1, stage2):
    average = stage1.snapshots.states[20].ema["pattern_shifting"]
    reduced.assert_identical(stage2.snapshots.frozen["pattern_shifting"], average)


@pytest.mark.parametrize(("stage", "last"), [("stage1", 2), ("stage2", 22)])
def test_the_optimizer_holds_two_moments_per_trainable_leaf_and_counters(
    stage, last, request
):
    state = request.getfixturevalue(stage).snapshots.states[last]
    held = leaf_names(state.optimizer_state)
    moments = {name: leaf for name, leaf in held.items() if leaf.ndim}
    trainable = flatten(state.trainable)
    mu = {n.partition("/mu/")[2]: x.shape for n, x in moments.items() if "/mu/" in n}
    nu = {n.partition("/nu/")[2]: x.shape for n, x in moments.items() if "/nu/" in n}
    assert mu == nu == {name: leaf.shape for name, leaf in trainable.items()}
    assert len(moments) == 2 * len(trainable)


def test_four_steps_a_kill_and_six_steps_are_ten_steps_bit_for_bit(place, base, stage1):
    workdir = place.root / "killed"
    command = [sys.executable, "-m", "tests.support.killed_run", place.root, workdir]
    child = subprocess.run(
        [str(word) for word in command],
        cwd=reduced.REPOSITORY,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert saved_steps(workdir / "checkpoints") == [4]
    # The fifth step was done, and is lost.
    assert max(reduced.losses(workdir)) == 5
    config = dataclasses.replace(stage1.config, workdir=workdir, num_steps=10)
    resumed = reduced.run(config, base).states[10]
    reduced.assert_identical(resumed, stage1.snapshots.states[10])
    logged, expected = reduced.losses(workdir), reduced.losses(stage1.config.workdir)
    assert logged == {step: expected[step] for step in range(1, 11)}
    starts = [
        e for e in read_events(workdir / "metrics.jsonl") if e["event"] == "start"
    ]
    assert [event["step"] for event in starts] == [0, 4]
