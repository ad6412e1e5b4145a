"""Prompts, sizes, positions and padding of the conditioner's host side, literally."""

import dataclasses
import json
import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.qwen25_batch import PromptShape
from tbstar_jax.model.conditioner.qwen25_config import qwen25_vl_7b
from tbstar_jax.model.conditioner.qwen25_positions import (
    image_windows,
    patch_position_ids,
    prompt_position_ids,
)
from tbstar_jax.model.conditioner.qwen25_processor import PromptProcessor
from tbstar_jax.model.conditioner.qwen25_prompt import (
    EDIT,
    EDIT_PLUS,
    TEXT_TO_IMAGE,
    picture_size,
    template_of,
)
from tests.support import qwen_vl
from tests.support.reduced import REPOSITORY

PHOTO = qwen_vl.photo(60, 90)


@pytest.fixture(scope="module")
def config():
    return qwen_vl.small_config()


@pytest.fixture(scope="module")
def process(config):
    return qwen_vl.processor(config)


def test_the_drop_indices_are_the_public_constants():
    assert [t.num_dropped for t in (TEXT_TO_IMAGE, EDIT, EDIT_PLUS)] == [34, 64, 64]


def test_the_text_to_image_prompt():
    assert TEXT_TO_IMAGE.render("一只猫 {}", 0) == (
        "<|im_start|>system\nDescribe the image by detailing the color, shape, size, "
        "texture, quantity, text, spatial relationships of the objects and background:"
        "<|im_end|>\n<|im_start|>user\n一只猫 {}<|im_end|>\n<|im_start|>assistant\n"
    )


EDIT_SYSTEM = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, "
    "size, texture, objects, background), then explain how the user's text instruction "
    "should alter or modify the image. Generate a new image that meets the user's "
    "requirements while maintaining consistency with the original input where "
    "appropriate.<|im_end|>\n<|im_start|>user\n"
)


def test_the_edit_prompt():
    assert EDIT.render("make it red", 1) == (
        EDIT_SYSTEM + "<|vision_start|><|image_pad|><|vision_end|>make it red"
        "<|im_end|>\n<|im_start|>assistant\n"
    )


def test_the_edit_plus_prompt_numbers_its_pictures():
    assert EDIT_PLUS.render("make it red", 2) == (
        EDIT_SYSTEM + "Picture 1: <|vision_start|><|image_pad|><|vision_end|>"
        "Picture 2: <|vision_start|><|image_pad|><|vision_end|>make it red"
        "<|im_end|>\n<|im_start|>assistant\n"
    )


def test_the_config_names_the_prompt_of_edits(config):
    edit = dataclasses.replace(config, edit_prompt="edit")
    assert template_of(edit, has_sources=True) is EDIT
    assert template_of(config, has_sources=True) is EDIT_PLUS
    assert template_of(config, has_sources=False) is TEXT_TO_IMAGE


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((1500, 2000), (320, 448)),
        ((1080, 1920), (288, 512)),
        ((1200, 790), (480, 320)),
        ((800, 800), (384, 384)),
    ],
)
def test_pictures_are_resized_to_384_squared(source, expected):
    assert picture_size(*source, EDIT_PLUS.picture_area) == expected


def test_a_photo_too_narrow_to_describe_is_refused():
    with pytest.raises(UserError, match="4000 x 2 pixels is too narrow"):
        picture_size(2, 4000, 384 * 384)


def test_windows_are_cut_from_the_top_left_corner():
    config = dataclasses.replace(qwen25_vl_7b().vision, window_size=56)
    windows = image_windows((3, 3), config)
    expected = [[0, 1, 3, 4], [2, 5, -1, -1], [6, 7, -1, -1], [8, -1, -1, -1]]
    assert windows.cells.tolist() == expected
    assert windows.place.tolist() == [0, 1, 4, 2, 3, 5, 8, 9, 12]


def test_patches_are_numbered_cell_by_cell():
    ids = patch_position_ids((1, 2), qwen25_vl_7b().vision)
    assert ids.tolist() == [
        [[0, 0], [0, 1], [1, 0], [1, 1]],
        [[0, 2], [0, 3], [1, 2], [1, 3]],
    ]


def test_text_goes_on_behind_the_longer_side_of_an_image():
    is_cell = np.asarray([0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 0], bool)
    assert prompt_position_ids(is_cell, ((2, 3), (1, 1))).tolist() == [
        [0, 0, 0],
        [1, 1, 1],
        [2, 2, 2],
        [2, 2, 3],
        [2, 2, 4],
        [2, 3, 2],
        [2, 3, 3],
        [2, 3, 4],
        [5, 5, 5],
        [6, 6, 6],
        [7, 7, 7],
    ]


def test_a_square_photo_becomes_196_tokens_and_16_windows(process):
    inputs = process(("x",), ((qwen_vl.photo(800, 800),),))
    assert (inputs.cell_index >= 0).sum() == 196
    assert inputs.images.patches.shape == (1, 1, 16, 64, 1176)
    assert inputs.images.is_patch.sum() == 28 * 28


def test_at_the_autoencoders_size_a_square_photo_becomes_1369_tokens(config):
    edit = dataclasses.replace(config, edit_prompt="edit")
    inputs = qwen_vl.processor(edit)(("x",), ((PHOTO[:60, :60],),))
    assert (inputs.cell_index >= 0).sum() == 1369


def test_contexts_are_rounded_up_so_that_programs_are_shared(process):
    short, long = process(("a",), ((),)), process(("a" * 30,), ((),))
    assert short.token_ids.shape == long.token_ids.shape == (1, 34 + 192)
    assert short.num_tokens.tolist() == [149 + 1 + 13]
    assert not short.token_ids[0, short.num_tokens[0] :].any()


def test_a_shape_fixes_what_a_batch_is_padded_to(process):
    shape = PromptShape(num_tokens=800, num_images=3, num_windows=20)
    inputs = process(("a", "b"), ((PHOTO,), (PHOTO, PHOTO)), shape=shape)
    assert inputs.token_ids.shape == (2, 800)
    assert inputs.images.patches.shape == (2, 3, 20, 64, 1176)
    counts = inputs.images.is_patch.any(axis=(2, 3))
    assert counts.tolist() == [[True, False, False], [True, True, False]]


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((500, 1, 20), "needs 5.. tokens, the shape to pad to has 500"),
        ((900, 0, 20), "needs 1 images, the shape to pad to has 0"),
        ((900, 1, 3), "needs 1. windows, the shape to pad to has 3"),
    ],
)
def test_a_shape_too_small_is_refused(process, shape, sentence):
    tokens, images, windows = shape
    small = PromptShape(num_tokens=tokens, num_images=images, num_windows=windows)
    with pytest.raises(UserError, match=sentence):
        process(("a",), ((PHOTO,),), shape=small)


def test_examples_with_and_without_sources_do_not_mix(process):
    with pytest.raises(UserError, match="cannot share a batch"):
        process(("a", "b"), ((PHOTO,), ()))


def test_an_instruction_too_long_is_refused_with_the_limit(config):
    short = dataclasses.replace(config, max_instruction_tokens=200)
    with pytest.raises(UserError, match=r"has .* tokens, .* takes at most 200"):
        qwen_vl.processor(short)(("a" * 300,), ((),))


def test_an_image_mark_in_the_instruction_is_refused(process):
    with pytest.raises(UserError, match="stands for a source image"):
        process(("<|image_pad|>",), ((PHOTO,),))


def test_the_edit_prompt_takes_one_source(config):
    edit = qwen_vl.processor(dataclasses.replace(config, edit_prompt="edit"))
    with pytest.raises(UserError, match="at most 1 source images, not 2"):
        edit(("a",), ((PHOTO, PHOTO),))


def test_a_tokenizer_whose_template_has_another_length_is_logged(config, caplog):
    with caplog.at_level(logging.WARNING):
        qwen_vl.processor(config)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "beginning into 149 tokens, the public one into 34" in messages[0]
    assert "beginning into 320 tokens, the public one into 64" in messages[1]


def test_a_tokenizer_of_another_model_is_refused(config):
    other = dataclasses.replace(config, image_token_id=7)
    with pytest.raises(UserError, match=r"into \[261\], the model expects \[7\]"):
        qwen_vl.processor(other)


def test_tokenizer_and_processor_are_loaded_from_a_local_checkpoint(
    config, process, tmp_path
):
    qwen_vl.tokenizer().save_pretrained(tmp_path / "tokenizer")
    without = PromptProcessor.from_folder(tmp_path, config)
    qwen_vl.image_processor().save_pretrained(tmp_path / "processor")
    with_processor = PromptProcessor.from_folder(tmp_path, config)
    expected = process(("变红 blue",), ((PHOTO,),))
    for loaded in (without, with_processor):
        found = loaded(("变红 blue",), ((PHOTO,),))
        np.testing.assert_array_equal(found.token_ids, expected.token_ids)
        np.testing.assert_array_equal(found.images.patches, expected.images.patches)


def test_tokenizer_and_processor_are_read_in_the_public_layout(
    config, process, tmp_path
):
    """`vocab.json` and `merges.txt`; a processor of the time before PIL's own."""
    folder = tmp_path / "tokenizer"
    qwen_vl.tokenizer().save_pretrained(folder)
    whole = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").unlink()
    fields = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
    added = {
        str(token["id"]): {field: token[field] for field in fields}
        for token in whole["added_tokens"]
    }
    settings = {
        "tokenizer_class": "Qwen2Tokenizer",
        "added_tokens_decoder": added,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "unk_token": None,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "vocab.json").write_text(json.dumps(whole["model"]["vocab"]))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (tmp_path / "processor").mkdir()
    (tmp_path / "processor" / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "Qwen2VLImageProcessor",
                "min_pixels": 3136,
                "max_pixels": 12_845_056,
                "patch_size": 14,
                "temporal_patch_size": 2,
                "merge_size": 2,
                "image_mean": [0.48145466, 0.4578275, 0.40821073],
                "image_std": [0.26862954, 0.26130258, 0.27577711],
                "processor_class": "Qwen2_5_VLProcessor",
            }
        )
    )
    loaded = PromptProcessor.from_folder(tmp_path, config)
    expected = process(("变红 blue",), ((PHOTO,),))
    found = loaded(("变红 blue",), ((PHOTO,),))
    np.testing.assert_array_equal(found.token_ids, expected.token_ids)
    np.testing.assert_array_equal(found.images.patches, expected.images.patches)


def test_a_folder_without_tokenizer_is_refused(config, tmp_path):
    with pytest.raises(UserError, match="has no tokenizer/ folder"):
        PromptProcessor.from_folder(tmp_path, config)
    (tmp_path / "tokenizer").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        PromptProcessor.from_folder(tmp_path, config)


_WITHOUT_TORCH = """
import importlib.util, sys
find_spec = importlib.util.find_spec
def without_torch(name, package=None):
    return None if name.split(".")[0].startswith("torch") else find_spec(name, package)
importlib.util.find_spec = without_torch
sys.modules["torch"] = sys.modules["torchvision"] = None
from tests.support import qwen_vl
process = qwen_vl.processor(qwen_vl.small_config())
inputs = process(["a"], [[qwen_vl.photo(60, 90)]])
print(inputs.images.is_patch.sum())
"""


def test_the_host_side_needs_no_torch():
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(22 * 34)]
