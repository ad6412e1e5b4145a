"""LoRAs as the modules that stage 1 goes on training."""

import dataclasses
import functools

import numpy as np
import pytest

from tbstar_jax.convert.lora import read_loras
from tbstar_jax.convert.lora_collection import (
    collection_from_loras,
    export_obstacle,
    save_lora,
    tensors_of_collection,
)
from tbstar_jax.convert.lora_file import parse_lora_file
from tbstar_jax.errors import UserError
from tbstar_jax.model.tbstar import compatible_with_diffusers
from tbstar_jax.trees import flatten
from tests.support.drawn_weights import draw_parts
from tests.support.lora_files import draw_lora, write_lora
from tests.support.reduced import reduced_model

TO_Q = "transformer_blocks.1.attn.to_q"
PATH = "transformer_blocks/attn/to_q"


def _model(**adapters):
    config = reduced_model()
    modules = dataclasses.replace(config.pattern_shifting, **adapters)
    return dataclasses.replace(config, pattern_shifting=modules)


@functools.cache
def _params():
    return draw_parts(reduced_model())["params"]


def _file(path, names, **drawn):
    return write_lora(path, draw_lora(_params(), names, **drawn), "kohya")


def _collection(config, *texts):
    files = [parse_lora_file(str(text)) for text in texts]
    return collection_from_loras(read_loras(files, 2), config, seed=0)


def test_several_files_stand_side_by_side_and_the_rest_can_be_trained(tmp_path):
    config = _model(rank=8, alpha=4.0)
    one = _file(tmp_path / "1.safetensors", {TO_Q}, rank=3, alpha=3.0)
    two = _file(tmp_path / "2.safetensors", {TO_Q}, rank=2, alpha=2.0, seed=1)
    flat = flatten(_collection(config, one, f"{two}:0.25"))
    lora_a, lora_b = flat[f"{PATH}/lora_a"], flat[f"{PATH}/lora_b"]
    down, up, _ = draw_lora(_params(), {TO_Q}, rank=2, seed=1)[TO_Q]
    np.testing.assert_array_equal(lora_a[1, :, 3:5], down.T)
    # 0.25 of the file, divided by the collection's alpha / rank of 1/2.
    np.testing.assert_array_equal(lora_b[1, 3:5], up.T * np.float32(0.5))
    assert (lora_b[1, 5:] == 0).all()
    assert (lora_b[0] == 0).all()
    assert (lora_a[0] != 0).all()
    assert (lora_a[1, :, 5:] != 0).all()
    assert np.abs(lora_a[0]).max() <= lora_a.shape[1] ** -0.5
    assert (flat["source_embedding"] == 0).all()


def test_a_linear_without_an_adapter_is_named(tmp_path):
    path = _file(tmp_path / "a.safetensors", {TO_Q, "proj_out"})
    with pytest.raises(UserError, match=r"changes proj_out, .* adapter\.as=params"):
        _collection(_model(), path)
    path = _file(tmp_path / "b.safetensors", {"transformer_blocks.0.img_mod.1"})
    with pytest.raises(UserError, match=r"changes img_mod, .*txt_mlp_out,img_mod$"):
        _collection(_model(), path)


def test_the_rank_that_is_needed_is_named(tmp_path):
    path = _file(tmp_path / "a.safetensors", {TO_Q}, rank=6)
    with pytest.raises(UserError, match=r"rank 6, .* model.pattern_shifting.rank=6$"):
        _collection(_model(rank=4), path)


def test_another_width_is_refused(tmp_path):
    drawn = draw_lora(_params(), {TO_Q})
    down, up, alpha = drawn[TO_Q]
    path = write_lora(
        tmp_path / "a.safetensors", {TO_Q: (down, up[1:], alpha)}, "kohya"
    )
    with pytest.raises(UserError, match="a 63 x 64 linear"):
        _collection(_model(), path)


def test_the_compatible_model_differs_in_its_sources_only():
    model = reduced_model()
    compatible = compatible_with_diffusers(model)
    assert compatible.transformer.source_attention == "full"
    assert compatible.transformer.source_time == model.transformer.source_time
    assert compatible.pattern_shifting.num_source_embeddings == 0
    with pytest.raises(ValueError, match="source_attention=full, not cached"):
        dataclasses.replace(compatible, transformer=model.transformer)
    with pytest.raises(ValueError, match="num_source_embeddings=0, not 3"):
        dataclasses.replace(compatible, pattern_shifting=model.pattern_shifting)


def test_the_obstacles_of_an_export_are_named():
    model = reduced_model()
    assert export_obstacle(compatible_with_diffusers(model)) is None
    assert "attend cached" in export_obstacle(model)
    assert "source embedding" in export_obstacle(model)
    declared_late = dataclasses.replace(
        compatible_with_diffusers(model), compatible=None
    )
    assert export_obstacle(declared_late) == "it was not trained for it"


def test_with_alpha_equal_to_the_rank_an_export_changes_no_bit(tmp_path):
    config = compatible_with_diffusers(_model(rank=3, alpha=3.0))
    tree = draw_parts(config)["pattern_shifting"]
    tensors = tensors_of_collection(tree, config.pattern_shifting)
    for style in ("diffusers", "comfyui"):
        save_lora(tmp_path / f"{style}.safetensors", tensors, style, {})
        back = flatten(_collection(config, tmp_path / f"{style}.safetensors"))
        for name, leaf in flatten(tree).items():
            np.testing.assert_array_equal(back[name], leaf)
