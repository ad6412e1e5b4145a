"""Random LoRAs of the reduced transformer, in every spelling of the field."""

import json

import numpy as np
from safetensors.numpy import save_file

from tbstar_jax.convert.lora import linears

PREFIXES = {
    "diffusers": ("transformer.", "lora_A.weight", "lora_B.weight"),
    "peft": ("base_model.model.", "lora_A.weight", "lora_B.weight"),
    "plain": ("", "lora_A.weight", "lora_B.weight"),
    "ai-toolkit": ("diffusion_model.", "lora_A.weight", "lora_B.weight"),
    "comfyui": ("diffusion_model.", "lora_down.weight", "lora_up.weight"),
    "kohya": ("lora_unet_", "lora_down.weight", "lora_up.weight"),
    "lightning": ("", "lora_down.weight", "lora_up.weight"),
}


def draw_lora(params, names=None, rank=3, alpha=2.0, seed=0):
    """Linear's diffusers name to (down, up, alpha), for some linears or all."""
    rng = np.random.default_rng(seed)
    drawn = {}
    for linear in linears():
        node = params
        for key in linear.ours.split("/"):
            node = node[key]
        *blocks, width, features = node["kernel"].shape
        for name in linear.names(*blocks) if blocks else linear.names(1):
            if names is None or name in names:
                down = 0.2 * rng.standard_normal((rank, width))
                up = 0.2 * rng.standard_normal((features, rank))
                drawn[name] = down.astype(np.float32), up.astype(np.float32), alpha
    return drawn


def write_lora(path, drawn, spelling, dtype=np.float32):
    """Writes a drawn LoRA; alpha goes where the spelling has it."""
    prefix, down_name, up_name = PREFIXES[spelling]
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors, metadata = {}, {"format": "pt"}
    for name, (down, up, alpha) in drawn.items():
        module = prefix + (name.replace(".", "_") if spelling == "kohya" else name)
        tensors[f"{module}.{down_name}"] = down.astype(dtype)
        tensors[f"{module}.{up_name}"] = up.astype(dtype)
        if spelling in ("kohya", "comfyui", "lightning", "ai-toolkit"):
            tensors[f"{module}.alpha"] = np.asarray(alpha, np.float32)
    (alpha,) = {alpha for _, _, alpha in drawn.values()}
    ranks = {down.shape[0] for down, _, _ in drawn.values()}
    config = json.dumps({"r": max(ranks), "lora_alpha": alpha})
    if spelling in ("diffusers", "plain"):
        metadata["lora_adapter_metadata"] = config
    if spelling == "peft":
        (path.parent / "adapter_config.json").write_text(config)
    save_file(tensors, path, metadata=metadata)
    return path
