"""LoRAs merged into the base, in float32.

    W <- cast(float32(W) + sum_k scale_k up_k @ down_k)

Arrays on the host become float32, for whoever places them to cast. Arrays that lie on
devices, sharded, keep dtype and place and are changed block by block, so that a large
base needs no second copy. A merged base is another base: the files' hashes and scales
join its identity, so what was trained on one merge cannot be put on another.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from tbstar_jax.array_types import Array, Tree
from tbstar_jax.convert.folder import Weights
from tbstar_jax.convert.forms import Index
from tbstar_jax.convert.lora import (
    Linear,
    Lora,
    LoraUpdate,
    linears,
    require_shape,
    updates_of,
)
from tbstar_jax.convert.tensor_files import StoredTensor
from tbstar_jax.trees import flatten, unflatten

_Matrices: TypeAlias = tuple[tuple[Any, Any, Any], ...]
"""(scale, up, down) of every update of one linear."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MergedTensor(StoredTensor):
    """A linear's weight in a file, read with its updates added.

    Attributes:
      updates: in the order they are added.
    """

    updates: tuple[LoraUpdate, ...]

    @property
    def dtype(self) -> np.dtype:
        """Float32, for the reader to cast to what the arrays are kept in."""
        _ = super().dtype  # refuses what is no weight
        return np.dtype(np.float32)

    def __getitem__(self, index: Index) -> np.ndarray:
        """Reads a part `[out, in]` and adds the same part of every update."""
        rows, columns = index
        total = super().__getitem__(index).astype(np.float32)
        for update in self.updates:
            dense = update.up[rows] @ update.down[:, columns]
            total += dense * np.float32(update.scale)
        return total


def merge_loras(weights: Weights, loras: Sequence[Lora]) -> Weights:
    """Merges LoRAs into a loaded base.

    Args:
      weights: the base; stage modules are left alone. Kernels on devices are consumed
        where a file changes them.
      loras: from `read_loras`.

    Returns:
      The same weights with the changed kernels (see the module's docstring) and another
      base identity.

    Raises:
      UserError: an update has another shape than its linear.
    """
    if not loras:
        return weights
    params = merged_params(
        weights.parts["params"], loras, weights.config.transformer.num_layers
    )
    identity = merged_identity(weights.identities["params"], loras)
    return dataclasses.replace(
        weights,
        parts={**weights.parts, "params": params},
        identities={**weights.identities, "params": identity},
    )


def merged_params(params: Tree, loras: Sequence[Lora], num_layers: int) -> Tree:
    """The base's parameters with LoRAs added; see `merge_loras`.

    Args:
      params: of the base.
      loras: from `read_loras`.
      num_layers: blocks of the base.

    Raises:
      UserError: an update has another shape than its linear.
    """
    flat = flatten(params)
    touched = _touched(loras, num_layers)
    # All is checked before anything is changed.
    found = {x.ours: _updates(x, flat, loras, num_layers) for x in touched}
    for linear in touched:
        path = f"{linear.ours}/kernel"
        merge = _merged_there if isinstance(flat[path], jax.Array) else _merged_here
        flat[path] = merge(flat[path], found[linear.ours], "{}" in linear.theirs)
    return unflatten(flat)


def merged_identity(identity: str, loras: Sequence[Lora]) -> str:
    """The identity of a base's `params` after a merge: 64 hexadecimal digits."""
    merges = [[lora.sha256, lora.file.scale] for lora in loras]
    return hashlib.sha256(json.dumps([identity, merges]).encode()).hexdigest()


def _touched(loras: Sequence[Lora], num_layers: int) -> list[Linear]:
    names = {name for lora in loras for name in lora.updates}
    return [x for x in linears() if names.intersection(x.names(num_layers))]


def _updates(
    linear: Linear, flat: Tree, loras: Sequence[Lora], num_layers: int
) -> list[list[LoraUpdate]]:
    """The updates of every linear of a family, in the order of the files."""
    width, features = flat[f"{linear.ours}/kernel"].shape[-2:]
    found = []
    for name in linear.names(num_layers):
        pairs = list(updates_of(loras, name))
        for lora, _ in pairs:
            require_shape(lora, name, (features, width))
        found.append([update for _, update in pairs])
    return found


def _merged_here(
    kernel: Any, updates: Sequence[Sequence[LoraUpdate]], is_stacked: bool
) -> np.ndarray:
    """The family's kernel `[l in out]` or `[in out]` in float32, on the host."""
    merged = np.asarray(kernel).astype(np.float32)
    for block, several in zip(merged if is_stacked else [merged], updates, strict=True):
        for update in several:
            block += (update.up @ update.down).T * np.float32(update.scale)
    return merged


def _merged_there(
    kernel: jax.Array, updates: Sequence[Sequence[LoraUpdate]], is_stacked: bool
) -> jax.Array:
    """The same where it lies, one block after the other."""
    for number, several in enumerate(updates):
        if several:
            matrices = tuple((np.float32(u.scale), u.up, u.down) for u in several)
            block = np.int32(number) if is_stacked else None
            kernel = _add(kernel, block, matrices, kernel.sharding)
            # One multi-device program at a time: see design.md.
            kernel.block_until_ready()
    return kernel


@functools.partial(jax.jit, donate_argnums=0, static_argnums=3)
def _add(kernel: Array, block: Any, matrices: _Matrices, sharding: Any) -> Array:
    """Adds to one block (None: to the whole kernel), in float32, then casts."""
    part = kernel if block is None else jax.lax.dynamic_index_in_dim(kernel, block, 0)
    total = part.astype(jnp.float32)
    for scale, up, down in matrices:
        # By default accelerators would round the factors.
        dense = jnp.matmul(up, down, precision=jax.lax.Precision.HIGHEST).T * scale
        total = total + dense.reshape(total.shape)
    total = total.astype(kernel.dtype)
    if block is not None:
        total = jax.lax.dynamic_update_index_in_dim(kernel, total, block, 0)
    return jax.lax.with_sharding_constraint(total, sharding)
