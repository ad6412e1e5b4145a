"""Checkpoints as diffusers and transformers write them, loaded and taken back."""

import json
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from tbstar_jax.convert.exchange import (
    write_comfyui,
    write_diffusers,
    write_weights_folder,
)
from tbstar_jax.convert.folder import load_weights
from tbstar_jax.convert.parts import load_part
from tbstar_jax.convert.public import load_public, open_public
from tbstar_jax.convert.published import published_config
from tbstar_jax.convert.tensor_files import open_component
from tbstar_jax.model.presets import (
    qwen_image,
    qwen_image_edit,
    qwen_image_edit_2509,
)
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh
from tbstar_jax.parallel.sharding import variable_shardings
from tbstar_jax.trees import flatten, tree_identity
from tests.support.public_checkpoint import small_preset, write_checkpoint
from tests.support.reduced import assert_identical


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("public") / "checkpoint")


@pytest.fixture(scope="module")
def on_host(directory):
    return load_public(directory, small_preset())


def _tensors(folder):
    return {
        name: tensor[tensor.whole] for name, tensor in open_component(folder).items()
    }


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


@pytest.mark.parametrize(
    ("pipeline", "preset"),
    [
        ("QwenImagePipeline", qwen_image),
        ("QwenImageEditPipeline", qwen_image_edit),
        ("QwenImageEditPlusPipeline", qwen_image_edit_2509),
    ],
)
def test_every_pipeline_of_the_family_is_read(on_host, tmp_path, pipeline, preset):
    write_checkpoint(tmp_path / "written", pipeline, zero_cond_t=False)
    config = small_preset(preset())
    assert published_config(tmp_path / "written", preset()) == config
    loaded = load_public(tmp_path / "written", config, parts=("params",))
    assert_identical(loaded.parts["params"], on_host.parts["params"])


def test_both_generations_of_the_text_encoders_names_are_read(directory, on_host):
    """Files have the old names; models in memory of transformers 5 the new ones."""
    old = _tensors(directory / "text_encoder")
    new = {
        re.sub(r"^model\.", "model.language_model.", name).replace(
            "visual.", "model.visual.", 1
        ): tensor
        for name, tensor in old.items()
    }
    assert old.keys() & new.keys() == {"lm_head.weight"}
    loaded = load_part("conditioner", new, small_preset())
    assert_identical(loaded, on_host.parts["conditioner"])


def test_a_dtype_is_cast_to_while_loading(directory, on_host):
    mesh = make_mesh(parse_mesh("2x2"))
    cast = load_public(
        directory, small_preset(), parts=("params",), dtype=jnp.float32, mesh=mesh
    )
    expected = jax.tree.map(
        lambda leaf: leaf.astype(np.float32), on_host.parts["params"]
    )
    assert_identical(cast.parts["params"], expected)


@pytest.fixture(scope="module")
def weights_folder(directory, tmp_path_factory):
    out = tmp_path_factory.mktemp("converted") / "weights"
    write_weights_folder(open_public(directory, small_preset()), out)
    return out


def test_a_weights_folder_holds_what_the_checkpoint_held(weights_folder, on_host):
    weights = load_weights(weights_folder, verify=True)
    assert weights.config == small_preset()
    assert weights.identities == on_host.identities
    assert_identical(weights.parts, on_host.parts)


def test_the_identity_of_files_is_that_of_the_arrays(on_host):
    expected = {name: tree_identity(tree) for name, tree in on_host.parts.items()}
    assert on_host.identities == expected


def test_back_in_diffusers_every_tensor_is_as_it_was(
    directory, weights_folder, tmp_path
):
    out = tmp_path / "back"
    write_diffusers(weights_folder, out, is_merged=False)
    for part in ("transformer", "vae", "text_encoder"):
        before, after = _tensors(directory / part), _tensors(out / part)
        assert_identical(after, before)
        config = json.loads((directory / part / "config.json").read_text())
        assert json.loads((out / part / "config.json").read_text()) == config
    assert not (out / "manifest.json").exists()


def test_diffusers_loads_what_goes_back(directory, weights_folder, tmp_path):
    import torch
    from diffusers import QwenImageEditPlusPipeline, QwenImageTransformer2DModel

    write_diffusers(weights_folder, tmp_path / "back", is_merged=False)
    reference = QwenImageTransformer2DModel.from_pretrained(directory / "transformer")
    pipeline = QwenImageEditPlusPipeline.from_pretrained(
        tmp_path / "back", tokenizer=None, processor=None
    )
    state = pipeline.transformer.state_dict()
    for name, tensor in reference.state_dict().items():
        assert torch.equal(state[name], tensor), name


@pytest.mark.parametrize("prefix", ["model.diffusion_model.", "diffusion_model.", ""])
def test_a_single_file_is_the_same_transformer(directory, on_host, tmp_path, prefix):
    tensors = _tensors(directory / "transformer")
    tensors["__index_timestep_zero__"] = np.zeros(1, np.int64)
    if prefix:
        tensors = {prefix + name: tensor for name, tensor in tensors.items()}
        tensors["vae.conv1.weight"] = np.zeros(3, np.float32)
    path = tmp_path / "qwen.safetensors"
    save_file(tensors, path)
    loaded = load_public(path, small_preset(), companions=directory, parts=("params",))
    assert_identical(loaded.parts["params"], on_host.parts["params"])


def test_comfyui_gets_one_file_that_loads_again(weights_folder, on_host, tmp_path):
    path = tmp_path / "comfyui.safetensors"
    write_comfyui(weights_folder, path, is_merged=False)
    with safe_open(path, framework="numpy") as file:
        assert all(name.startswith("model.diffusion_model.") for name in file.keys())
    loaded = load_public(path, small_preset(), parts=("params",))
    assert_identical(loaded.parts["params"], on_host.parts["params"])


def test_the_second_load_comes_from_the_cache(directory, on_host, tmp_path, caplog):
    source, cache = tmp_path / "source", tmp_path / "cache"
    shutil.copytree(directory, source)
    parts = ("params", "vae")
    first = load_public(source, small_preset(), parts=parts, cache=cache)
    mesh = make_mesh(parse_mesh("4x2"))
    with caplog.at_level("INFO"):
        second = load_public(
            source, small_preset(), parts=parts, cache=cache, mesh=mesh
        )
    assert "read the converted weights from" in caplog.text
    assert first.identities == second.identities
    for part in parts:
        assert_identical(first.parts[part], on_host.parts[part])
        assert_identical(second.parts[part], on_host.parts[part])
    kernel = second.parts["params"]["transformer_blocks"]["attn"]["to_q"]["kernel"]
    assert len(kernel.sharding.device_set) == 8


def test_a_changed_file_is_not_taken_from_the_cache(directory, tmp_path):
    source, cache = tmp_path / "source", tmp_path / "cache"
    shutil.copytree(directory, source)
    preset = small_preset()
    before = load_public(source, preset, parts=("vae",), cache=cache)
    name = "post_quant_conv.bias"
    path = open_component(source / "vae")[name].path
    tensors = load_file(path)
    save_file({**tensors, name: tensors[name] + 1}, path)
    after = load_public(source, preset, parts=("vae",), cache=cache)
    assert before.identities != after.identities
