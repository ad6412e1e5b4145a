"""Checkpoints that are not what a preset needs: refused, with the way out."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from tbstar_jax.convert.folder import save_weights
from tbstar_jax.convert.licence import licence_notice
from tbstar_jax.convert.public import load_base, load_public, open_public
from tbstar_jax.convert.published import published_config
from tbstar_jax.convert.tensor_files import open_component
from tbstar_jax.errors import UserError
from tbstar_jax.model.presets import (
    qwen_image,
    qwen_image_edit,
    qwen_image_edit_2509,
    qwen_image_edit_2511,
    tiny,
)
from tests.support.public_checkpoint import small_preset, write_checkpoint


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Edit-plus with zero_cond_t, as 2511."""
    return write_checkpoint(tmp_path_factory.mktemp("public") / "checkpoint")


@pytest.fixture
def directory(written, tmp_path):
    """A copy to be damaged; weights are links."""
    out = tmp_path / "checkpoint"
    shutil.copytree(written, out)
    return out


def _edit(path, **changes):
    content = {**json.loads(path.read_text()), **changes}
    kept = {name: value for name, value in content.items() if value is not None}
    path.write_text(json.dumps(kept))


def _pipeline(name):
    return lambda d: _edit(d / "model_index.json", _class_name=name)


def _transformer(**changes):
    return lambda d: _edit(d / "transformer" / "config.json", **changes)


def test_sizes_and_choices_come_from_the_files(directory):
    assert published_config(directory, qwen_image_edit_2511()) == small_preset()


@pytest.mark.parametrize(
    ("damage", "preset", "sentence"),
    [
        (_transformer(zero_cond_t=None), qwen_image_edit_2511, "does not say zero_c"),
        (_transformer(zero_cond_t=False), qwen_image_edit_2511, "preset qwen-image-ed"),
        (_transformer(zero_cond_t="yes"), qwen_image_edit_2511, "must be true or fal"),
        (_transformer(), qwen_image_edit_2509, "use the preset qwen-image-edit-2511"),
        (_pipeline("QwenImagePipeline"), qwen_image, "is a text-to-image checkpoint"),
        (_pipeline("FluxPipeline"), qwen_image, "names the pipeline FluxPipeline"),
        (
            _pipeline("QwenImageEditPipeline"),
            qwen_image_edit_2511,
            "conditioner.edit_prompt is edit instead of edit_plus",
        ),
        (
            _transformer(num_layers=7),
            qwen_image_edit_2511,
            "transformer.num_layers is 7 instead of 3",
        ),
        (_transformer(guidance_embeds=True), qwen_image_edit_2511, "guidance_embeds"),
        (_transformer(use_layer3d_rope=True), qwen_image_edit_2511, "layer3d_rope"),
        (_transformer(out_channels=8), qwen_image_edit_2511, "out_channels in .* is 8"),
        (_transformer(_class_name="Flux"), qwen_image_edit_2511, "is of a Flux"),
        (
            lambda d: _edit(d / "vae" / "config.json", base_dim=16),
            qwen_image_edit_2511,
            "vae.base_dim is 16 instead of 8",
        ),
        (
            lambda d: _edit(d / "vae" / "config.json", z_dim=None),
            qwen_image_edit_2511,
            "is no autoencoder's config",
        ),
        (
            lambda d: (d / "model_index.json").unlink(),
            qwen_image_edit_2511,
            "it has no model_index.json",
        ),
        (
            lambda d: (d / "transformer" / "config.json").unlink(),
            qwen_image_edit_2511,
            "cannot be read .* download the whole folder",
        ),
        (
            lambda d: shutil.rmtree(d / "text_encoder"),
            qwen_image_edit_2511,
            "text_encoder/config.json cannot be read",
        ),
    ],
)
def test_another_checkpoint_than_the_preset_is_refused(
    directory, damage, preset, sentence
):
    damage(directory)
    with pytest.raises(UserError, match=sentence):
        open_public(directory, small_preset(preset()))


def test_the_user_says_what_the_file_does_not(directory):
    _transformer(zero_cond_t=None)(directory)
    checkpoint = open_public(directory, small_preset(), zero_cond_t=True)
    assert checkpoint.config.transformer.source_time == "zero"


def test_the_user_cannot_contradict_the_file(directory):
    with pytest.raises(UserError, match="leave it to the file"):
        open_public(directory, small_preset(), zero_cond_t=False)


def test_a_checkpoint_without_the_flag_is_2509(directory):
    _transformer(zero_cond_t=None)(directory)
    checkpoint = open_public(directory, small_preset(qwen_image_edit_2509()))
    assert checkpoint.config.transformer.source_time == "same"


def test_a_text_to_image_base_takes_sources_as_the_preset_says(directory):
    _transformer(zero_cond_t=False)(directory)
    _pipeline("QwenImagePipeline")(directory)
    checkpoint = open_public(directory, small_preset(qwen_image()))
    assert checkpoint.config.transformer.source_attention == "cached"


def test_an_edit_pipeline_of_one_source_is_the_first_preset(directory):
    _transformer(zero_cond_t=False)(directory)
    _pipeline("QwenImageEditPipeline")(directory)
    assert open_public(directory, small_preset(qwen_image_edit())).parts


def test_a_base_is_a_weights_folder_or_a_public_checkpoint(written, tmp_path):
    public = load_base(written, qwen_image_edit_2511())
    assert public.config == small_preset()
    save_weights(tmp_path, public.config, public.parts)
    folder = load_base(tmp_path, qwen_image_edit_2511())
    assert folder.base_identity == public.base_identity


@pytest.mark.parametrize(
    ("preset", "sentence"),
    [
        (qwen_image_edit_2509, "use the preset qwen-image-edit-2511"),
        (tiny, "the byte-level conditioner; use one of qwen-image,"),
    ],
)
def test_a_base_of_another_preset_is_refused(written, preset, sentence):
    with pytest.raises(UserError, match=sentence):
        load_base(written, preset())


def test_tensors_of_video_are_named_and_left_out(directory, caplog):
    with caplog.at_level("INFO"):
        open_public(directory, small_preset())
    assert "vae: 8 tensors are not used for single images" in caplog.text
    assert "decoder.up_blocks.0.upsamplers.0.time_conv.bias" in caplog.text


def test_a_tensor_of_another_shape_is_found_before_anything_is_read(directory):
    preset = small_preset()
    wider = dataclasses.replace(preset.transformer, joint_attention_dim=80)
    _transformer(joint_attention_dim=80)(directory)
    with pytest.raises(UserError, match=r"txt_in.weight \(64, 64\) instead of"):
        open_public(directory, dataclasses.replace(preset, transformer=wider))


def _single_file(directory, path, *marks, leave_out=()):
    tensors = open_component(directory / "transformer")
    save_file(
        {
            **{
                f"model.diffusion_model.{name}": tensor[tensor.whole]
                for name, tensor in tensors.items()
                if name not in leave_out
            },
            **{
                f"model.diffusion_model.{mark}": np.zeros(1, np.float32)
                for mark in marks
            },
        },
        path,
    )
    return path


@pytest.mark.parametrize(
    ("marks", "preset", "sentence"),
    [
        ((), qwen_image_edit_2511, "does not say zero_cond_t"),
        (("__index_timestep_zero__",), qwen_image_edit_2509, "edit-2511"),
        (("stray",), qwen_image_edit_2509, r"1 left over \(stray\)"),
    ],
)
def test_a_single_file_of_another_model_is_refused(
    written, tmp_path, marks, preset, sentence
):
    path = _single_file(written, tmp_path / "file.safetensors", *marks)
    with pytest.raises(UserError, match=sentence):
        open_public(path, small_preset(preset()), parts=("params",))


def test_a_single_file_needs_companions_for_the_other_parts(written, tmp_path):
    mark = "__index_timestep_zero__"
    path = _single_file(written, tmp_path / "file.safetensors", mark)
    with pytest.raises(UserError, match="--companions"):
        open_public(path, small_preset())
    found = open_public(path, small_preset(), companions=written).parts
    assert sorted(found) == ["conditioner", "params", "vae"]


def test_a_single_file_with_fewer_blocks_is_refused(written, tmp_path):
    path = _single_file(written, tmp_path / "file.safetensors")
    preset = small_preset(qwen_image_edit_2509())
    deeper = dataclasses.replace(preset.transformer, num_layers=5)
    with pytest.raises(UserError, match="has 3 blocks, but the preset has 5"):
        open_public(
            path, dataclasses.replace(preset, transformer=deeper), parts=("params",)
        )


def test_a_file_of_another_model_is_said_to_be_one(tmp_path):
    save_file(
        {"double_blocks.0.w": np.zeros(1, np.float32)}, tmp_path / "f.safetensors"
    )
    with pytest.raises(UserError, match="no transformer of the Qwen-Image family"):
        load_public(tmp_path / "f.safetensors", small_preset())


@pytest.mark.parametrize(
    ("card", "name"),
    [
        ("---\nlicense: apache-2.0\n---\n# Qwen", None),
        (
            "---\nlanguage: en\nlicense: other\nlicense_name: qwen-research\n---",
            "qwen-re",
        ),
        ("---\nlicense: 'cc-by-nc-4.0'\n---", "cc-by-nc-4.0"),
        ("license: other", None),
    ],
)
def test_other_licences_than_apache_are_said(tmp_path, card, name):
    assert licence_notice(tmp_path) is None
    (tmp_path / "README.md").write_text(card)
    notice = licence_notice(tmp_path)
    assert notice is None if name is None else name in notice


def test_loading_says_the_licence(directory, caplog):
    (directory / "README.md").write_text("---\nlicense: other\n---\n")
    open_public(directory, small_preset())
    assert "under the licence other, not Apache-2.0" in caplog.text
