"""Weights folders made from public checkpoints, and public checkpoints from them.

A weights folder has the diffusers layout already, with two files more, so both ways
copy tensors one by one: nothing is held, whatever the size. Tensors we do not use
(convolutions in time, the head of the language model) are copied too, and come back
bit for bit.
"""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tbstar_jax.convert.folder import public_configs, read_manifest, write_manifest
from tbstar_jax.convert.huggingface import OutgoingTensor
from tbstar_jax.convert.lora import LoraUpdate
from tbstar_jax.convert.lora_collection import export_obstacle, tensors_of_collection
from tbstar_jax.convert.lora_merge import MergedTensor
from tbstar_jax.convert.parts import FOLDERS, STAGE_PARTS, load_part, part_identity
from tbstar_jax.convert.public import COMFYUI_PREFIX, ZERO_TIME_KEY, PublicCheckpoint
from tbstar_jax.convert.published import pipeline_kind, read_json
from tbstar_jax.convert.tensor_files import StoredTensor, open_component
from tbstar_jax.convert.tensor_writer import (
    MAX_SHARD_BYTES,
    outgoing,
    write_component,
    write_file,
)
from tbstar_jax.errors import UserError
from tbstar_jax.model.tbstar import ModelConfig

_OURS = {"tbstar_config.json", "manifest.json", "training.json", *STAGE_PARTS}
_WEIGHT_ENDINGS = (
    ".safetensors",
    ".safetensors.index.json",
    ".bin",
    ".bin.index.json",
    ".ckpt",
    ".gguf",
    ".msgpack",
    ".pt",
    ".pth",
)
_TRANSFORMER = FOLDERS["params"][0]


def write_weights_folder(
    checkpoint: PublicCheckpoint,
    out: Path,
    *,
    companions: Path | None = None,
    dtype: Any | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> dict[str, str]:
    """Makes a weights folder from a public checkpoint.

    Args:
      checkpoint: from `open_public`, with all three base parts.
      out: does not exist yet, or is empty.
      companions: the folder whose other files are kept, for a single file.
      dtype: of every tensor; None keeps the stored ones.
      max_shard_bytes: a larger part is written as shards with an index.

    Returns:
      The identity of every part.

    Raises:
      UserError: `out` holds something, or the checkpoint changes while it is read.
    """
    _require_empty(out)
    source = checkpoint.path if companions is None else companions
    _copy_small_files(source, out)
    for part, tensors in checkpoint.parts.items():
        folder, stem = FOLDERS[part]
        kept = {
            name: _copy(tensor, tensor.dtype if dtype is None else np.dtype(dtype))
            for name, tensor in tensors.items()
        }
        write_component(out / folder, stem, kept, max_shard_bytes)
    if pipeline_kind(source) != "text":
        _set_zero_cond_t(out, checkpoint.config)
    identities = {}
    for part in checkpoint.parts:
        written = open_component(out / FOLDERS[part][0])
        identities[part] = part_identity(part, written, checkpoint.config)
    write_manifest(out, checkpoint.config, identities)
    return identities


def write_diffusers(
    weights: Path,
    out: Path,
    *,
    is_merged: bool,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> None:
    """Writes a weights folder's base in the diffusers layout.

    Args:
      weights: a weights folder.
      out: does not exist yet, or is empty.
      is_merged: add the stage-1 modules to the base, in float32, then cast.
      max_shard_bytes: a larger part is written as shards with an index.

    Raises:
      UserError: `weights` is no weights folder, `out` holds something, or the modules
        cannot be part of the base, with the reason.
    """
    tensors = _transformer(weights, is_merged=is_merged)
    _require_empty(out)
    for path in sorted(weights.iterdir()):
        if path.name in _OURS or (is_merged and path.name == _TRANSFORMER):
            continue
        if path.is_dir():
            shutil.copytree(path, out / path.name)
        else:
            shutil.copy2(path, out / path.name)
    if is_merged:
        folder, stem = FOLDERS["params"]
        _copy_small_files(weights / folder, out / folder)
        write_component(out / folder, stem, tensors, max_shard_bytes)
        _set_zero_cond_t(out, read_manifest(weights)[0])


def write_comfyui(weights: Path, out: Path, *, is_merged: bool) -> None:
    """Writes the transformer of a weights folder as one file for ComfyUI.

    Args:
      weights: a weights folder.
      out: a `.safetensors` file that does not exist yet.
      is_merged: add the stage-1 modules to the base, in float32, then cast.

    Raises:
      UserError: as `write_diffusers`.
    """
    if out.suffix != ".safetensors" or out.exists():
        raise UserError(f"{out} must be a new .safetensors file; choose another name")
    tensors = _transformer(weights, is_merged=is_merged)
    kept = {f"{COMFYUI_PREFIX}{name}": tensor for name, tensor in tensors.items()}
    config = read_manifest(weights)[0]
    stored = read_json(weights / _TRANSFORMER / "config.json").get("zero_cond_t")
    if config.transformer.source_time == "zero" if is_merged else stored:
        # A mark: what it holds is not read.
        kept[f"{COMFYUI_PREFIX}{ZERO_TIME_KEY}"] = outgoing(np.zeros(1, np.float32))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_file(out, kept)


def _transformer(weights: Path, *, is_merged: bool) -> dict[str, OutgoingTensor]:
    """The tensors of the base, with the stage-1 modules if asked for."""
    config, identities = read_manifest(weights)
    tensors = open_component(weights / _TRANSFORMER)
    if not is_merged:
        return {name: _copy(tensor, tensor.dtype) for name, tensor in tensors.items()}
    if "pattern_shifting" not in identities:
        raise UserError(
            f"{weights} has no stage-1 modules to merge; export a stage-1 run into it "
            "with `python -m experiments.export`"
        )
    obstacle = export_obstacle(config)
    if obstacle is not None:
        raise UserError(
            f"the stage-1 modules of {weights} cannot be part of the base: {obstacle}; "
            "train stage 1 with --set model.compatible=diffusers"
        )
    folder = weights / FOLDERS["pattern_shifting"][0]
    tree = load_part("pattern_shifting", open_component(folder), config)
    halves = tensors_of_collection(tree, config.pattern_shifting)
    return {
        name: _copy(_merged(name, tensor, halves), tensor.dtype)
        for name, tensor in tensors.items()
    }


def _merged(
    name: str, tensor: StoredTensor, halves: Mapping[str, np.ndarray]
) -> StoredTensor:
    linear = name.removesuffix(".weight")
    if f"{linear}.lora_A.weight" not in halves:
        return tensor
    update = LoraUpdate(
        down=halves[f"{linear}.lora_A.weight"],
        up=halves[f"{linear}.lora_B.weight"],
        scale=1.0,
    )
    fields = {f.name: getattr(tensor, f.name) for f in dataclasses.fields(tensor)}
    return MergedTensor(**fields, updates=(update,))


def _copy(tensor: StoredTensor, dtype: np.dtype) -> OutgoingTensor:
    """A tensor of a file for another file."""
    return OutgoingTensor(
        shape=tensor.shape,
        dtype=dtype,
        make=lambda: np.ascontiguousarray(tensor[tensor.whole], dtype=dtype),
    )


def _require_empty(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is not an empty folder; choose another name")
    out.mkdir(parents=True, exist_ok=True)


def _copy_small_files(source: Path, out: Path) -> None:
    """Copies configurations, tokenizer and texts; weights and hidden files are left."""
    for path in sorted(source.iterdir()):
        if path.name.startswith(".") or path.name in _OURS:
            continue
        if path.is_dir():
            _copy_small_files(path, out / path.name)
        elif not path.name.endswith(_WEIGHT_ENDINGS):
            out.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, out / path.name)


def _set_zero_cond_t(folder: Path, config: ModelConfig) -> None:
    """Says in diffusers' config when sources are modulated; makes it if absent."""
    name = f"{_TRANSFORMER}/config.json"
    path = folder / name
    content = read_json(path) if path.exists() else public_configs(config)[name]
    content["zero_cond_t"] = config.transformer.source_time == "zero"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
