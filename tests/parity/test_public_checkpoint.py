"""Checkpoints as diffusers and transformers write them, loaded and taken back."""


import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.convert.public import load_public
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh
from tbstar_jax.parallel.sharding import variable_shardings
from tbstar_jax.trees import flatten
from tests.support.public_checkpoint import small_preset, write_checkpoint
from tests.support.reduced import assert_identical


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("public") / "checkpoint")


@pytest.fixture(scope="module")
def on_host(directory):
    return load_public(directory, small_preset())


def test_transformer_was_written_in_shards(directory):
    assert len(list((directory / "transformer").glob("*.safetensors"))) > 3


@pytest.mark.parametrize("shape", ["1x1", "4x2"])
def test_arrays_on_a_mesh_are_those_on_the_host(directory, on_host, shape):
    mesh = make_mesh(parse_mesh(shape))
    placed = load_public(directory, small_preset(), mesh=mesh)
    assert_identical(placed.parts, on_host.parts)
    for part, tree in placed.parts.items():
        shardings = flatten(variable_shardings(tree, mesh, part))
        assert {n: a.sharding for n, a in flatten(tree).items()} == shardings


def test_a_dtype_is_cast_to_while_loading(directory, on_host):
    mesh = make_mesh(parse_mesh("2x2"))
    cast = load_public(
        directory, small_preset(), parts=("params",), dtype=jnp.float32, mesh=mesh
    )
    expected = jax.tree.map(
        lambda leaf: leaf.astype(np.float32), on_host.parts["params"]
    )
    assert_identical(cast.parts["params"], expected)
