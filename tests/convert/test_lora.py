"""LoRA files of every spelling, and every file that is refused."""

import functools
import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from tbstar_jax.convert.lora import linears, read_lora, read_loras
from tbstar_jax.convert.lora_file import LoraFile, parse_lora_file
from tbstar_jax.errors import UserError
from tbstar_jax.model.pattern_shifting import (
    IMAGE_LINEARS,
    MODULATION_LINEARS,
    TEXT_LINEARS,
)
from tests.support.drawn_weights import draw_parts
from tests.support.lora_files import PREFIXES, draw_lora, write_lora
from tests.support.reduced import reduced_model

NUM_LAYERS = 2
TO_Q = "transformer_blocks.0.attn.to_q"


@functools.cache
def _params():
    return draw_parts(reduced_model())["params"]


@functools.cache
def _drawn():
    return draw_lora(_params())


def _read(path, scale=1.0):
    return read_lora(LoraFile(path=path, scale=scale), NUM_LAYERS)


def _save(path, tensors, metadata=None):
    save_file({k: np.asarray(t) for k, t in tensors.items()}, path, metadata)
    return path


def _pair(rank=2, width=64, features=64, module=TO_Q):
    return {
        f"{module}.lora_A.weight": np.ones((rank, width), np.float32),
        f"{module}.lora_B.weight": np.ones((features, rank), np.float32),
    }


def test_our_names_of_the_linears_are_the_targets():
    targets = [linear.target for linear in linears() if linear.target]
    assert sorted(targets) == sorted(IMAGE_LINEARS + TEXT_LINEARS + MODULATION_LINEARS)


@pytest.mark.parametrize("spelling", PREFIXES)
def test_every_spelling_is_read_to_the_same_updates(tmp_path, spelling):
    lora = _read(write_lora(tmp_path / "a.safetensors", _drawn(), spelling))
    assert sorted(lora.updates) == sorted(_drawn())
    assert "proj_out" in lora.updates
    assert "transformer_blocks.1.txt_mod.1" in lora.updates
    for name, (down, up, alpha) in _drawn().items():
        update = lora.updates[name]
        np.testing.assert_array_equal(update.down, down)
        np.testing.assert_array_equal(update.up, up)
        assert update.scale == alpha / 3


def test_half_precision_is_widened(tmp_path):
    path = tmp_path / "a.safetensors"
    write_lora(path, _drawn(), "kohya", ml_dtypes.bfloat16)
    update = _read(path).updates[TO_Q]
    down = _drawn()[TO_Q][0].astype(ml_dtypes.bfloat16)
    assert update.down.dtype == np.float32
    np.testing.assert_array_equal(update.down, down.astype(np.float32))


def test_the_scale_multiplies_alpha_over_rank(tmp_path):
    path = write_lora(tmp_path / "a.safetensors", _drawn(), "kohya")
    assert _read(path, scale=-0.5).updates[TO_Q].scale == -0.5 * 2 / 3


def test_alpha_is_the_rank_where_no_file_says_it(tmp_path):
    path = _save(tmp_path / "a.safetensors", _pair())
    assert _read(path).updates[TO_Q].scale == 1


def test_the_name_of_the_adapter_does_not_matter(tmp_path):
    tensors = {
        f"pipe.dit.{name.replace('.weight', '.default.weight')}": tensor
        for name, tensor in _pair().items()
    }
    assert list(_read(_save(tmp_path / "a.safetensors", tensors)).updates) == [TO_Q]


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({"lora_alpha": 8}, 2),
        ({"transformer.lora_alpha": 8}, 2),
        ({"lora_alpha": 8, "alpha_pattern": {"attn.to_q": 2}}, 0.5),
        ({"lora_alpha": 8, "alpha_pattern": {"attn.to_k": 2}}, 2),
        ({"lora_alpha": 8, "use_rslora": True}, 4),
    ],
)
def test_peft_alphas_are_read_by_its_rules(tmp_path, config, scale):
    metadata = {"lora_adapter_metadata": json.dumps(config)}
    path = _save(tmp_path / "a.safetensors", _pair(rank=4), metadata)
    assert _read(path).updates[TO_Q].scale == scale


def test_a_scale_stands_behind_the_last_colon():
    assert parse_lora_file("a.safetensors").scale == 1
    assert parse_lora_file("a.safetensors:0.8").scale == 0.8
    file = parse_lora_file("C:/loras/a.safetensors")
    assert (str(file.path), file.scale) == ("C:/loras/a.safetensors", 1)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a.safetensors:0", "the scale of a.safetensors is 0"),
        ("a.safetensors:nan", "the scale of a.safetensors is nan"),
        ("a.safetensors:strong", "not a .safetensors file"),
        ("a.bin", "a.bin is not a .safetensors file"),
        ("a.pt:0.5", "can run code when they are opened"),
    ],
)
def test_a_file_of_another_kind_or_scale_is_refused(text, sentence):
    with pytest.raises(UserError, match=sentence):
        parse_lora_file(text)


def _one(name, shape=(2, 64)):
    return {name: np.ones(shape, np.float32)}


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        (_pair() | _one(f"{TO_Q}.dora_scale"), r"contains DoRA \(.*dora_scale\)"),
        (_pair() | _one(f"{TO_Q}.lora_magnitude_vector"), "contains DoRA"),
        (_one(f"{TO_Q}.lokr_w1"), "contains LoKr"),
        (_one(f"{TO_Q}.hada_w1_a"), "contains LoHa"),
        (_one(f"{TO_Q}.diff"), "full weight differences"),
        (_one("text_encoder.q_proj.lora_A.weight"), "LoRA of the text encoder"),
        (_pair(module="blocks.0.attn.to_q"), r"no linear .*blocks\.0\.attn\.to_q"),
        (_pair(module="transformer_blocks.2.attn.to_q"), "model of 2 blocks"),
        (_pair() | _one(f"{TO_Q}.lora_B.bias"), r"2 blocks: .*lora_B\.bias"),
        (_one(f"{TO_Q}.lora_A.weight"), f"no up half of the LoRA of {TO_Q}"),
        (_one(f"{TO_Q}.lora_B.weight"), "no down half"),
        (_pair() | _one(f"{TO_Q}.lora_B.weight", (64, 3)), r"shapes \(2, 64\) and"),
        (_pair() | _one(f"{TO_Q}.alpha", (2,)), "it must be one number"),
        (_pair() | {f"{TO_Q}.alpha": np.float32(np.inf)}, "it must be finite"),
        (_pair() | _pair(module=f"transformer.{TO_Q}"), f"holds {TO_Q} twice"),
        ({}, "holds no LoRA"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(tmp_path, tensors, sentence):
    path = _save(tmp_path / "a.safetensors", tensors)
    with pytest.raises(UserError, match=sentence):
        _read(path)


def test_quantised_halves_are_refused(tmp_path):
    pair = {name: tensor.astype(np.int8) for name, tensor in _pair().items()}
    save_file(pair, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match="as int8; only float16"):
        _read(tmp_path / "a.safetensors")


def test_a_pickle_in_disguise_is_not_opened(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"\x80\x04\x95" + bytes(100))
    with pytest.raises(UserError, match=r"a\.safetensors"):
        _read(path)


def test_a_missing_or_cut_file_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"a\.safetensors"):
        _read(tmp_path / "a.safetensors")
    path = write_lora(tmp_path / "b.safetensors", _drawn(), "kohya")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"b\.safetensors cannot be read"):
        _read(path)


def test_peft_without_its_configuration_is_refused(tmp_path):
    path = write_lora(tmp_path / "a.safetensors", _drawn(), "peft")
    (tmp_path / "adapter_config.json").write_text("{")
    with pytest.raises(UserError, match="is not valid JSON"):
        _read(path)
    (tmp_path / "adapter_config.json").unlink()
    with pytest.raises(UserError, match="the strength is unknown"):
        _read(path)


def test_a_file_named_twice_is_refused(tmp_path):
    path = write_lora(tmp_path / "a.safetensors", _drawn(), "kohya")
    files = [LoraFile(path=path, scale=scale) for scale in (1.0, 0.5)]
    with pytest.raises(UserError, match="is named twice"):
        read_loras(files, NUM_LAYERS)
