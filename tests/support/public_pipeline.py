"""Whole public pipelines with small random components, saved by diffusers."""

import dataclasses

import numpy as np

from tests.support import qwen_vl
from tests.support.public_checkpoint import small_preset

SCHEDULER = {
    "use_dynamic_shifting": True,
    "base_shift": 0.5,
    "max_shift": 0.9,
    "base_image_seq_len": 256,
    "max_image_seq_len": 8192,
    "shift": 1.0,
    "shift_terminal": 0.02,
}
NUM_STEPS = 4
GUIDANCE = 4.0


def transformer(zero_cond_t):
    """Random weights of a size at which every part is felt."""
    import torch
    from diffusers import QwenImageTransformer2DModel

    torch.manual_seed(1)
    config = small_preset().transformer
    model = QwenImageTransformer2DModel(
        num_layers=config.num_layers,
        attention_head_dim=config.attention_head_dim,
        num_attention_heads=config.num_attention_heads,
        joint_attention_dim=config.joint_attention_dim,
        axes_dims_rope=config.axes_dims_rope,
        zero_cond_t=zero_cond_t,
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2:
                parameter.normal_(0, parameter.shape[1] ** -0.5)
            elif name.endswith("weight"):
                parameter.uniform_(0.5, 1.5)
            else:
                parameter.uniform_(-0.1, 0.1)
    return model


def autoencoder():
    import torch
    from diffusers import AutoencoderKLQwenImage

    torch.manual_seed(2)
    config = small_preset().vae
    return AutoencoderKLQwenImage(
        base_dim=config.base_dim, num_res_blocks=config.num_res_blocks
    )


def write_pipeline(directory, name, zero_cond_t=False):
    """Assembles the pipeline of this class, saves it, and gives it back.

    `save_pretrained` of a pipeline would name our stand-in for the processor, which is
    no class of transformers, in `model_index.json`; so the processor is saved beside.
    """
    import diffusers

    text_encoder = qwen_vl.reference_model(qwen_vl.small_config())
    parts = {
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(**SCHEDULER),
        "vae": autoencoder(),
        "text_encoder": text_encoder,
        "tokenizer": qwen_vl.tokenizer(),
        "transformer": transformer(zero_cond_t),
    }
    diffusers.utils.logging.set_verbosity_error()  # that a part is None
    is_edit = name != "QwenImagePipeline"
    if is_edit:
        parts["processor"] = None
    pipeline = getattr(diffusers, name)(**parts)
    pipeline.save_pretrained(directory)
    if is_edit:
        qwen_vl.image_processor().save_pretrained(directory / "processor")
        pipeline.processor = qwen_vl.reference_processor()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def noise_of(num_tokens, seed=7):
    """Packed noise of one image, drawn by torch, `[n c]`."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return torch.randn((num_tokens, 64), generator=generator).numpy()


def run_reference(pipeline, noise, prompt, **arguments):
    """Latent `[n c]` and image uint8 of the reference.

    The image is decoded as the pipeline does it, which would need a second run.
    """
    import torch

    latents = []

    def keep(_pipeline, _step, _time, values):
        latents.append(values["latents"].clone())
        return values

    images = pipeline(
        prompt=prompt,
        negative_prompt=" ",
        true_cfg_scale=GUIDANCE,
        num_inference_steps=NUM_STEPS,
        latents=torch.from_numpy(noise)[None],
        callback_on_step_end=keep,
        output_type="pil",
        **arguments,
    ).images
    return latents[-1][0].numpy(), np.asarray(images[0])


def with_budget(model, pixel_budget):
    """A loaded model whose `geometry=diffusers` resizes to another area."""
    config = dataclasses.replace(model.config, pixel_budget=pixel_budget)
    return dataclasses.replace(model, config=config)
