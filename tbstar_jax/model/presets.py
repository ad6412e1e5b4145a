"""Named sizes. Every field is written out; variants are `dataclasses.replace`."""

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
