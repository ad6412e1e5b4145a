"""Tensors of the diffusers folder layout to our trees, and back.

Tensors may be arrays, or `StoredTensor`s that are read when their turn comes: then a
tree is filled tensor by tensor, on the host or straight into shards on devices.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np

from tbstar_jax.array_types import Tree
from tbstar_jax.convert.forms import (
    Index,
    Shape,
    row_major,
    their_index,
    their_shape,
    to_ours,
    to_theirs,
)
from tbstar_jax.convert.key_map import Form, KeyRow
from tbstar_jax.convert.placement import ReadPart, place, place_stack
from tbstar_jax.convert.tensor_files import StoredTensor
from tbstar_jax.errors import UserError
from tbstar_jax.trees import flatten, identity_of_entries, list_names, unflatten

Tensor: TypeAlias = np.ndarray | StoredTensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Family:
    """One leaf of ours and the tensors it is made of.

    Attributes:
      ours: path in our tree.
      theirs: one name, or one per block.
      form: how the layouts differ.
      is_stacked: whether the leaf has a leading axis of blocks.
    """

    ours: str
    theirs: tuple[str, ...]
    form: Form
    is_stacked: bool

    def their_shape(self, shape: Shape) -> Shape:
        """Shape of each tensor, given that of the leaf."""
        return their_shape(shape[1:] if self.is_stacked else shape, self.form)

    def our_shape(self, tensor: Tensor) -> Shape:
        """Shape of the leaf, given one of the tensors."""
        part = to_ours(np.broadcast_to(np.float32(0), tensor.shape), self.form).shape
        return (len(self.theirs), *part) if self.is_stacked else part


def families(rows: Iterable[KeyRow], num_layers: int) -> list[Family]:
    """Counts out a key map: `{}` becomes the numbers of `num_layers` blocks."""
    return [
        Family(
            ours=row.ours,
            theirs=tuple(row.theirs.format(i) for i in range(num_layers))
            if "{}" in row.theirs
            else (row.theirs,),
            form=row.form,
            is_stacked="{}" in row.theirs,
        )
        for row in rows
    ]


def tree_from_tensors(
    tensors: Mapping[str, Tensor],
    rows: Sequence[KeyRow],
    *,
    num_layers: int,
    ignored: Iterable[str] = (),
) -> Tree:
    """Our tree on the host from tensors under diffusers' names, by one key map.

    Args:
      tensors: name to tensor, torch layout.
      rows: the key map.
      num_layers: length of the block axis of stacked families.
      ignored: endings of names that carry nothing for us (`time_conv.weight`).

    Returns:
      The nested tree, dtypes kept.

    Raises:
      UserError: see `load_tree`.
    """
    return load_tree(tensors, families(rows, num_layers), ignored=ignored)


def load_tree(
    tensors: Mapping[str, Tensor],
    leaves: Sequence[Family],
    *,
    ignored: Iterable[str] = (),
    expected: Tree | None = None,
    dtype: Any | None = None,
    shardings: Tree | None = None,
) -> Tree:
    """Our tree from tensors under diffusers' names.

    Names, shapes and dtypes are compared before anything is read.

    Args:
      tensors: name to tensor, torch layout.
      leaves: what the tree is made of.
      ignored: endings of names that carry nothing for us.
      expected: the tree's shapes; None takes them from the tensors.
      dtype: of every leaf; None keeps that of the tensors.
      shardings: where each leaf lies; None makes NumPy arrays.

    Raises:
      UserError: a tensor is missing, left over, or has another shape or dtype; named.
    """
    planned = flatten(
        plan_tree(
            tensors,
            leaves,
            ignored=ignored,
            expected=expected,
            dtype=dtype,
            shardings=shardings,
        )
    )
    tree: dict[str, Any] = {}
    for leaf in leaves:
        shape, final = planned[leaf.ours].shape, planned[leaf.ours].dtype
        sharding = planned[leaf.ours].sharding
        reads = [
            functools.partial(_read, tensors[name], leaf.form, final)
            for name in leaf.theirs
        ]
        if sharding is None:
            tree[leaf.ours] = _on_host(reads, shape, final, is_stacked=leaf.is_stacked)
        elif leaf.is_stacked:
            tree[leaf.ours] = place_stack(reads, shape, final, sharding)
        else:
            tree[leaf.ours] = place(reads[0], shape, sharding)
    return unflatten(tree)


def plan_tree(
    tensors: Mapping[str, Tensor],
    leaves: Sequence[Family],
    *,
    ignored: Iterable[str] = (),
    expected: Tree | None = None,
    dtype: Any | None = None,
    shardings: Tree | None = None,
) -> Tree:
    """What `load_tree` would give, as `jax.ShapeDtypeStruct`s; reads nothing.

    Args, raises: as `load_tree`.
    """
    shapes = require_fit(tensors, leaves, ignored=ignored, expected=expected)
    dtypes = _dtypes(tensors, leaves, dtype)
    where = {} if shardings is None else flatten(shardings)
    return unflatten(
        {
            name: jax.ShapeDtypeStruct(shape, dtypes[name], sharding=where.get(name))
            for name, shape in shapes.items()
        }
    )


def identity_of_tensors(
    tensors: Mapping[str, Tensor], leaves: Sequence[Family], dtype: Any | None = None
) -> str:
    """`tree_identity` of what `load_tree` would give, one tensor in memory at a time.

    Args:
      tensors: name to tensor, torch layout; those no leaf is made of do not count.
      leaves: what the tree is made of.
      dtype: of every leaf; None keeps that of the tensors.
    """
    dtypes = _dtypes(tensors, leaves, dtype)
    entries = []
    for leaf in leaves:
        shape = leaf.our_shape(tensors[leaf.theirs[0]])
        whole = _whole(shape[1:] if leaf.is_stacked else shape)
        content = hashlib.sha256()
        for name in leaf.theirs:
            part = _read(tensors[name], leaf.form, dtypes[leaf.ours], whole)
            content.update(part.reshape(-1).view(np.uint8).data)
        kind = str(dtypes[leaf.ours])
        entries.append((leaf.ours, shape, kind, content.hexdigest()))
    return identity_of_entries(entries)


def require_fit(
    tensors: Mapping[str, Tensor],
    leaves: Sequence[Family],
    *,
    ignored: Iterable[str] = (),
    expected: Tree | None = None,
) -> dict[str, Shape]:
    """Compares names, shapes and dtypes with those a tree needs; reads nothing.

    Args: as `load_tree`.

    Returns:
      The shape of every leaf.

    Raises:
      UserError: a tensor is missing, left over, has another shape, or is no weight.
    """
    _require_same_names(tensors, leaves, ignored)
    for leaf in leaves:
        for name in leaf.theirs:
            # Asking a stored tensor for its dtype refuses what is no weight.
            _ = tensors[name].dtype
    return _shapes(tensors, leaves, expected)


def _require_same_names(
    names: Iterable[str], leaves: Sequence[Family], ignored: Iterable[str]
) -> None:
    needed = [name for leaf in leaves for name in leaf.theirs]
    present = set(names)
    missing = [name for name in needed if name not in present]
    endings = tuple(ignored)
    rest = sorted(n for n in present - set(needed) if not n.endswith(endings or "\0"))
    if missing or rest:
        raise UserError(
            "the checkpoint does not fit the preset: "
            f"{len(missing)} tensors missing ({list_names(missing)}), "
            f"{len(rest)} left over ({list_names(rest)}); "
            "use the preset this checkpoint was made with"
        )


def _shapes(
    tensors: Mapping[str, Tensor], leaves: Sequence[Family], expected: Tree | None
) -> dict[str, Shape]:
    """The shape of every leaf; tensors of another shape are named."""
    known = {} if expected is None else flatten(expected)
    assert expected is None or known.keys() == {leaf.ours for leaf in leaves}
    shapes, wrong = {}, []
    for leaf in leaves:
        if expected is None:
            shapes[leaf.ours] = leaf.our_shape(tensors[leaf.theirs[0]])
            theirs = tuple(tensors[leaf.theirs[0]].shape)
        else:
            shapes[leaf.ours] = tuple(known[leaf.ours].shape)
            theirs = leaf.their_shape(shapes[leaf.ours])
        wrong += [
            f"{name} {tuple(tensors[name].shape)} instead of {theirs}"
            for name in leaf.theirs
            if tuple(tensors[name].shape) != theirs
        ]
    if wrong:
        raise UserError(
            f"the checkpoint does not fit the preset: {len(wrong)} tensors have "
            f"another shape ({list_names(wrong)}); use the preset this checkpoint was "
            "made with"
        )
    return shapes


def _dtypes(
    tensors: Mapping[str, Tensor], leaves: Sequence[Family], dtype: Any | None
) -> dict[str, np.dtype]:
    """The dtype of every leaf."""
    found = {
        leaf.ours: sorted({str(tensors[name].dtype) for name in leaf.theirs})
        for leaf in leaves
    }
    if dtype is not None:
        return dict.fromkeys(found, np.dtype(dtype))
    mixed = [name for name, kinds in found.items() if len(kinds) > 1]
    if mixed:
        raise UserError(
            f"blocks are stored in different dtypes ({list_names(mixed)}); choose one "
            "for all, such as bfloat16"
        )
    return {name: np.dtype(kinds[0]) for name, kinds in found.items()}


def _read(tensor: Tensor, form: Form, dtype: np.dtype, index: Index) -> np.ndarray:
    """A part of a tensor in our layout, contiguous, of the final dtype.

    What was read is let go before the result goes anywhere: there are never more than
    two copies of a tensor.
    """
    part = tensor[their_index(index, form, tuple(tensor.shape))]
    return row_major(to_ours(part, form), dtype)


def _on_host(
    reads: Sequence[ReadPart], shape: Shape, dtype: np.dtype, *, is_stacked: bool
) -> np.ndarray:
    if not is_stacked:
        return reads[0](_whole(shape))
    stack = np.empty(shape, dtype)
    for number, read in enumerate(reads):
        stack[number] = read(_whole(shape[1:]))
    return stack


def _whole(shape: Shape) -> Index:
    return tuple(slice(0, size) for size in shape)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutgoingTensor:
    """A tensor that is made when it is written.

    Attributes:
      shape: in the file.
      dtype: in the file.
      make: gives it, contiguous.
    """

    shape: Shape
    dtype: np.dtype
    make: Callable[[], np.ndarray]

    @property
    def num_bytes(self) -> int:
        """Size in the file."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


def outgoing_tensors(tree: Tree, leaves: Sequence[Family]) -> dict[str, OutgoingTensor]:
    """Tensors under diffusers' names from our tree, each made when it is asked for.

    Raises:
      KeyError: the tree lacks one of the leaves.
    """
    flat = flatten(tree)
    tensors = {}
    for leaf in leaves:
        array = flat.pop(leaf.ours)
        shape = leaf.their_shape(tuple(array.shape))
        for number, name in enumerate(leaf.theirs):
            block = number if leaf.is_stacked else None
            tensors[name] = OutgoingTensor(
                shape=shape,
                dtype=np.dtype(array.dtype),
                make=functools.partial(_theirs, array, block, leaf.form),
            )
    assert not flat, sorted(flat)
    return tensors


def tensors_from_tree(tree: Tree, rows: Sequence[KeyRow]) -> dict[str, np.ndarray]:
    """All tensors as arrays, by one key map; the inverse of `tree_from_tensors`."""
    blocks = {
        flatten(tree)[row.ours].shape[0] for row in rows if "{}" in row.theirs
    } or {0}
    (num_layers,) = blocks
    outgoing = outgoing_tensors(tree, families(rows, num_layers))
    return {name: tensor.make() for name, tensor in outgoing.items()}


def _theirs(leaf: Any, block: int | None, form: Form) -> np.ndarray:
    if block is not None and isinstance(leaf, jax.Array):
        # The block's number is an argument: as a constant each would be compiled.
        leaf = jax.lax.dynamic_index_in_dim(leaf, np.int32(block), keepdims=False)
    elif block is not None:
        leaf = leaf[block]
    array = np.asarray(leaf)
    return row_major(to_theirs(array, form), array.dtype)
