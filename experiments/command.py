"""The closed command line of the training experiments.

python -m experiments.stage1 --mesh=4x2 --workdir=DIR --preset=tiny --steps=N
--set path.to.field=value
"""

import argparse
import dataclasses
import difflib
import functools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

import jax

from data.tiny import build_tiny
from experiments.evaluate import make_evaluate
from tbstar_jax.config import apply_overrides
from tbstar_jax.convert import public
from tbstar_jax.convert.folder import Weights, load_weights
from tbstar_jax.convert.lora_file import refuse_distilled_base
from tbstar_jax.errors import UserError
from tbstar_jax.inference.pipeline import SHIPPED_WEIGHTS
from tbstar_jax.input_pipeline.latents import LatentSource
from tbstar_jax.input_pipeline.mixtures import MixtureEntry
from tbstar_jax.input_pipeline.pipeline import PipelineConfig
from tbstar_jax.input_pipeline.transforms import TransformConfig
from tbstar_jax.model.conditioner.byte import ByteConditionerConfig
from tbstar_jax.model.presets import PRESETS, preset
from tbstar_jax.model.tbstar import ModelConfig, compatible_with_diffusers
from tbstar_jax.parallel.distributed import initialise_distributed
from tbstar_jax.parallel.mesh import ensure_virtual_devices, parse_mesh
from tbstar_jax.training.adapters import require_compatible, with_adapters
from tbstar_jax.training.precompute import open_latents
from tbstar_jax.training.run import train
from tbstar_jax.training.train_config import TrainConfig

BUILT_TINY = Path("data/built/tiny")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """What the command line says.

    Attributes:
      preset: name of the model.
      mesh: as typed.
      workdir: of the run; None for the default.
      num_steps: optimizer steps; None for the default.
      overrides: `path.to.field=value` texts.
    """

    preset: str
    mesh: str
    workdir: Path | None
    num_steps: int | None
    overrides: tuple[str, ...]


MakeConfig: TypeAlias = Callable[[Flags, ModelConfig], TrainConfig]
"""Flags and the base's model configuration to a full configuration."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def parse_flags(description: str, argv: Sequence[str]) -> Flags:
    """Reads the flags.

    Raises:
      UserError: a flag that does not exist, a value that cannot be read, or an unknown
        preset.
    """
    parser = _Parser(description=description, allow_abbrev=False)
    parser.add_argument("--mesh", default="1x1", help="data x model, e.g. 4x2")
    parser.add_argument("--workdir", type=Path, help="default runs/<preset>/<stage>")
    parser.add_argument("--preset", default="tiny", help=", ".join(PRESETS))
    parser.add_argument("--steps", type=int, help="optimizer steps of this stage")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="any field of the configuration, e.g. optimizer.clip_norm=0.5",
    )
    parsed, unknown = parser.parse_known_args(argv)
    if unknown:
        flags = ["--mesh", "--workdir", "--preset", "--steps", "--set"]
        nearest = difflib.get_close_matches(unknown[0].partition("=")[0], flags, n=1)
        hint = f"did you mean {nearest[0]}" if nearest else "see --help"
        raise UserError(f"there is no option {unknown[0]}; {hint}")
    preset(parsed.preset)
    return Flags(
        preset=parsed.preset,
        mesh=parsed.mesh,
        workdir=parsed.workdir,
        num_steps=parsed.steps,
        overrides=tuple(parsed.set),
    )


def run_stage(flags: Flags, make_config: MakeConfig) -> None:
    """Prepares devices and data and trains."""
    # Imported libraries configure the root logger too: force ours.
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    logging.getLogger("absl").setLevel(logging.WARNING)
    ensure_virtual_devices(parse_mesh(flags.mesh).num_devices)
    initialise_distributed()
    refuse_distilled_base(base_directory(base_of(flags)))
    # The base is among what `--set` may change, and brings the sizes of the model.
    without = ("conditioner",) if _is_encoded_ahead(flags) else ()
    base = load_base(base_of(flags), flags.preset, without=without)
    config = apply_overrides(
        make_config(flags, model_of(flags, base.config)), flags.overrides
    )
    require_compatible(config.model, base.config)
    base = with_adapters(base, config)
    build_missing_data(config)
    latents, evaluated = _open_latents(config, base)
    train(
        config,
        base,
        functools.partial(make_evaluate, latents=evaluated),
        show_progress=jax.process_index() == 0,
        latents=latents,
        without=without,
    )


def _is_encoded_ahead(flags: Flags) -> bool:
    """Whether contexts of the training sets and the held-out one were named.

    Then nothing needs the conditioner, and it is not loaded.
    """
    return any(text.startswith("evaluation.latents=") for text in flags.overrides)


def _open_latents(
    config: TrainConfig, base: Weights
) -> tuple[list[LatentSource] | None, LatentSource | None]:
    """What was encoded ahead, of the training sets and of the held-out one."""
    folder = base_directory(config.base)
    evaluated = None
    if config.evaluation.latents is not None:
        evaluated = open_latents(
            config.evaluation.latents, "test", config.model, base.identities, folder
        )
    elif not isinstance(config.model.conditioner, ByteConditionerConfig):
        raise UserError(
            f"the conditioner of {folder} is Qwen2.5-VL, which does not run while "
            "training; encode the training and held-out sets with `python -m "
            "data.build --stage=precompute` and name them with "
            "data.mixture[].latents and evaluation.latents"
        )
    latents = [
        open_latents(entry.latents, "train", config.model, base.identities, folder)
        for entry in config.data.mixture
        if entry.latents is not None
    ]
    opened = [*latents, *([] if evaluated is None else [evaluated])]
    with_contexts = [one for one in opened if one.longest_context]
    if with_contexts and len(with_contexts) < len(opened):
        (lacking, *_) = [one for one in opened if not one.longest_context]
        raise UserError(
            f"{lacking.directory} holds no contexts, but {with_contexts[0].directory} "
            "does; encode both with the same command"
        )
    return latents or None, evaluated


def model_of(flags: Flags, base: ModelConfig) -> ModelConfig:
    """The base's sizes with the preset's stage modules.

    `--set model.compatible=diffusers` sets several fields; they are set here, so that
    an override that contradicts one of them is an error.
    """
    modules = preset(flags.preset)
    model = dataclasses.replace(
        base,
        compatible=None,
        pattern_shifting=modules.pattern_shifting,
        consistency=modules.consistency,
    )
    if "model.compatible=diffusers" in flags.overrides:
        return compatible_with_diffusers(model)
    return model


def base_of(flags: Flags) -> str:
    """The base the flags ask for: the last `--set base=...`, or the shipped one."""
    named = [t.partition("=")[2] for t in flags.overrides if t.startswith("base=")]
    return named[-1] if named else "shipped"


def load_base(name: str, preset_name: str, *, without: tuple[str, ...] = ()) -> Weights:
    """The base by `shipped`, or by the path of a weights folder or public checkpoint.

    Args:
      name: `shipped` or a path.
      preset_name: for a public checkpoint, what no file says.
      without: parts whose identity alone is needed.

    Raises:
      UserError: there is no such folder, it is damaged, or nothing is shipped for the
        preset.
    """
    if name != "shipped":
        directory = base_directory(name)
        return public.load_base(directory, preset(preset_name), without=without)
    if preset_name != "tiny":
        raise UserError(
            f"no base is shipped for the preset {preset_name}; train one with `python "
            f"-m experiments.pretrain --preset={preset_name}` and pass its export with "
            "--set base=DIR"
        )
    return load_weights(SHIPPED_WEIGHTS, without=without)


def max_tokens(model: ModelConfig) -> int:
    """How many tokens an instruction may have."""
    if isinstance(model.conditioner, ByteConditionerConfig):
        return model.conditioner.max_tokens
    return model.conditioner.max_instruction_tokens


def base_directory(name: str) -> Path:
    """Where a base lies: `shipped`, or the path of a weights folder."""
    return SHIPPED_WEIGHTS if name == "shipped" else Path(name)


def build_missing_data(config: TrainConfig) -> None:
    """Builds the tiny sets where the configuration names them and they are missing.

    Raises:
      UserError: another set is missing; the sentence gives the command.
    """
    paths = [Path(entry.path) for entry in config.data.mixture]
    for path in (*paths, config.evaluation.path):
        if path.exists():
            continue
        if path.parent == BUILT_TINY and config.preset == "tiny":
            # In every process: on one disk the others wait for the first and find all
            # complete, on disks of their own each needs the sets.
            build_tiny(BUILT_TINY)
            continue
        field = "data.mixture=[...]" if path in paths else "evaluation.path=DIR"
        raise UserError(
            f"there is no data in {path}; name a record set with --set {field}, or "
            "render the tiny sets with `python -m data.build --preset=tiny "
            f"--out={path.parent}`"
        )


def data_of(
    flags: Flags, model: ModelConfig, name: str, *, is_mask_required: bool
) -> PipelineConfig:
    """The input of one stage: its built set, 16 examples a step."""
    return PipelineConfig(
        mixture=(MixtureEntry(path=f"data/built/{flags.preset}/{name}"),),
        transform=TransformConfig(
            max_tokens=max_tokens(model),
            pixel_budget=model.pixel_budget,
            is_mask_required=is_mask_required,
        ),
        seed=0,
        global_batch=16,
    )
