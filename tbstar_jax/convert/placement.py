"""Fills arrays on devices part by part, reading only what each device holds.

Blocks are stacked on a leading axis here and are separate tensors in a file. The stack
is made first, of zeros, and every block is written into it in place (the program that
writes donates the stack). So at any time there is the stack, and one block.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from tbstar_jax.array_types import Array, Shaped
from tbstar_jax.convert.forms import Index, Shape

ReadPart = Callable[[Index], np.ndarray]
"""Reads a part of an array: in our layout, contiguous, of the final dtype."""


def place(read: ReadPart, shape: Shape, sharding: NamedSharding) -> jax.Array:
    """One array, each of its parts read once by the processes that hold it.

    Args:
      read: reads a part of it.
      shape: of the whole.
      sharding: on the mesh.
    """
    # Slices have no hash before Python 3.12: parts go by their bounds.
    devices_of: dict[tuple[tuple[int, int], ...], list[jax.Device]] = {}
    for device, index in sharding.addressable_devices_indices_map(shape).items():
        assert index is not None
        bounds = tuple(
            part.indices(size)[:2] for part, size in zip(index, shape, strict=True)
        )
        devices_of.setdefault(bounds, []).append(device)
    parts = []
    for bounds, devices in devices_of.items():
        part: np.ndarray | None = read(tuple(slice(*bound) for bound in bounds))
        for device in devices:
            parts.append(jax.device_put(part, device).block_until_ready())
        # Let go before the next is read.
        part = None
    return jax.make_array_from_single_device_arrays(shape, sharding, parts)


def place_stack(
    reads: Sequence[ReadPart], shape: Shape, dtype: np.dtype, sharding: NamedSharding
) -> jax.Array:
    """An array whose leading axis counts blocks, filled block by block.

    Args:
      reads: one per block.
      shape: of the whole stack.
      dtype: of what is read.
      sharding: of the whole stack, whose leading axis is not split.
    """
    block_axis, *axes = sharding.spec or (None,)
    assert block_axis is None
    block_sharding = NamedSharding(sharding.mesh, PartitionSpec(*axes))
    # The sharding is said, or XLA names an equal one on a mesh of one device.
    zeros = jax.jit(lambda: jnp.zeros(shape, dtype), out_shardings=sharding)
    write = jax.jit(_write, donate_argnums=0, out_shardings=sharding)
    stack = zeros()
    for number, read in enumerate(reads):
        block = place(read, shape[1:], block_sharding)
        # One program at a time, and one block: on CPU queued programs of several
        # devices deadlock (docs/design.md), anywhere they hold their inputs.
        stack = write(stack, block, np.int32(number)).block_until_ready()
        # Not kept while the next is read.
        del block
    return stack


def _write(
    stack: Shaped[Array, "..."],
    block: Shaped[Array, "..."],
    number: Shaped[Array | np.int32, ""],
) -> Shaped[Array, "..."]:
    return jax.lax.dynamic_update_index_in_dim(stack, block, number, axis=0)
