"""LoRAs merged into the base, in float32.

`merged_tensors` merges while a checkpoint is streamed, each part of a tensor as it is
read; `merge_loras` merges into a loaded base. A merged base is another base: the files'
hashes and scales join its identity, so what was trained on one merge cannot be put on
another.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np

from tbstar_jax.array_types import Tree
from tbstar_jax.convert.folder import Weights
from tbstar_jax.convert.forms import Index, Shape
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class MergedTensor(StoredTensor):
    """A linear's weight in a file, read with its updates added.

    Attributes:
      updates: in the order of their files; none makes it float32 only.
    """

    updates: tuple[LoraUpdate, ...]

    @property
    def dtype(self) -> np.dtype:
        """Float32, for the reader to cast to what the arrays are kept in."""
        _ = super().dtype  # refuses what is no weight
        return np.dtype(np.float32)

    def __getitem__(self, index: Index) -> np.ndarray:
        """Reads a part `[out, in]` and adds the same part of every update."""
        return _sum(super().__getitem__(index), self.updates, index)


def merged_tensors(
    tensors: Mapping[str, StoredTensor], loras: Sequence[Lora], num_layers: int
) -> dict[str, StoredTensor]:
    """The tensors of a checkpoint's transformer with LoRAs merged into them.

    Nothing is read yet. A family of which one block is changed becomes float32 as a
    whole; a loader that is given a dtype casts each part after the sum.

    Args:
      tensors: of the diffusers layout, by name, without prefix.
      loras: from `read_loras`.
      num_layers: blocks of the transformer.

    Raises:
      UserError: an update has another shape than its linear.
    """
    merged = dict(tensors)
    for linear in _touched(loras, num_layers):
        for name in linear.names(num_layers):
            stored = tensors[f"{name}.weight"]
            merged[f"{name}.weight"] = MergedTensor(
                path=stored.path,
                key=stored.key,
                shape=stored.shape,
                dtype_name=stored.dtype_name,
                updates=_updates(name, stored.shape, loras),
            )
    return merged


def merge_loras(weights: Weights, loras: Sequence[Lora]) -> Weights:
    """Merges LoRAs into a loaded base.

    Args:
      weights: the base; stage modules are left alone.
      loras: from `read_loras`.

    Returns:
      The same weights with the changed kernels in float32 on the host, and another base
      identity.

    Raises:
      UserError: an update has another shape than its linear.
    """
    if not loras:
        return weights
    num_layers = weights.config.transformer.num_layers
    identity = merged_identity(weights.identities["params"], loras)
    params = _merged(weights.parts["params"], loras, num_layers)
    return dataclasses.replace(
        weights,
        parts={**weights.parts, "params": params},
        identities={**weights.identities, "params": identity},
    )


def merged_identity(identity: str, loras: Sequence[Lora]) -> str:
    """The identity of a base's `params` after a merge: 64 hexadecimal digits."""
    merges = [[lora.sha256, lora.file.scale] for lora in loras]
    return hashlib.sha256(json.dumps([identity, merges]).encode()).hexdigest()


def _merged(params: Tree, loras: Sequence[Lora], num_layers: int) -> Tree:
    flat = flatten(params)
    for linear in _touched(loras, num_layers):
        kernel = np.asarray(flat[f"{linear.ours}/kernel"])
        blocks = kernel if "{}" in linear.theirs else kernel[None]
        merged = np.empty(blocks.shape, np.float32)
        for block, name in enumerate(linear.names(num_layers)):
            theirs = blocks[block].T
            updates = _updates(name, theirs.shape, loras)
            whole = tuple(slice(0, size) for size in theirs.shape)
            merged[block] = _sum(theirs, updates, whole).T
        flat[f"{linear.ours}/kernel"] = merged.reshape(kernel.shape)
    return unflatten(flat)


def _touched(loras: Sequence[Lora], num_layers: int) -> list[Linear]:
    names = {name for lora in loras for name in lora.updates}
    return [x for x in linears() if names.intersection(x.names(num_layers))]


def _updates(name: str, shape: Shape, loras: Sequence[Lora]) -> tuple[LoraUpdate, ...]:
    found = []
    for lora, update in updates_of(loras, name):
        require_shape(lora, name, (shape[0], shape[1]))
        found.append(update)
    return tuple(found)


def _sum(part: np.ndarray, updates: Sequence[LoraUpdate], index: Index) -> np.ndarray:
    """A part of a weight `[out, in]` plus the same part of its updates, float32."""
    rows, columns = index
    total = part.astype(np.float32)
    for update in updates:
        dense = update.up[rows] @ update.down[:, columns]
        total = total + dense * np.float32(update.scale)
    return total
