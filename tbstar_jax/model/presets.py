"""Named sizes. Every field is written out; variants are `dataclasses.replace`."""

import dataclasses
import difflib
from typing import Literal

from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.byte import ByteConditionerConfig
from tbstar_jax.model.conditioner.qwen25_config import qwen25_vl_7b
from tbstar_jax.model.consistency import ConsistencyConfig
from tbstar_jax.model.mmdit import TransformerConfig
from tbstar_jax.model.pattern_shifting import (
    IMAGE_LINEARS,
    TEXT_LINEARS,
    AdapterConfig,
    PatternShiftingConfig,
)
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.model.vae import VAEConfig

PUBLIC_PRESETS = (
    "qwen-image",
    "qwen-image-2512",
    "qwen-image-edit",
    "qwen-image-edit-2509",
    "qwen-image-edit-2511",
)
"""Presets of public checkpoints, oldest first within a kind."""

PRESETS = ("tiny", "small", *PUBLIC_PRESETS)
"""Names of the presets, smallest first."""

# Per latent channel, from the public autoencoder's config.json.
# fmt: off
_PUBLIC_MEAN = (
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
    0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
)
_PUBLIC_STD = (
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
    3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
)
# fmt: on


def preset(name: str) -> ModelConfig:
    """The preset of this name.

    Raises:
      UserError: there is none; the sentence names the nearest.
    """
    match name:
        case "tiny":
            return tiny()
        case "small":
            return small()
        case "qwen-image":
            return qwen_image()
        case "qwen-image-2512":
            return qwen_image_2512()
        case "qwen-image-edit":
            return qwen_image_edit()
        case "qwen-image-edit-2509":
            return qwen_image_edit_2509()
        case "qwen-image-edit-2511":
            return qwen_image_edit_2511()
    nearest = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0)[0]
    raise UserError(
        f"there is no preset {name}; did you mean {nearest} (of {', '.join(PRESETS)})?"
    )


def tiny() -> ModelConfig:
    """For CPU, tests and the demo: every part small, 128 x 128 pixels.

    About 10M parameters in the transformer. The latent statistics are measured by
    `experiments.pretrain` and stored with the weights.
    """
    return ModelConfig(
        transformer=TransformerConfig(
            num_layers=8,
            num_attention_heads=6,
            attention_head_dim=32,
            in_channels=64,
            joint_attention_dim=160,
            axes_dims_rope=(8, 12, 12),
            source_time="zero",
            source_attention="cached",
            remat="none",
            attention_kernel="xla",
        ),
        pattern_shifting=PatternShiftingConfig(
            rank=32,
            alpha=32.0,
            targets=IMAGE_LINEARS + TEXT_LINEARS,
            num_source_embeddings=3,
        ),
        consistency=ConsistencyConfig(
            adapters=AdapterConfig(rank=16, alpha=16.0, targets=IMAGE_LINEARS),
            gate_width=192,
        ),
        vae=VAEConfig(
            base_dim=16,
            dim_mult=(1, 2, 4, 4),
            num_res_blocks=1,
            z_dim=16,
            latents_mean=(0.0,) * 16,
            latents_std=(1.0,) * 16,
        ),
        conditioner=ByteConditionerConfig(
            width=160,
            num_layers=3,
            num_heads=5,
            max_tokens=96,
            thumbnail_size=32,
            thumbnail_patch=8,
        ),
        pixel_budget=128 * 128,
        num_steps=16,
        guidance_scale=2.0,
    )


def small() -> ModelConfig:
    """For research on one GPU: about 300M parameters in the transformer, 512 px.

    On NVIDIA GPUs run it with `compute_dtype=bfloat16` and
    `model.transformer.attention_kernel=cudnn`.
    """
    return ModelConfig(
        transformer=TransformerConfig(
            num_layers=14,
            num_attention_heads=12,
            attention_head_dim=64,
            in_channels=64,
            joint_attention_dim=512,
            axes_dims_rope=(8, 28, 28),
            source_time="zero",
            source_attention="cached",
            remat="block",
            attention_kernel="xla",
        ),
        pattern_shifting=PatternShiftingConfig(
            rank=64,
            alpha=64.0,
            targets=IMAGE_LINEARS + TEXT_LINEARS,
            num_source_embeddings=3,
        ),
        consistency=ConsistencyConfig(
            adapters=AdapterConfig(rank=32, alpha=32.0, targets=IMAGE_LINEARS),
            gate_width=512,
        ),
        vae=VAEConfig(
            base_dim=64,
            dim_mult=(1, 2, 4, 4),
            num_res_blocks=2,
            z_dim=16,
            latents_mean=(0.0,) * 16,
            latents_std=(1.0,) * 16,
        ),
        conditioner=ByteConditionerConfig(
            width=512,
            num_layers=8,
            num_heads=8,
            max_tokens=256,
            thumbnail_size=128,
            thumbnail_patch=16,
        ),
        pixel_budget=512 * 512,
        num_steps=24,
        guidance_scale=3.0,
    )


def qwen_image() -> ModelConfig:
    """Qwen-Image: text to image, 20.43B parameters, a base for our two stages.

    It has never seen a source, so sources are modulated and cached as in `tiny`.
    """
    return _qwen_image(
        source_time="zero",
        source_attention="cached",
        edit_prompt="edit_plus",
        num_steps=50,
    )


def qwen_image_2512() -> ModelConfig:
    """Qwen-Image-2512: the text-to-image model of December 2025, of the same form."""
    return _qwen_image(
        source_time="zero",
        source_attention="cached",
        edit_prompt="edit_plus",
        num_steps=50,
    )


def qwen_image_edit() -> ModelConfig:
    """Qwen-Image-Edit: one source, which its conditioner sees at full size."""
    return _qwen_image(
        source_time="same",
        source_attention="full",
        edit_prompt="edit",
        num_steps=50,
    )


def qwen_image_edit_2509() -> ModelConfig:
    """Qwen-Image-Edit-2509: up to three numbered sources."""
    return _qwen_image(
        source_time="same",
        source_attention="full",
        edit_prompt="edit_plus",
        num_steps=40,
    )


def qwen_image_edit_2511() -> ModelConfig:
    """Qwen-Image-Edit-2511: as 2509, with sources modulated at t = 0."""
    return _qwen_image(
        source_time="zero",
        source_attention="full",
        edit_prompt="edit_plus",
        num_steps=40,
    )


def _qwen_image(
    *,
    source_time: Literal["zero", "same"],
    source_attention: Literal["cached", "full"],
    edit_prompt: Literal["edit", "edit_plus"],
    num_steps: int,
) -> ModelConfig:
    """The architecture all five share, and where they differ."""
    return ModelConfig(
        transformer=TransformerConfig(
            num_layers=60,
            num_attention_heads=24,
            attention_head_dim=128,
            in_channels=64,
            joint_attention_dim=3584,
            axes_dims_rope=(16, 56, 56),
            source_time=source_time,
            source_attention=source_attention,
            remat="block",
            attention_kernel="xla",
        ),
        pattern_shifting=PatternShiftingConfig(
            rank=16,
            alpha=16.0,
            targets=IMAGE_LINEARS + TEXT_LINEARS,
            num_source_embeddings=3,
        ),
        consistency=ConsistencyConfig(
            adapters=AdapterConfig(rank=16, alpha=16.0, targets=IMAGE_LINEARS),
            gate_width=1024,
        ),
        vae=VAEConfig(
            base_dim=96,
            dim_mult=(1, 2, 4, 4),
            num_res_blocks=2,
            z_dim=16,
            latents_mean=_PUBLIC_MEAN,
            latents_std=_PUBLIC_STD,
        ),
        conditioner=dataclasses.replace(qwen25_vl_7b(), edit_prompt=edit_prompt),
        pixel_budget=1024 * 1024,
        num_steps=num_steps,
        guidance_scale=4.0,
    )
