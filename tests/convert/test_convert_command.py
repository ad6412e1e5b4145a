"""`python -m tbstar_jax.convert`: in, out, and what it says when it cannot."""

import subprocess
import sys

import jax
import ml_dtypes
import numpy as np
import pytest

from tbstar_jax.convert.__main__ import main
from tbstar_jax.convert.folder import load_weights, save_weights
from tbstar_jax.convert.tensor_files import open_component, open_file
from tbstar_jax.errors import run_command
from tbstar_jax.model.tbstar import compatible_with_diffusers
from tbstar_jax.trees import flatten
from tests.support.drawn_weights import draw_parts
from tests.support.public_checkpoint import small_preset, write_checkpoint
from tests.support.reduced import REPOSITORY, assert_identical, reduced_model


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("public") / "checkpoint")


@pytest.fixture(scope="module")
def weights(checkpoint, tmp_path_factory):
    out = tmp_path_factory.mktemp("command") / "weights"
    flags = ["--preset=qwen-image-edit-2511", "--sizes=checkpoint"]
    assert run_command(main, ["folder", str(checkpoint), str(out), *flags]) == 0
    return out


def _tensors(tensors):
    return {name: tensor[tensor.whole] for name, tensor in tensors.items()}


def test_help_tells_the_story_without_waiting_for_jax():
    code = (
        "import sys, tbstar_jax.convert.__main__ as command\n"
        "try: command.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert 'jax' not in sys.modules"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    for word in ("folder", "cache", "diffusers", "merge", "--comfyui", "Orbax"):
        assert word in result.stdout


def test_a_checkpoint_becomes_a_weights_folder(weights):
    loaded = load_weights(weights, verify=True)
    assert loaded.config == small_preset()
    assert sorted(loaded.parts) == ["conditioner", "params", "vae"]


def test_and_goes_back_as_it_was(checkpoint, weights, tmp_path):
    assert run_command(main, ["diffusers", str(weights), str(tmp_path / "out")]) == 0
    for part in ("transformer", "vae", "text_encoder"):
        before = _tensors(open_component(checkpoint / part))
        assert_identical(_tensors(open_component(tmp_path / "out" / part)), before)


def test_a_single_file_becomes_one_with_its_companions(checkpoint, weights, tmp_path):
    file, out = tmp_path / "comfyui.safetensors", tmp_path / "out"
    assert run_command(main, ["diffusers", str(weights), str(file), "--comfyui"]) == 0
    flags = ["--preset=qwen-image-edit-2511", "--sizes=checkpoint"]
    companions = f"--companions={checkpoint}"
    assert run_command(main, ["folder", str(file), str(out), *flags, companions]) == 0
    assert_identical(load_weights(out).parts, load_weights(weights).parts)


def test_a_dtype_is_written_when_asked_for(checkpoint, tmp_path, capsys):
    flags = ["--preset=qwen-image-edit-2511", "--sizes=checkpoint", "--dtype=float32"]
    command = ["folder", str(checkpoint), str(tmp_path / "out"), *flags]
    assert run_command(main, command) == 0
    found = open_component(tmp_path / "out" / "vae")
    assert {tensor.dtype_name for tensor in found.values()} == {"F32"}
    assert "params" in capsys.readouterr().out


def test_a_cache_is_filled(checkpoint, tmp_path, capsys):
    flags = ["--preset=qwen-image-edit-2511", "--sizes=checkpoint", "--mesh=1x1"]
    command = ["cache", str(checkpoint), str(tmp_path / "cache"), *flags]
    assert run_command(main, command) == 0
    assert "base " in capsys.readouterr().out
    assert (tmp_path / "cache" / "files.json").exists()


def _stage1(directory, config):
    """A weights folder of the byte-level model with stage-1 modules, bfloat16."""
    parts = jax.tree.map(
        lambda leaf: leaf.astype(ml_dtypes.bfloat16), draw_parts(config)
    )
    parts.pop("consistency")
    save_weights(directory, config, parts)
    return parts


def test_stage_1_is_merged_into_the_base(tmp_path):
    config = compatible_with_diffusers(reduced_model())
    parts = _stage1(tmp_path / "weights", config)
    arguments = ["merge", str(tmp_path / "weights"), str(tmp_path / "out")]
    assert run_command(main, arguments) == 0
    merged = _tensors(open_component(tmp_path / "out" / "transformer"))
    base = _tensors(open_component(tmp_path / "weights" / "transformer"))
    adapters = flatten(parts["pattern_shifting"])
    name = "transformer_blocks/attn/to_q"
    lora_a, lora_b = (
        adapters[f"{name}/{half}"][1].astype(np.float32)
        for half in ("lora_a", "lora_b")
    )
    scale = config.pattern_shifting.alpha / config.pattern_shifting.rank
    key = "transformer_blocks.1.attn.to_q.weight"
    expected = base[key].astype(np.float32) + (lora_a @ lora_b).T * np.float32(scale)
    assert merged[key].dtype == base[key].dtype
    np.testing.assert_allclose(
        merged[key].astype(np.float32), expected, rtol=2**-8, atol=1e-6
    )
    for key in ("proj_out.weight", "transformer_blocks.0.img_mod.1.weight"):
        np.testing.assert_array_equal(merged[key], base[key])
    file = tmp_path / "comfyui.safetensors"
    assert run_command(main, [*arguments[:2], str(file), "--comfyui"]) == 0
    prefix = "model.diffusion_model."
    in_file = _tensors(open_file(file))
    assert_identical(
        {name.removeprefix(prefix): tensor for name, tensor in in_file.items()},
        {**merged, "__index_timestep_zero__": np.zeros(1, np.float32)},
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["merge", "{weights}", "{out}"], "has no stage-1 modules to merge"),
        (["merge", "{cached}", "{out}"], "cannot be part of the base: its sources att"),
        (["merge", "{out}", "{out}2"], "is not a weights folder"),
        (["diffusers", "{weights}", "{checkpoint}"], "is not an empty folder"),
        (
            ["diffusers", "{weights}", "{out}", "--comfyui"],
            "must be a new .safetensors",
        ),
        (["folder", "{checkpoint}", "{out}"], "required: --preset; see --help"),
        (
            ["folder", "{checkpoint}", "{out}", "--preset=qwen"],
            "there is no preset qwen",
        ),
        (
            ["folder", "{checkpoint}", "{out}", "--preset=qwen-image-edit-2511"],
            "transformer.num_layers is 3 instead of 60",
        ),
        (["unfold"], "invalid choice: 'unfold'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    checkpoint, weights, tmp_path, capsys, arguments, sentence
):
    places = {"checkpoint": checkpoint, "weights": weights, "out": tmp_path / "out"}
    if "{cached}" in arguments:
        _stage1(tmp_path / "cached", reduced_model())
        places["cached"] = tmp_path / "cached"
    argv = [argument.format(**places) for argument in arguments]
    assert run_command(main, argv) == 2
    error = capsys.readouterr().err
    assert sentence in error.splitlines()[-1]
    assert error.splitlines()[-1].startswith("error: ")
