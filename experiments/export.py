"""Exports a stage's modules from a run into a weights folder.

    python -m experiments.export --workdir=runs/tiny/stage1 --out=weights
    python -m experiments.export --workdir=runs/tiny/stage2 --out=weights

The moving average of the newest checkpoint is written in bfloat16 beside the base it
was trained on, which is copied where the folder is new. `EditPipeline.from_checkpoint`
and `tbstar-edit --checkpoint` then read the folder. `training.json` says how many steps
each part was trained for.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.command import load_base
from tbstar_jax.array_types import Tree
from tbstar_jax.checkpoint import read_metadata, restore_checkpoint, saved_steps
from tbstar_jax.config import from_dict
from tbstar_jax.convert.folder import (
    BASE_PARTS,
    STAGE_PARTS,
    Weights,
    load_weights,
    save_weights,
)
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.model.tbstar import ModelConfig, TBStar, abstract_variables
from tbstar_jax.training.freeze import STAGE_COLLECTIONS
from tbstar_jax.training.initialise import CHECKPOINTS

TRAINING_FILE = "training.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written.

    Attributes:
      part: the collection.
      num_steps: optimizer steps its stage has done.
      weights: the folder as it now is.
    """

    part: str
    num_steps: int
    weights: Weights


def export_stage(workdir: Path, out: Path, base: Weights | None = None) -> Exported:
    """Writes the modules of a run into a weights folder.

    Args:
      workdir: of a stage-1 or stage-2 run.
      out: a weights folder of the same base, or a folder to be made.
      base: what to copy into a new folder; None loads the base that the run names.

    Raises:
      UserError: no checkpoint, a run of another kind, another base, or modules in the
        folder that do not belong to those exported.
    """
    checkpoints = workdir / CHECKPOINTS
    metadata = read_metadata(checkpoints)
    if metadata["stage"] not in ("stage1", "stage2"):
        raise UserError(
            f"{workdir} is a run of {metadata['stage']}; only stage1 and stage2 have "
            "modules to export"
        )
    (part,) = STAGE_COLLECTIONS[metadata["stage"]]
    model = from_dict(ModelConfig, metadata["config"]["model"])
    last_step = saved_steps(checkpoints)[-1]
    num_steps = last_step - metadata["first_step"]
    is_new = not out.exists() or not any(out.iterdir())
    if is_new:
        there = base or load_base(metadata["config"]["base"], metadata["preset"])
        present: tuple[str, ...] = ()
    else:
        there = load_weights(out)
        present = tuple(name for name in STAGE_PARTS if name in there.parts)
    if there.base_identity != metadata["base_identity"]:
        raise UserError(
            f"{workdir} was trained on the base {metadata['base_identity']}, but "
            f"{out} is to hold the base {there.base_identity}; choose another --out"
        )
    _require_companions(part, out, present, metadata, model, there)
    tree = _moving_average(checkpoints, part, model, metadata)
    parts = {part: tree}
    config = dataclasses.replace(there.config, **{part: getattr(model, part)})
    steps = training_steps(out)
    if is_new:
        parts.update({name: there.parts[name] for name in BASE_PARTS})
    weights = save_weights(out, config, parts)
    record_training(out, {**steps, part: num_steps})
    return Exported(part=part, num_steps=num_steps, weights=weights)


def training_steps(directory: Path) -> dict[str, int]:
    """Reads how many steps each part of a weights folder was trained for.

    Returns:
      Part to optimizer steps; a part whose steps nobody wrote down is absent.

    Raises:
      UserError: the file is damaged.
    """
    path = directory / TRAINING_FILE
    if not path.exists():
        return {}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {name: int(part["num_steps"]) for name, part in stored.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def record_training(directory: Path, num_steps: Mapping[str, int]) -> None:
    """Writes how many optimizer steps each part was trained for."""
    content = {name: {"num_steps": steps} for name, steps in sorted(num_steps.items())}
    text = json.dumps(content, indent=2) + "\n"
    (directory / TRAINING_FILE).write_text(text, encoding="utf-8")


def _require_companions(
    part: str,
    out: Path,
    present: tuple[str, ...],
    metadata: Mapping[str, Any],
    model: ModelConfig,
    there: Weights,
) -> None:
    """Refuses modules of two stages that were not trained on each other."""
    if part == "pattern_shifting":
        if "consistency" in present:
            raise UserError(
                f"{out} holds stage-2 modules, which belong to the stage-1 modules "
                "beside them; export stage 1 into a new folder, then its stage 2"
            )
        return
    if "pattern_shifting" not in present:
        raise UserError(
            f"{out} has no stage-1 modules; export the stage-1 run that this stage 2 "
            f"started from, {metadata['config']['previous']}, into it first"
        )
    steps = training_steps(out).get("pattern_shifting")
    is_same_length = steps is None or steps == metadata["first_step"]
    if not is_same_length or there.config.pattern_shifting != model.pattern_shifting:
        raise UserError(
            f"{out} holds other stage-1 modules ({steps} steps) than this stage 2 "
            f"started from ({metadata['first_step']} steps); export that run first"
        )


def _moving_average(
    checkpoints: Path, part: str, model: ModelConfig, metadata: Mapping[str, Any]
) -> Tree:
    """The trained collection, bfloat16, on this host."""
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    abstract = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        abstract_variables(TBStar(model))[part],
    )
    expected = {name: metadata[name] for name in ("stage", "preset", "base_identity")}
    restored = restore_checkpoint(
        checkpoints, abstract, expected=expected, part=f"ema/{part}"
    )
    return jax.tree.map(
        lambda leaf: np.asarray(leaf.astype(jnp.bfloat16)), restored.state
    )


def main(argv: Sequence[str]) -> None:
    """Exports one run."""
    parser = argparse.ArgumentParser(description=main.__doc__, allow_abbrev=False)
    parser.add_argument("--workdir", type=Path, required=True, help="of the run")
    parser.add_argument("--out", type=Path, required=True, help="a weights folder")
    flags = parser.parse_args(argv)
    exported = export_stage(flags.workdir, flags.out)
    print(f"{flags.out}: {exported.part} after {exported.num_steps} steps, bfloat16")


if __name__ == "__main__":
    sys.exit(run_command(main))
