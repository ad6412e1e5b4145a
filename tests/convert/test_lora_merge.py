"""Merging LoRAs into the base: float32, on the host or sharded, a new identity."""

import dataclasses
import functools

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from tbstar_jax.convert.folder import Weights
from tbstar_jax.convert.lora import LoraUpdate, read_loras
from tbstar_jax.convert.lora_file import parse_lora_file
from tbstar_jax.convert.lora_merge import MergedTensor, merge_loras
from tbstar_jax.convert.tensor_files import open_file
from tbstar_jax.errors import UserError
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh
from tbstar_jax.parallel.sharding import variable_shardings
from tbstar_jax.trees import flatten
from tests.support.drawn_weights import draw_parts
from tests.support.lora_files import PREFIXES, draw_lora, write_lora
from tests.support.reduced import assert_identical, reduced_model

NUM_LAYERS = 2


@functools.cache
def _weights():
    parts = draw_parts(reduced_model())
    parts = jax.tree.map(lambda leaf: leaf.astype(ml_dtypes.bfloat16), parts)
    identities = dict.fromkeys(parts, "0" * 64)
    return Weights(config=reduced_model(), parts=parts, identities=identities)


@functools.cache
def _drawn():
    return draw_lora(_weights().parts["params"])


def _merged(*texts, weights=None):
    loras = read_loras([parse_lora_file(str(text)) for text in texts], NUM_LAYERS)
    return merge_loras(weights or _weights(), loras)


def test_a_merge_is_the_sum_in_float32(tmp_path):
    path = write_lora(tmp_path / "a.safetensors", _drawn(), "kohya")
    params = _merged(f"{path}:0.5").parts["params"]
    base = _weights().parts["params"]
    down, up, alpha = _drawn()["transformer_blocks.1.img_mlp.net.2"]
    kernel = params["transformer_blocks"]["img_mlp"]["linear_out"]["kernel"]
    before = base["transformer_blocks"]["img_mlp"]["linear_out"]["kernel"]
    assert kernel.dtype == np.float32
    expected = before[1].astype(np.float64) + 0.5 * alpha / 3 * (up @ down).T
    np.testing.assert_allclose(kernel[1], expected, rtol=0, atol=1e-6)
    assert np.abs(kernel[1] - before[1].astype(np.float32)).max() > 0.01


def test_all_spellings_merge_to_the_same_bits(tmp_path):
    merges = [
        _merged(write_lora(tmp_path / s / "a.safetensors", _drawn(), s)).parts["params"]
        for s in PREFIXES
    ]
    for merge in merges[1:]:
        assert_identical(merges[0], merge)


def test_blocks_and_linears_without_an_update_keep_their_bits(tmp_path):
    names = {"transformer_blocks.1.attn.to_q"}
    drawn = draw_lora(_weights().parts["params"], names)
    path = write_lora(tmp_path / "a.safetensors", drawn, "diffusers")
    base = _weights().parts["params"]
    params = _merged(path).parts["params"]
    kernel = params["transformer_blocks"]["attn"]["to_q"].pop("kernel")
    before = base["transformer_blocks"]["attn"]["to_q"]["kernel"]
    np.testing.assert_array_equal(kernel[0], before[0].astype(np.float32))
    params["transformer_blocks"]["attn"]["to_q"]["kernel"] = before
    assert_identical(params, base)


def test_sharded_kernels_are_merged_where_they_lie(tmp_path):
    names = [name for name in _drawn() if not name.startswith("transformer_blocks.1")]
    drawn = {name: _drawn()[name] for name in names}
    one = write_lora(tmp_path / "a.safetensors", drawn, "lightning")
    two = write_lora(tmp_path / "b.safetensors", _drawn(), "kohya")
    mesh = make_mesh(parse_mesh("4x2"))
    params = _weights().parts["params"]
    shardings = variable_shardings(params, mesh, "params")
    placed = dataclasses.replace(
        _weights(), parts={"params": jax.device_put(params, shardings)}
    )
    merged = _merged(f"{one}:0.7", two, weights=placed)
    here = _merged(f"{one}:0.7", two)
    assert merged.base_identity == here.base_identity
    flat, places = flatten(merged.parts["params"]), flatten(shardings)
    for name, leaf in flatten(here.parts["params"]).items():
        assert flat[name].sharding == places[name]
        assert flat[name].dtype == ml_dtypes.bfloat16
        # A step of bfloat16, and the last bit of sums of numbers around 1.
        expected = leaf.astype(np.float32)
        actual = np.asarray(flat[name]).astype(np.float32)
        np.testing.assert_allclose(actual, expected, rtol=2**-8, atol=2**-22)


def test_a_weight_in_a_file_is_read_merged_part_by_part(tmp_path):
    down, up, _ = _drawn()["proj_out"]
    base = np.asarray(_weights().parts["params"]["proj_out"]["kernel"]).T
    save_file(
        {"proj_out.weight": np.ascontiguousarray(base)}, tmp_path / "x.safetensors"
    )
    stored = open_file(tmp_path / "x.safetensors")["proj_out.weight"]
    update = LoraUpdate(down=down, up=up, scale=0.5)
    tensor = MergedTensor(**vars(stored), updates=(update,))
    expected = base.astype(np.float32) + 0.5 * (up @ down)
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor[tensor.whole], expected, rtol=0, atol=1e-6)
    part = tensor[slice(8, 24), slice(0, 5)]
    np.testing.assert_allclose(part, expected[8:24, :5], rtol=0, atol=1e-6)


def test_the_files_and_scales_name_the_base(tmp_path):
    one = write_lora(tmp_path / "a.safetensors", _drawn(), "kohya")
    other = write_lora(tmp_path / "b.safetensors", _drawn(), "diffusers")
    merges = [(one,), (f"{one}:0.5",), (other,), (one, other), (other, one)]
    identities = [_weights().base_identity]
    identities += [_merged(*texts).base_identity for texts in merges]
    assert len(set(identities)) == len(identities)
    moved = tmp_path / "c.safetensors"
    moved.write_bytes(one.read_bytes())
    assert _merged(moved).base_identity == identities[1]
    assert _merged().base_identity == identities[0]


def test_the_stage_modules_are_left_alone(tmp_path):
    path = write_lora(tmp_path / "a.safetensors", _drawn(), "kohya")
    merged, base = _merged(path), _weights()
    for part in ("pattern_shifting", "consistency", "vae", "conditioner"):
        assert merged.parts[part] is base.parts[part]
        assert merged.identities[part] == base.identities[part]


def test_an_update_of_another_width_is_refused(tmp_path):
    drawn = draw_lora(_weights().parts["params"], {"proj_out"})
    down, up, alpha = drawn["proj_out"]
    drawn = {"proj_out": (down[:, :-1], up, alpha)}
    path = write_lora(tmp_path / "a.safetensors", drawn, "kohya")
    with pytest.raises(UserError, match="a 64 x 63 linear proj_out, but this model's"):
        _merged(path)
