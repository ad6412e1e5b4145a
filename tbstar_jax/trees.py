"""Trees of arrays by name: flat views, path rules, sizes and identity.

A tree is a nested dict with arrays as leaves; a leaf's name joins its keys by "/",
as in `blocks/attention/query/kernel`. Names are always sorted, so two trees with the
same leaves list them in the same order whatever built them.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt32

from tbstar_jax.array_types import Array, Shaped
from tbstar_jax.errors import UserError

_Value = TypeVar("_Value")

_MAX_LISTED = 8
# Any odd number that scatters bits well: it makes a checksum's weights distinct.
_CHECKSUM_MULTIPLIER = 2654435761


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Lists the leaves of a nested dict by name, sorted.

    Raises:
      ValueError: a key that is not a text or contains "/": names would be ambiguous.
    """
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if not isinstance(key, str) or "/" in key or not key:
            raise ValueError(f"{key!r} cannot be a key of a tree of named arrays")
        if isinstance(value, Mapping):
            inner = flatten(value).items()
            leaves.update({f"{key}/{name}": leaf for name, leaf in inner})
        else:
            leaves[key] = value
    return dict(sorted(leaves.items()))


def unflatten(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Builds the nested dict of `flatten`'s result.

    Raises:
      ValueError: a name that is a leaf and, in another name, a group.
    """
    tree: dict[str, Any] = {}
    for name, leaf in sorted(leaves.items()):
        *groups, last = name.split("/")
        node = tree
        for group in groups:
            node = node.setdefault(group, {})
            if not isinstance(node, dict):
                raise ValueError(f"{name} lies inside another leaf")
        if last in node:
            raise ValueError(f"{name} is both a leaf and a group")
        node[last] = leaf
    return tree


def leaf_names(tree: Any) -> dict[str, Any]:
    """Lists the leaves of any pytree by name (dict keys, fields, list positions).

    Unlike `flatten`, this has no inverse: it is for reports and comparisons of states
    that hold more than dicts, such as an optimizer's.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    named = {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in leaves
    }
    return dict(sorted(named.items()))


def match_rules(
    names: Iterable[str], rules: Sequence[tuple[str, _Value]]
) -> dict[str, _Value]:
    """Gives every name the value of the first rule whose regex it matches.

    A regex must match the whole name. Both sides are checked, because a rule nobody
    uses is most often a typing error, and so is a name no rule foresaw.

    Args:
      names: leaf names.
      rules: ordered (regex, value) pairs; the first match wins.

    Returns:
      Name to value, for every name, sorted.

    Raises:
      UserError: names without a rule, or rules that are never the first match.
    """
    compiled = [(re.compile(pattern), value) for pattern, value in rules]
    used: set[int] = set()
    result: dict[str, _Value] = {}
    unmatched = []
    for name in sorted(names):
        for index, (pattern, value) in enumerate(compiled):
            if pattern.fullmatch(name):
                used.add(index)
                result[name] = value
                break
        else:
            unmatched.append(name)
    if unmatched:
        raise UserError(f"no rule matches {list_names(unmatched)}; add one for them")
    unused = [rules[i][0] for i in range(len(rules)) if i not in used]
    if unused:
        raise UserError(
            f"the rules {list_names(unused)} match no leaf that an earlier rule left; "
            "remove or reorder them"
        )
    return result


def count_leaves(tree: Any) -> int:
    """Counts the arrays of a tree."""
    return len(jax.tree.leaves(tree))


def count_parameters(tree: Any) -> int:
    """Counts the numbers in a tree of arrays (or of their shapes)."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def count_bytes(tree: Any) -> int:
    """Counts the bytes of a tree of arrays, as if each were stored once."""
    leaves = jax.tree.leaves(tree)
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def describe(tree: Any) -> str:
    """Says the size of a tree, as in "12 leaves, 3,400 parameters, 0.01 MB"."""
    return (
        f"{count_leaves(tree)} leaves, {count_parameters(tree):,} parameters, "
        f"{count_bytes(tree) / 1e6:.2f} MB"
    )


def tree_identity(tree: Mapping[str, Any]) -> str:
    """Names a tree by its content.

    SHA-256 over the sorted (name, shape, dtype, SHA-256 of the tensor's bytes), where
    bytes are little-endian in row-major order. The identity depends on neither the
    sharding nor the file the tree came from, and a manifest that stores the tensors'
    hashes can be checked without reading them again.

    Args:
      tree: nested dict of arrays; arrays on several devices are gathered one by one.

    Returns:
      64 hexadecimal digits.
    """
    return identity_of_entries(
        (name, tuple(leaf.shape), str(leaf.dtype), tensor_sha256(leaf))
        for name, leaf in flatten(tree).items()
    )


def identity_of_entries(
    entries: Iterable[tuple[str, tuple[int, ...], str, str]],
) -> str:
    """Combines (name, shape, dtype, tensor SHA-256) entries to a tree's identity."""
    combined = hashlib.sha256()
    for name, shape, dtype, sha256 in sorted(entries):
        line = json.dumps([name, list(shape), dtype, sha256], separators=(",", ":"))
        combined.update(line.encode() + b"\n")
    return combined.hexdigest()


def tensor_sha256(tensor: Any) -> str:
    """Hashes one array's bytes, little-endian in row-major order."""
    array = np.ascontiguousarray(np.asarray(tensor))
    little = array.dtype.newbyteorder("<")
    if array.dtype.kind in "biufc" and array.dtype != little:
        array = array.astype(little)
    # A view as bytes also covers dtypes numpy does not know, such as bfloat16.
    return hashlib.sha256(array.reshape(-1).view(np.uint8).data).hexdigest()


def checksums(named: Mapping[str, Any]) -> dict[str, int]:
    """Computes one 32-bit checksum per named array, on the devices where it lies.

    sum_i (bits_i * (2 multiplier i + 1)) mod 2**32: exact in any order, hence the same
    on every mesh, and changed by any single flipped bit since the weights are odd.

    Args:
      named: name to array, of at most 32 bits per number.
    """
    groups: dict[Any, dict[str, Any]] = {}
    for name, leaf in named.items():
        array = jnp.asarray(leaf)
        groups.setdefault(frozenset(array.sharding.device_set), {})[name] = array
    result: dict[str, int] = {}
    # One program per set of devices, and one program at a time: see design.md 7.
    for group in groups.values():
        values = jax.device_get(_checksum_all(group))
        result.update({name: int(value) for name, value in values.items()})
    return result


@jax.jit
def _checksum_all(named: dict[str, Any]) -> dict[str, Any]:
    return {name: _checksum(leaf) for name, leaf in named.items()}


def _checksum(x: Shaped[Array, "..."]) -> UInt32[Array, ""]:
    if x.dtype == jnp.bool_:
        x = x.astype(jnp.uint8)
    unsigned = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}[x.dtype.itemsize]
    bits = jax.lax.bitcast_convert_type(x, unsigned).astype(jnp.uint32)
    # The index is built from one iota per axis, so that no axis is reshaped: a reshape
    # would gather a sharded array.
    index = jnp.zeros(bits.shape, jnp.uint32)
    for axis, size in enumerate(bits.shape):
        iota = jax.lax.broadcasted_iota(jnp.uint32, bits.shape, axis)
        index = index * np.uint32(size) + iota
    weights = index * np.uint32(2 * _CHECKSUM_MULTIPLIER % 2**32) + np.uint32(1)
    return jnp.sum(bits * weights, dtype=jnp.uint32)


def require_same_structure(expected: Any, actual: Any, what: str) -> None:
    """Checks that two trees have the same leaf names and shapes.

    Args:
      expected: the tree whose names and shapes are right.
      actual: the tree to check.
      what: the name of the second tree in the error's sentence.

    Raises:
      UserError: naming the missing, extra or differently shaped leaves.
    """
    right = leaf_names(expected)
    given = leaf_names(actual)
    differences = []
    missing = sorted(right.keys() - given.keys())
    if missing:
        differences.append(f"lacks {list_names(missing)}")
    extra = sorted(given.keys() - right.keys())
    if extra:
        differences.append(f"has the extra {list_names(extra)}")
    reshaped = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(right[name].shape)}"
        for name in sorted(right.keys() & given.keys())
        if tuple(right[name].shape) != tuple(given[name].shape)
    ]
    if reshaped:
        differences.append(f"has {list_names(reshaped)}")
    if differences:
        raise UserError(f"{what} does not fit: it {'; it '.join(differences)}")


def list_names(names: Sequence[str]) -> str:
    """Lists names for a message: the first few in full, then how many more."""
    shown = ", ".join(names[:_MAX_LISTED])
    rest = len(names) - _MAX_LISTED
    return shown if rest <= 0 else f"{shown} and {rest} more"
