"""The weights folder: base, autoencoder, conditioner and stage modules on disk.

    tbstar_config.json                       the whole ModelConfig
    manifest.json                            identity of every part
    model_index.json                         for diffusers' loaders
    transformer/ vae/                        diffusers' layout and key names
    text_encoder/                            the conditioner; the byte-level one under
                                             our names
    scheduler/scheduler_config.json          the public scheduler's constants
    pattern_shifting/ consistency/           stage modules, our names; either may lack

A converted public checkpoint keeps all other files diffusers wrote, such as the
tokenizer. Only safetensors are read, tensor by tensor. The base's identity (see
`trees.tree_identity`) binds stage modules to the base they were trained on.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jax.sharding import Mesh

from tbstar_jax.array_types import Variables
from tbstar_jax.config import from_json, to_json
from tbstar_jax.convert.parts import (
    BASE_PARTS,
    FOLDERS,
    STAGE_PARTS,
    load_part,
    outgoing_part,
    part_identity,
)
from tbstar_jax.convert.tensor_files import open_component
from tbstar_jax.convert.tensor_writer import MAX_SHARD_BYTES, write_component
from tbstar_jax.diffusion.timesteps import TimestepConfig
from tbstar_jax.errors import UserError
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.trees import tree_identity

__all__ = [
    "BASE_PARTS",
    "STAGE_PARTS",
    "Weights",
    "base_identity",
    "load_weights",
    "public_configs",
    "read_manifest",
    "save_weights",
    "write_manifest",
]


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


def save_weights(
    directory: Path,
    config: ModelConfig,
    parts: Variables,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> Weights:
    """Writes parts in the dtypes they have; parts already there are kept.

    Args:
      directory: made if absent.
      config: of the model.
      parts: any of the five; host or device arrays.
      max_shard_bytes: a larger part is written as shards with an index.

    Returns:
      The folder as it now is on disk.
    """
    directory.mkdir(parents=True, exist_ok=True)
    known = _read_manifest(directory) if (directory / "manifest.json").exists() else {}
    identities = {**known, **{name: tree_identity(parts[name]) for name in parts}}
    for name, tree in parts.items():
        folder, stem = FOLDERS[name]
        tensors = outgoing_part(name, tree, config)
        write_component(directory / folder, stem, tensors, max_shard_bytes)
    for relative, content in public_configs(config).items():
        path = directory / relative
        # What diffusers itself wrote says more, and stays.
        if not path.exists() or "_diffusers_version" not in path.read_text():
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content, indent=2) + "\n")
    write_manifest(directory, config, identities)
    return load_weights(directory)


def write_manifest(
    directory: Path, config: ModelConfig, identities: Mapping[str, str]
) -> None:
    """Makes a folder of tensors a weights folder: its configuration and identities."""
    (directory / "tbstar_config.json").write_text(to_json(config))
    (directory / "manifest.json").write_text(json.dumps(identities, indent=2) + "\n")


def load_weights(
    directory: Path,
    *,
    verify: bool = False,
    dtype: Any | None = None,
    mesh: Mesh | None = None,
    without: Sequence[str] = (),
) -> Weights:
    """Reads a weights folder.

    Args:
      directory: as written by `save_weights`, or converted from a public checkpoint.
      verify: recompute the identities instead of trusting the manifest.
      dtype: of every leaf; None keeps the stored ones. The identities stay those of
        what is stored.
      mesh: where the parts lie, sharded; None makes NumPy arrays.
      without: parts that stay on disk; their identities are given all the same.

    Raises:
      UserError: the folder or a file is missing or damaged, a tensor is missing or left
        over, or an identity does not agree with the manifest.
    """
    config, identities = read_manifest(directory)
    parts = {}
    for name, identity in identities.items():
        if name in without:
            continue
        folder = directory / FOLDERS[name][0]
        tensors = open_component(folder)
        if verify:
            actual = part_identity(name, tensors, config)
            if actual != identity:
                raise UserError(
                    f"{folder} holds identity {actual[:12]}, but the manifest says "
                    f"{identity[:12]}: the file was changed"
                )
        parts[name] = load_part(name, tensors, config, dtype=dtype, mesh=mesh)
    return Weights(config=config, parts=parts, identities=identities)


def read_manifest(directory: Path) -> tuple[ModelConfig, dict[str, str]]:
    """The configuration of a weights folder, and the identities of its parts.

    Raises:
      UserError: this is no weights folder, it is damaged, or a base part is missing.
    """
    config_path = directory / "tbstar_config.json"
    if not config_path.exists():
        raise UserError(
            f"{directory} is not a weights folder: it has no {config_path.name}; give "
            "the folder that `experiments.pretrain`, a stage's export or `python -m "
            "tbstar_jax.convert` wrote"
        )
    config = from_json(ModelConfig, config_path.read_text())
    identities = _read_manifest(directory)
    missing = [name for name in BASE_PARTS if name not in identities]
    if missing:
        raise UserError(f"{directory} lacks the weights of {', '.join(missing)}")
    return config, identities


def _read_manifest(directory: Path) -> dict[str, str]:
    path = directory / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    unknown = sorted(set(manifest) - set(FOLDERS))
    if unknown:
        raise UserError(f"{path} names unknown parts: {', '.join(unknown)}")
    return dict(manifest)


def public_configs(config: ModelConfig) -> dict[str, dict[str, Any]]:
    """The JSON files diffusers reads, by their place, derived from our config."""
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
