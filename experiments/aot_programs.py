"""The full-size programs on abstract arguments, for `experiments.aot`."""

import dataclasses
import math
from typing import Any, Literal, TypeAlias, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.extend import core
from jax.sharding import Mesh, NamedSharding

from experiments.stage1 import default_optimizer
from tbstar_jax.array_types import Array, ModelOutput, Tree, Variables
from tbstar_jax.diffusion.loss import ConsistencyLossConfig
from tbstar_jax.diffusion.timesteps import TimestepConfig
from tbstar_jax.model.attention import AttentionKernel
from tbstar_jax.model.mmdit import KeysValues
from tbstar_jax.model.presets import preset
from tbstar_jax.model.tbstar import (
    COLLECTIONS,
    ModelConfig,
    SourceCache,
    TBStar,
    abstract_variables,
)
from tbstar_jax.model.tokens import PATCH_SIZE
from tbstar_jax.parallel.sharding import (
    ActivationShard,
    batch_sharding,
    optimizer_state_shardings,
    replicated,
    variable_shardings,
)
from tbstar_jax.training.objective import Objective
from tbstar_jax.training.optimizer import make_optimizer
from tbstar_jax.training.step import TrainState, make_train_step

Program: TypeAlias = Literal["forward", "cached_forward", "stage1", "stage2"]

PROGRAMS: tuple[Program, ...] = get_args(Program)

_DTYPE = jnp.bfloat16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """Sizes of a program: one source of the target's size, and text.

    Attributes:
      preset: name of the model; adapters have the preset's rank.
      batch_size: examples over all devices.
      size: pixels per side of target and source.
      num_context: text tokens.
    """

    preset: str = "qwen-image"
    batch_size: int
    size: int = 1024
    num_context: int = 512

    @property
    def config(self) -> ModelConfig:
        """The model."""
        return preset(self.preset)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of target and source, in tokens."""
        side = self.size // (self.config.vae.downscale * PATCH_SIZE)
        return side, side

    @property
    def num_image_tokens(self) -> int:
        """Tokens of the target, and as many of the source."""
        return math.prod(self.grid)

    @property
    def token_counts(self) -> tuple[int, ...]:
        """How many queries or keys an attention may have, text alone left out."""
        n, m = self.num_image_tokens, self.num_context
        return n, n + m, 2 * n, 2 * n + m

    @property
    def folds(self) -> tuple[int, ...]:
        """What a side of queries or keys may be folded with: examples, heads, both."""
        heads = self.config.transformer.num_attention_heads
        return self.batch_size, heads, self.batch_size * heads

    def num_attentions(self, program: Program) -> int:
        """Attentions of one forward pass: the joint one, and a source's over itself."""
        transformer = self.config.transformer
        is_twice = (
            transformer.source_attention == "cached" and program != "cached_forward"
        )
        return transformer.num_layers * (2 if is_twice else 1)


def build_program(
    program: Program, setting: Setting, kernel: AttentionKernel, mesh: Mesh
) -> tuple[Any, tuple[Any, ...]]:
    """A jitted program and its abstract arguments.

    Args:
      program: which.
      setting: sizes.
      kernel: implementation of attention.
      mesh: of devices that need not be there.
    """
    config = setting.config
    config = dataclasses.replace(
        config,
        transformer=dataclasses.replace(config.transformer, attention_kernel=kernel),
    )
    if program in ("forward", "cached_forward"):
        return _forward(program, config, setting, mesh)
    return _train_step(program, config, setting, mesh)


def _forward(
    program: Program, config: ModelConfig, setting: Setting, mesh: Mesh
) -> tuple[Any, tuple[Any, ...]]:
    """The forward pass of all three collections, or of what the cache leaves of it."""
    model = TBStar(config, dtype=_DTYPE, shard=ActivationShard(mesh))
    b, n, m = setting.batch_size, setting.num_image_tokens, setting.num_context
    transformer = config.transformer
    examples = batch_sharding(mesh)
    is_cached = program == "cached_forward"

    def forward(
        variables: Variables,
        target: Array,
        time: Array,
        context: Array,
        num_context_tokens: Array,
        source: Any,
    ) -> ModelOutput:
        cache = None
        if is_cached:
            keys, values, last_hidden, clean = source
            cache = SourceCache(KeysValues((keys,), (values,)), last_hidden, clean)
        output = model.apply(
            variables,
            target,
            time,
            context,
            num_context_tokens,
            () if is_cached else (source,),
            source_cache=cache,
            target_grid=setting.grid,
            source_grids=(setting.grid,),
        )
        assert isinstance(output, ModelOutput)
        return output

    variables = _abstract_collections(config, mesh, dict.fromkeys(COLLECTIONS, _DTYPE))
    tokens = _shape((b, n, transformer.in_channels), np.float32, examples)
    arguments = (
        variables,
        tokens,
        _shape((b,), np.float32, examples),
        _shape((b, m, transformer.joint_attention_dim), np.float32, examples),
        _shape((b,), np.int32, examples),
        _abstract_cache(setting, mesh) if is_cached else tokens,
    )
    return jax.jit(forward, out_shardings=examples), arguments


def _abstract_cache(setting: Setting, mesh: Mesh) -> tuple[Any, Any, Any, Any]:
    """What is kept of one source, in the order of `SourceCache`."""
    transformer = setting.config.transformer
    hidden = (setting.batch_size, setting.num_image_tokens)
    heads = (transformer.num_attention_heads, transformer.attention_head_dim)
    of_blocks = _shape(
        (transformer.num_layers, *hidden, *heads),
        _DTYPE,
        batch_sharding(mesh, batch_axis=1),
    )
    examples = batch_sharding(mesh)
    last = _shape((*hidden, transformer.width), _DTYPE, examples)
    clean = _shape((*hidden, transformer.in_channels), np.float32, examples)
    return of_blocks, of_blocks, last, clean


def _train_step(
    program: Program, config: ModelConfig, setting: Setting, mesh: Mesh
) -> tuple[Any, tuple[Any, ...]]:
    """A step of one stage on precomputed latents and contexts."""
    is_first = program == "stage1"
    objective = Objective(
        "stage1" if is_first else "stage2",
        config,
        consistency=ConsistencyLossConfig(),
        timesteps=TimestepConfig(),
        dtype=_DTYPE,
        mesh=mesh,
    )
    schedule = optax.constant_schedule(1e-4)
    settings = default_optimizer(setting.preset)
    optimizer = make_optimizer(settings, schedule, first_step=0)
    dtypes: dict[str, Any] = {"params": _DTYPE, "pattern_shifting": _DTYPE}
    trained = "pattern_shifting" if is_first else "consistency"
    collections = _abstract_collections(config, mesh, {**dtypes, trained: np.float32})
    trainable = {trained: collections.pop(trained)}
    state = _abstract_state(trainable, optimizer, mesh)
    batch = _abstract_batch(config, setting, mesh)
    step = make_train_step(
        objective,
        optimizer,
        schedule,
        loss_weights=objective.loss_weights,
        largest_ema_decay=settings.ema_decay,
        state_shardings=_shardings(state),
        frozen_shardings=_shardings(collections),
        batch_shardings=_shardings(batch),
    )
    return step, (state, collections, batch)


def _abstract_state(
    trainable: Variables, optimizer: optax.GradientTransformation, mesh: Mesh
) -> TrainState:
    scalar = replicated(mesh)
    optimizer_state = jax.eval_shape(optimizer.init, trainable)
    placed = optimizer_state_shardings(
        optimizer, optimizer_state, _shardings(trainable)
    )
    key_data = jax.eval_shape(lambda: jax.random.key_data(jax.random.key(0)))
    return TrainState(
        step=_shape((), np.int32, scalar),
        trainable=trainable,
        optimizer_state=jax.tree.map(
            lambda x, sharding: _shape(x.shape, x.dtype, sharding),
            optimizer_state,
            placed,
        ),
        ema=trainable,
        key_data=_shape(key_data.shape, key_data.dtype, scalar),
    )


def _abstract_batch(
    config: ModelConfig, setting: Setting, mesh: Mesh
) -> dict[str, jax.ShapeDtypeStruct]:
    """One micro-batch of a set that was encoded ahead, as the pipeline gives it."""
    b, m, size = setting.batch_size, setting.num_context, setting.size
    side = size // config.vae.downscale
    latent = (side, side, config.vae.z_dim)
    leaves: dict[str, tuple[tuple[int, ...], Any]] = {
        "target_latent": (latent, np.float32),
        "source_latent_1": (latent, np.float32),
        "context": ((m, config.transformer.joint_attention_dim), _DTYPE),
        "num_context_tokens": ((), np.int32),
        "change_mask": ((size, size), np.bool_),
        "is_instruction_dropped": ((), np.bool_),
    }
    sharding = batch_sharding(mesh, batch_axis=1)
    return {
        name: _shape((1, b, *shape), dtype, sharding)
        for name, (shape, dtype) in leaves.items()
    }


def _abstract_collections(
    config: ModelConfig, mesh: Mesh, dtypes: dict[str, Any]
) -> Variables:
    """Collections with the given dtypes, where the sharding table puts them."""
    variables = abstract_variables(TBStar(config))

    def placed(name: str, tree: Tree, dtype: Any) -> Tree:
        return jax.tree.map(
            lambda leaf, sharding: _shape(leaf.shape, dtype, sharding),
            tree,
            variable_shardings(tree, mesh, name),
        )

    return {name: placed(name, variables[name], dtypes[name]) for name in dtypes}


def _shape(
    shape: tuple[int, ...], dtype: Any, sharding: NamedSharding
) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)


def _shardings(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.sharding, tree)


def traced_tflop(jaxpr: core.ClosedJaxpr) -> float:
    """10^12 operations of matrix products and attention kernels, loops times trips."""
    return _flop(jaxpr.jaxpr) / 1e12


def _flop(jaxpr: Any) -> int:
    total = 0
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        if name == "dot_general":
            (contracted, _), _ = params["dimension_numbers"]
            left = equation.invars[0].aval.shape
            inner = math.prod(left[axis] for axis in contracted)
            total += 2 * math.prod(equation.outvars[0].aval.shape) * inner
        elif "dot_product_attention" in name:
            # Forward 2 products of queries x keys, backward 5; [b n k e] each.
            b, n, k, e = equation.invars[0].aval.shape
            num_products = 5 if "bwd" in name else 2
            total += num_products * 2 * b * n * equation.invars[1].aval.shape[1] * k * e
        else:
            inside = sum(_flop(inner) for inner in _inner_jaxprs(params))
            total += _trips(name, params) * inside
    return total


def _trips(name: str, params: dict[str, Any]) -> int:
    """How often an operation runs what is inside of it, all devices together."""
    match name:
        case "scan":
            return int(params["length"])
        case "pallas_call":
            return math.prod(params["grid_mapping"].grid)
        case "shard_map":
            return int(params["mesh"].size)
    return 1


def _inner_jaxprs(params: dict[str, Any]) -> list[Any]:
    found = []
    for value in params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, core.ClosedJaxpr):
                found.append(item.jaxpr)
            elif isinstance(item, core.Jaxpr):
                found.append(item)
    return found
