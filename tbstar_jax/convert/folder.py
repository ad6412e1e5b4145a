"""The weights folder: base, autoencoder, conditioner and stage modules on disk.

    tbstar_config.json                       the whole ModelConfig
    manifest.json                            identity of every part
    model_index.json                         for diffusers' loaders
    transformer/ vae/                        diffusers' layout and key names
    text_encoder/                            the byte-level conditioner, our names
    scheduler/scheduler_config.json          the public scheduler's constants
    pattern_shifting/ consistency/           stage modules, our names; either may lack

Only safetensors are read. The base's identity (see `trees.tree_identity`) binds stage
modules to the base they were trained on.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tbstar_jax.array_types import Tree, Variables
from tbstar_jax.config import from_json, to_json
from tbstar_jax.convert.huggingface import tensors_from_tree, tree_from_tensors
from tbstar_jax.convert.key_map import transformer_rows, vae_rows
from tbstar_jax.diffusion.timesteps import TimestepConfig
from tbstar_jax.errors import UserError
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.trees import flatten, tree_identity, unflatten

BASE_PARTS = ("params", "vae", "conditioner")
STAGE_PARTS = ("pattern_shifting", "consistency")

_FILES = {
    "params": "transformer/diffusion_pytorch_model.safetensors",
    "vae": "vae/diffusion_pytorch_model.safetensors",
    "conditioner": "text_encoder/model.safetensors",
    "pattern_shifting": "pattern_shifting/model.safetensors",
    "consistency": "consistency/model.safetensors",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weights:
    """Everything a weights folder holds.

    Attributes:
      config: sizes and choices, latent statistics included.
      parts: `params`, `vae`, `conditioner` and the stage collections present.
      identities: identity of every part as stored.
    """

    config: ModelConfig
    parts: Variables
    identities: Mapping[str, str]

    @property
    def base_identity(self) -> str:
        """What stage modules are bound to: the three base parts together."""
        return base_identity(self.identities)


def base_identity(identities: Mapping[str, str]) -> str:
    """One text for the identities of transformer, autoencoder and conditioner."""
    return "-".join(identities[part][:20] for part in BASE_PARTS)


def save_weights(directory: Path, config: ModelConfig, parts: Variables) -> Weights:
    """Writes parts in the dtypes they have; parts already there are kept.

    Args:
      directory: made if absent.
      config: of the model.
      parts: any of the five; host or device arrays.

    Returns:
      The folder as it now is on disk.
    """
    directory.mkdir(parents=True, exist_ok=True)
    known = _read_manifest(directory) if (directory / "manifest.json").exists() else {}
    identities = {**known, **{name: tree_identity(parts[name]) for name in parts}}
    for name, tree in parts.items():
        path = directory / _FILES[name]
        path.parent.mkdir(exist_ok=True)
        save_file(_tensors(name, tree, config), path, metadata={"format": "pt"})
    (directory / "tbstar_config.json").write_text(to_json(config))
    for relative, content in _public_configs(config).items():
        (directory / relative).parent.mkdir(exist_ok=True)
        (directory / relative).write_text(json.dumps(content, indent=2) + "\n")
    (directory / "manifest.json").write_text(json.dumps(identities, indent=2) + "\n")
    return load_weights(directory)


def load_weights(directory: Path, *, verify: bool = False) -> Weights:
    """Reads a weights folder.

    Args:
      directory: as written by `save_weights`.
      verify: recompute the identities instead of trusting the manifest.

    Raises:
      UserError: the folder or a file is missing or damaged, a tensor is missing or left
        over, or an identity does not agree with the manifest.
    """
    config_path = directory / "tbstar_config.json"
    if not config_path.exists():
        raise UserError(
            f"{directory} is not a weights folder: it has no {config_path.name}; give "
            "the folder that `experiments.pretrain` or a stage's export wrote"
        )
    config = from_json(ModelConfig, config_path.read_text())
    identities = _read_manifest(directory)
    parts = {name: _load_part(directory, name, config) for name in identities}
    missing = [name for name in BASE_PARTS if name not in parts]
    if missing:
        raise UserError(f"{directory} lacks the weights of {', '.join(missing)}")
    if verify:
        for name, tree in parts.items():
            actual = tree_identity(tree)
            if actual != identities[name]:
                raise UserError(
                    f"{directory / _FILES[name]} holds identity {actual[:12]}, but the "
                    f"manifest says {identities[name][:12]}: the file was changed"
                )
    return Weights(config=config, parts=parts, identities=identities)


def _read_manifest(directory: Path) -> dict[str, str]:
    path = directory / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    unknown = sorted(set(manifest) - set(_FILES))
    if unknown:
        raise UserError(f"{path} names unknown parts: {', '.join(unknown)}")
    return dict(manifest)


def _tensors(name: str, tree: Tree, config: ModelConfig) -> dict[str, np.ndarray]:
    if name == "params":
        return tensors_from_tree(tree, transformer_rows())
    if name == "vae":
        return tensors_from_tree(tree, vae_rows(config.vae))
    return {
        key.replace("/", "."): np.ascontiguousarray(np.asarray(leaf))
        for key, leaf in flatten(tree).items()
    }


def _load_part(directory: Path, name: str, config: ModelConfig) -> Tree:
    path = directory / _FILES[name]
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if name == "params":
        num_layers = config.transformer.num_layers
        return tree_from_tensors(tensors, transformer_rows(), num_layers=num_layers)
    if name == "vae":
        return tree_from_tensors(tensors, vae_rows(config.vae), num_layers=0)
    return unflatten({key.replace(".", "/"): t for key, t in tensors.items()})


def _public_configs(config: ModelConfig) -> dict[str, dict[str, Any]]:
    """The JSON files diffusers reads, derived from our config."""
    transformer, vae = config.transformer, config.vae
    scheduler = TimestepConfig()
    return {
        "model_index.json": {
            "_class_name": "QwenImagePipeline",
            "transformer": ["diffusers", "QwenImageTransformer2DModel"],
            "vae": ["diffusers", "AutoencoderKLQwenImage"],
            "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        },
        "transformer/config.json": {
            "_class_name": "QwenImageTransformer2DModel",
            "patch_size": 2,
            "in_channels": transformer.in_channels,
            "out_channels": transformer.in_channels // 4,
            "num_layers": transformer.num_layers,
            "attention_head_dim": transformer.attention_head_dim,
            "num_attention_heads": transformer.num_attention_heads,
            "joint_attention_dim": transformer.joint_attention_dim,
            "axes_dims_rope": list(transformer.axes_dims_rope),
            "zero_cond_t": transformer.source_time == "zero",
        },
        "vae/config.json": {
            "_class_name": "AutoencoderKLQwenImage",
            "base_dim": vae.base_dim,
            "z_dim": vae.z_dim,
            "dim_mult": list(vae.dim_mult),
            "num_res_blocks": vae.num_res_blocks,
            # No convolution in time is stored: a folder of ours is for single images.
            "temperal_downsample": [False] * (len(vae.dim_mult) - 1),
            "latents_mean": list(vae.latents_mean),
            "latents_std": list(vae.latents_std),
        },
        "scheduler/scheduler_config.json": {
            "_class_name": "FlowMatchEulerDiscreteScheduler",
            "use_dynamic_shifting": True,
            "time_shift_type": "exponential",
            "base_shift": scheduler.base_shift,
            "max_shift": scheduler.max_shift,
            "base_image_seq_len": scheduler.base_image_seq_len,
            "max_image_seq_len": scheduler.max_image_seq_len,
            "shift": 1.0,
            "shift_terminal": scheduler.shift_terminal,
        },
    }
