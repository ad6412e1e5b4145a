"""How much memory loading takes: 2 GB of shards, of the width of the public models.

    python -m tests.support.streaming_load write DIR
    /usr/bin/time -v python -m tests.support.streaming_load load DIR 1x1

Three blocks of Qwen-Image's transformer, bfloat16, random bits. `load` prints what was
resident before, what the arrays take, and what the peak had above both.
"""

import dataclasses
import resource
import sys
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from tbstar_jax.convert.huggingface import OutgoingTensor
from tbstar_jax.convert.parts import abstract_part, layout_of, load_part
from tbstar_jax.convert.tensor_files import open_component
from tbstar_jax.convert.tensor_writer import write_component
from tbstar_jax.model.presets import qwen_image, tiny
from tbstar_jax.parallel.mesh import ensure_virtual_devices, make_mesh, parse_mesh
from tbstar_jax.trees import flatten

MB = 1e6


def config():
    preset = qwen_image()
    transformer = dataclasses.replace(preset.transformer, num_layers=3)
    return dataclasses.replace(preset, transformer=transformer)


def write(directory):
    rng = np.random.default_rng(0)
    shapes = flatten(abstract_part("params", config()))
    tensors = {}
    for leaf in layout_of("params", config(), ()).leaves:
        shape = leaf.their_shape(shapes[leaf.ours].shape)
        for name in leaf.theirs:
            tensors[name] = OutgoingTensor(
                shape=shape,
                dtype=np.dtype(jnp.bfloat16),
                make=lambda shape=shape: (
                    # Below 0x7f80 all bits are finite numbers.
                    rng.integers(0, 0x7F80, shape, np.uint16).view(jnp.bfloat16)
                ),
            )
    write_component(directory, "diffusion_pytorch_model", tensors, 400_000_000)


def _zeros(model):
    shapes = flatten(abstract_part("params", model))
    return {
        name: np.zeros(leaf.their_shape(shapes[leaf.ours].shape), np.float32)
        for leaf in layout_of("params", model, ()).leaves
        for name in leaf.theirs
    }


def _held_bytes(tree):
    """Of all devices: a replicated array counts once for each."""
    return sum(
        shard.data.nbytes
        for leaf in flatten(tree).values()
        for shard in leaf.addressable_shards
    )


def load(directory, shape):
    ensure_virtual_devices(shape.num_devices)
    mesh = make_mesh(shape)
    tensors = open_component(directory)
    abstract_part("params", config())
    # The compiler and the backend take their memory before.
    load_part("params", _zeros(tiny()), tiny(), mesh=mesh)
    largest = max(np.prod(t.shape) * t.dtype.itemsize for t in tensors.values())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    start = time.perf_counter()
    tree = load_part("params", tensors, config(), mesh=mesh)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    held = _held_bytes(tree)
    above = peak - before - held
    print(
        f"mesh {shape}: {len({t.path for t in tensors.values()})} shards, arrays "
        f"{held / MB:.0f} MB, before {before / MB:.0f} MB, peak "
        f"{peak / MB:.0f} MB, above both {above / MB:.0f} MB = "
        f"{above / largest:.2f} of the largest tensor ({largest / MB:.0f} MB), "
        f"{seconds:.1f} s"
    )


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        load(Path(sys.argv[2]), parse_mesh(sys.argv[3]))
