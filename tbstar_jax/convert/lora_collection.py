"""LoRAs as the `pattern_shifting` collection, and the collection as LoRA files.

In: an update of rank r fills the first r columns of a linear's adapter, several files
stand side by side. What no file fills keeps `B = 0` and a random `A`, so it changes
nothing and can still be trained. Out: `B` carries the scale alpha / rank, so a file
means the same to readers that know alpha and to those that do not; with alpha = rank,
as in every preset, no number is changed by it.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from safetensors.numpy import save_file

from tbstar_jax.array_types import Tree
from tbstar_jax.convert.lora import (
    Linear,
    Lora,
    linears,
    require_shape,
    updates_of,
)
from tbstar_jax.errors import UserError
from tbstar_jax.model.pattern_shifting import PatternShiftingConfig
from tbstar_jax.model.tbstar import ModelConfig, TBStar, abstract_variables
from tbstar_jax.trees import flatten, list_names, unflatten

LoraStyle: TypeAlias = Literal["diffusers", "comfyui"]
LORA_STYLES: tuple[str, ...] = get_args(LoraStyle)

_STYLE_PREFIXES = {"diffusers": "transformer.", "comfyui": "diffusion_model."}


def collection_from_loras(
    loras: Sequence[Lora], config: ModelConfig, seed: int
) -> Tree:
    """The collection at which training starts that continues the LoRAs.

    Args:
      loras: from `read_loras`.
      config: of the model; its adapters must have room.
      seed: of the `A` that no file fills.

    Returns:
      The tree of `pattern_shifting`, float32 on the host; with it the model computes
      what the merged LoRAs would.

    Raises:
      UserError: a linear that has no adapter, a rank that is too small, or another
        shape.
    """
    adapters = config.pattern_shifting
    families = _adapted(loras, config)
    shapes = flatten(abstract_variables(TBStar(config))["pattern_shifting"])
    rng = np.random.default_rng(seed)
    flat = {}
    for path, leaf in shapes.items():
        flat[path] = np.zeros(leaf.shape, np.float32)
        if path.endswith("/lora_a"):
            bound = 1 / math.sqrt(leaf.shape[-2])
            flat[path] = rng.uniform(-bound, bound, leaf.shape).astype(np.float32)
    for linear in families:
        lora_a, lora_b = flat[f"{linear.ours}/lora_a"], flat[f"{linear.ours}/lora_b"]
        for block, name in enumerate(linear.names(config.transformer.num_layers)):
            used = 0
            for lora, update in updates_of(loras, name):
                require_shape(lora, name, (lora_b.shape[-1], lora_a.shape[-2]))
                columns = slice(used, used + update.down.shape[0])
                # The collection multiplies by alpha / rank of its own.
                factor = np.float32(update.scale * adapters.rank / adapters.alpha)
                lora_a[block, :, columns] = update.down.T
                lora_b[block, columns] = update.up.T * factor
                used = columns.stop
    return unflatten(flat)


def _adapted(loras: Sequence[Lora], config: ModelConfig) -> list[Linear]:
    """The families the files change, after checking that each has an adapter."""
    adapters, num_layers = config.pattern_shifting, config.transformer.num_layers
    families, fixed, absent, largest = [], [], [], 0
    for linear in linears():
        ranks = [
            sum(update.down.shape[0] for _, update in updates_of(loras, name))
            for name in linear.names(num_layers)
        ]
        if not any(ranks):
            continue
        families.append(linear)
        largest = max(largest, *ranks)
        if linear.target is None:
            fixed.append(linear.theirs)
        elif linear.target not in adapters.targets:
            absent.append(linear.target)
    files = list_names([str(lora.file.path) for lora in loras])
    if fixed:
        raise UserError(
            f"{files} also changes {list_names(fixed)}, which no adapter of "
            "pattern_shifting can; merge it with adapter.as=params"
        )
    if absent:
        targets = ",".join((*adapters.targets, *absent))
        raise UserError(
            f"{files} also changes {list_names(absent)}, which is not among the "
            f"targets; pass --set model.pattern_shifting.targets={targets}"
        )
    if largest > adapters.rank:
        raise UserError(
            f"{files} has rank {largest}, but the adapters have rank {adapters.rank}; "
            f"pass --set model.pattern_shifting.rank={largest}"
        )
    return families


def tensors_of_collection(
    tree: Tree, config: PatternShiftingConfig
) -> dict[str, np.ndarray]:
    """The collection under diffusers' names, without prefix, float32.

    Args:
      tree: of `pattern_shifting`, without a source embedding.
      config: its rank and alpha.

    Returns:
      `<linear>.lora_A.weight` `[rank, in]` and `<linear>.lora_B.weight` `[out, rank]`,
      which no further scale multiplies.
    """
    flat = flatten(tree)
    factor = np.float32(config.alpha / config.rank)
    tensors = {}
    for linear in linears():
        if f"{linear.ours}/lora_a" not in flat:
            continue
        lora_a = np.asarray(flat.pop(f"{linear.ours}/lora_a"), np.float32)
        lora_b = np.asarray(flat.pop(f"{linear.ours}/lora_b"), np.float32) * factor
        for block, name in enumerate(linear.names(len(lora_a))):
            tensors[f"{name}.lora_A.weight"] = np.ascontiguousarray(lora_a[block].T)
            tensors[f"{name}.lora_B.weight"] = np.ascontiguousarray(lora_b[block].T)
    assert not flat, sorted(flat)
    return tensors


def save_lora(
    path: Path,
    tensors: Mapping[str, np.ndarray],
    style: LoraStyle,
    notes: Mapping[str, str],
) -> None:
    """Writes tensors of `tensors_of_collection` as a file of the field.

    Args:
      path: ends in `.safetensors`.
      tensors: without prefix.
      style: whose key names.
      notes: what the header says besides; readers ignore it.
    """
    prefix = _STYLE_PREFIXES[style]
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
    save_file(named, path, metadata={"format": "pt", **notes})


def export_obstacle(model: ModelConfig) -> str | None:
    """Why modules of this model cannot be a LoRA; None if they can.

    A LoRA is exact only where the reference implementation runs the same program: full
    attention of the sources and nothing besides low-rank updates.
    """
    if model.compatible == "diffusers":
        return None
    reasons = []
    if model.transformer.source_attention != "full":
        reasons.append(
            f"its sources attend {model.transformer.source_attention}, which "
            "diffusers and ComfyUI do not"
        )
    if model.pattern_shifting.num_source_embeddings:
        reasons.append("it has a source embedding, which no LoRA can hold")
    return " and ".join(reasons) or "it was not trained for it"
