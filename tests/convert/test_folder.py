"""The weights folder: what is written is read, and nothing else."""

import functools
import json

import jax
import ml_dtypes
import numpy as np
import pytest

from tbstar_jax.convert.folder import load_weights, save_weights
from tbstar_jax.errors import UserError
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh
from tests.support.drawn_weights import draw_parts
from tests.support.reduced import assert_identical, reduced_model


@functools.cache
def _parts():
    parts = draw_parts(reduced_model())
    return jax.tree.map(lambda leaf: leaf.astype(ml_dtypes.bfloat16), parts)


def _base():
    return {name: _parts()[name] for name in ("params", "vae", "conditioner")}


def test_every_part_comes_back_bit_for_bit(tmp_path):
    save_weights(tmp_path, reduced_model(), _parts())
    weights = load_weights(tmp_path, verify=True)
    assert weights.config == reduced_model()
    assert_identical(weights.parts, _parts())


def test_a_folder_is_read_into_shards_of_another_dtype(tmp_path):
    written = save_weights(tmp_path, reduced_model(), _parts())
    mesh = make_mesh(parse_mesh("2x2"))
    weights = load_weights(tmp_path, dtype=np.float32, mesh=mesh)
    expected = jax.tree.map(lambda leaf: leaf.astype(np.float32), _parts())
    assert_identical(weights.parts, expected)
    assert weights.identities == written.identities
    kernel = weights.parts["params"]["transformer_blocks"]["attn"]["to_q"]["kernel"]
    assert {shard.data.shape for shard in kernel.addressable_shards} == {(2, 32, 32)}


def test_a_large_part_is_written_in_shards(tmp_path):
    save_weights(tmp_path, reduced_model(), _base(), max_shard_bytes=200_000)
    assert len(list((tmp_path / "transformer").glob("*.safetensors"))) > 1
    weights = load_weights(tmp_path, verify=True)
    assert_identical(weights.parts, _base())


def test_a_stage_is_added_to_the_base_it_was_trained_on(tmp_path):
    before = save_weights(tmp_path, reduced_model(), _base())
    stage = {"pattern_shifting": _parts()["pattern_shifting"]}
    after = save_weights(tmp_path, reduced_model(), stage)
    assert after.base_identity == before.base_identity
    assert sorted(after.parts) == ["conditioner", "params", "pattern_shifting", "vae"]


def test_the_identity_names_the_content(tmp_path):
    first = save_weights(tmp_path / "a", reduced_model(), _base())
    again = save_weights(tmp_path / "b", reduced_model(), _base())
    changed = {**_base(), "vae": jax.tree.map(lambda x: x * 2, _base()["vae"])}
    other = save_weights(tmp_path / "c", reduced_model(), changed)
    assert first.base_identity == again.base_identity != other.base_identity


def test_a_changed_file_is_found_when_asked(tmp_path):
    save_weights(tmp_path, reduced_model(), _base())
    path = tmp_path / "text_encoder" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="the file was changed"):
        load_weights(tmp_path, verify=True)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda d: (d / "tbstar_config.json").unlink(), "not a weights folder"),
        (lambda d: (d / "manifest.json").write_text("{"), "cannot be read"),
        (lambda d: (d / "manifest.json").write_text("{}"), "lacks the weights"),
        (
            lambda d: (d / "transformer/diffusion_pytorch_model.safetensors").unlink(),
            "holds no .safetensors file",
        ),
        (
            lambda d: (d / "vae/diffusion_pytorch_model.safetensors").write_bytes(
                (d / "vae/diffusion_pytorch_model.safetensors").read_bytes()[:-10]
            ),
            "cannot be read",
        ),
    ],
)
def test_a_damaged_folder_is_one_sentence(tmp_path, damage, sentence):
    save_weights(tmp_path, reduced_model(), _base())
    damage(tmp_path)
    with pytest.raises(UserError, match=sentence):
        load_weights(tmp_path)


def test_leftover_tensors_are_named(tmp_path):
    save_weights(tmp_path, reduced_model(), _base())
    config = json.loads((tmp_path / "tbstar_config.json").read_text())
    config["transformer"]["num_layers"] -= 1
    (tmp_path / "tbstar_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"left over \(transformer_blocks\.\d+\."):
        load_weights(tmp_path)
