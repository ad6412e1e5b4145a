"""The conditioner's config and names, as published for the 7B model."""

import json

import pytest

from tbstar_jax.convert.config_vl import conditioner_config
from tbstar_jax.convert.key_map_vl import key_generation
from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.qwen25_config import qwen25_vl_7b

PUBLISHED = """
{"model_type": "qwen2_5_vl", "image_token_id": 151655, "hidden_act": "silu",
 "hidden_size": 3584, "intermediate_size": 18944, "max_window_layers": 28,
 "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4,
 "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
 "use_sliding_window": false, "vocab_size": 152064,
 "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
 "vision_config": {"depth": 32, "hidden_act": "silu", "hidden_size": 1280,
  "intermediate_size": 3420, "num_heads": 16, "in_chans": 3, "out_hidden_size": 3584,
  "patch_size": 14, "spatial_merge_size": 2, "spatial_patch_size": 14,
  "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31],
  "tokens_per_second": 2, "temporal_patch_size": 2}}
"""


def read(published):
    return conditioner_config(
        published, edit_prompt="edit_plus", max_instruction_tokens=1024
    )


def test_the_7b_preset_is_what_the_published_config_says():
    assert read(json.loads(PUBLISHED)) == qwen25_vl_7b()


def test_a_sliding_window_is_read_when_it_is_on():
    published = {**json.loads(PUBLISHED), "use_sliding_window": True}
    assert read(published).language.sliding_window == 32_768


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model_type": "qwen3_vl"}, "is a qwen3_vl, not a qwen2_5_vl"),
        ({"hidden_act": "gelu"}, "hidden_act gelu is not implemented"),
        ({"rope_scaling": {"type": "yarn"}}, "of type yarn are not implemented"),
    ],
)
def test_a_config_of_another_model_is_refused(change, sentence):
    with pytest.raises(UserError, match=sentence):
        read({**json.loads(PUBLISHED), **change})


def test_a_missing_field_is_named():
    published = json.loads(PUBLISHED)
    del published["vocab_size"]
    with pytest.raises(UserError, match="has no vocab_size"):
        read(published)


def test_names_of_another_model_are_refused():
    with pytest.raises(UserError, match=r"not a Qwen2\.5-VL checkpoint"):
        key_generation(["encoder.block.0.layer.0.SelfAttention.q.weight"])
