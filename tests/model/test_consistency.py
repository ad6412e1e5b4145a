"""The keep gate by itself: what it sees, what it learns from, what it holds back."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tbstar_jax.model.consistency import KeepGate

WIDTH, CHANNELS, TOKENS = 24, 16, 32


def states(key, batch=4):
    keys = jax.random.split(key, 3)
    target, source = (jax.random.normal(k, (batch, TOKENS, WIDTH)) for k in keys[:2])
    difference = jax.random.normal(keys[2], (batch, TOKENS, CHANNELS))
    return target, source, difference, jnp.linspace(0.1, 0.9, batch)


def gate_with_weights():
    gate = KeepGate(width=32, dtype=jnp.float32)
    leaves = gate.init({"consistency": jax.random.key(0)}, *states(jax.random.key(1)))
    drawn = 0.3 * jax.random.normal(jax.random.key(2), (32, 1))
    return gate, {"consistency": {**leaves["consistency"], "out_kernel": drawn}}


def test_at_initialisation_every_logit_is_zero():
    gate = KeepGate(width=32, dtype=jnp.float32)
    inputs = states(jax.random.key(1))
    variables = gate.init({"consistency": jax.random.key(0)}, *inputs)
    np.testing.assert_array_equal(gate.apply(variables, *inputs), np.zeros((4, TOKENS)))


@pytest.mark.parametrize("index", range(4))
def test_it_sees_all_of_its_inputs(index):
    gate, variables = gate_with_weights()
    inputs = list(states(jax.random.key(1)))
    before = gate.apply(variables, *inputs)
    inputs[index] = states(jax.random.key(3))[index] if index < 3 else inputs[3] / 2
    assert float(jnp.abs(gate.apply(variables, *inputs) - before).min()) > 0


def test_a_token_sees_the_others_through_their_mean():
    gate, variables = gate_with_weights()
    target, *others = states(jax.random.key(1))
    before = gate.apply(variables, target, *others)
    after = gate.apply(
        variables, target.at[:, 0].add(jnp.linspace(0, 9, WIDTH)), *others
    )
    moved = jnp.abs(after - before)
    assert float(moved[:, 1:].min()) > 0
    permuted = jnp.roll(jnp.arange(TOKENS), 5)
    rolled = gate.apply(
        variables, *(x[:, permuted] for x in (target, *others[:2])), others[2]
    )
    np.testing.assert_allclose(rolled, before[:, permuted], atol=1e-5)


def test_the_velocity_learns_nothing_from_the_gate():
    gate, variables = gate_with_weights()
    target, source, difference, time = states(jax.random.key(1))

    def loss(target, difference):
        return jnp.sum(gate.apply(variables, target, source, difference, time) ** 2)

    through_states, through_estimate = jax.grad(loss, (0, 1))(target, difference)
    assert np.any(through_states)
    assert not np.any(through_estimate)


def test_it_learns_to_keep_what_the_estimate_left_alone():
    """Only the size of the difference tells the tokens apart here."""
    gate = KeepGate(width=32, dtype=jnp.float32)
    leaves = gate.init({"consistency": jax.random.key(0)}, *states(jax.random.key(1)))
    optimizer = optax.adam(1e-2)

    def examples(key):
        target, source, difference, time = states(key, batch=16)
        changed = jax.random.bernoulli(jax.random.fold_in(key, 1), 0.4, (16, TOKENS))
        size = jnp.where(changed, jnp.float32(1), jnp.float32(0.2))
        return (target, source, difference * size[..., None], time), changed

    @jax.jit
    def step(leaves, state, key):
        inputs, changed = examples(key)

        def loss(leaves):
            logit = gate.apply(leaves, *inputs)
            kept = 1 - changed.astype(jnp.float32)
            return jnp.mean(optax.sigmoid_binary_cross_entropy(logit, kept))

        gradient = jax.grad(loss)(leaves)
        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(leaves, updates), state

    state = optimizer.init(leaves)
    for index in range(300):
        leaves, state = step(
            leaves, state, jax.random.fold_in(jax.random.key(4), index)
        )
    inputs, changed = examples(jax.random.key(5))
    is_right = (gate.apply(leaves, *inputs) <= 0) == changed
    assert float(jnp.mean(is_right)) > 0.98
