"""Devices hold the right parts, and nothing more than these is read."""

import dataclasses
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from tbstar_jax.convert.huggingface import families, load_tree
from tbstar_jax.convert.key_map import KeyRow
from tbstar_jax.convert.tensor_files import StoredTensor, open_component
from tbstar_jax.convert.tensor_writer import outgoing, write_component
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh

LOAD_HALF = """
import sys
import numpy as np
from pathlib import Path
from tbstar_jax.parallel.distributed import initialise_distributed
from tbstar_jax.parallel.mesh import ensure_virtual_devices
ensure_virtual_devices(2)
index, _ = initialise_distributed()
from tests.convert import test_placement as test
tensors = test.watch(Path(sys.argv[1]))
leaves = test.families(test.ROWS, test.NUM_BLOCKS)
tree = test.load_tree(tensors, leaves, shardings=test.shardings("2x1"))
(shard,) = tree["blocks"]["kernel"].addressable_shards
expected = np.load(sys.argv[2])[:, 8 * index : 8 * index + 8]
np.testing.assert_array_equal(shard.data, expected)
print({name: sum(tensor.reads) for name, tensor in sorted(tensors.items())})
"""

ROWS = [
    KeyRow(theirs="blocks.{}.weight", ours="blocks/kernel", form="linear"),
    KeyRow(theirs="out.weight", ours="out/kernel", form="linear"),
    KeyRow(theirs="out.bias", ours="out/bias", form="vector"),
]
NUM_BLOCKS = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watched(StoredTensor):
    """Remembers how many numbers were read."""

    reads: list

    def __getitem__(self, index):
        part = super().__getitem__(index)
        self.reads.append(part.size)
        return part


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    shapes = {f"blocks.{i}.weight": (8, 16) for i in range(NUM_BLOCKS)}
    shapes |= {"out.weight": (8, 4), "out.bias": (8,)}
    return {n: rng.standard_normal(s).astype(np.float32) for n, s in shapes.items()}


@pytest.fixture
def directory(arrays, tmp_path):
    written = {name: outgoing(array) for name, array in arrays.items()}
    write_component(tmp_path / "model", "model", written)
    return tmp_path / "model"


def watch(directory):
    return {
        name: Watched(**dataclasses.asdict(tensor), reads=[])
        for name, tensor in open_component(directory).items()
    }


@pytest.fixture
def watched(directory):
    return watch(directory)


def shardings(shape):
    mesh = make_mesh(parse_mesh(shape))
    specs = {
        "blocks": {"kernel": PartitionSpec(None, "data", "model")},
        "out": {"kernel": PartitionSpec("data"), "bias": PartitionSpec()},
    }
    return jax.tree.map(
        lambda spec: NamedSharding(mesh, spec),
        specs,
        is_leaf=lambda x: isinstance(x, PartitionSpec),
    )


@pytest.mark.parametrize("shape", ["1x1", "4x2", "2x4"])
def test_every_part_is_in_its_place_and_read_once(arrays, watched, shape):
    expected = shardings(shape)
    tree = load_tree(watched, families(ROWS, NUM_BLOCKS), shardings=expected)
    kernel = tree["blocks"]["kernel"]
    blocks = [arrays[f"blocks.{i}.weight"].T for i in range(NUM_BLOCKS)]
    np.testing.assert_array_equal(kernel, np.stack(blocks))
    np.testing.assert_array_equal(tree["out"]["kernel"], arrays["out.weight"].T)
    assert jax.tree.map(lambda x: x.sharding, tree) == expected
    data, model = (int(size) for size in shape.split("x"))
    for name, tensor in watched.items():
        parts = {"out.weight": data, "out.bias": 1}.get(name, data * model)
        assert tensor.reads == [arrays[name].size // parts] * parts, name


def test_replicated_tensors_are_read_once_for_all_devices(watched):
    mesh = make_mesh(parse_mesh("4x2"))
    whole = NamedSharding(mesh, PartitionSpec())
    tree = load_tree(
        {"out.bias": watched["out.bias"]},
        families(ROWS[2:], 0),
        shardings={"out": {"bias": whole}},
    )
    assert watched["out.bias"].reads == [8]
    assert len(tree["out"]["bias"].addressable_shards) == 8


def test_each_of_two_processes_reads_its_half(arrays, directory, tmp_path):
    blocks = [arrays[f"blocks.{i}.weight"].T for i in range(NUM_BLOCKS)]
    np.save(tmp_path / "expected.npy", np.stack(blocks))
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    variables = {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "JAX_PLATFORMS": "cpu",
        "TBSTAR_COORDINATOR": f"127.0.0.1:{port}",
        "TBSTAR_NUM_PROCESSES": "2",
    }
    arguments = [str(directory), str(tmp_path / "expected.npy")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", LOAD_HALF, *arguments],
            env={**os.environ, **variables, "TBSTAR_PROCESS_ID": str(index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    halves = {f"blocks.{i}.weight": 64 for i in range(NUM_BLOCKS)}
    try:
        results = [process.communicate(timeout=100) for process in processes]
    finally:
        for process in processes:
            process.kill()
    # A half of what is sharded, all of what every device holds.
    expected = {**halves, "out.bias": 8, "out.weight": 16}
    # The collectives' library writes lines of its own on the same stream.
    for output, errors in results:
        assert str(expected) in output.splitlines(), errors
