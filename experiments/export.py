"""Exports a stage's modules from a run into a weights folder, or as a LoRA.

    python -m experiments.export --workdir=runs/tiny/stage1 --out=weights
    python -m experiments.export --workdir=runs/tiny/stage2 --out=weights
    python -m experiments.export --workdir=DIR --out=FILE.safetensors --lora=diffusers

The moving average of the newest checkpoint is written in bfloat16 beside the base it
was trained on, which is copied where the folder is new. `EditPipeline.from_checkpoint`
and `tbstar-edit --checkpoint` then read the folder. `training.json` says how many steps
each part was trained for.

A LoRA is the moving average in float32. It is exact, and therefore offered, for stage 1
trained with `--set model.compatible=diffusers` only.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import ml_dtypes
import numpy as np

from experiments.command import load_base
from tbstar_jax.array_types import Tree
from tbstar_jax.checkpoint import read_metadata, restore_checkpoint, saved_steps
from tbstar_jax.config import from_dict
from tbstar_jax.convert.folder import (
    BASE_PARTS,
    STAGE_PARTS,
    Weights,
    base_identity,
    load_weights,
    save_weights,
)
from tbstar_jax.convert.lora_collection import (
    LORA_STYLES,
    LoraStyle,
    export_obstacle,
    save_lora,
    tensors_of_collection,
)
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.model.tbstar import ModelConfig, TBStar, abstract_variables
from tbstar_jax.training.adapters import with_merged_files
from tbstar_jax.training.freeze import STAGE_COLLECTIONS
from tbstar_jax.training.initialise import CHECKPOINTS
from tbstar_jax.trees import tree_identity

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
    metadata = _module_metadata(workdir)
    (part,) = STAGE_COLLECTIONS[metadata["stage"]]
    model = from_dict(ModelConfig, metadata["config"]["model"])
    num_steps = _num_steps(workdir, metadata)
    is_new = not out.exists() or not any(out.iterdir())
    expected = metadata["base_identity"]
    if is_new:
        there = base or _base_of_run(metadata)
        present: tuple[str, ...] = ()
    else:
        there = load_weights(out)
        present = tuple(name for name in STAGE_PARTS if name in there.parts)
        expected = _stored_identity(metadata)
    if there.base_identity != expected:
        raise UserError(
            f"{workdir} was trained on the base {expected}, but {out} is to hold the "
            f"base {there.base_identity}; choose another --out"
        )
    _require_companions(part, out, present, metadata, model, there)
    average = _moving_average(checkpoints, part, model, metadata)
    tree = jax.tree.map(lambda leaf: leaf.astype(ml_dtypes.bfloat16), average)
    parts = {part: tree}
    config = _exported_config(there.config, model, part)
    steps = training_steps(out)
    if is_new:
        parts.update({name: there.parts[name] for name in BASE_PARTS})
    weights = save_weights(out, config, parts)
    record_training(out, {**steps, part: num_steps})
    return Exported(part=part, num_steps=num_steps, weights=weights)


def export_lora(workdir: Path, out: Path, style: LoraStyle) -> int:
    """Writes the modules of a stage-1 run as a LoRA file.

    Args:
      workdir: of a stage-1 run with `model.compatible=diffusers`.
      out: the file, `.safetensors`.
      style: whose key names.

    Returns:
      The number of optimizer steps the modules were trained for.

    Raises:
      UserError: no checkpoint, another kind of file, or a run whose modules are no LoRA
        on the base as it is published.
    """
    if out.suffix != ".safetensors":
        raise UserError(f"--lora writes a .safetensors file, not {out}")
    metadata = _module_metadata(workdir)
    model = from_dict(ModelConfig, metadata["config"]["model"])
    obstacle = _lora_obstacle(metadata, model)
    if obstacle is not None:
        raise UserError(
            f"{workdir} cannot be exported as a LoRA: {obstacle}; train stage 1 with "
            "--set model.compatible=diffusers, on a base without merged files"
        )
    tree = _moving_average(workdir / CHECKPOINTS, "pattern_shifting", model, metadata)
    num_steps = _num_steps(workdir, metadata)
    notes = {
        "base_identity": metadata["base_identity"],
        "num_steps": str(num_steps),
        "software": "tbstar_jax",
    }
    tensors = tensors_of_collection(tree, model.pattern_shifting)
    save_lora(out, tensors, style, notes)
    return num_steps


def _lora_obstacle(metadata: Mapping[str, Any], model: ModelConfig) -> str | None:
    """Why diffusers would not draw the same with a LoRA; None if it would."""
    if metadata["stage"] != "stage1":
        return (
            f"it is a run of {metadata['stage']}, and a source branch and a keep gate "
            "have no counterpart there"
        )
    files = _merged_files(metadata)
    if files:
        return f"it was trained on a base into which {', '.join(files)} was merged"
    return export_obstacle(model)


def _module_metadata(workdir: Path) -> Mapping[str, Any]:
    """What the checkpoints of a run say; only stages 1 and 2 have modules."""
    metadata = read_metadata(workdir / CHECKPOINTS)
    if metadata["stage"] not in ("stage1", "stage2"):
        raise UserError(
            f"{workdir} is a run of {metadata['stage']}; only stage1 and stage2 have "
            "modules to export"
        )
    return metadata


def _num_steps(workdir: Path, metadata: Mapping[str, Any]) -> int:
    """Optimizer steps that the stage itself has done."""
    return int(saved_steps(workdir / CHECKPOINTS)[-1] - metadata["first_step"])


def _merged_files(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """The LoRA files that were merged into the base of a run."""
    adapter = metadata["config"].get("adapter", {})
    if adapter.get("as") == "pattern_shifting":
        return ()
    return tuple(adapter.get("files") or ())


def _base_of_run(metadata: Mapping[str, Any]) -> Weights:
    base = load_base(metadata["config"]["base"], metadata["preset"])
    return with_merged_files(base, _merged_files(metadata))


def _stored_identity(metadata: Mapping[str, Any]) -> str:
    """The identity that a folder with the base of a run has.

    A merged base is named by its files while it is trained on, and by its content once
    it is written.
    """
    if not _merged_files(metadata):
        return str(metadata["base_identity"])
    parts = _base_of_run(metadata).parts
    return base_identity({name: tree_identity(parts[name]) for name in BASE_PARTS})


def _exported_config(stored: ModelConfig, model: ModelConfig, part: str) -> ModelConfig:
    """The folder's configuration: the modules', and how they were trained to attend."""
    transformer = dataclasses.replace(
        stored.transformer,
        source_attention=model.transformer.source_attention,
        source_time=model.transformer.source_time,
    )
    modules = {part: getattr(model, part)}
    return dataclasses.replace(
        stored, transformer=transformer, compatible=model.compatible, **modules
    )


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
    theirs, ours = there.config.transformer, model.transformer
    if (theirs.source_attention, theirs.source_time) != (
        ours.source_attention,
        ours.source_time,
    ):
        raise UserError(
            f"{out} holds stage-1 modules whose sources attend "
            f"{theirs.source_attention} at time {theirs.source_time}, but in this "
            f"stage 2 they attend {ours.source_attention} at time {ours.source_time}; "
            "train it with the values of its stage 1"
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
    """The trained collection, float32, on this host."""
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    abstract = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        abstract_variables(TBStar(model))[part],
    )
    expected = {name: metadata[name] for name in ("stage", "preset", "base_identity")}
    restored = restore_checkpoint(
        checkpoints, abstract, expected=expected, part=f"ema/{part}"
    )
    return jax.tree.map(np.asarray, restored.state)


def main(argv: Sequence[str]) -> None:
    """Exports one run."""
    parser = argparse.ArgumentParser(description=main.__doc__, allow_abbrev=False)
    parser.add_argument("--workdir", type=Path, required=True, help="of the run")
    parser.add_argument(
        "--out", type=Path, required=True, help="a weights folder, or the LoRA file"
    )
    parser.add_argument(
        "--lora", choices=LORA_STYLES, help="write a LoRA file for that program instead"
    )
    flags = parser.parse_args(argv)
    if flags.lora is not None:
        num_steps = export_lora(flags.workdir, flags.out, flags.lora)
        print(f"{flags.out}: LoRA for {flags.lora} after {num_steps} steps, float32")
        return
    exported = export_stage(flags.workdir, flags.out)
    print(f"{flags.out}: {exported.part} after {exported.num_steps} steps, bfloat16")


if __name__ == "__main__":
    sys.exit(run_command(main))
