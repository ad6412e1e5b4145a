"""What every part of a model is made of on disk, and its shapes.

params        transformer/         diffusers' names
vae           vae/                 diffusers' names
conditioner   text_encoder/        transformers' names, or ours (byte-level)
stage modules pattern_shifting/ consistency/   our names
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from tbstar_jax.array_types import Tree
from tbstar_jax.convert.huggingface import (
    Family,
    OutgoingTensor,
    Tensor,
    families,
    identity_of_tensors,
    load_tree,
    outgoing_tensors,
    plan_tree,
    require_fit,
)
from tbstar_jax.convert.key_map import transformer_rows, vae_rows
from tbstar_jax.convert.key_map_vl import (
    HEAD,
    KeyGeneration,
    key_generation,
    language_rows,
    vision_rows,
)
from tbstar_jax.model.conditioner.qwen25_config import Qwen25VLConfig
from tbstar_jax.model.conditioner.qwen25_vl import abstract_conditioner
from tbstar_jax.model.tbstar import ModelConfig, TBStar, abstract_variables
from tbstar_jax.model.vae import VAE
from tbstar_jax.parallel.sharding import variable_shardings
from tbstar_jax.trees import flatten, unflatten

BASE_PARTS = ("params", "vae", "conditioner")
STAGE_PARTS = ("pattern_shifting", "consistency")

FOLDERS: Mapping[str, tuple[str, str]] = {
    "params": ("transformer", "diffusion_pytorch_model"),
    "vae": ("vae", "diffusion_pytorch_model"),
    "conditioner": ("text_encoder", "model"),
    "pattern_shifting": ("pattern_shifting", "model"),
    "consistency": ("consistency", "model"),
}
"""Folder of every part, and the name of its file without the ending."""

# Convolutions in time of the autoencoder, which a single image never meets.
_FOR_VIDEO = ("time_conv.weight", "time_conv.bias")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """How a part lies in files.

    Attributes:
      leaves: what its tree is made of.
      unused: endings of names that belong to the part but carry nothing for us.
    """

    leaves: tuple[Family, ...]
    unused: tuple[str, ...]


def layout_of(part: str, config: ModelConfig, names: Iterable[str]) -> Layout:
    """The layout of a part in files.

    Args:
      part: one of `FOLDERS`.
      config: of the model.
      names: of the tensors found; they tell the generation of a VL model's names, and
        parts under our names are taken as they are.

    Raises:
      UserError: the names are those of no VL model.
    """
    if part == "params":
        rows = transformer_rows()
        return _layout(families(rows, config.transformer.num_layers))
    if part == "vae":
        return _layout(families(vae_rows(config.vae), 0), _FOR_VIDEO)
    if part == "conditioner" and isinstance(config.conditioner, Qwen25VLConfig):
        return _vl_layout(config.conditioner, key_generation(names))
    return _own_layout(name.replace(".", "/") for name in names)


def load_part(
    part: str,
    tensors: Mapping[str, Tensor],
    config: ModelConfig,
    *,
    dtype: Any | None = None,
    mesh: Mesh | None = None,
) -> Tree:
    """Reads the tree of one part, tensor by tensor.

    Args:
      part: one of `FOLDERS`.
      tensors: by name, as on disk.
      config: of the model; shapes of base parts are compared with it.
      dtype: of every leaf; None keeps the stored ones.
      mesh: where the leaves lie, by the table of `parallel/sharding.py`; None makes
        NumPy arrays.

    Raises:
      UserError: a tensor is missing, left over, or has another shape or dtype; named.
    """
    layout = layout_of(part, config, tensors)
    return load_tree(
        tensors, layout.leaves, **_how(part, layout, tensors, config, dtype, mesh)
    )


def plan_part(
    part: str,
    tensors: Mapping[str, Tensor],
    config: ModelConfig,
    *,
    dtype: Any | None = None,
    mesh: Mesh | None = None,
) -> Tree:
    """What `load_part` would give, as `jax.ShapeDtypeStruct`s; reads nothing."""
    layout = layout_of(part, config, tensors)
    return plan_tree(
        tensors, layout.leaves, **_how(part, layout, tensors, config, dtype, mesh)
    )


def _how(
    part: str,
    layout: Layout,
    tensors: Mapping[str, Tensor],
    config: ModelConfig,
    dtype: Any | None,
    mesh: Mesh | None,
) -> dict[str, Any]:
    """The other arguments of `load_tree` and `plan_tree`."""
    expected = abstract_part(part, config)
    shardings = None
    if mesh is not None:
        shapes = expected or unflatten(
            {leaf.ours: tensors[leaf.theirs[0]] for leaf in layout.leaves}
        )
        shardings = variable_shardings(shapes, mesh, part)
    return {
        "ignored": layout.unused,
        "expected": expected,
        "dtype": dtype,
        "shardings": shardings,
    }


def check_part(
    part: str, tensors: Mapping[str, Tensor], config: ModelConfig
) -> list[str]:
    """Finds, without reading, what `load_part` would refuse.

    Returns:
      Names of the tensors that belong to the part but carry nothing for us.

    Raises:
      UserError: as `load_part`.
    """
    layout = layout_of(part, config, tensors)
    require_fit(
        tensors,
        layout.leaves,
        ignored=layout.unused,
        expected=abstract_part(part, config),
    )
    needed = {name for leaf in layout.leaves for name in leaf.theirs}
    return sorted(tensors.keys() - needed)


def part_identity(
    part: str,
    tensors: Mapping[str, Tensor],
    config: ModelConfig,
    dtype: Any | None = None,
) -> str:
    """The identity of what `load_part` would give, one tensor in memory at a time."""
    return identity_of_tensors(tensors, layout_of(part, config, tensors).leaves, dtype)


def outgoing_part(
    part: str, tree: Tree, config: ModelConfig
) -> dict[str, OutgoingTensor]:
    """The tensors of a part as they are to be written."""
    if part == "conditioner" and isinstance(config.conditioner, Qwen25VLConfig):
        return outgoing_tensors(tree, _vl_layout(config.conditioner, "new").leaves)
    return outgoing_tensors(tree, layout_of(part, config, flatten(tree)).leaves)


@functools.lru_cache(maxsize=32)
def abstract_part(part: str, config: ModelConfig) -> Tree | None:
    """Shapes of a base part; None where the file alone knows them."""
    if part == "params":
        return abstract_variables(TBStar(config))["params"]
    if part == "vae":
        side = config.vae.downscale
        variables: Any = jax.eval_shape(
            VAE(config.vae).init, jax.random.key(0), jnp.zeros((1, side, side, 3))
        )
        return dict(variables["params"])
    if part == "conditioner" and isinstance(config.conditioner, Qwen25VLConfig):
        return abstract_conditioner(config.conditioner)
    return None


def _layout(leaves: Iterable[Family], unused: tuple[str, ...] = ()) -> Layout:
    return Layout(leaves=tuple(leaves), unused=unused)


def _vl_layout(config: Qwen25VLConfig, generation: KeyGeneration) -> Layout:
    vision = families(vision_rows(generation), config.vision.depth)
    layers = config.language.num_hidden_layers
    return _layout((*vision, *families(language_rows(generation), layers)), (HEAD,))


def _own_layout(paths: Iterable[str]) -> Layout:
    return _layout(
        Family(
            ours=path,
            theirs=(path.replace("/", "."),),
            form="vector",
            is_stacked=False,
        )
        for path in sorted(paths)
    )
