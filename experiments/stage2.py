"""Stage 2: consistency enhancement. The editor learns to keep everything else.

    python -m experiments.stage2

Trains the `consistency` collection (adapters of the source branch, keep gate) on strict
pairs with exact masks; base, autoencoder, conditioner and the stage-1 modules are
frozen. Starts from the moving average of the newest checkpoint in
`runs/<preset>/stage1`; its optimizer starts fresh, and the global step goes on, so that
`two_phase_schedule` is in its second phase.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.command import Flags, data_of, parse_flags, run_stage
from experiments.stage1 import phase, stage1_config
from tbstar_jax.errors import run_command
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.training.train_config import TrainConfig

NUM_STEPS = 800


def stage2_config(flags: Flags, model: ModelConfig) -> TrainConfig:
    """Stage 1's configuration with other data, modules and learning rate.

    Args:
      flags: of the command line.
      model: sizes of the base, with the preset's stage modules.
    """
    num_steps = NUM_STEPS if flags.num_steps is None else flags.num_steps
    runs = Path("runs") / flags.preset
    return dataclasses.replace(
        stage1_config(flags, model),
        stage="stage2",
        workdir=flags.workdir or runs / "stage2",
        num_steps=num_steps,
        previous=runs / "stage1",
        data=data_of(flags, model, "stage2", is_mask_required=True),
        phase2=phase(num_steps, peak=1e-3, floor=1e-5),
    )


def main(argv: Sequence[str]) -> None:
    """Trains stage 2."""
    description = "Stage 2: train the consistency modules on base and stage 1."
    run_stage(parse_flags(description, argv), stage2_config)


if __name__ == "__main__":
    sys.exit(run_command(main))
