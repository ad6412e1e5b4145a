"""Stage 1: pattern shifting. A frozen text-to-image base becomes an editor.

    python -m experiments.stage1 --mesh=4x2

Trains the `pattern_shifting` collection (low-rank adapters on both streams' attention
and feed-forward linears, source embedding) on broad editing pairs with the
flow-matching loss; base, autoencoder and conditioner are frozen. Without accelerators
the mesh is made of virtual CPU devices. The checkpoint lies in `runs/<preset>/stage1`,
beside previews, `metrics.jsonl` and TensorBoard files.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.command import Flags, base_of, data_of, parse_flags, run_stage
from tbstar_jax.diffusion.loss import ConsistencyLossConfig
from tbstar_jax.errors import run_command
from tbstar_jax.model.presets import PUBLIC_PRESETS
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.training.optimizer import OptimizerConfig, PhaseSchedule
from tbstar_jax.training.train_config import (
    EvaluationConfig,
    IntervalConfig,
    TrainConfig,
)

NUM_STEPS = 1500


def stage1_config(flags: Flags, model: ModelConfig) -> TrainConfig:
    """The full configuration; variants are `--set` or `dataclasses.replace`.

    Args:
      flags: of the command line.
      model: sizes of the base, with the preset's stage modules.
    """
    num_steps = NUM_STEPS if flags.num_steps is None else flags.num_steps
    built = Path("data/built") / flags.preset
    return TrainConfig(
        stage="stage1",
        preset=flags.preset,
        model=model,
        mesh=flags.mesh,
        workdir=flags.workdir or Path("runs") / flags.preset / "stage1",
        num_steps=num_steps,
        seed=0,
        compute_dtype="bfloat16" if flags.preset in PUBLIC_PRESETS else "float32",
        base=base_of(flags),
        previous=None,
        data=data_of(flags, model, "stage1", is_mask_required=False),
        evaluation=EvaluationConfig(path=built / "heldout"),
        intervals=IntervalConfig(),
        optimizer=default_optimizer(flags.preset),
        phase1=phase(num_steps, peak=1e-3, floor=2e-5),
        phase2=PhaseSchedule(
            peak=5e-4,
            floor=0.0,
            num_warmup_steps=0,
            num_constant_steps=1,
            num_cosine_steps=0,
        ),
        loss=ConsistencyLossConfig(),
    )


def default_optimizer(preset: str) -> OptimizerConfig:
    """AdamW, with half of the first moment's memory where every GiB counts."""
    is_large = preset in PUBLIC_PRESETS
    return OptimizerConfig(first_moment_dtype="bfloat16" if is_large else "float32")


def phase(num_steps: int, peak: float, floor: float) -> PhaseSchedule:
    """A stage's learning rate: 5 % warm-up, 55 % constant, 40 % cosine."""
    warmup, cosine = num_steps // 20, 2 * num_steps // 5
    return PhaseSchedule(
        peak=peak,
        floor=floor,
        num_warmup_steps=warmup,
        num_constant_steps=num_steps - warmup - cosine,
        num_cosine_steps=cosine,
    )


def main(argv: Sequence[str]) -> None:
    """Trains stage 1."""
    description = "Stage 1: train the pattern-shifting modules on a frozen base."
    run_stage(parse_flags(description, argv), stage1_config)


if __name__ == "__main__":
    sys.exit(run_command(main))
