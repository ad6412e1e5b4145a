"""A minimal stage-1 step: one collection is differentiated, the base is an argument."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax

from tbstar_jax.diffusion.loss import flow_loss
from tbstar_jax.diffusion.path import interpolate, velocity_of
from tbstar_jax.model import presets
from tbstar_jax.model.pattern_shifting import IMAGE_LINEARS, TEXT_LINEARS
from tbstar_jax.model.tbstar import TBStar, abstract_variables
from tbstar_jax.parallel.sharding import (
    ActivationShard,
    batch_sharding,
    data_parallel_copies,
    optimizer_state_shardings,
    replicated,
    variable_shardings,
)

OPTIMIZER = optax.adamw(1e-2)

# LLVM's effort has no influence on what is asserted here: collectives and memory.
FAST_COMPILE = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}


def make_config(
    *, num_layers, num_heads, head_dim, rank, targets=IMAGE_LINEARS + TEXT_LINEARS
):
    """The tiny preset with another transformer, cached sources, blocks recomputed."""
    config = presets.tiny()
    rotary = (head_dim - 2 * (3 * head_dim // 8),) + 2 * (3 * head_dim // 8,)
    return dataclasses.replace(
        config,
        transformer=dataclasses.replace(
            config.transformer,
            num_layers=num_layers,
            num_attention_heads=num_heads,
            attention_head_dim=head_dim,
            axes_dims_rope=rotary,
            remat="block",
        ),
        pattern_shifting=dataclasses.replace(
            config.pattern_shifting, rank=rank, alpha=float(rank), targets=targets
        ),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchShape:
    """One source of the target's grid."""

    size: int
    grid: tuple[int, int]
    num_context: int

    @property
    def stream_lengths(self):
        """Tokens of the target, the source and the text."""
        n = self.grid[0] * self.grid[1]
        return n, n, self.num_context

    def abstract(self, config):
        channels, (n, _, m) = config.transformer.in_channels, self.stream_lengths
        tokens = jax.ShapeDtypeStruct((self.size, n, channels), np.float32)
        width = config.transformer.joint_attention_dim
        return {
            "latent": tokens,
            "noise": tokens,
            "source": tokens,
            "time": jax.ShapeDtypeStruct((self.size,), np.float32),
            "context": jax.ShapeDtypeStruct((self.size, m, width), np.float32),
            "num_context_tokens": jax.ShapeDtypeStruct((self.size,), np.int32),
        }


def make_step(config, mesh, grid):
    """`(trainable, opt_state, frozen, batch) -> (trainable, opt_state, loss)`."""
    model = TBStar(config, shard=ActivationShard(mesh))

    def loss_fn(trainable, frozen, batch):
        latent, noise, time = batch["latent"], batch["noise"], batch["time"]
        output = model.apply(
            {
                "pattern_shifting": data_parallel_copies(trainable, mesh),
                "params": frozen,
            },
            interpolate(latent, noise, time),
            time,
            batch["context"],
            batch["num_context_tokens"],
            (batch["source"],),
            target_grid=grid,
            source_grids=(grid,),
        )
        return jnp.mean(flow_loss(output.velocity, velocity_of(latent, noise)))

    def step(trainable, opt_state, frozen, batch):
        loss, grads = jax.value_and_grad(loss_fn)(trainable, frozen, batch)
        with jax.numpy_dtype_promotion("standard"):  # optax raises floats to integers
            updates, opt_state = OPTIMIZER.update(grads, opt_state, trainable)
        return optax.apply_updates(trainable, updates), opt_state, loss

    return step


def abstract_arguments(config, batch_shape):
    variables = abstract_variables(TBStar(config))
    trainable, frozen = variables["pattern_shifting"], variables["params"]
    opt_state = jax.eval_shape(OPTIMIZER.init, trainable)
    return trainable, opt_state, frozen, batch_shape.abstract(config)


def lower_step(config, mesh, batch_shape):
    """The step lowered on shapes alone, and the shardings of its arguments."""
    arguments = abstract_arguments(config, batch_shape)
    trainable, opt_state, frozen, batch = arguments
    trainable_shardings = variable_shardings(trainable, mesh, "pattern_shifting")
    shardings = (
        trainable_shardings,
        optimizer_state_shardings(OPTIMIZER, opt_state, trainable_shardings),
        variable_shardings(frozen, mesh, "params"),
        jax.tree.map(lambda _: batch_sharding(mesh), batch),
    )
    step = jax.jit(
        make_step(config, mesh, batch_shape.grid),
        in_shardings=shardings,
        out_shardings=(*shardings[:2], replicated(mesh)),
        donate_argnums=(0, 1),
    )
    return step.lower(*arguments), shardings


def compile_step(config, mesh, batch_shape):
    """The step compiled on shapes alone, and the shardings of its arguments."""
    lowered, shardings = lower_step(config, mesh, batch_shape)
    return lowered.compile(compiler_options=FAST_COMPILE), shardings
