"""Partitions into trainable and frozen."""

import jax
import jax.numpy as jnp
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.training.freeze import (
    STAGE_COLLECTIONS,
    log_partition,
    merge,
    partition,
)


def variables():
    return {
        "params": {"block": {"kernel": jnp.ones((2, 2))}},
        "pattern_shifting": {"down": jnp.ones((2, 1)), "up": jnp.zeros((1, 2))},
        "consistency": {"gate": jnp.zeros((3,))},
    }


@pytest.mark.parametrize(
    ("stage", "collection"),
    [("stage1", "pattern_shifting"), ("stage2", "consistency")],
)
def test_a_stage_trains_its_collection_and_freezes_the_rest(stage, collection):
    parts = partition(variables(), stage)
    assert list(parts.trainable) == [collection]
    assert set(parts.frozen) == set(variables()) - {collection}


def test_merge_is_the_inverse_of_partition():
    original = variables()
    rules = [(".*/down", False), (".*", True)]
    parts = partition(original, "stage1", rules)
    merged = merge(parts.trainable, parts.frozen)
    assert jax.tree.structure(merged) == jax.tree.structure(original)


def test_rules_choose_leaves_inside_the_collection():
    rules = [("pattern_shifting/down", False), (".*", True)]
    parts = partition(variables(), "stage1", rules)
    assert list(parts.trainable["pattern_shifting"]) == ["up"]
    assert list(parts.frozen["pattern_shifting"]) == ["down"]


def test_a_rule_cannot_reach_a_frozen_collection():
    rules = [("params/.*", True), (".*", True)]
    with pytest.raises(UserError, match=r"the rules params/\.\* match no leaf"):
        partition(variables(), "stage1", rules)


def test_an_empty_trainable_set_is_refused():
    with pytest.raises(UserError, match="leave nothing to train in pattern_shifting"):
        partition(variables(), "stage1", [(".*", False)])


def test_an_unknown_stage_and_an_absent_collection_are_refused():
    with pytest.raises(UserError, match="no stage 'stage3'"):
        partition(variables(), "stage3")
    with pytest.raises(UserError, match="stage2 trains consistency, but the model has"):
        partition({"params": {"x": jnp.ones(1)}}, "stage2")


def test_an_overlap_of_trainable_and_frozen_is_refused():
    tree = {"params": {"x": jnp.ones(1)}}
    with pytest.raises(UserError, match="params/x would be both trained and frozen"):
        merge(tree, tree)


def test_the_stage_table_cannot_be_changed():
    with pytest.raises(TypeError):
        STAGE_COLLECTIONS["stage1"] = ("params",)


def test_counts_and_bytes_are_logged_by_collection(caplog):
    caplog.set_level("INFO")
    log_partition(partition(variables(), "stage1"))
    assert "trainable pattern_shifting: 2 leaves, 4 parameters" in caplog.text
    assert "frozen params: 1 leaves, 4 parameters" in caplog.text
