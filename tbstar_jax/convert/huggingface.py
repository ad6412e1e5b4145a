"""Tensors of the diffusers folder layout to our trees, and back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tbstar_jax.array_types import Tree
from tbstar_jax.convert.key_map import Form, KeyRow
from tbstar_jax.errors import UserError
from tbstar_jax.trees import flatten, list_names, unflatten


def _to_ours(tensor: np.ndarray, form: Form) -> np.ndarray:
    match form:
        case "vector":
            return tensor
        case "linear":
            return tensor.T
        case "conv2d":
            return tensor.transpose(2, 3, 1, 0)
        case "conv3d":
            return tensor[:, :, -1].transpose(2, 3, 1, 0)
        case "gamma3" | "gamma2":
            return tensor.reshape(-1)
        case "patch":
            return tensor.transpose(1, 2, 3, 4, 0)


def _to_theirs(array: np.ndarray, form: Form) -> np.ndarray:
    match form:
        case "vector":
            return array
        case "linear":
            return array.T
        case "conv2d":
            return array.transpose(3, 2, 0, 1)
        case "conv3d":
            kernel = array.transpose(3, 2, 0, 1)
            # A single frame reads the last temporal slice only; 3x3 kernels are 3
            # deep, 1x1 kernels 1 deep.
            depth = kernel.shape[-1]
            stack = np.zeros((*kernel.shape[:2], depth, *kernel.shape[2:]), array.dtype)
            stack[:, :, -1] = kernel
            return stack
        case "gamma3":
            return array.reshape(-1, 1, 1, 1)
        case "gamma2":
            return array.reshape(-1, 1, 1)
        case "patch":
            return array.transpose(4, 0, 1, 2, 3)


def tree_from_tensors(
    tensors: Mapping[str, np.ndarray],
    rows: Sequence[KeyRow],
    *,
    num_layers: int,
    ignored: Iterable[str] = (),
) -> Tree:
    """Our tree from tensors under diffusers' names.

    Args:
      tensors: name to array, torch layout.
      rows: the key map.
      num_layers: length of the block axis of stacked families.
      ignored: endings of names that carry nothing for us (`time_conv.weight`).

    Returns:
      The nested tree, dtypes kept.

    Raises:
      UserError: a tensor is missing, or one is left over; named.
    """
    remaining = {
        name for name in tensors if not any(name.endswith(end) for end in ignored)
    }
    flat: dict[str, Any] = {}
    missing: list[str] = []

    def take(name: str, form: Form) -> np.ndarray | None:
        if name not in tensors:
            missing.append(name)
            return None
        remaining.discard(name)
        return _to_ours(tensors[name], form)

    for row in rows:
        if "{}" in row.theirs:
            names = [row.theirs.format(i) for i in range(num_layers)]
            parts = [take(name, row.form) for name in names]
            if all(part is not None for part in parts):
                flat[row.ours] = np.stack([p for p in parts if p is not None])
        elif (array := take(row.theirs, row.form)) is not None:
            flat[row.ours] = np.ascontiguousarray(array)
    if missing or remaining:
        raise UserError(
            "the checkpoint does not fit the preset: "
            f"{len(missing)} tensors missing ({list_names(missing)}), "
            f"{len(remaining)} left over ({list_names(sorted(remaining))}); "
            "use the preset this checkpoint was made with"
        )
    return unflatten(flat)


def tensors_from_tree(tree: Tree, rows: Sequence[KeyRow]) -> dict[str, np.ndarray]:
    """Tensors under diffusers' names from our tree; the inverse of the above.

    Raises:
      KeyError: the tree lacks a path of the key map.
    """
    flat = flatten(tree)
    tensors = {}
    for row in rows:
        array = np.asarray(flat.pop(row.ours))
        if "{}" in row.theirs:
            for i, block in enumerate(array):
                tensors[row.theirs.format(i)] = _to_theirs(block, row.form)
        else:
            tensors[row.theirs] = _to_theirs(array, row.form)
    assert not flat, sorted(flat)
    return {name: np.ascontiguousarray(array) for name, array in tensors.items()}
