"""What a step of either stage costs, whatever is logged."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tbstar_jax.diffusion.loss import ConsistencyLossConfig
from tbstar_jax.diffusion.timesteps import TimestepConfig
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh
from tbstar_jax.parallel.sharding import replicated
from tbstar_jax.training.freeze import partition
from tbstar_jax.training.objective import Objective, required_parts
from tbstar_jax.training.optimizer import OptimizerConfig, make_optimizer
from tbstar_jax.training.step import init_train_state, make_train_step, train_step
from tests.support import reduced

SCHEDULE = optax.constant_schedule(1e-3)
OPTIMIZER = make_optimizer(OptimizerConfig(), SCHEDULE, first_step=0)
BATCH = (1, 8)

# LLVM's effort has no influence on what is asserted here.
FAST_COMPILE = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}


def abstract_batch(config, stage):
    """As a pipeline gives it: with latents for stage 1, with images for stage 2."""
    height, width = reduced.SIZE
    latent = (height // 8, width // 8, config.vae.z_dim)
    targets = {
        "stage1": {
            "target_latent": (latent, np.float32),
            "source_latent_1": (latent, np.float32),
        },
        "stage2": {"target_image": ((height, width, 3), np.uint8)},
    }
    shapes = {
        **targets[stage],
        "source_image_1": ((height, width, 3), np.uint8),
        "change_mask": ((height, width), np.bool_),
        "instruction_tokens": ((config.conditioner.max_tokens,), np.int32),
        "num_instruction_tokens": ((), np.int32),
        "is_instruction_dropped": ((), np.bool_),
    }
    return {
        name: jax.ShapeDtypeStruct((*BATCH, *shape), dtype)
        for name, (shape, dtype) in shapes.items()
    }


class Case:
    """A stage on shapes alone."""

    def __init__(self, stage, collections=None):
        config = reduced.reduced_model()
        variables = jax.eval_shape(
            lambda key: reduced.random_parts(config, key), jax.random.key(0)
        )
        variables = {name: variables[name] for name in required_parts(stage)}
        parts = partition(variables, stage)
        trainable, self.frozen = parts.trainable, parts.frozen
        for name in collections or ():
            trainable = {**trainable, name: self.frozen.pop(name)}
        self.mesh = make_mesh(parse_mesh("1x1"))
        self.objective = Objective(
            stage,
            config,
            consistency=ConsistencyLossConfig(),
            timesteps=TimestepConfig(),
            dtype=jnp.float32,
            mesh=self.mesh,
        )
        self.batch = abstract_batch(config, stage)
        self.state = jax.eval_shape(
            lambda tree: init_train_state(tree, OPTIMIZER, jax.random.key(0), 0),
            trainable,
        )

    def compile(self, step):
        lowered = step.lower(self.state, self.frozen, self.batch)
        return lowered.compile(compiler_options=FAST_COMPILE)

    def shipped(self):
        """The step that trains, with all its metrics."""
        whole = replicated(self.mesh)
        return self.compile(
            make_train_step(
                self.objective,
                OPTIMIZER,
                SCHEDULE,
                loss_weights=self.objective.loss_weights,
                largest_ema_decay=0.999,
                state_shardings=jax.tree.map(lambda _: whole, self.state),
                frozen_shardings=whole,
                batch_shardings=whole,
            )
        )

    def bare(self):
        """The frozen part under `stop_gradient`, and no metrics."""

        def loss_fn(trainable, frozen, micro_batch, key):
            frozen = jax.lax.stop_gradient(frozen)
            return self.objective(trainable, frozen, micro_batch, key)

        step = functools.partial(
            train_step,
            loss_fn=loss_fn,
            loss_weights=self.objective.loss_weights,
            optimizer=OPTIMIZER,
            schedule=SCHEDULE,
            largest_ema_decay=0.999,
        )
        return self.compile(jax.jit(lambda *args: step(*args)[0], donate_argnums=0))


def flops(compiled):
    return compiled.cost_analysis()["flops"]


def temporaries(compiled):
    return compiled.memory_analysis().temp_size_in_bytes


@pytest.fixture(scope="module")
def bare_stage1():
    return Case("stage1").bare()


def test_stage1_with_all_metrics_costs_what_it_costs_without(bare_stage1):
    step = Case("stage1").shipped()
    assert flops(step) <= 1.05 * flops(bare_stage1)
    assert temporaries(step) <= 1.05 * temporaries(bare_stage1)


def test_stage2_with_all_metrics_costs_what_it_costs_without():
    step, bare = Case("stage2").shipped(), Case("stage2").bare()
    assert flops(step) <= 1.05 * flops(bare)
    assert temporaries(step) <= 1.05 * temporaries(bare)


def test_a_gradient_of_the_base_would_be_seen_in_the_cost(bare_stage1):
    step = Case("stage1", collections=("params",)).shipped()
    assert flops(step) > 1.15 * flops(bare_stage1)
