"""A checkpoint that diffusers wrote, with small random components."""

import dataclasses

from tbstar_jax.model.presets import qwen_image_edit_2511
from tests.support import qwen_vl

NUM_LAYERS = 3


def small_preset(preset=None):
    """A public preset with the sizes of `write_checkpoint`."""
    config = qwen_image_edit_2511() if preset is None else preset
    return dataclasses.replace(
        config,
        transformer=dataclasses.replace(
            config.transformer,
            num_layers=NUM_LAYERS,
            num_attention_heads=2,
            attention_head_dim=32,
            axes_dims_rope=(8, 12, 12),
            joint_attention_dim=qwen_vl.small_config().width,
        ),
        vae=dataclasses.replace(config.vae, base_dim=8, num_res_blocks=1),
        conditioner=dataclasses.replace(
            qwen_vl.small_config(),
            edit_prompt=config.conditioner.edit_prompt,
            max_instruction_tokens=config.conditioner.max_instruction_tokens,
        ),
    )


def transformer(zero_cond_t=True):
    import torch
    from diffusers import QwenImageTransformer2DModel

    torch.manual_seed(1)
    config = small_preset().transformer
    return QwenImageTransformer2DModel(
        num_layers=config.num_layers,
        attention_head_dim=config.attention_head_dim,
        num_attention_heads=config.num_attention_heads,
        joint_attention_dim=config.joint_attention_dim,
        axes_dims_rope=config.axes_dims_rope,
        zero_cond_t=zero_cond_t,
    ).to(torch.bfloat16)


def autoencoder():
    import torch
    from diffusers import AutoencoderKLQwenImage

    torch.manual_seed(2)
    config = small_preset().vae
    return AutoencoderKLQwenImage(
        base_dim=config.base_dim, num_res_blocks=config.num_res_blocks
    ).to(torch.bfloat16)


def write_checkpoint(directory, pipeline=None, zero_cond_t=True):
    """Saves a pipeline without tokenizer; the transformer in several shards."""
    import diffusers
    import torch

    text_encoder = qwen_vl.reference_model(qwen_vl.small_config()).to(torch.bfloat16)
    name = "QwenImageEditPlusPipeline" if pipeline is None else pipeline
    parts = {
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, max_shift=0.9, max_image_seq_len=8192
        ),
        "vae": autoencoder(),
        "text_encoder": text_encoder,
        "tokenizer": None,
        "transformer": transformer(zero_cond_t),
    }
    if name != "QwenImagePipeline":
        parts["processor"] = None
    getattr(diffusers, name)(**parts).save_pretrained(directory, max_shard_size="100KB")
    return directory
