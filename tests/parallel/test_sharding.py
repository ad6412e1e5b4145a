"""The tables cover every leaf, and a mesh does not change what is computed."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from tbstar_jax.errors import UserError
from tbstar_jax.model import presets
from tbstar_jax.model.conditioner.byte import ByteConditioner
from tbstar_jax.model.conditioner.qwen25_config import qwen25_vl_7b
from tbstar_jax.model.conditioner.qwen25_vl import abstract_conditioner
from tbstar_jax.model.pattern_shifting import (
    IMAGE_LINEARS,
    MODULATION_LINEARS,
    TEXT_LINEARS,
)
from tbstar_jax.model.tbstar import TBStar, abstract_variables
from tbstar_jax.model.vae import VAE
from tbstar_jax.parallel import sharding
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh
from tbstar_jax.parallel.sharding import (
    ActivationShard,
    batch_sharding,
    data_parallel_copies,
    optimizer_state_shardings,
    variable_shardings,
)
from tbstar_jax.trees import flatten, match_rules, unflatten
from tests.parallel.train_step import (
    OPTIMIZER,
    BatchShape,
    compile_step,
    make_config,
)

ALL_LINEARS = IMAGE_LINEARS + TEXT_LINEARS + MODULATION_LINEARS


def mesh(text):
    return make_mesh(parse_mesh(text))


def tiny_trees(targets=ALL_LINEARS):
    """Shapes of every collection and frozen tree of `tiny`."""
    config = presets.tiny()
    adapters = dataclasses.replace(config.pattern_shifting, targets=targets)
    config = dataclasses.replace(config, pattern_shifting=adapters)
    image = jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32)
    ids = jax.ShapeDtypeStruct((1, 8), np.int32)
    count = jax.ShapeDtypeStruct((1,), np.int32)
    flag = jax.ShapeDtypeStruct((1,), np.bool_)
    key = jax.random.key(0)
    vae = jax.eval_shape(VAE(config.vae).init, key, image)
    conditioner = jax.eval_shape(
        ByteConditioner(config.conditioner).init, key, ids, count, image, flag
    )
    return {
        **abstract_variables(TBStar(config)),
        "vae": vae["params"],
        "conditioner": conditioner["params"],
    }


def specs(text, collection):
    tree = variable_shardings(tiny_trees()[collection], mesh(text), collection)
    return {name: leaf.spec for name, leaf in flatten(tree).items()}


def test_the_table_covers_every_leaf_and_every_rule_is_used():
    trees = [
        *tiny_trees().items(),
        ("conditioner", abstract_conditioner(qwen25_vl_7b())),
    ]
    paths = [
        f"{collection}/{name}" for collection, tree in trees for name in flatten(tree)
    ]
    assert match_rules(paths, sharding._RULES).keys() == set(paths)


@pytest.mark.parametrize("text", ["1x1", "4x2", "8x1"])
def test_every_leaf_of_tiny_fits_the_mesh(text):
    for collection, tree in tiny_trees().items():
        shardings = variable_shardings(tree, mesh(text), collection)
        assert flatten(shardings).keys() == flatten(tree).keys()
        for name, leaf in flatten(tree).items():
            assert flatten(shardings)[name].shard_shape(leaf.shape)


def test_the_base_is_sharded_over_both_axes():
    found, blocks = specs("4x2", "params"), "transformer_blocks"
    into = PartitionSpec(None, "data", "model")
    out_of = PartitionSpec(None, "model", "data")
    assert found[f"{blocks}/attn/to_q/kernel"] == into
    assert found[f"{blocks}/attn/add_v_proj/kernel"] == into
    assert found[f"{blocks}/txt_mlp/linear_in/kernel"] == into
    assert found[f"{blocks}/img_mod/kernel"] == into
    assert found[f"{blocks}/attn/to_add_out/kernel"] == out_of
    assert found[f"{blocks}/img_mlp/linear_out/kernel"] == out_of
    assert found[f"{blocks}/attn/to_q/bias"] == PartitionSpec(None, "model")
    assert found[f"{blocks}/attn/to_out/bias"] == PartitionSpec(None, None)


@pytest.mark.parametrize("collection", ["pattern_shifting", "consistency"])
def test_adapters_are_sharded_like_their_linear_over_model_alone(collection):
    found, blocks = specs("4x2", collection), "transformer_blocks"
    whole = PartitionSpec(None, None, None)
    assert found[f"{blocks}/attn/to_k/lora_a"] == whole
    assert found[f"{blocks}/attn/to_k/lora_b"] == PartitionSpec(None, None, "model")
    assert found[f"{blocks}/attn/to_out/lora_a"] == PartitionSpec(None, "model", None)
    assert found[f"{blocks}/attn/to_out/lora_b"] == whole


def test_almost_all_of_the_base_is_sharded():
    tree = tiny_trees()["params"]
    shardings = variable_shardings(tree, mesh("4x2"), "params")
    total = sum(leaf.size for leaf in jax.tree.leaves(tree))
    held = sum(
        np.prod(place.shard_shape(leaf.shape))
        for leaf, place in zip(
            jax.tree.leaves(tree), jax.tree.leaves(shardings), strict=True
        )
    )
    assert held / total < 1.25 / 8


def test_a_configuration_may_adapt_one_linear_alone():
    tree = tiny_trees(targets=("to_q",))["pattern_shifting"]
    names = flatten(variable_shardings(tree, mesh("4x2"), "pattern_shifting"))
    assert list(names) == [
        "source_embedding",
        "transformer_blocks/attn/to_q/lora_a",
        "transformer_blocks/attn/to_q/lora_b",
    ]


def test_a_leaf_no_rule_foresees_is_refused_by_name():
    tree = {"transformer_blocks": {"attn": {"to_z": {"kernel": np.zeros((1, 2, 2))}}}}
    with pytest.raises(UserError, match=r"no rule matches params/.*/to_z/kernel"):
        variable_shardings(tree, mesh("1x1"), "params")


def test_a_dimension_the_mesh_does_not_divide_is_refused_with_all_it_takes():
    leaf = jax.ShapeDtypeStruct((8, 192, 190), np.float32)
    tree = {"transformer_blocks": {"attn": {"to_q": {"kernel": leaf}}}}
    sentence = (
        r"dimension 2 \(heads\) of params/transformer_blocks/attn/to_q/kernel has size "
        r"190, which the mesh axis model of size 4 does not divide"
    )
    with pytest.raises(UserError, match=sentence):
        variable_shardings(tree, mesh("2x4"), "params")


def test_moments_lie_where_their_parameters_lie_and_counters_everywhere():
    parameters = tiny_trees()["pattern_shifting"]
    places = variable_shardings(parameters, mesh("4x2"), "pattern_shifting")
    schedule = optax.linear_schedule(1e-3, 0.0, 10)
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=0.1)
    )
    state = jax.eval_shape(optimizer.init, parameters)
    found = optimizer_state_shardings(optimizer, state, places)
    assert jax.tree.structure(found) == jax.tree.structure(state)
    adam = found[1][0]
    assert adam.mu == places
    assert adam.nu == places
    assert adam.count.spec == PartitionSpec()


def test_examples_are_split_over_data_behind_micro_batches():
    assert batch_sharding(mesh("4x2")).spec == PartitionSpec("data")
    assert batch_sharding(mesh("4x2"), 1).spec == PartitionSpec(None, "data")


def test_activation_shards_of_equal_meshes_are_equal():
    assert ActivationShard(mesh("4x2")) == ActivationShard(mesh("4x2"))
    assert hash(ActivationShard(mesh("4x2"))) == hash(ActivationShard(mesh("4x2")))
    assert ActivationShard(mesh("4x2")) != ActivationShard(mesh("2x4"))


@pytest.mark.parametrize(
    ("shape", "names", "spec"),
    [
        ((8, 3, 4), ("batch", "tokens", "embed"), ("data", None, None)),
        ((8, 3, 4), ("batch", "tokens", "mlp"), ("data", None, "model")),
        ((8, 3, 6, 5), ("batch", "tokens", "heads", None), ("data", None, "model")),
        ((1, 4), ("batch", "modulation"), (None, "model")),
    ],
)
def test_activations_are_placed_by_logical_names(shape, names, spec):
    place = jax.jit(lambda x: ActivationShard(mesh("4x2"))(x, names))
    placed = jax.block_until_ready(place(jnp.zeros(shape)))
    expected = NamedSharding(mesh("4x2"), PartitionSpec(*spec))
    assert placed.sharding.is_equivalent_to(expected, len(shape))


def test_heads_the_mesh_does_not_divide_are_refused():
    shard = ActivationShard(mesh("1x4"))
    with pytest.raises(UserError, match=r"\(heads\) of an activation .* has size 6"):
        shard(jnp.zeros((2, 3, 6, 8)), ("batch", "tokens", "heads", None))


def test_adapters_copied_per_device_have_the_gradient_of_one():
    trainable = {
        "source_embedding": jnp.ones((1, 4)),
        "transformer_blocks": {"attn": {"to_q": {"lora_a": jnp.ones((2, 4, 2))}}},
    }

    @jax.jit
    def gradient(tree):
        def loss(tree):
            copies = data_parallel_copies(tree, mesh("4x2"))
            leaf = copies["transformer_blocks"]["attn"]["to_q"]["lora_a"]
            assert leaf.shape == (2, 4, 4, 2)
            weights = jnp.arange(4, dtype=jnp.float32)[None, :, None, None]
            return jnp.sum(leaf * weights) + jnp.sum(copies["source_embedding"])

        return jax.grad(loss)(tree)

    found = jax.block_until_ready(gradient(trainable))
    np.testing.assert_array_equal(
        found["transformer_blocks"]["attn"]["to_q"]["lora_a"], np.full((2, 4, 2), 6.0)
    )
    np.testing.assert_array_equal(found["source_embedding"], np.ones((1, 4)))


def random_like(tree, rng):
    """Random weights of a sensible size, made without running an initialisation."""

    def draw(name, leaf):
        values = rng.standard_normal(leaf.shape, np.float32)
        if name.endswith("scale"):
            return 1 + 0.1 * values
        fan_in = leaf.shape[-2] if leaf.ndim > 1 else 100
        return values * np.float32(fan_in**-0.5)

    return unflatten({name: draw(name, leaf) for name, leaf in flatten(tree).items()})


def losses(text, config, num_steps):
    """Losses of a few steps on one batch, the adapters being random from the start."""
    shape = BatchShape(size=4, grid=(3, 2), num_context=5)
    compiled, places = compile_step(config, mesh(text), shape)
    variables = abstract_variables(TBStar(config))
    rng = np.random.default_rng(1)
    trainable = random_like(variables["pattern_shifting"], rng)
    frozen = random_like(variables["params"], rng)
    batch = {
        name: rng.standard_normal(leaf.shape, np.float32)
        for name, leaf in shape.abstract(config).items()
    }
    batch["time"] = rng.uniform(0.1, 1.0, 4).astype(np.float32)
    batch["num_context_tokens"] = np.asarray([5, 3, 1, 4], np.int32)
    state = (trainable, OPTIMIZER.init(trainable), frozen, batch)
    trainable, opt_state, frozen, batch = jax.device_put(state, places)
    found = []
    for _ in range(num_steps):
        trainable, opt_state, loss = jax.block_until_ready(
            compiled(trainable, opt_state, frozen, batch)
        )
        found.append(float(loss))
    return found


def test_one_device_and_4x2_have_the_same_losses():
    config = make_config(
        num_layers=2, num_heads=2, head_dim=16, rank=4, targets=ALL_LINEARS
    )
    alone, together = losses("1x1", config, 4), losses("4x2", config, 4)
    assert alone[-1] < 0.98 * alone[0]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
