"""The order of initialisation, and what a resumed run must have in common."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.checkpoint import Checkpoints, abstract_like
from tbstar_jax.errors import UserError
from tbstar_jax.training.initialise import (
    WeightSource,
    first_step,
    previous_stage,
    previous_step,
    require_same_config,
)
from tests.training.toy import toy_variables
from tests.training.toy_training import EXPECTED, initialise_toy, sources, train


def converted(collection, value):
    tree = jax.tree.map(lambda x: jnp.full_like(x, value), toy_variables()[collection])
    return WeightSource(
        origin="converted weights", path="folder", load={collection: lambda: tree}
    )


def open_checkpoints(workdir):
    return Checkpoints(workdir / "checkpoints", save_every=4, keep_latest=2)


def test_converted_weights_go_before_random_ones(tmp_path, caplog):
    caplog.set_level("INFO")
    with open_checkpoints(tmp_path) as checkpoints:
        run = initialise_toy(checkpoints, [converted("params", 5.0), *sources()])
    assert run.origins == {
        "params": "converted weights",
        "pattern_shifting": "random",
    }
    assert run.data_iterator_state is None
    np.testing.assert_array_equal(run.frozen["params"]["bias"], [5, 5, 5, 5])
    assert "params: converted weights, folder, 2 leaves, 20 parameters" in caplog.text
    assert "pattern_shifting: random, seed 0, 2 leaves, 16 parameters" in caplog.text


def test_a_checkpoint_of_this_run_goes_before_everything(tmp_path, caplog):
    caplog.set_level("INFO")
    final = train(tmp_path, 4)
    with open_checkpoints(tmp_path) as checkpoints:
        run = initialise_toy(
            checkpoints, [converted("pattern_shifting", 5.0), *sources()]
        )
    assert run.origins["pattern_shifting"] == "resume"
    assert run.data_iterator_state == {"step": 4}
    for left, right in zip(
        jax.tree.leaves(final), jax.tree.leaves(run.state), strict=True
    ):
        np.testing.assert_array_equal(left, right)
    assert "pattern_shifting: resume" in caplog.text


def test_the_previous_stage_gives_its_moving_average_and_its_step(tmp_path):
    final = train(tmp_path / "one", 4)
    assert previous_step(tmp_path / "one") == 4
    source = previous_stage(
        tmp_path / "one", 4, abstract_like(final.trainable), EXPECTED
    )
    tree = source.load["pattern_shifting"]()
    average = final.ema["pattern_shifting"]
    np.testing.assert_array_equal(tree["up"], average["up"])
    with open_checkpoints(tmp_path / "two") as checkpoints:
        assert first_step(checkpoints.directory, tmp_path / "one") == 4
        assert first_step(checkpoints.directory, None) == 0
        run = initialise_toy(checkpoints, [source, *sources()])
    assert run.origins["pattern_shifting"] == "previous stage"
    assert len(run.metadata["previous_identity"]) == 64


def test_a_previous_stage_that_changed_under_a_run_is_an_error(tmp_path):
    final = train(tmp_path / "one", 4)
    abstract = abstract_like(final.trainable)
    source = previous_stage(tmp_path / "one", 4, abstract, EXPECTED)
    changed = dataclasses.replace(
        source,
        load={
            name: (lambda load=load: jax.tree.map(lambda x: x + 1.0, load()))
            for name, load in source.load.items()
        },
    )
    with open_checkpoints(tmp_path / "two") as checkpoints:
        run = initialise_toy(checkpoints, [source, *sources()])
        checkpoints.save(0, run.state, {}, run.metadata, force=True)
        checkpoints.wait()
        initialise_toy(checkpoints, [source, *sources()])
        with pytest.raises(UserError, match="has the previous_identity"):
            initialise_toy(checkpoints, [changed, *sources()])


def test_a_missing_previous_stage_is_an_error(tmp_path):
    with (
        open_checkpoints(tmp_path / "two") as checkpoints,
        pytest.raises(UserError, match="train the previous stage first"),
    ):
        first_step(checkpoints.directory, tmp_path / "one")


def test_another_base_is_an_error_and_not_a_restart(tmp_path):
    train(tmp_path, 4)
    with (
        open_checkpoints(tmp_path) as checkpoints,
        pytest.raises(UserError, match="base_identity 'toy', but this run has 'other'"),
    ):
        initialise_toy(checkpoints, expected=EXPECTED | {"base_identity": "other"})


def test_another_seed_is_an_error_and_not_a_restart(tmp_path):
    train(tmp_path, 4)
    with (
        open_checkpoints(tmp_path) as checkpoints,
        pytest.raises(UserError, match="seed is 8, but the checkpoint was made with 7"),
    ):
        initialise_toy(checkpoints, seed=8)


def test_a_collection_without_a_source_is_an_error(tmp_path):
    with (
        open_checkpoints(tmp_path) as checkpoints,
        pytest.raises(UserError, match="no weights for pattern_shifting in folder"),
    ):
        initialise_toy(checkpoints, [converted("params", 1.0)])


def test_weights_of_another_structure_are_an_error(tmp_path):
    source = WeightSource(
        origin="converted weights",
        path="folder",
        load={"params": lambda: {"kernel": jnp.ones((4, 4))}},
    )
    with (
        open_checkpoints(tmp_path) as checkpoints,
        pytest.raises(UserError, match="params of folder does not fit: it lacks bias"),
    ):
        initialise_toy(checkpoints, [source, *sources()])


def test_a_setting_that_changes_the_result_cannot_change_on_resume(caplog):
    stored = {"seed": 1, "intervals": {"log": 10}, "data": {"mixture": []}}
    require_same_config(stored, stored)
    require_same_config(stored, stored | {"intervals": {"log": 20}})
    assert "intervals.log was 10, is 20" in caplog.text
    with pytest.raises(UserError, match="seed is 2, but the checkpoint"):
        require_same_config(stored, stored | {"seed": 2})
