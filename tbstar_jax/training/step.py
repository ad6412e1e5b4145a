"""One train step: a pure function of (state, frozen, batch).

    D_k   = sum over all examples of the weight of term k
    loss  = sum_k lambda_k * (sum over all examples of weight * loss of term k) / D_k
    state = optimizer(d loss / d trainable)

Only `trainable` is differentiated and only `state` is donated; `frozen` is an argument
of its own, never closed over, or it would be baked into the program. Accumulation over
`a` micro-batches divides by the denominators of the *whole* batch, so it gives what one
large batch gives, however unevenly the weights fall.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from tbstar_jax.array_types import Array, Bool, Float, PRNGKeyArray, Tree
from tbstar_jax.training.optimizer import ema_decay, require_float32, update_ema

Losses: TypeAlias = dict[str, Float[Array, " b"]]
"""Loss term to one value per example."""

LossFunction: TypeAlias = Callable[
    [Tree, Tree, dict[str, Array], PRNGKeyArray], tuple[Losses, Losses]
]
"""`(trainable, frozen, micro_batch, key) -> (losses, weights)`.

Both results have the same terms. A weight says how much an example counts in its term
(0: not at all) and depends on the data alone.
"""


@struct.dataclass
class TrainState:
    """What a step changes; everything a resumed run needs besides the frozen trees.

    Attributes:
      step: number of finished optimizer steps over all stages, int32.
      trainable: collection to tree of float32 arrays.
      optimizer_state: of the trainable leaves only.
      ema: moving average of `trainable`, same structure.
      key_data: data of the run's random key, uint32; never changes.
    """

    step: Any
    trainable: Any
    optimizer_state: Any
    ema: Any
    key_data: Any


def init_train_state(
    trainable: Tree,
    optimizer: optax.GradientTransformation,
    key: PRNGKeyArray,
    first_step: int,
) -> TrainState:
    """Makes the state a stage starts from.

    Args:
      trainable: float32 leaves; they are copied, since a step donates its state.
      optimizer: its state starts fresh.
      key: the run's random key.
      first_step: global step of the stage's first step.
    """
    require_float32(trainable)
    return TrainState(
        step=jnp.int32(first_step),
        trainable=jax.tree.map(jnp.copy, trainable),
        optimizer_state=optimizer.init(trainable),
        ema=jax.tree.map(jnp.copy, trainable),
        key_data=jax.random.key_data(key),
    )


def train_step(
    state: TrainState,
    frozen: Tree,
    batch: Mapping[str, Array],
    *,
    loss_fn: LossFunction,
    loss_weights: Mapping[str, float],
    optimizer: optax.GradientTransformation,
    schedule: optax.Schedule,
    largest_ema_decay: float,
) -> tuple[TrainState, dict[str, Array]]:
    """Does one step; `make_train_step` compiles it.

    Args:
      state: before the step.
      frozen: what the loss needs but does not train.
      batch: arrays `[a b ...]`: micro-batches, examples.
      loss_fn: losses per example.
      loss_weights: lambda of every term; a term with 0 is only logged.
      optimizer: over the trainable tree.
      schedule: learning rate by global step, as the optimizer has it; logged.
      largest_ema_decay: of the moving average.

    Returns:
      The state after the step, and scalars: `loss`, `loss/<term>`, `grad_norm`,
      `learning_rate`, `is_finite`. Where loss or gradient norm is not finite, the state
      is returned unchanged and `is_finite` is False.
    """
    key = jax.random.fold_in(jax.random.wrap_key_data(state.key_data), state.step)
    sums, gradient = _accumulate(
        loss_fn, loss_weights, state.trainable, frozen, dict(batch), key
    )
    loss = _weighted_sum(sums, loss_weights)
    grad_norm = optax.tree.norm(gradient)
    is_finite = jnp.isfinite(loss) & jnp.isfinite(grad_norm)
    updates, optimizer_state = optimizer.update(
        gradient, state.optimizer_state, state.trainable
    )
    trainable = optax.apply_updates(state.trainable, updates)
    decay = ema_decay(state.step, largest_ema_decay)
    stepped = dataclasses.replace(
        state,
        step=state.step + np.int32(1),
        trainable=trainable,
        optimizer_state=optimizer_state,
        ema=update_ema(state.ema, trainable, decay),
    )
    metrics = {
        "loss": loss,
        **{f"loss/{term}": value for term, value in sums.items()},
        "grad_norm": grad_norm,
        "learning_rate": jnp.asarray(schedule(state.step), jnp.float32),
        "is_finite": is_finite,
    }
    return _choose(is_finite, stepped, state), metrics


def make_train_step(
    loss_fn: LossFunction,
    optimizer: optax.GradientTransformation,
    schedule: optax.Schedule,
    *,
    loss_weights: Mapping[str, float],
    largest_ema_decay: float,
    state_shardings: TrainState,
    frozen_shardings: Any,
    batch_shardings: Any,
) -> Any:
    """Compiles `train_step` once per batch shape, donating the state.

    Args:
      loss_fn: see `train_step`.
      optimizer: see `train_step`.
      schedule: see `train_step`.
      loss_weights: see `train_step`.
      largest_ema_decay: see `train_step`.
      state_shardings: a `TrainState` of shardings.
      frozen_shardings: shardings of the frozen tree, or one prefix for all of it.
      batch_shardings: shardings of the batch, or one prefix for all of it.

    Returns:
      The jitted `(state, frozen, batch) -> (state, metrics)`; metrics are replicated.
    """
    # Copies, so that nothing static can change under the compiled program.
    weights = dict(loss_weights)

    def step(
        state: TrainState, frozen: Tree, batch: dict[str, Array]
    ) -> tuple[TrainState, dict[str, Array]]:
        return train_step(
            state,
            frozen,
            batch,
            loss_fn=loss_fn,
            loss_weights=weights,
            optimizer=optimizer,
            schedule=schedule,
            largest_ema_decay=largest_ema_decay,
        )

    return jax.jit(
        step,
        in_shardings=(state_shardings, frozen_shardings, batch_shardings),
        out_shardings=(state_shardings, state_shardings.step),
        donate_argnums=0,
    )


def _accumulate(
    loss_fn: LossFunction,
    loss_weights: Mapping[str, float],
    trainable: Tree,
    frozen: Tree,
    batch: dict[str, Array],
    key: PRNGKeyArray,
) -> tuple[dict[str, Array], Tree]:
    """Returns the terms' means over the whole batch and the gradient of their sum."""
    num_micro_batches = jax.tree.leaves(batch)[0].shape[0]

    def terms(
        trainable: Tree, index: Any, denominators: dict[str, Array] | None
    ) -> tuple[Array, dict[str, Array]]:
        micro_batch = jax.tree.map(lambda x: x[index], batch)
        losses, weights = loss_fn(
            trainable, frozen, micro_batch, jax.random.fold_in(key, index)
        )
        _require_terms(losses, weights, loss_weights)
        if denominators is None:
            denominators = _sums(weights)
        means = {
            term: jnp.sum(_float32(weights[term]) * _float32(value))
            / jnp.where(denominators[term] > 0, denominators[term], np.float32(1))
            for term, value in losses.items()
        }
        return _weighted_sum(means, loss_weights), means

    if num_micro_batches == 1:
        gradient, means = jax.grad(terms, has_aux=True)(trainable, np.int32(0), None)
        return means, gradient

    def weights_of(_: None, index: Array) -> tuple[None, dict[str, Array]]:
        # Only the weights leave this loop, so the compiler drops the model from it.
        micro_batch = jax.tree.map(lambda x: x[index], batch)
        inner_key = jax.random.fold_in(key, index)
        return None, _sums(loss_fn(trainable, frozen, micro_batch, inner_key)[1])

    indices = jnp.arange(num_micro_batches, dtype=jnp.int32)
    _, per_micro_batch = jax.lax.scan(weights_of, None, indices)
    denominators = jax.tree.map(jnp.sum, per_micro_batch)

    def add(carry: Any, index: Array) -> tuple[Any, None]:
        gradient, means = jax.grad(terms, has_aux=True)(trainable, index, denominators)
        return jax.tree.map(jnp.add, carry, (gradient, means)), None

    zeros = jax.tree.map(jnp.zeros_like, (trainable, denominators))
    (gradient, means), _ = jax.lax.scan(add, zeros, indices)
    return means, gradient


def _sums(weights: Losses) -> dict[str, Array]:
    return {
        term: jnp.sum(_float32(jax.lax.stop_gradient(value)))
        for term, value in weights.items()
    }


def _weighted_sum(
    means: Mapping[str, Array], loss_weights: Mapping[str, float]
) -> Float[Array, ""]:
    # Terms of weight 0 are left out rather than multiplied, so that they cost no
    # gradient and cannot make the loss non-finite.
    parts = [
        np.float32(weight) * means[term]
        for term, weight in loss_weights.items()
        if weight != 0
    ]
    return sum(parts, start=jnp.zeros((), jnp.float32))


def _require_terms(
    losses: Losses, weights: Losses, loss_weights: Mapping[str, float]
) -> None:
    assert losses.keys() == weights.keys() == loss_weights.keys(), (
        f"terms differ: losses {sorted(losses)}, weights {sorted(weights)}, "
        f"loss weights {sorted(loss_weights)}"
    )


def _float32(x: Array) -> Float[Array, "..."]:
    return x.astype(jnp.float32)


def _choose(condition: Bool[Array, ""], new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
