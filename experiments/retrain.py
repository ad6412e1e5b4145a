"""Retrains both stages from a base within a time, for the demo.

The configurations are those of `experiments.stage1` and `stage2` with other paths and
step counts. A learning-rate schedule needs the count before the first step, so a few
steps are trained and thrown away first, to see how long one takes here.
"""

import dataclasses
import json
import statistics
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from jax.sharding import Mesh

from experiments.command import Flags
from experiments.export import export_stage
from experiments.stage1 import stage1_config
from experiments.stage2 import stage2_config
from tbstar_jax.array_types import Tree
from tbstar_jax.convert.folder import Weights
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.mixtures import MixtureEntry
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.training.logging import METRICS_FILE
from tbstar_jax.training.loop import Evaluate
from tbstar_jax.training.run import train
from tbstar_jax.training.step import TrainState
from tbstar_jax.training.train_config import IntervalConfig, TrainConfig

# No instruction of 40,000 rendered pairs has more than 52 bytes. The model takes 94,
# but every step pays for the padding.
_MAX_TOKENS = 64
_NUM_PROBE_STEPS = 12
_NUM_SHORTEST = 10
_SECONDS = {"stage1": 270.0, "stage2": 150.0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retraining:
    """What is retrained, and where.

    Attributes:
      base: frozen; its own stage modules are not used.
      base_path: where it lies, for the runs' records.
      data: directory with the sets `stage1`, `stage2` and `heldout`.
      runs: directory for the two runs; must not hold any yet.
      out: the weights folder to be made.
      num_steps: of each stage; None chooses what fits the time.
    """

    base: Weights
    base_path: Path
    data: Path
    runs: Path
    out: Path
    num_steps: int | None


def retrain(retraining: Retraining, say: Callable[[str], None]) -> None:
    """Trains stage 1, then stage 2, and exports both.

    Args:
      retraining: what and where.
      say: called with a line before each part.

    Raises:
      UserError: training was interrupted, or cannot run on this base or data.
    """
    for stage, make_config in (("stage1", stage1_config), ("stage2", stage2_config)):
        num_steps = retraining.num_steps
        if num_steps is None:
            say(f"{stage}: measuring how long a step takes")
            seconds = _seconds_per_step(retraining, stage, make_config)
            num_steps = max(_NUM_SHORTEST, int(_SECONDS[stage] / seconds))
            say(f"{stage}: {seconds:.2f} s per step")
        workdir = retraining.runs / stage
        say(f"{stage}: training for {num_steps} steps in {workdir}")
        config = _config(retraining, make_config, workdir, num_steps)
        train(config, retraining.base, _no_evaluation, show_progress=True)
        exported = export_stage(workdir, retraining.out, retraining.base)
        if exported.num_steps != num_steps:
            raise UserError(
                f"{stage} was interrupted after {exported.num_steps} of {num_steps} "
                f"steps; what it learned is in {retraining.out}"
            )


def _config(
    retraining: Retraining,
    make_config: Callable[[Flags, ModelConfig], TrainConfig],
    workdir: Path,
    num_steps: int,
) -> TrainConfig:
    """The stage's own configuration, with the demo's paths."""
    flags = Flags(
        preset="tiny",
        mesh="1x1",
        workdir=workdir,
        num_steps=num_steps,
        overrides=(f"base={retraining.base_path}",),
    )
    config = make_config(flags, retraining.base.config)
    entry = MixtureEntry(path=str(retraining.data / config.stage))
    return dataclasses.replace(
        config,
        previous=retraining.runs / "stage1" if config.stage == "stage2" else None,
        data=dataclasses.replace(
            config.data,
            mixture=(entry,),
            transform=dataclasses.replace(
                config.data.transform, max_tokens=_MAX_TOKENS
            ),
        ),
        evaluation=dataclasses.replace(
            config.evaluation, path=retraining.data / "heldout"
        ),
        intervals=IntervalConfig(log=10, evaluate=num_steps, save=500, keep_latest=1),
    )


def _seconds_per_step(
    retraining: Retraining,
    stage: str,
    make_config: Callable[[Flags, ModelConfig], TrainConfig],
) -> float:
    """Trains a few steps into a directory that is then removed; the median of them.

    Steps that compile, the first of every image size, take ten times as long.
    """
    retraining.runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=retraining.runs) as scratch:
        workdir = Path(scratch) / stage
        config = _config(retraining, make_config, workdir, _NUM_PROBE_STEPS)
        every_step = dataclasses.replace(config.intervals, log=1)
        config = dataclasses.replace(config, intervals=every_step)
        train(config, retraining.base, _no_evaluation, show_progress=False)
        lines = (workdir / METRICS_FILE).read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    measured = [
        float(event["seconds_per_step"])
        for event in events
        if "seconds_per_step" in event
    ]
    if not measured:
        raise UserError(f"{stage} was interrupted")
    return statistics.median(measured)


def _no_evaluation(config: TrainConfig, frozen: Tree, mesh: Mesh) -> Evaluate:
    """The demo itself edits the held-out pairs, after training."""

    def evaluate(state: TrainState) -> Iterable[tuple[str, float]]:
        return ()

    return evaluate
