"""Where a run's arrays lie: weights, optimizer state and batches on the mesh."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding

from tbstar_jax.array_types import Array, Tree, Variables
from tbstar_jax.parallel.sharding import (
    batch_sharding,
    optimizer_state_shardings,
    replicated,
    variable_shardings,
)
from tbstar_jax.training.step import TrainState, init_train_state


def shardings_of(variables: Variables, mesh: Mesh) -> Variables:
    """The sharding of every leaf, collection by collection."""
    return {
        name: variable_shardings(tree, mesh, name) for name, tree in variables.items()
    }


def place_frozen(variables: Variables, mesh: Mesh, dtype: Any) -> Variables:
    """Frozen trees on their devices, in the compute dtype."""
    return jax.tree.map(
        lambda leaf, sharding: _global_array(np.asarray(leaf, dtype), sharding),
        variables,
        shardings_of(variables, mesh),
    )


def make_state(
    optimizer: optax.GradientTransformation,
    mesh: Mesh,
    seed: int,
    start: int,
    trainable: Tree,
) -> TrainState:
    """A fresh training state on its devices.

    Args:
      optimizer: over the trainable tree.
      mesh: of the run.
      seed: of noise and times.
      start: the global step it stands at.
      trainable: collection to tree, host arrays.
    """
    shardings = shardings_of(trainable, mesh)
    placed = jax.tree.map(
        lambda leaf, sharding: _global_array(np.asarray(leaf), sharding),
        trainable,
        shardings,
    )
    key = jax.random.key(seed)

    def make(tree: Tree) -> TrainState:
        return init_train_state(tree, optimizer, key, start)

    abstract = jax.eval_shape(make, placed)
    whole = replicated(mesh)
    out_shardings = TrainState(
        step=whole,
        trainable=shardings,
        optimizer_state=optimizer_state_shardings(
            optimizer, abstract.optimizer_state, shardings
        ),
        ema=shardings,
        key_data=whole,
    )
    return jax.jit(make, out_shardings=out_shardings)(placed)


def place_batch(mesh: Mesh, batch: Mapping[str, np.ndarray]) -> dict[str, Array]:
    """This process' share of a step `[a b ...]`, as global arrays."""
    sharding = batch_sharding(mesh, batch_axis=1)
    return {
        name: jax.make_array_from_process_local_data(sharding, array)
        for name, array in batch.items()
    }


def _global_array(array: np.ndarray, sharding: NamedSharding) -> Array:
    """An array every process holds a copy of, placed by shards."""
    return jax.make_array_from_callback(
        array.shape, sharding, lambda index: array[index]
    )
