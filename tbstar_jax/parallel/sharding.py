"""Where every array lives: path -> logical axes -> mesh axes.

Two tables say it all. `_RULES` names the dimensions of every leaf; `_MESH_AXES` places
the names on the mesh. The linears of the base are sharded over both axes: along `data`
the dimension on the side of the residual stream (FSDP: gathered where it is used),
along `model` the other one (tensor parallel: column-parallel into heads, hidden units
and modulations, row-parallel out of them). Adapters are small and have gradients: they
are replicated over `data`, so that their gradients are summed once, and sharded over
`model` like the linear they belong to. All else is too small to be worth a transfer:
outside the blocks, the full-size base has 0.2 % of its parameters.

`ActivationShard` places the same names on the activations inside the model. Without
these constraints XLA re-shards cotangents where the mesh has a `model` axis (2.4 times
the gathered bytes on 4x2, see experiments/LOG.md).
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tbstar_jax.array_types import Array, Shaped, Tree
from tbstar_jax.errors import UserError
from tbstar_jax.trees import flatten, match_rules, unflatten

LogicalAxes: TypeAlias = tuple[str | None, ...]
"""The logical name of every dimension; None is not split."""

_MESH_AXES: dict[str, str | None] = {
    "batch": "data",
    "fsdp": "data",
    "heads": "model",
    "mlp": "model",
    "modulation": "model",
    "vocabulary": "model",
    # 3420 hidden units in the vision tower of Qwen2.5-VL: 8 does not divide them.
    "vision_mlp": None,
    "block": None,
    "embed": None,
    "rank": None,
    "tokens": None,
}

# A leaf of any rank that every device holds as a whole.
_REPLICATED: LogicalAxes = ()

_INTO_HEADS = r"attn/(to_q|to_k|to_v|add_q_proj|add_k_proj|add_v_proj)"
_OUT_OF_HEADS = r"attn/(to_out|to_add_out)"
_INTO_MLP = r"(img|txt)_mlp/linear_in"
_OUT_OF_MLP = r"(img|txt)_mlp/linear_out"
_MODULATION = r"(img|txt)_mod"
_COLUMN_PARALLEL = f"({_INTO_HEADS}|{_INTO_MLP}|{_MODULATION})"
_ROW_PARALLEL = f"({_OUT_OF_HEADS}|{_OUT_OF_MLP})"

_BASE = r"params/transformer_blocks/"
_ADAPTER = r"(pattern_shifting|consistency)/transformer_blocks/"
_VISION = r"conditioner/visual/"
_LANGUAGE = r"conditioner/language_model/"

# The first regex that matches the whole of `<collection>/<leaf>` counts.
_RULES: tuple[tuple[str, LogicalAxes], ...] = (
    (_BASE + _INTO_HEADS + "/kernel", ("block", "fsdp", "heads")),
    (_BASE + _INTO_HEADS + "/bias", ("block", "heads")),
    (_BASE + _OUT_OF_HEADS + "/kernel", ("block", "heads", "fsdp")),
    (_BASE + _INTO_MLP + "/kernel", ("block", "fsdp", "mlp")),
    (_BASE + _INTO_MLP + "/bias", ("block", "mlp")),
    (_BASE + _OUT_OF_MLP + "/kernel", ("block", "mlp", "fsdp")),
    (_BASE + _MODULATION + "/kernel", ("block", "fsdp", "modulation")),
    (_BASE + _MODULATION + "/bias", ("block", "modulation")),
    (_BASE + _ROW_PARALLEL + "/bias", ("block", "embed")),
    (_BASE + r"attn/norm_(added_)?[qk]/scale", ("block", None)),
    (_ADAPTER + _INTO_HEADS + "/lora_b", ("block", "rank", "heads")),
    (_ADAPTER + _INTO_MLP + "/lora_b", ("block", "rank", "mlp")),
    (_ADAPTER + _MODULATION + "/lora_b", ("block", "rank", "modulation")),
    (_ADAPTER + _OUT_OF_HEADS + "/lora_a", ("block", "heads", "rank")),
    (_ADAPTER + _OUT_OF_MLP + "/lora_a", ("block", "mlp", "rank")),
    (_ADAPTER + _COLUMN_PARALLEL + "/lora_a", ("block", "embed", "rank")),
    (_ADAPTER + _ROW_PARALLEL + "/lora_b", ("block", "rank", "embed")),
    (r"params/(img_in|txt_in|txt_norm|timestep_embedder|norm_out)/.*", _REPLICATED),
    (r"params/proj_out/.*", _REPLICATED),
    (r"pattern_shifting/source_embedding", (None, "embed")),
    (r"consistency/keep_gate/.*", _REPLICATED),
    (_LANGUAGE + r"embed_tokens", ("vocabulary", "fsdp")),
    (_LANGUAGE + r"layers/self_attn/[qkv]_proj/kernel", ("block", "fsdp", "heads")),
    (_LANGUAGE + r"layers/self_attn/[qkv]_proj/bias", ("block", "heads")),
    (_LANGUAGE + r"layers/self_attn/o_proj/kernel", ("block", "heads", "fsdp")),
    (_LANGUAGE + r"layers/mlp/(gate|up)_proj/kernel", ("block", "fsdp", "mlp")),
    (_LANGUAGE + r"layers/mlp/down_proj/kernel", ("block", "mlp", "fsdp")),
    (_LANGUAGE + r"(layers/\w+|norm)/scale", _REPLICATED),
    (_VISION + r"blocks/attn/qkv/kernel", ("block", "fsdp", "heads")),
    (_VISION + r"blocks/attn/proj/kernel", ("block", "heads", "fsdp")),
    (_VISION + r"blocks/mlp/(gate|up)_proj/kernel", ("block", "fsdp", "vision_mlp")),
    (_VISION + r"blocks/mlp/down_proj/kernel", ("block", "vision_mlp", "fsdp")),
    (_VISION + r"merger/mlp_0/kernel", ("fsdp", "mlp")),
    (_VISION + r"merger/mlp_2/kernel", ("mlp", "fsdp")),
    (_VISION + r".*/(bias|scale)", _REPLICATED),
    (_VISION + r"patch_embed/kernel", _REPLICATED),
    (r"vae/.*", _REPLICATED),
    # The byte-level conditioner; a leaf of the large one needs a rule of its own.
    (r"conditioner/(?!visual/|language_model/).*", _REPLICATED),
)


def variable_shardings(abstract_tree: Tree, mesh: Mesh, collection: str) -> Tree:
    """The sharding of every leaf of one collection or frozen tree.

    Args:
      abstract_tree: nested dict of arrays or of their shapes.
      mesh: from `make_mesh`.
      collection: `params`, `pattern_shifting`, `consistency`, `vae` or `conditioner`.

    Returns:
      The same nested dict with a `NamedSharding` per leaf.

    Raises:
      UserError: a leaf no rule foresees, or a dimension the mesh does not divide.
    """
    leaves = flatten(abstract_tree)
    axes = _logical_axes([f"{collection}/{name}" for name in leaves])
    shardings = {}
    for name, leaf in leaves.items():
        path = f"{collection}/{name}"
        names = axes[path] or (None,) * len(leaf.shape)
        shardings[name] = _sharding(path, tuple(leaf.shape), names, mesh)
    return unflatten(shardings)


def batch_sharding(mesh: Mesh, batch_axis: int = 0) -> NamedSharding:
    """The sharding of every array of a batch: examples over `data`.

    Args:
      mesh: from `make_mesh`.
      batch_axis: dimension of the examples; 1 where micro-batches come first.
    """
    mesh_axis = _MESH_AXES["batch"]
    return NamedSharding(mesh, PartitionSpec(*(None,) * batch_axis, mesh_axis))


def data_parallel_copies(trainable: Tree, mesh: Mesh) -> Tree:
    """Gives every data-parallel device adapters of its own, inside a loss.

    The blocks' leaves get a dimension of the size of `data` behind the block axis and
    are sharded over it, which moves nothing. A linear is applied to the target and to
    every source; gradients of these calls then add up on the device, and are reduced
    once, in the gradient of this function, in place of once per call and block. The
    gradient is the same without it.

    Args:
      trainable: `pattern_shifting` or `consistency`.
      mesh: from `make_mesh`.

    Returns:
      The tree to pass to `TBStar.apply`, the batch being a multiple of `data`.
    """
    num_copies = mesh.shape["data"]
    if num_copies == 1:
        return trainable

    def copies(leaf: Array, sharding: NamedSharding) -> Array:
        blocks, *shape = leaf.shape
        copied = jnp.broadcast_to(leaf[:, None], (blocks, num_copies, *shape))
        block_axis, *axes = sharding.spec
        spec = PartitionSpec(block_axis, "data", *axes)
        return jax.lax.with_sharding_constraint(copied, NamedSharding(mesh, spec))

    adapters = trainable["transformer_blocks"]
    # Both collections have the same rules for adapters.
    shardings = variable_shardings(
        {"transformer_blocks": adapters}, mesh, "pattern_shifting"
    )
    copied = jax.tree.map(copies, adapters, shardings["transformer_blocks"])
    return {**trainable, "transformer_blocks": copied}


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of what every device holds as a whole."""
    return NamedSharding(mesh, PartitionSpec())


def optimizer_state_shardings(
    optimizer: optax.GradientTransformation,
    abstract_state: Any,
    parameter_shardings: Tree,
) -> Any:
    """The sharding of every leaf of an optimizer's state, by the state's structure.

    What mirrors the parameters (moments, accumulators) lies where they lie; the rest
    (counters) is replicated.

    Args:
      optimizer: the transformation that made the state.
      abstract_state: `jax.eval_shape(optimizer.init, parameters)`.
      parameter_shardings: from `variable_shardings`, of the trainable collection.

    Returns:
      The structure of `abstract_state` with a `NamedSharding` per leaf.
    """
    mesh = jax.tree.leaves(parameter_shardings)[0].mesh
    return optax.tree_utils.tree_map_params(
        optimizer,
        lambda _, sharding: sharding,
        abstract_state,
        parameter_shardings,
        transform_non_params=lambda _: replicated(mesh),
    )


@dataclasses.dataclass(frozen=True)
class ActivationShard:
    """Constrains activations by logical names, `TBStar(config, shard=...)`.

    A dimension of size 1 is never split: it is broadcast over the examples, as the
    modulation of all sources at t = 0.

    Attributes:
      mesh: from `make_mesh`; two of these with equal meshes are equal.
    """

    mesh: Mesh

    def __call__(self, x: Shaped[Array, "..."], names: LogicalAxes) -> Array:
        """Constrains `x`, given the logical name of every dimension.

        Raises:
          UserError: a dimension the mesh does not divide.
        """
        return jax.lax.with_sharding_constraint(x, self._placed(x, names))

    def per_device(
        self,
        function: Callable[..., Array],
        arguments: tuple[Array, ...],
        names: tuple[LogicalAxes, ...],
    ) -> Array:
        """Calls a function on every device's part; the result lies as the first one.

        Args:
          function: of the arguments' parts, not looking beyond them.
          arguments: whole arrays.
          names: of every argument, the logical name of every dimension.

        Raises:
          UserError: a dimension the mesh does not divide.
        """
        specs = tuple(map(self._placed, arguments, names))
        mapped = jax.shard_map(
            function,
            mesh=self.mesh,
            in_specs=tuple(placed.spec for placed in specs),
            out_specs=specs[0].spec,
            check_vma=False,
        )
        return mapped(*arguments)

    def _placed(self, x: Shaped[Array, "..."], names: LogicalAxes) -> NamedSharding:
        assert len(names) == x.ndim
        split = tuple(
            None if size == 1 else name
            for name, size in zip(names, x.shape, strict=True)
        )
        what = f"an activation [{', '.join(str(name) for name in names)}]"
        return _sharding(what, tuple(x.shape), split, self.mesh)


def _logical_axes(paths: list[str]) -> Mapping[str, LogicalAxes]:
    """The logical axes of every path.

    Configurations choose which linears have adapters, so rules for linears that have
    none are left out first; rules that another one shadows remain an error.
    """
    present = [
        (pattern, axes)
        for pattern, axes in _RULES
        if any(re.fullmatch(pattern, path) for path in paths)
    ]
    return match_rules(paths, present)


def _sharding(
    what: str, shape: tuple[int, ...], names: LogicalAxes, mesh: Mesh
) -> NamedSharding:
    """Places named dimensions on the mesh; `what` is the array's name in errors."""
    assert len(names) == len(shape), f"{what}: {names} for the shape {shape}"
    spec = [None if name is None else _MESH_AXES[name] for name in names]
    for dimension, (size, axis) in enumerate(zip(shape, spec, strict=True)):
        if axis is not None and size % mesh.shape[axis]:
            raise UserError(
                f"dimension {dimension} ({names[dimension]}) of {what} has size "
                f"{size}, which the mesh axis {axis} of size {mesh.shape[axis]} does "
                f"not divide; choose a mesh whose {axis} axis divides {size}"
            )
    return NamedSharding(mesh, PartitionSpec(*spec))
