"""Schedule corners, optimizer state and moving average."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.training.optimizer import (
    OptimizerConfig,
    PhaseSchedule,
    ema_decay,
    make_optimizer,
    phase_schedule,
    require_float32,
    two_phase_schedule,
    update_ema,
)

PHASE1 = PhaseSchedule(
    peak=1.0,
    floor=0.1,
    num_warmup_steps=4,
    num_constant_steps=2,
    num_cosine_steps=4,
)
PHASE2 = PhaseSchedule(
    peak=0.5,
    floor=0.0,
    num_warmup_steps=0,
    num_constant_steps=0,
    num_cosine_steps=2,
)


def test_the_schedule_has_its_literal_values_at_every_corner():
    schedule = two_phase_schedule(PHASE1, PHASE2, boundary_step=12)
    expected = {
        0: 0.2,  # (0 + 1) / (4 + 1)
        3: 0.8,
        4: 1.0,  # the warm-up is over
        5: 1.0,
        6: 1.0,  # the cosine starts at the peak
        8: 0.55,  # halfway between peak and floor
        10: 0.1,
        11: 0.1,  # the floor lasts
        12: 0.5,  # phase 2 without warm-up
        13: 0.25,
        14: 0.0,
        99: 0.0,
    }
    values = {step: float(schedule(jnp.int32(step))) for step in expected}
    assert values == pytest.approx(expected, abs=1e-6)


def test_a_phase_without_cosine_stays_at_its_peak():
    phase = PhaseSchedule(
        peak=0.3,
        floor=0.0,
        num_warmup_steps=2,
        num_constant_steps=3,
        num_cosine_steps=0,
    )
    schedule = phase_schedule(phase)
    values = [float(schedule(jnp.int32(step))) for step in (0, 1, 2, 4, 5, 50)]
    assert values == pytest.approx([0.1, 0.2, 0.3, 0.3, 0.3, 0.3], abs=1e-6)


def test_the_optimizer_reads_the_schedule_at_the_global_step():
    schedule = two_phase_schedule(PHASE1, PHASE2, boundary_step=12)
    config = OptimizerConfig(weight_decay=0.0, clip_norm=1e9)
    params = {"x": jnp.zeros(())}
    gradient = {"x": jnp.ones(())}

    def first_update(first_step):
        optimizer = make_optimizer(config, schedule, first_step=first_step)
        updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        return float(updates["x"])

    # Adam's first update is minus the learning rate.
    assert first_update(0) == pytest.approx(-0.2, rel=1e-5)
    assert first_update(13) == pytest.approx(-0.25, rel=1e-5)


def test_the_clip_bounds_the_norm_over_all_leaves():
    optimizer = optax.chain(
        make_optimizer(
            OptimizerConfig(clip_norm=1.0),
            optax.constant_schedule(1.0),
            first_step=0,
        )
    )
    state = optimizer.init({"a": jnp.zeros(2), "b": jnp.zeros(2)})
    gradient = {"a": jnp.full(2, 30.0), "b": jnp.full(2, 40.0)}
    _, state = optimizer.update(gradient, state, {"a": jnp.zeros(2), "b": jnp.zeros(2)})
    moments = optax.tree_utils.tree_get(state, "mu")
    # The clipped gradient has norm 1, and the first moment is a tenth of it.
    assert float(optax.tree.norm(moments)) == pytest.approx(0.1, rel=1e-5)


def updates_with(first_moment_dtype, num_steps=200):
    """State and updates for one sequence of gradients around 0.1, at a rate of 1."""
    config = OptimizerConfig(
        first_moment_dtype=first_moment_dtype, weight_decay=0.0, clip_norm=1e9
    )
    optimizer = make_optimizer(config, optax.constant_schedule(1.0), first_step=0)
    params = {"x": jnp.zeros(64)}
    state = optimizer.init(params)
    noise = np.random.default_rng(0).normal(0.1, 1.0, (num_steps, 64))
    updates = []
    for gradient in noise.astype(np.float32):
        update, state = optimizer.update({"x": jnp.asarray(gradient)}, state, params)
        updates.append(np.asarray(update["x"]))
    return state, np.stack(updates)


def test_a_first_moment_in_bfloat16_moves_weights_as_one_in_float32_does():
    state, updates = updates_with("bfloat16")
    _, expected = updates_with("float32")
    dtypes = {
        name: optax.tree_utils.tree_get(state, name)["x"].dtype for name in ("mu", "nu")
    }
    assert dtypes == {"mu": jnp.bfloat16, "nu": jnp.float32}
    assert updates.dtype == np.float32
    # Half a unit in bfloat16's last place is 2^-9, and a moment sums some five
    # roundings of both signs. (A decay rounded to bfloat16 would give 6 times 2^-9.)
    norm = np.linalg.norm
    assert 0 < norm(updates - expected) < 2 * 2**-9 * norm(expected)
    assert norm((updates - expected).sum(0)) < 2 * 2**-9 * norm(expected.sum(0))


def test_moments_are_float32_unless_the_first_is_asked_for_in_less():
    optimizer = make_optimizer(
        OptimizerConfig(), optax.constant_schedule(1.0), first_step=0
    )
    state = optimizer.init({"x": jnp.zeros(3)})
    dtypes = {str(leaf.dtype) for leaf in jax.tree.leaves(state)}
    assert dtypes == {"float32", "int32"}


def test_the_average_warms_up_and_then_decays_as_configured():
    decays = [float(ema_decay(jnp.int32(step), 0.5)) for step in (0, 2, 8, 1000)]
    assert decays == pytest.approx([0.1, 0.25, 0.5, 0.5])


def test_one_update_moves_the_average_by_one_minus_decay():
    ema = update_ema({"x": jnp.zeros(2)}, {"x": jnp.ones(2)}, jnp.float32(0.75))
    np.testing.assert_allclose(ema["x"], [0.25, 0.25], rtol=1e-7)
    assert ema["x"].dtype == jnp.float32


def test_trainable_leaves_of_another_dtype_are_refused():
    with pytest.raises(UserError, match=r"must be float32, not x \(bfloat16\)"):
        require_float32({"x": jnp.zeros(1, jnp.bfloat16), "y": jnp.zeros(1)})


@pytest.mark.parametrize(
    "change", [{"peak": 0.0}, {"floor": 2.0}, {"num_cosine_steps": -1}]
)
def test_an_impossible_phase_is_refused(change):
    values = {
        "peak": 1.0,
        "floor": 0.0,
        "num_warmup_steps": 1,
        "num_constant_steps": 1,
        "num_cosine_steps": 1,
    }
    with pytest.raises(UserError):
        PhaseSchedule(**(values | change))


@pytest.mark.parametrize(
    "change", [{"beta1": 1.0}, {"ema_decay": -0.1}, {"clip_norm": 0.0}]
)
def test_an_impossible_optimizer_is_refused(change):
    with pytest.raises(UserError):
        OptimizerConfig(**change)
