"""Learning-rate schedule, AdamW and moving average over the trainable tree.

Weights, gradients, second moments and the average are float32.

The schedule is a function of the *global* step, which stage 2 continues from stage 1;
the optimizer's own counter starts at 0 in each stage, hence `first_step`.
"""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from tbstar_jax.array_types import Array, Float, Int
from tbstar_jax.errors import UserError
from tbstar_jax.trees import leaf_names, list_names


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhaseSchedule:
    """Linear warm-up from 0, constant, cosine to a floor that then lasts.

    Attributes:
      peak: learning rate after the warm-up.
      floor: learning rate at the end of the cosine.
      num_warmup_steps: steps of the warm-up; step s has `peak (s + 1) / (n + 1)`, so
        that no step is spent on a learning rate of 0.
      num_constant_steps: steps at the peak.
      num_cosine_steps: steps of the cosine.
    """

    peak: float
    floor: float
    num_warmup_steps: int
    num_constant_steps: int
    num_cosine_steps: int

    def __post_init__(self) -> None:
        if not 0 <= self.floor <= self.peak or self.peak <= 0:
            raise UserError(
                f"the learning rate's peak is {self.peak} and its floor {self.floor}; "
                "the peak must be above 0 and the floor between 0 and the peak"
            )
        counts = (
            self.num_warmup_steps,
            self.num_constant_steps,
            self.num_cosine_steps,
        )
        if min(counts) < 0:
            raise UserError(f"a schedule's step counts are {counts}; none may be < 0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW with a clip by global norm, and the moving average of the weights.

    Attributes:
      beta1: decay of the first moment, [0, 1).
      first_moment_dtype: what the first moment is stored as; it is computed in float32.
        bfloat16 saves 2 bytes per trainable weight.
      beta2: decay of the second moment, [0, 1).
      epsilon: added to the root of the second moment.
      weight_decay: decoupled, times the learning rate.
      clip_norm: largest global norm of the gradient over all trainable leaves.
      ema_decay: largest decay of the moving average, [0, 1).
    """

    beta1: float = 0.9
    first_moment_dtype: Literal["float32", "bfloat16"] = "float32"
    beta2: float = 0.99
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema_decay: float = 0.999

    def __post_init__(self) -> None:
        for name in ("beta1", "beta2", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; it must be in [0,1)")
        if self.clip_norm <= 0 or self.epsilon <= 0 or self.weight_decay < 0:
            raise UserError(
                f"clip_norm is {self.clip_norm}, epsilon {self.epsilon} and "
                f"weight_decay {self.weight_decay}; the first two must be above 0, the "
                "last not below 0"
            )


def phase_schedule(phase: PhaseSchedule) -> optax.Schedule:
    """Builds the schedule of one phase, counting from its own first step."""
    warmup = phase.num_warmup_steps
    parts: list[optax.Schedule] = []
    boundaries: list[int] = []
    if warmup:
        first = phase.peak / (warmup + 1)
        parts.append(optax.linear_schedule(first, phase.peak, warmup))
        boundaries.append(warmup)
    if phase.num_constant_steps:
        parts.append(optax.constant_schedule(phase.peak))
        boundaries.append(warmup + phase.num_constant_steps)
    if phase.num_cosine_steps:
        ratio = phase.floor / phase.peak
        cosine = optax.cosine_decay_schedule(phase.peak, phase.num_cosine_steps, ratio)
        # The cosine divides its counter, which strict promotion allows for floats only.
        parts.append(lambda count: cosine(jnp.asarray(count, jnp.float32)))
    else:
        parts.append(optax.constant_schedule(phase.peak))
    return optax.join_schedules(parts, boundaries)


def two_phase_schedule(
    phase1: PhaseSchedule, phase2: PhaseSchedule, boundary_step: int
) -> optax.Schedule:
    """Joins the schedules of both stages at the global step where stage 2 starts.

    Args:
      phase1: used for global steps below the boundary.
      phase2: used from the boundary on, counting from it.
      boundary_step: the global step stage 1 ended with; 0 for a run without stage 1.
    """
    schedules = [phase_schedule(phase1), phase_schedule(phase2)]
    return optax.join_schedules(schedules, [boundary_step])


def make_optimizer(
    config: OptimizerConfig, schedule: optax.Schedule, *, first_step: int
) -> optax.GradientTransformation:
    """Builds clip by global norm and AdamW; initialise it with the trainable tree only.

    Args:
      config: moments, weight decay and clip.
      schedule: learning rate by global step.
      first_step: the global step at which this optimizer's state starts.
    """
    chain = optax.chain(
        optax.clip_by_global_norm(config.clip_norm),
        optax.adamw(
            lambda count: schedule(count + first_step),
            b1=config.beta1,
            b2=config.beta2,
            eps=config.epsilon,
            weight_decay=config.weight_decay,
            mu_dtype=jnp.float32,
        ),
    )

    def cast_first_moment(state: Any, dtype: Any) -> Any:
        moment = optax.tree_utils.tree_get(state, "mu")
        return optax.tree_utils.tree_set(state, mu=optax.tree.cast(moment, dtype))

    def init(params: Any) -> Any:
        return cast_first_moment(chain.init(params), config.first_moment_dtype)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        # optax's own `mu_dtype` rounds the decay too: 0.9 becomes 0.8984, which makes
        # every moment 1.5 % too small.
        state = cast_first_moment(state, jnp.float32)
        # Adam's bias correction raises a float to an int32 counter, which callers who
        # promote strictly (our tests) would otherwise have to allow everywhere.
        with jax.numpy_dtype_promotion("standard"):
            updates, state = chain.update(updates, state, params)
        return updates, cast_first_moment(state, config.first_moment_dtype)

    return optax.GradientTransformation(init, update)


def require_float32(trainable: Any) -> None:
    """Checks that every trainable leaf is float32: moments and sums are only as exact.

    Raises:
      UserError: naming the leaves of another dtype.
    """
    names = leaf_names(trainable)
    wrong = [f"{n} ({x.dtype})" for n, x in names.items() if x.dtype != jnp.float32]
    if wrong:
        raise UserError(f"trainable leaves must be float32, not {list_names(wrong)}")


def ema_decay(step: Int[Array, ""], largest: float) -> Float[Array, ""]:
    """Returns `min(largest, (1 + step) / (10 + step))`: a young average forgets fast.

    Args:
      step: number of finished steps before this one.
      largest: the configured decay.
    """
    step_float = step.astype(jnp.float32)
    return jnp.minimum(jnp.float32(largest), (1.0 + step_float) / (10.0 + step_float))


def update_ema(ema: Any, trainable: Any, decay: Float[Array, ""]) -> Any:
    """Moves the average towards the weights: `ema + (1 - decay) (weights - ema)`."""
    rate = 1.0 - decay
    return jax.tree.map(lambda old, new: old + rate * (new - old), ema, trainable)
