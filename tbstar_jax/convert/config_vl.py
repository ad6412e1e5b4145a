"""The conditioner's sizes, read from a Qwen2.5-VL checkpoint's `config.json`.

The language model's fields lie at the top of files written up to transformers 4, and
under `text_config` in newer ones; the rotary settings changed their name as well.
"""

from collections.abc import Mapping
from typing import Any, Literal

from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.qwen25_config import (
    LanguageConfig,
    Qwen25VLConfig,
    VisionConfig,
)

_VISION_DEFAULTS = {"in_channels": 3, "temporal_patch_size": 2, "window_size": 112}


def conditioner_config(
    published: Mapping[str, Any],
    *,
    edit_prompt: Literal["edit", "edit_plus"],
    max_instruction_tokens: int,
) -> Qwen25VLConfig:
    """The config a checkpoint was made with.

    Args:
      published: content of `text_encoder/config.json`.
      edit_prompt: how sources stand in the prompt; no part of that file.
      max_instruction_tokens: longest instruction; no part of that file.

    Raises:
      UserError: a field is missing or has a value this model does not implement.
    """
    if published.get("model_type") != "qwen2_5_vl":
        raise UserError(
            f"the text encoder is a {published.get('model_type')}, not a qwen2_5_vl; "
            "give a checkpoint of the Qwen-Image family"
        )
    vision = published.get("vision_config", {})
    language = published.get("text_config") or published
    for part in (vision, language):
        if part.get("hidden_act", "silu") != "silu":
            raise UserError(
                f"hidden_act {part['hidden_act']} is not implemented, only silu"
            )
    try:
        return Qwen25VLConfig(
            vision=_vision_config(vision),
            language=_language_config(language),
            image_token_id=published["image_token_id"],
            edit_prompt=edit_prompt,
            max_instruction_tokens=max_instruction_tokens,
        )
    except KeyError as error:
        raise UserError(
            f"the text encoder's config.json has no {error.args[0]}"
        ) from error


def _vision_config(part: Mapping[str, Any]) -> VisionConfig:
    values = {**_VISION_DEFAULTS, **part}
    rope = values.get("rope_parameters") or {}
    return VisionConfig(
        depth=values["depth"],
        hidden_size=values["hidden_size"],
        num_heads=values["num_heads"],
        intermediate_size=values["intermediate_size"],
        in_channels=part.get("in_chans", values["in_channels"]),
        patch_size=values["patch_size"],
        temporal_patch_size=values["temporal_patch_size"],
        spatial_merge_size=values["spatial_merge_size"],
        window_size=values["window_size"],
        fullatt_block_indexes=tuple(values["fullatt_block_indexes"]),
        out_hidden_size=values["out_hidden_size"],
        rope_theta=float(rope.get("rope_theta", 10_000.0)),
    )


def _language_config(part: Mapping[str, Any]) -> LanguageConfig:
    rope = part.get("rope_parameters") or part.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "mrope"):
        raise UserError(
            f"rotary positions of type {kind} are not implemented, only the default"
        )
    theta = rope.get("rope_theta", part.get("rope_theta"))
    if theta is None:
        raise KeyError("rope_theta")
    return LanguageConfig(
        vocab_size=part["vocab_size"],
        hidden_size=part["hidden_size"],
        intermediate_size=part["intermediate_size"],
        num_hidden_layers=part["num_hidden_layers"],
        num_attention_heads=part["num_attention_heads"],
        num_key_value_heads=part["num_key_value_heads"],
        rms_norm_eps=part["rms_norm_eps"],
        rope_theta=float(theta),
        mrope_section=tuple(rope["mrope_section"]),
        sliding_window=part["sliding_window"]
        if part.get("use_sliding_window", False)
        else None,
        max_window_layers=part["max_window_layers"],
    )
