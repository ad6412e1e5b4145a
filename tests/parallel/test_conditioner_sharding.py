"""The 8B conditioner lies on a mesh whole, and a mesh does not change what it says."""

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from tbstar_jax.model.conditioner.qwen25_config import qwen25_vl_7b
from tbstar_jax.model.conditioner.qwen25_vl import (
    PromptImages,
    PromptInputs,
    Qwen25VL,
    abstract_conditioner,
)
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh
from tbstar_jax.parallel.sharding import (
    ActivationShard,
    batch_sharding,
    variable_shardings,
)
from tbstar_jax.trees import flatten, unflatten
from tests.support.qwen_vl import small_config


def mesh(text):
    return make_mesh(parse_mesh(text))


@pytest.mark.parametrize("text", ["4x2", "2x4", "1x8", "8x1"])
def test_every_device_holds_its_share_of_the_7b_model(text):
    tree = abstract_conditioner(qwen25_vl_7b())
    places = flatten(variable_shardings(tree, mesh(text), "conditioner"))
    held = sum(
        np.prod(places[name].shard_shape(leaf.shape))
        for name, leaf in flatten(tree).items()
    )
    total = sum(leaf.size for leaf in flatten(tree).values())
    # On 1x8 the feed-forward of the vision tower, 5 % of the whole, is not split.
    assert held / total < (0.18 if text == "1x8" else 0.16)


def test_the_language_model_is_sharded_over_both_axes():
    tree = abstract_conditioner(qwen25_vl_7b())
    found = flatten(variable_shardings(tree, mesh("4x2"), "conditioner"))
    layers = "language_model/layers"
    into, out_of = ("data", "model"), ("model", "data")
    expected = {
        "language_model/embed_tokens": PartitionSpec("model", "data"),
        f"{layers}/self_attn/k_proj/kernel": PartitionSpec(None, *into),
        f"{layers}/self_attn/o_proj/kernel": PartitionSpec(None, *out_of),
        f"{layers}/mlp/up_proj/kernel": PartitionSpec(None, *into),
        f"{layers}/mlp/down_proj/kernel": PartitionSpec(None, *out_of),
        f"{layers}/self_attn/q_proj/bias": PartitionSpec(None, "model"),
    }
    assert {name: found[name].spec for name in expected} == expected


def _random_inputs(config, batch):
    rng = np.random.default_rng(0)
    num_windows, num_tokens = 2, 40
    per_window = config.vision.patches_per_window
    lead = (batch, 1, num_windows, per_window)
    cell_index = np.full((batch, num_tokens), -1, np.int32)
    cell_index[:, 4:20] = np.arange(16)
    return PromptInputs(
        token_ids=rng.integers(0, 200, (batch, num_tokens)).astype(np.int32),
        position_ids=rng.integers(0, 40, (batch, num_tokens, 3)).astype(np.int32),
        num_tokens=rng.integers(25, 40, batch).astype(np.int32),
        cell_index=cell_index,
        images=PromptImages(
            patches=rng.normal(size=(*lead, config.vision.patch_dim)).astype("f"),
            position_ids=rng.integers(0, 16, (*lead, 2)).astype(np.int32),
            is_patch=np.ones(lead, bool),
        ),
        num_dropped=2,
    )


def _random_params(config):
    rng = np.random.default_rng(1)

    def draw(leaf):
        fan_in = np.prod(leaf.shape[:-1][-4:]) if leaf.ndim > 1 else 10
        return (rng.normal(size=leaf.shape) * fan_in**-0.5).astype(np.float32)

    tree = flatten(abstract_conditioner(config))
    return unflatten({name: draw(leaf) for name, leaf in tree.items()})


def test_one_device_and_4x2_have_the_same_context():
    config = small_config()
    params, inputs = _random_params(config), _random_inputs(config, batch=4)
    alone, num_alone = jax.jit(Qwen25VL(config).apply)({"params": params}, inputs)
    devices = mesh("4x2")
    model = Qwen25VL(config, shard=ActivationShard(devices))
    places = variable_shardings(params, devices, "conditioner")
    together, num_together = jax.block_until_ready(
        jax.jit(model.apply)(
            {"params": jax.device_put(params, places)},
            jax.device_put(inputs, batch_sharding(devices)),
        )
    )
    np.testing.assert_array_equal(num_together, num_alone)
    np.testing.assert_allclose(together, alone, rtol=0, atol=2e-5)
