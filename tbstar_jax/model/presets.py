"""Named sizes. Every field is written out; variants are `dataclasses.replace`."""

import difflib

from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.byte import ByteConditionerConfig
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

PRESETS = ("tiny", "small")
"""Names of the presets, smallest first."""


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
