"""A toy model with one frozen and one trainable collection, in place of the big one."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from tbstar_jax.training.freeze import merge, partition
from tbstar_jax.training.optimizer import OptimizerConfig, make_optimizer
from tbstar_jax.training.step import init_train_state, make_train_step

WIDTH = 4
LOSS_WEIGHTS = {"flow": 1.0, "gate": 0.5, "watched": 0.0}
SCHEDULE = optax.constant_schedule(1e-2)
CONFIG = OptimizerConfig(weight_decay=0.1, clip_norm=0.5, ema_decay=0.9)


def toy_variables():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(WIDTH, WIDTH)).astype(np.float32)
    return {
        "params": {"kernel": jnp.asarray(kernel), "bias": jnp.zeros(WIDTH)},
        "pattern_shifting": {
            "down": jnp.asarray(0.1 * kernel[:, :2]),
            "up": jnp.asarray(0.1 * kernel[:2]),
        },
    }


def toy_batch(step, num_micro_batches=1, size=8):
    """The batch of a step, `[a b ...]`, with weights that fall unevenly."""
    rng = np.random.default_rng(step)
    x = rng.normal(size=(size, WIDTH)).astype(np.float32)
    is_dropped = np.arange(size) % size < 3
    arrays = {"x": x, "y": np.sin(x), "is_dropped": is_dropped}
    shape = (num_micro_batches, size // num_micro_batches)
    return {name: a.reshape(*shape, *a.shape[1:]) for name, a in arrays.items()}


def toy_loss(trainable, frozen, batch, key):
    variables = merge(trainable, frozen)
    base, adapter = variables["params"], variables["pattern_shifting"]
    kernel = base["kernel"] + adapter["down"] @ adapter["up"]
    difference = batch["x"] @ kernel + base["bias"][None] - batch["y"]
    noise = jax.random.normal(key, ())
    kept = 1.0 - batch["is_dropped"].astype(jnp.float32)
    ones = jnp.ones_like(kept)
    losses = {
        "flow": jnp.mean(jnp.square(difference), -1),
        "gate": jnp.mean(jnp.abs(difference), -1) * kept,
        "watched": ones * noise,
    }
    return losses, {"flow": ones, "gate": kept, "watched": ones}


def toy_shardings(state, mesh=None):
    """Everything on one device, or replicated with the batch split over `data`."""
    if mesh is None:
        single = jax.sharding.SingleDeviceSharding(jax.devices()[0])
        return jax.tree.map(lambda _: single, state), single, single
    replicated = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    spec = jax.sharding.PartitionSpec(None, "data")
    batch = jax.sharding.NamedSharding(mesh, spec)
    return jax.tree.map(lambda _: replicated, state), replicated, batch


def toy_run(loss_fn=toy_loss, mesh=None, first_step=0):
    """Returns the state, the frozen tree and the compiled step of a fresh toy run."""
    parts = partition(toy_variables(), "stage1")
    optimizer = make_optimizer(CONFIG, SCHEDULE, first_step=first_step)
    state = init_train_state(parts.trainable, optimizer, jax.random.key(7), first_step)
    state_shardings, frozen_sharding, batch_sharding = toy_shardings(state, mesh)
    step = make_train_step(
        loss_fn,
        optimizer,
        SCHEDULE,
        loss_weights=LOSS_WEIGHTS,
        largest_ema_decay=CONFIG.ema_decay,
        state_shardings=state_shardings,
        frozen_shardings=frozen_sharding,
        batch_shardings=batch_sharding,
    )
    state = jax.device_put(state, state_shardings)
    return state, jax.device_put(parts.frozen, frozen_sharding), step
