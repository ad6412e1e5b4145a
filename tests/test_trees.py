"""Names, rules, sizes and identities of trees."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tbstar_jax.errors import UserError
from tbstar_jax.trees import (
    checksums,
    count_bytes,
    count_leaves,
    count_parameters,
    describe,
    flatten,
    leaf_names,
    match_rules,
    require_same_structure,
    tree_identity,
    unflatten,
)


def tree():
    return {
        "b": {"kernel": jnp.ones((2, 3)), "bias": jnp.zeros((3,), jnp.bfloat16)},
        "a": jnp.arange(4),
    }


def test_names_join_keys_by_slash_and_are_sorted():
    assert list(flatten(tree())) == ["a", "b/bias", "b/kernel"]


def test_unflatten_is_the_inverse_of_flatten():
    original = tree()
    again = unflatten(flatten(original))
    assert jax.tree.structure(again) == jax.tree.structure(original)
    assert again["b"]["kernel"] is original["b"]["kernel"]


def test_a_key_with_a_slash_is_refused():
    with pytest.raises(ValueError, match="'a/b' cannot be a key"):
        flatten({"a/b": 1})


def test_a_name_cannot_be_leaf_and_group():
    with pytest.raises(ValueError, match="a/b lies inside another leaf"):
        unflatten({"a": 1, "a/b": 2})


def test_leaf_names_cover_lists_and_dicts():
    assert list(leaf_names([{"x": 1}, 2])) == ["0/x", "1"]


def test_the_first_matching_rule_wins():
    rules = [(r".*/bias", "none"), (r"b/.*", "data"), (r"a", "model")]
    assert match_rules(flatten(tree()), rules) == {
        "a": "model",
        "b/bias": "none",
        "b/kernel": "data",
    }


def test_a_rule_must_match_the_whole_name():
    with pytest.raises(UserError, match="no rule matches b/kernel"):
        match_rules(["a", "b/kernel"], [("a", 1), ("b", 2)])


def test_a_rule_that_is_never_first_is_an_error():
    with pytest.raises(UserError, match=r"the rules b match no leaf"):
        match_rules(["a", "b"], [(".*", 1), ("b", 2)])


def test_sizes_count_each_number_once():
    assert count_leaves(tree()) == 3
    assert count_parameters(tree()) == 6 + 3 + 4
    assert count_bytes(tree()) == 6 * 4 + 3 * 2 + 4 * 4
    assert describe(tree()) == "3 leaves, 13 parameters, 0.00 MB"


def test_identity_is_the_documented_hash():
    leaf = np.array([1.0, 2.0], np.float32)
    inner = hashlib.sha256(b"\x00\x00\x80?\x00\x00\x00@").hexdigest()
    line = f'["x/y",[2],"float32","{inner}"]\n'
    expected = hashlib.sha256(line.encode()).hexdigest()
    assert tree_identity({"x": {"y": leaf}}) == expected


def test_identity_sees_names_shapes_dtypes_and_values():
    base = {"x": np.zeros((2, 3), np.float32)}
    others = [
        {"y": np.zeros((2, 3), np.float32)},
        {"x": np.zeros((3, 2), np.float32)},
        {"x": np.zeros((2, 3), np.int32)},
        {"x": np.full((2, 3), -0.0, np.float32)},
    ]
    identities = {tree_identity(each) for each in [base, *others]}
    assert len(identities) == 5


def test_identity_is_the_same_on_host_and_sharded_over_devices():
    mesh = Mesh(np.array(jax.devices()[:4]), ("data",))
    host = {"x": np.arange(8, dtype=np.float32), "y": np.float32(3.0)}
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    sharded = {"x": jax.device_put(host["x"], sharding), "y": jnp.float32(3.0)}
    assert tree_identity(host) == tree_identity(sharded)


def test_identity_covers_bfloat16_and_non_contiguous_arrays():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    bfloat = jnp.asarray(values).astype(jnp.bfloat16)
    assert tree_identity({"x": values.T}) == tree_identity({"x": values.T.copy()})
    assert tree_identity({"x": bfloat}) != tree_identity({"x": values})


def test_a_structure_error_lists_missing_extra_and_reshaped_leaves():
    other = tree()
    other["c"] = other["b"].pop("bias")
    other["a"] = jnp.arange(5)
    with pytest.raises(UserError) as caught:
        require_same_structure(tree(), other, "the checkpoint")
    assert str(caught.value) == (
        "the checkpoint does not fit: it lacks b/bias; it has the extra c; "
        "it has a (5,) instead of (4,)"
    )


def test_equal_structures_pass():
    require_same_structure(tree(), jax.eval_shape(tree), "the tree")


def test_a_checksum_is_the_documented_sum_on_any_mesh():
    values = np.array([[1, 2], [3, 4]], np.uint32)
    multiplier = 2654435761
    bits = values.reshape(-1).tolist()
    expected = sum(v * (2 * multiplier * i + 1) for i, v in enumerate(bits)) % 2**32
    assert checksums({"x": values}) == {"x": expected}
    large = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
    mesh = Mesh(np.array(jax.devices()).reshape(4, 2), ("data", "model"))
    sharding = NamedSharding(mesh, PartitionSpec("data", "model"))
    sharded = jax.device_put(large, sharding)
    assert checksums({"x": large}) == checksums({"x": sharded})


@pytest.mark.parametrize("dtype", ["bool", "int8", "bfloat16", "int32", "float32"])
def test_a_checksum_sees_a_change_in_every_dtype(dtype):
    before = jnp.zeros((2, 3), dtype)
    after = before.at[1, 2].set(jnp.ones((), dtype))
    assert checksums({"x": before}) != checksums({"x": after})
