"""LoRAs merged into the base: one update per tensor, in float32.

`merge_tensor` works on one tensor of the diffusers layout, so a loader that streams a
checkpoint can merge while it reads; `merge_loras` does the same to a loaded base, with
the same bits. A merged base is another base: the files' hashes and scales join its
identity, so what was trained on one merge cannot be put on another.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence

import numpy as np

from tbstar_jax.array_types import Tree
from tbstar_jax.convert.folder import Weights
from tbstar_jax.convert.lora import Lora, linears, require_shape, updates_of
from tbstar_jax.trees import flatten, unflatten


def merge_tensor(name: str, tensor: np.ndarray, loras: Sequence[Lora]) -> np.ndarray:
    """Adds the updates of one tensor, in the order of the files.

    Args:
      name: in the diffusers layout, without prefix, such as `proj_out.weight`.
      tensor: `[out, in]` for a linear's weight, any dtype.
      loras: from `read_loras`.

    Returns:
      Float32, for the caller to cast to what the arrays are kept in; the tensor itself
      if no file changes it.

    Raises:
      UserError: an update has another shape.
    """
    linear = name.removesuffix(".weight")
    if linear == name:
        return tensor
    for lora, update in updates_of(loras, linear):
        require_shape(lora, linear, (tensor.shape[0], tensor.shape[1]))
        tensor = tensor.astype(np.float32) + update.dense()
    return tensor


def merge_loras(weights: Weights, loras: Sequence[Lora]) -> Weights:
    """Merges LoRAs into a loaded base.

    Args:
      weights: the base; stage modules are left alone.
      loras: from `read_loras`.

    Returns:
      The same weights with the changed kernels in float32 and another base identity.

    Raises:
      UserError: an update has another shape than its linear.
    """
    if not loras:
        return weights
    identity = merged_identity(weights.identities["params"], loras)
    return dataclasses.replace(
        weights,
        parts={**weights.parts, "params": _merged(weights.parts["params"], loras)},
        identities={**weights.identities, "params": identity},
    )


def merged_identity(identity: str, loras: Sequence[Lora]) -> str:
    """The identity of a base's `params` after a merge: 64 hexadecimal digits."""
    merges = [[lora.sha256, lora.file.scale] for lora in loras]
    return hashlib.sha256(json.dumps([identity, merges]).encode()).hexdigest()


def _merged(params: Tree, loras: Sequence[Lora]) -> Tree:
    flat = flatten(params)
    touched = {name for lora in loras for name in lora.updates}
    for linear in linears():
        path = f"{linear.ours}/kernel"
        stacked = "{}" in linear.theirs
        names = linear.names(len(flat[path]) if stacked else 1)
        if not touched.intersection(names):
            continue
        kernel = np.asarray(flat[path])
        blocks = kernel if stacked else kernel[None]
        merged = np.empty(blocks.shape, np.float32)
        for block, name in enumerate(names):
            merged[block] = merge_tensor(f"{name}.weight", blocks[block].T, loras).T
        flat[path] = merged.reshape(kernel.shape)
    return unflatten(flat)
