"""The train step: what moves, what stays, and what it is worth."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tbstar_jax.parallel.sharding import optimizer_state_shardings
from tbstar_jax.training.freeze import partition
from tbstar_jax.training.optimizer import make_optimizer
from tbstar_jax.training.step import init_train_state, make_train_step
from tbstar_jax.trees import count_parameters, flatten, leaf_names
from tests.training.toy import (
    CONFIG,
    LOSS_WEIGHTS,
    SCHEDULE,
    toy_batch,
    toy_loss,
    toy_run,
    toy_variables,
)


def copies(tree):
    return jax.tree.map(lambda x: np.array(x, copy=True), tree)


def test_after_two_steps_all_trainable_leaves_moved_and_no_frozen_leaf_did():
    state, frozen, step = toy_run()
    before, frozen_before = copies(state), copies(frozen)
    for index in range(2):
        state, metrics = step(state, frozen, toy_batch(index, num_micro_batches=4))
        assert bool(metrics["is_finite"])
    for name in ("trainable", "ema"):
        old, new = flatten(getattr(before, name)), flatten(getattr(state, name))
        assert all((old[leaf] != np.asarray(new[leaf])).any() for leaf in old)
    for left, right in zip(
        jax.tree.leaves(frozen_before), jax.tree.leaves(frozen), strict=True
    ):
        np.testing.assert_array_equal(left, right)
    assert int(state.step) == 2


def test_the_optimizer_state_holds_no_frozen_leaf():
    state, _, _ = toy_run()
    names = leaf_names(state.optimizer_state)
    assert not [name for name in names if "params" in name]
    moments = [leaf for leaf in names.values() if leaf.ndim]
    assert count_parameters(moments) == 2 * count_parameters(state.trainable)


def test_four_micro_batches_of_two_equal_one_of_eight():
    results = []
    for num_micro_batches in (1, 4):
        state, frozen, step = toy_run()
        for index in range(3):
            batch = toy_batch(index, num_micro_batches)
            state, metrics = step(state, frozen, batch)
        metrics = {k: float(v) for k, v in metrics.items() if k != "loss/watched"}
        results.append((copies(state), metrics))
    (one, metrics_one), (four, metrics_four) = results
    for name in metrics_one:
        assert metrics_four[name] == pytest.approx(metrics_one[name], rel=1e-6)
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(four), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)


def test_the_loss_is_the_weighted_sum_of_true_means():
    state, frozen, step = toy_run()
    batch = toy_batch(0, num_micro_batches=2)
    flat = {k: jnp.asarray(v.reshape(8, *v.shape[2:])) for k, v in batch.items()}
    losses, _ = toy_loss(state.trainable, frozen, flat, jax.random.key(0))
    expected = float(jnp.mean(losses["flow"]) + 0.5 * jnp.sum(losses["gate"]) / 5.0)
    _, metrics = step(state, frozen, batch)
    assert float(metrics["loss"]) == pytest.approx(expected, rel=1e-6)
    assert float(metrics["learning_rate"]) == pytest.approx(1e-2)


def test_a_term_no_example_counts_in_is_zero():
    state, frozen, step = toy_run()
    batch = toy_batch(0) | {"is_dropped": np.ones((1, 8), bool)}
    _, metrics = step(state, frozen, batch)
    assert float(metrics["loss/gate"]) == 0.0
    assert bool(metrics["is_finite"])


def test_a_non_finite_loss_leaves_the_state_unchanged():
    state, frozen, step = toy_run()
    state, _ = step(state, frozen, toy_batch(0))
    before = copies(state)
    batch = toy_batch(1)
    batch["x"][0, 0, 0] = np.nan
    after, metrics = step(state, frozen, batch)
    assert not bool(metrics["is_finite"])
    for left, right in zip(
        jax.tree.leaves(before), jax.tree.leaves(after), strict=True
    ):
        np.testing.assert_array_equal(left, right)


def test_a_non_finite_gradient_of_a_finite_loss_is_caught():
    def loss_fn(trainable, frozen, batch, key):
        losses, weights = toy_loss(trainable, frozen, batch, key)
        down = trainable["pattern_shifting"]["down"]
        # The value of sqrt at 0 is finite, its derivative is not.
        losses["flow"] = losses["flow"] + jnp.sqrt(jnp.sum(down - down))
        return losses, weights

    state, frozen, step = toy_run(loss_fn)
    _, metrics = step(state, frozen, toy_batch(0))
    assert np.isfinite(float(metrics["loss"]))
    assert not bool(metrics["is_finite"])


def test_a_term_of_weight_zero_cannot_stop_the_run():
    def loss_fn(trainable, frozen, batch, key):
        losses, weights = toy_loss(trainable, frozen, batch, key)
        losses["watched"] = jnp.full_like(losses["watched"], jnp.nan)
        return losses, weights

    state, frozen, step = toy_run(loss_fn)
    _, metrics = step(state, frozen, toy_batch(0))
    assert bool(metrics["is_finite"])
    assert np.isnan(float(metrics["loss/watched"]))


def test_every_step_and_every_micro_batch_draws_its_own_key():
    drawn = []

    def loss_fn(trainable, frozen, batch, key):
        data = jax.random.key_data(key)
        jax.debug.callback(lambda value: drawn.append(tuple(value.tolist())), data)
        return toy_loss(trainable, frozen, batch, key)

    state, frozen, step = toy_run(loss_fn)
    for index in range(2):
        state, _ = step(state, frozen, toy_batch(index, num_micro_batches=2))
    jax.effects_barrier()
    assert len(set(drawn)) == 4


def test_the_state_is_donated_and_the_frozen_tree_is_not():
    state, frozen, step = toy_run()
    step(state, frozen, toy_batch(0))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.trainable))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(frozen))


def test_eight_devices_give_the_losses_of_one():
    mesh = Mesh(np.array(jax.devices()), ("data",))
    losses = []
    for each in (None, mesh):
        state, frozen, step = toy_run(mesh=each)
        values = []
        for index in range(3):
            state, metrics = step(state, frozen, toy_batch(index))
            values.append(float(jax.block_until_ready(metrics)["loss"]))
        losses.append(values)
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_a_state_made_in_its_shardings_can_be_donated_and_equals_the_one_on_a_device():
    mesh = Mesh(np.array(jax.devices()).reshape(4, 2), ("data", "model"))
    replicated = NamedSharding(mesh, PartitionSpec())
    split = NamedSharding(mesh, PartitionSpec(None, "model"))
    parts = partition(toy_variables(), "stage1")
    shardings = {"pattern_shifting": {"down": split, "up": split}}
    optimizer = make_optimizer(CONFIG, SCHEDULE, first_step=0)

    def init(trainable):
        return init_train_state(trainable, optimizer, jax.random.key(7), 0)

    abstract = jax.eval_shape(init, parts.trainable)
    state_shardings = dataclasses.replace(
        jax.tree.map(lambda _: replicated, abstract),
        trainable=shardings,
        ema=shardings,
        optimizer_state=optimizer_state_shardings(
            optimizer, abstract.optimizer_state, shardings
        ),
    )
    step = make_train_step(
        toy_loss,
        optimizer,
        SCHEDULE,
        loss_weights=LOSS_WEIGHTS,
        largest_ema_decay=CONFIG.ema_decay,
        state_shardings=state_shardings,
        frozen_shardings=replicated,
        batch_shardings=NamedSharding(mesh, PartitionSpec(None, "data")),
    )
    state = jax.jit(init, out_shardings=state_shardings)(parts.trainable)
    frozen = jax.device_put(parts.frozen, replicated)
    single, single_frozen, single_step = toy_run()
    for index in range(2):
        batch = toy_batch(index, num_micro_batches=2)
        state, metrics = jax.block_until_ready(step(state, frozen, batch))
        single, single_metrics = single_step(single, single_frozen, batch)
        assert float(metrics["loss"]) == pytest.approx(
            float(single_metrics["loss"]), rel=1e-5
        )
    moment = optax.tree_utils.tree_get(state.optimizer_state, "mu")
    assert moment["pattern_shifting"]["up"].sharding == split
    assert metrics["loss"].sharding.is_fully_replicated


def test_counting_the_weights_first_costs_no_second_forward_pass():
    def heavy(trainable, frozen, batch, key):
        x = batch["x"]
        for _ in range(30):
            x = jnp.sin(x @ frozen["params"]["kernel"])
        losses, weights = toy_loss(trainable, frozen, {**batch, "x": x}, key)
        return losses, weights

    flops = []
    for num_micro_batches in (1, 2):
        state, frozen, step = toy_run(heavy)
        # A loop's body is counted once: with two micro-batches, half the work remains.
        batch = toy_batch(0, num_micro_batches, size=64 * num_micro_batches)
        compiled = step.lower(state, frozen, batch).compile()
        flops.append(compiled.cost_analysis()["flops"])
    assert flops[1] < 1.2 * flops[0]


def test_losses_and_weights_must_name_the_same_terms():
    def loss_fn(trainable, frozen, batch, key):
        losses, weights = toy_loss(trainable, frozen, batch, key)
        del weights["gate"]
        return losses, weights

    state, frozen, step = toy_run(loss_fn)
    with pytest.raises(AssertionError, match="terms differ"):
        step(state, frozen, toy_batch(0))
