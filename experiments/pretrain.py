"""Pretraining: a text-to-image base from nothing, for presets without public weights.

    python -m experiments.pretrain

Trains the autoencoder on the images of the `base` set, measures its latents, encodes
the set once, trains transformer and conditioner on the captions, and writes both moving
averages to `runs/<preset>/pretrain/weights`, which stage 1 takes with
`--set base=runs/<preset>/pretrain/weights`. The same command goes on after a stop.

`--steps` are the base's; the autoencoder's are `--set autoencoder.num_steps=`. Every
setting stands below `autoencoder` or `base`, e.g. `--set base.optimizer.clip_norm=0.5`.
"""

import dataclasses
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import jax

from experiments.command import Flags, build_missing_data, data_of, parse_flags
from tbstar_jax.config import apply_overrides
from tbstar_jax.diffusion.loss import ConsistencyLossConfig
from tbstar_jax.errors import run_command
from tbstar_jax.model.presets import preset
from tbstar_jax.parallel.distributed import initialise_distributed
from tbstar_jax.parallel.mesh import ensure_virtual_devices, parse_mesh
from tbstar_jax.training.optimizer import OptimizerConfig, PhaseSchedule
from tbstar_jax.training.pretrain import PretrainConfig, pretrain
from tbstar_jax.training.train_config import (
    EvaluationConfig,
    IntervalConfig,
    TrainConfig,
)

AUTOENCODER_STEPS = 10_000
BASE_STEPS = 40_000
_NUM_WARMUP_STEPS = 200


def pretrain_config(flags: Flags) -> PretrainConfig:
    """The full configuration; variants are `--set` or `dataclasses.replace`."""
    num_steps = BASE_STEPS if flags.num_steps is None else flags.num_steps
    workdir = flags.workdir or Path("runs") / flags.preset / "pretrain"
    base = _base_config(flags, workdir, num_steps)
    num_autoencoder_steps = _autoencoder_steps(flags)
    autoencoder = dataclasses.replace(
        base,
        stage="autoencoder",
        base="random",
        workdir=workdir / "autoencoder",
        num_steps=num_autoencoder_steps,
        data=dataclasses.replace(base.data, global_batch=16),
        evaluation=EvaluationConfig(
            path=Path("data/built") / flags.preset / "heldout", num_pairs=32
        ),
        intervals=IntervalConfig(),
        optimizer=OptimizerConfig(weight_decay=1e-4),
        phase1=_phase(2e-3, 1e-5, num_autoencoder_steps, num_constant_steps=0),
    )
    return PretrainConfig(workdir=workdir, autoencoder=autoencoder, base=base)


def _base_config(flags: Flags, workdir: Path, num_steps: int) -> TrainConfig:
    model = preset(flags.preset)
    data = data_of(flags, model, "base", is_mask_required=False)
    learning_rate = _phase(1e-3, 2e-5, num_steps, num_constant_steps=3 * num_steps // 5)
    return TrainConfig(
        stage="pretrain",
        preset=flags.preset,
        model=model,
        mesh=flags.mesh,
        workdir=workdir / "base",
        num_steps=num_steps,
        seed=0,
        compute_dtype="float32",
        base="autoencoder",
        previous=None,
        data=dataclasses.replace(data, global_batch=32),
        evaluation=EvaluationConfig(
            path=Path(data.mixture[0].path), num_previews=8, num_steps=model.num_steps
        ),
        intervals=IntervalConfig(evaluate=1000),
        optimizer=OptimizerConfig(weight_decay=1e-3),
        phase1=learning_rate,
        phase2=learning_rate,
        loss=ConsistencyLossConfig(),
    )


def _autoencoder_steps(flags: Flags) -> int:
    """The number of steps that is asked for, because its schedule follows from it."""
    named = [text.partition("=") for text in flags.overrides]
    counts = [n for name, _, n in named if name == "autoencoder.num_steps"]
    # Anything else than a number is refused with all other overrides.
    return int(counts[-1]) if counts and counts[-1].isdecimal() else AUTOENCODER_STEPS


def _phase(
    peak: float, floor: float, num_steps: int, *, num_constant_steps: int
) -> PhaseSchedule:
    """Warm-up, constant, and cosine for the rest."""
    warmup = min(_NUM_WARMUP_STEPS, num_steps // 20)
    constant = min(num_constant_steps, num_steps - warmup)
    return PhaseSchedule(
        peak=peak,
        floor=floor,
        num_warmup_steps=warmup,
        num_constant_steps=constant,
        num_cosine_steps=num_steps - warmup - constant,
    )


def main(argv: Sequence[str]) -> None:
    """Pretrains, or goes on with it."""
    description = "Train a base from nothing: autoencoder, transformer, conditioner."
    flags = parse_flags(description, argv)
    # Forced, because importing TFDS configures the root logger for warnings.
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    logging.getLogger("absl").setLevel(logging.WARNING)
    ensure_virtual_devices(parse_mesh(flags.mesh).num_devices)
    initialise_distributed()
    config = apply_overrides(pretrain_config(flags), flags.overrides)
    for phase in (config.autoencoder, config.base):
        build_missing_data(phase)
    is_primary = jax.process_index() == 0
    if pretrain(config, show_progress=is_primary) is None and is_primary:
        print("stopped; the same command goes on from here")


if __name__ == "__main__":
    sys.exit(run_command(main))
