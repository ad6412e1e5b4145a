"""Saving and restoring: exact, atomic, and loud about whatever is wrong."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tbstar_jax.checkpoint import (
    Checkpoints,
    abstract_like,
    half_written,
    read_metadata,
    restore_checkpoint,
    saved_steps,
)
from tbstar_jax.errors import UserError

METADATA = {"stage": "stage1", "base_identity": "abc", "preset": "tiny"}
EXPECTED = {"stage": "stage1", "base_identity": "abc"}
ITERATOR = {"next_index": 12, "workers": [1, 2], "note": "x", "limit": None}


def named_sharding(*axes):
    mesh = Mesh(np.array(jax.devices()).reshape(4, 2), ("data", "model"))
    return NamedSharding(mesh, PartitionSpec(*axes))


def moments_after_a_step(trainable):
    """AdamW's state with a first moment in bfloat16, which is not all zeros."""
    optimizer = optax.adamw(1e-3, mu_dtype=jnp.bfloat16)
    with jax.numpy_dtype_promotion("standard"):
        _, state = optimizer.update(trainable, optimizer.init(trainable), trainable)
    return state


def make_state(seed=0, width=6):
    values = np.random.default_rng(seed).normal(size=(8, width)).astype(np.float32)
    trainable = {
        "down": {"kernel": jax.device_put(values, named_sharding("data", "model"))},
        "up": jax.device_put(values[0], named_sharding()),
    }
    return {
        "step": jax.device_put(np.int32(seed), named_sharding()),
        "trainable": trainable,
        "optimizer_state": jax.tree.map(
            lambda x: jax.device_put(x, named_sharding()),
            moments_after_a_step(trainable),
        ),
        "ema": jax.tree.map(lambda x: x * np.float32(2), trainable),
        "key_data": jax.device_put(np.array([3, 4], np.uint32), named_sharding()),
    }


def assert_identical(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for left, right in zip(
        jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True
    ):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


def save(directory, state, step=4, **options):
    options = {"save_every": 2, "keep_latest": 2} | options
    with Checkpoints(directory, **options) as checkpoints:
        assert checkpoints.save(step, state, ITERATOR, METADATA)


def test_a_restored_state_is_bitwise_equal_with_its_iterator_and_metadata(tmp_path):
    state = make_state()
    save(tmp_path, state)
    restored = restore_checkpoint(tmp_path, abstract_like(state), expected=EXPECTED)
    assert_identical(restored.state, state)
    assert restored.data_iterator_state == ITERATOR
    assert restored.metadata == METADATA
    assert read_metadata(tmp_path) == METADATA


def test_a_state_is_restored_into_the_shardings_that_were_asked_for(tmp_path):
    state = make_state()
    save(tmp_path, state)
    device = jax.devices()[3]
    single = jax.sharding.SingleDeviceSharding(device)
    wanted = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=single), state
    )
    restored = restore_checkpoint(tmp_path, wanted, expected=EXPECTED)
    assert_identical(restored.state, state)
    assert all(leaf.devices() == {device} for leaf in jax.tree.leaves(restored.state))


def test_saving_copies_before_buffers_are_donated(tmp_path):
    state = make_state()
    expected = jax.tree.map(lambda x: np.array(x, copy=True), state)
    update = jax.jit(
        lambda tree: jax.tree.map(lambda x: x + np.ones((), x.dtype), tree),
        donate_argnums=0,
    )
    abstract = abstract_like(state)
    with Checkpoints(tmp_path, save_every=1, keep_latest=1) as checkpoints:
        checkpoints.save(1, state, {}, METADATA)
        for _ in range(5):
            state = jax.block_until_ready(update(state))
    restored = restore_checkpoint(tmp_path, abstract, expected={})
    assert_identical(restored.state, expected)


def test_interval_force_and_retention_decide_what_is_kept(tmp_path):
    state = make_state()
    with Checkpoints(tmp_path, save_every=2, keep_latest=2) as checkpoints:
        assert checkpoints.latest_step() is None
        started = [
            checkpoints.save(step, state, ITERATOR, METADATA) for step in range(1, 7)
        ]
        assert started == [False, True, False, True, False, True]
        assert checkpoints.save(7, state, ITERATOR, METADATA, force=True)
        assert not checkpoints.save(7, state, ITERATOR, METADATA, force=True)
        assert checkpoints.latest_step() == 7
    assert saved_steps(tmp_path) == [6, 7]


def test_one_part_can_be_restored_alone(tmp_path):
    state = make_state()
    save(tmp_path, state)
    restored = restore_checkpoint(
        tmp_path, abstract_like(state["ema"]), expected=EXPECTED, part="ema"
    )
    assert_identical(restored.state, state["ema"])


def test_a_missing_checkpoint_is_an_error(tmp_path):
    abstract = abstract_like(make_state())
    with pytest.raises(UserError, match="there is no complete checkpoint in"):
        restore_checkpoint(tmp_path / "none", abstract, expected={})
    save(tmp_path, make_state())
    with pytest.raises(UserError, match=r"no checkpoint of step 5 in .*; it has 4$"):
        restore_checkpoint(tmp_path, abstract, expected={}, step=5)


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        (EXPECTED | {"base_identity": "xyz"}, "base_identity 'abc', .* has 'xyz'"),
        (EXPECTED | {"stage": "stage2"}, "stage 'stage1', .* has 'stage2'"),
        (EXPECTED | {"preset": "small"}, "preset 'tiny', .* has 'small'"),
        (EXPECTED | {"first_step": 0}, "does not say its first_step"),
    ],
)
def test_another_base_stage_or_preset_is_an_error(tmp_path, expected, sentence):
    state = make_state()
    save(tmp_path, state)
    with pytest.raises(UserError, match=sentence):
        restore_checkpoint(tmp_path, abstract_like(state), expected=expected)


def test_another_width_names_the_leaves_that_differ(tmp_path):
    save(tmp_path, make_state())
    abstract = abstract_like(make_state(width=4))
    with pytest.raises(UserError, match=r"has ema/down/kernel \(8, 6\) instead of"):
        restore_checkpoint(tmp_path, abstract, expected=EXPECTED)


def test_missing_and_extra_leaves_are_named(tmp_path):
    state = make_state()
    save(tmp_path, state)
    abstract = abstract_like(state)
    abstract["trainable"]["side"] = abstract["trainable"].pop("up")
    with pytest.raises(
        UserError, match="lacks trainable/side; it has the extra trainable/up"
    ):
        restore_checkpoint(tmp_path, abstract, expected=EXPECTED)


def test_another_dtype_is_an_error(tmp_path):
    state = make_state()
    save(tmp_path, state)
    state["trainable"]["up"] = state["trainable"]["up"].astype(jnp.bfloat16)
    with pytest.raises(UserError, match="has trainable/up float32 instead of bfloat16"):
        restore_checkpoint(tmp_path, abstract_like(state), expected=EXPECTED)


def data_files(directory: Path):
    return [f for f in (directory / "4" / "state").rglob("d/*") if f.is_file()]


def test_a_truncated_file_is_one_sentence_and_never_a_restart(tmp_path, caplog):
    state = make_state()
    save(tmp_path / "good", state)
    names = [f.relative_to(tmp_path / "good") for f in data_files(tmp_path / "good")]
    largest = max(names, key=lambda n: (tmp_path / "good" / n).stat().st_size)
    for name in [largest, Path("4/state/manifest.ocdbt"), Path("4/state/_METADATA")]:
        shutil.rmtree(tmp_path / "bad", ignore_errors=True)
        shutil.copytree(tmp_path / "good", tmp_path / "bad")
        path = tmp_path / "bad" / name
        os.truncate(path, path.stat().st_size // 2)
        caplog.clear()
        with pytest.raises(UserError, match="bad/4 is damaged"):
            restore_checkpoint(
                tmp_path / "bad", abstract_like(state), expected=EXPECTED
            )
        assert not [r for r in caplog.records if r.levelno >= logging.ERROR], name


def test_a_flipped_bit_is_an_error_that_names_the_leaf(tmp_path):
    state = make_state()
    state["trainable"]["large"] = jax.random.uniform(jax.random.key(0), (4096,))
    save(tmp_path, state)
    path = max(data_files(tmp_path), key=lambda f: f.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match="damaged"):
        restore_checkpoint(tmp_path, abstract_like(state), expected=EXPECTED)


@pytest.mark.parametrize("damage", ["remove", "truncate"])
def test_lost_metadata_is_an_error(tmp_path, damage):
    state = make_state()
    save(tmp_path, state)
    path = tmp_path / "4" / "_CHECKPOINT_METADATA"
    if damage == "remove":
        path.unlink()
    else:
        os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(UserError, match="is damaged"):
        restore_checkpoint(tmp_path, abstract_like(state), expected=EXPECTED)


KILLED_SAVE = """
import os, sys
from pathlib import Path
import jax, numpy as np
from tbstar_jax.checkpoint import Checkpoints
values = np.random.default_rng(0).normal(size=20_000_000).astype(np.float32)
checkpoints = Checkpoints(Path(sys.argv[1]), save_every=1, keep_latest=2)
checkpoints.save(1, {"x": jax.numpy.ones(3)}, {"next": 1}, {"stage": "s"})
checkpoints.wait()
checkpoints.save(2, {"x": jax.numpy.asarray(values)}, {"next": 2}, {"stage": "s"})
while not list(Path(sys.argv[1]).glob("2.*")):
    pass
os.kill(os.getpid(), 9)
"""


def test_a_save_killed_halfway_leaves_the_previous_checkpoint(tmp_path, caplog):
    process = subprocess.run(
        [sys.executable, "-c", KILLED_SAVE, str(tmp_path)],
        capture_output=True,
        check=False,
    )
    assert process.returncode == -9, process.stderr.decode()
    assert [path.name for path in half_written(tmp_path)] == ["2.orbax-checkpoint-tmp"]
    state = {"x": jnp.ones(3)}
    caplog.set_level(logging.WARNING)
    restored = restore_checkpoint(tmp_path, abstract_like(state), expected={})
    assert "ignoring the half-written checkpoint" in caplog.text
    assert restored.data_iterator_state == {"next": 1}
    assert_identical(restored.state, state)
    with Checkpoints(tmp_path, save_every=1, keep_latest=2) as checkpoints:
        assert checkpoints.latest_step() == 1
        assert "ignoring and removing the half-written" in caplog.text
        assert half_written(tmp_path) == []
        assert checkpoints.save(2, state, {"next": 2}, {"stage": "s"})
    assert saved_steps(tmp_path) == [1, 2]


def test_an_interval_below_one_is_refused(tmp_path):
    with pytest.raises(UserError, match="save_every is 0"):
        Checkpoints(tmp_path, save_every=0, keep_latest=1)
