"""A reduced model with random weights and a small data set, for whole runs.

Everything is written as a user has it: a weights folder by `save_weights`, record sets
by `write_records`. Runs are configured as the commands configure theirs.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.command import Flags
from experiments.stage1 import stage1_config
from experiments.stage2 import stage2_config
from tbstar_jax.config import apply_overrides
from tbstar_jax.convert.folder import BASE_PARTS, save_weights
from tbstar_jax.data_engine.examples import make_record
from tbstar_jax.input_pipeline.records import write_records
from tbstar_jax.model.conditioner.byte import ByteConditioner
from tbstar_jax.model.presets import tiny
from tbstar_jax.model.tbstar import TBStar, init_variables
from tbstar_jax.model.vae import VAE
from tbstar_jax.training.logging import read_events
from tbstar_jax.training.run import train
from tbstar_jax.trees import leaf_names

REPOSITORY = Path(__file__).parents[2]
SIZE = (64, 64)
SETS = {"stage1": 40, "stage2": 40, "heldout": 6}

# The same learning rate whatever the number of steps, so that runs can be compared.
SETTINGS = (
    "model.pattern_shifting.rank=4",
    "model.consistency.adapters.rank=4",
    "model.consistency.gate_width=16",
    "phase1.num_warmup_steps=2",
    "phase1.num_constant_steps=1000",
    "phase1.num_cosine_steps=0",
    "phase2.num_warmup_steps=2",
    "phase2.num_constant_steps=1000",
    "phase2.num_cosine_steps=0",
    "evaluation.num_pairs=3",
    "evaluation.num_previews=2",
    "evaluation.num_steps=2",
    "intervals.log=1",
)

# Weight decay, clipping and the moving average are on by default.
REFERENCE_SETTINGS = (
    "data.num_microbatches=2",
    "intervals.evaluate=2",
    "intervals.save=10",
)


def reduced_model():
    """`tiny` with 2 blocks of 2 heads, 64 x 64 pixels."""
    config = tiny()
    return dataclasses.replace(
        config,
        transformer=dataclasses.replace(
            config.transformer,
            num_layers=2,
            num_attention_heads=2,
            joint_attention_dim=32,
        ),
        vae=dataclasses.replace(config.vae, base_dim=4),
        conditioner=dataclasses.replace(
            config.conditioner, width=32, num_layers=1, num_heads=2
        ),
        pixel_budget=SIZE[0] * SIZE[1],
    )


def random_parts(config, key):
    """All five trees, as a random start has them."""
    image = jnp.zeros((1, 16, 16, 3))
    ids, length = jnp.zeros((1, 1), jnp.int32), jnp.ones((1,), jnp.int32)
    has_source = jnp.zeros((1,), bool)
    conditioner = ByteConditioner(config.conditioner)
    return {
        **init_variables(TBStar(config), jax.random.fold_in(key, 0)),
        "vae": VAE(config.vae).init(jax.random.fold_in(key, 1), image)["params"],
        "conditioner": conditioner.init(
            jax.random.fold_in(key, 2), ids, length, None, has_source
        )["params"],
    }


def write_base(directory, seed=0):
    """A weights folder of the reduced model."""
    config = reduced_model()
    # The key is an argument: as a constant the compiler would fold all draws from it.
    parts = jax.jit(lambda key: random_parts(config, key))(jax.random.key(seed))
    save_weights(directory, config, {name: parts[name] for name in BASE_PARTS})
    return directory


def write_sets(directory, sets=SETS):
    """The record sets of `data.build`, at 64 x 64 pixels."""
    for name, count in sets.items():
        records = (make_record(name, 0, index, SIZE) for index in range(count))
        split = "test" if name == "heldout" else "train"
        write_records(directory / name, name, split, records, count)
    return directory


def overrides(place, *settings):
    """What a user types behind `--set` to train the reduced model of `place`."""
    given = {setting.partition("=")[0] for setting in settings}
    mine = (f"base={place.base}", *SETTINGS)
    return (*(s for s in mine if s.partition("=")[0] not in given), *settings)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a user works: the reduced base, and the built sets."""

    root: Path
    base: Path
    data: Path


def make_place(root):
    base, data = root / "base", root / "data" / "built" / "tiny"
    return Place(root, write_base(base), write_sets(data))


def command(name, place, *flags, settings=()):
    """`python -m experiments.<name>` with its flags."""
    sets = [f"--set={text}" for text in overrides(place, *settings)]
    return [sys.executable, "-m", f"experiments.{name}", *flags, *sets]


def environment(**variables):
    """As in a user's shell: no virtual devices yet, the package importable.

    LLVM's effort is lowered: it takes longer than the few steps of a test.
    """
    flags = (
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    )
    fixed = {"PYTHONPATH": str(REPOSITORY), "XLA_FLAGS": flags}
    return {**os.environ, **fixed, **variables}


def stage_config(stage, place, workdir, *settings, mesh="1x1", num_steps=10):
    """The configuration `python -m experiments.<stage>` makes."""
    flags = Flags(
        preset="tiny",
        mesh=mesh,
        workdir=workdir,
        num_steps=num_steps,
        overrides=overrides(place, *settings),
    )
    model = reduced_model()
    make = {"stage1": stage1_config, "stage2": stage2_config}[stage]
    config = apply_overrides(make(flags, model), flags.overrides)
    sets = place.data
    mixture = json.dumps([{"path": str(sets / stage), "weight": 1.0}])
    return apply_overrides(
        config, (f"data.mixture={mixture}", f"evaluation.path={sets / 'heldout'}")
    )


def reference_config(place):
    """20 steps of stage 1 on one device, which other runs are compared with."""
    workdir = place.root / "reference1"
    return stage_config("stage1", place, workdir, *REFERENCE_SETTINGS, num_steps=20)


class Snapshots:
    """An evaluation that keeps host copies of the state, and the frozen trees."""

    def __init__(self):
        self.states = {}
        self.frozen = None

    def __call__(self, config, frozen, mesh):
        self.frozen = frozen
        return self._evaluate

    def _evaluate(self, state):
        self.states[int(state.step)] = jax.tree.map(np.array, state)
        return ()


def run(config, base):
    """Trains in this process; returns the snapshots of its evaluations."""
    snapshots = Snapshots()
    train(config, base, snapshots, show_progress=False)
    return snapshots


def losses(workdir):
    """Step to the loss that was logged."""
    events = read_events(Path(workdir) / "metrics.jsonl")
    return {e["step"]: e["loss"] for e in events if e["event"] == "train"}


def assert_identical(left, right):
    """Two trees of arrays, bit for bit."""
    left, right = leaf_names(left), leaf_names(right)
    assert left.keys() == right.keys()
    for name, leaf in left.items():
        np.testing.assert_array_equal(
            np.asarray(leaf), np.asarray(right[name]), err_msg=name, strict=True
        )
