"""How a tensor of torch becomes ours and back, whole or in part.

`key_map.py` says which form a tensor has. All forms permute dimensions; `conv3d` also
keeps one slice, and gammas lose their dimensions of size 1.
"""

from typing import TypeAlias

import numpy as np

from tbstar_jax.convert.key_map import Form

Index: TypeAlias = tuple[slice, ...]
"""A part of an array, one slice per dimension."""

Shape: TypeAlias = tuple[int, ...]

_TIME = 2
_STRIPE = 32
# Dimension k of ours is dimension _ORDER[form][k] of theirs.
_ORDER: dict[Form, tuple[int, ...]] = {
    "linear": (1, 0),
    "conv2d": (2, 3, 1, 0),
    "conv3d": (3, 4, 1, 0),
    "patch": (1, 2, 3, 4, 0),
    "gamma3": (0,),
    "gamma2": (0,),
}


def to_ours(tensor: np.ndarray, form: Form) -> np.ndarray:
    """A tensor in torch's layout to ours; a view where that is possible."""
    match form:
        case "vector":
            return tensor
        case "conv3d":
            return tensor[:, :, -1].transpose(2, 3, 1, 0)
        case "gamma3" | "gamma2":
            return tensor.reshape(-1)
        case _:
            return tensor.transpose(_ORDER[form])


def to_theirs(array: np.ndarray, form: Form) -> np.ndarray:
    """The inverse of `to_ours`; the slices one frame never reads are zero."""
    match form:
        case "vector":
            return array
        case "conv3d":
            kernel = array.transpose(3, 2, 0, 1)
            stack = np.zeros(their_shape(array.shape, form), array.dtype)
            stack[:, :, -1] = kernel
            return stack
        case "gamma3" | "gamma2":
            return array.reshape(their_shape(array.shape, form))
        case _:
            return array.transpose(np.argsort(_ORDER[form]))


def row_major(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The array in C order, of a dtype; itself if it is that already."""
    is_transposed = array.ndim == 2 and array.flags.f_contiguous
    if array.flags.c_contiguous or not is_transposed or array.dtype != dtype:
        return np.ascontiguousarray(array, dtype=dtype)
    # NumPy's own copy of a transpose misses the processor's cache at every number: in
    # stripes it takes a third of the time.
    result = np.empty(array.shape, dtype)
    for start in range(0, array.shape[1], _STRIPE):
        stripe = slice(start, start + _STRIPE)
        result[:, stripe] = array[:, stripe]
    return result


def their_shape(shape: Shape, form: Form) -> Shape:
    """The shape in torch's layout of one of ours."""
    match form:
        case "vector":
            return shape
        case "conv3d":
            height, width, inputs, outputs = shape
            # A single frame reads the last temporal slice only; 3x3 kernels are 3
            # deep, 1x1 kernels 1 deep.
            return (outputs, inputs, width, height, width)
        case "gamma3":
            return (*shape, 1, 1, 1)
        case "gamma2":
            return (*shape, 1, 1)
        case _:
            return tuple(shape[k] for k in np.argsort(_ORDER[form]))


def their_index(index: Index, form: Form, shape: Shape) -> Index:
    """Which part of a tensor in torch's layout holds a part of ours.

    Args:
      index: part of ours.
      form: of the tensor.
      shape: of theirs.
    """
    if form == "vector":
        return index
    parts = [slice(0, size) for size in shape]
    for ours, theirs in enumerate(_ORDER[form]):
        parts[theirs] = index[ours]
    if form == "conv3d":
        parts[_TIME] = slice(shape[_TIME] - 1, shape[_TIME])
    return tuple(parts)
