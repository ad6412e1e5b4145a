"""The configuration of a training run: one tree of frozen dataclasses.

This file composes; what a part means is said where the part is. The experiments hold
the functions that return a full `TrainConfig`.
"""

import dataclasses
from pathlib import Path
from typing import Literal

from tbstar_jax.convert.lora_file import parse_lora_file
from tbstar_jax.diffusion.loss import ConsistencyLossConfig
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.pipeline import PipelineConfig
from tbstar_jax.input_pipeline.transforms import Language
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.parallel.mesh import parse_mesh
from tbstar_jax.training.freeze import TRAIN_ALL
from tbstar_jax.training.optimizer import OptimizerConfig, PhaseSchedule
from tbstar_jax.training.reconstruction import ReconstructionConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class IntervalConfig:
    """How often what happens, in optimizer steps, each at least 1.

    Attributes:
      log: loss and speed are written.
      evaluate: held-out pairs are edited and measured.
      save: a checkpoint is written.
      keep_latest: number of newest checkpoints that are kept.
    """

    log: int = 10
    evaluate: int = 500
    save: int = 500
    keep_latest: int = 2

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value < 1:
                raise UserError(f"intervals.{name} is {value}; it must be at least 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Which cases of the benchmark a run is measured on, see `in_training.py`.

    Attributes:
      split: whose pictures the model's pixel budget must hold: 128, 256 or 512 pixels a
        side.
      every: training steps between two measurements, counted over all stages; a
        multiple of `intervals.evaluate`. The last step is measured, too.
      cases_per_task: the first so many of every task but `outpaint`.
      languages: of the instructions, each at most once.
    """

    split: Literal["smoke", "mini", "dev"] = "smoke"
    every: int = 1_000
    cases_per_task: int = 1
    languages: tuple[Language, ...] = ("en", "zh")

    def __post_init__(self) -> None:
        for name in ("every", "cases_per_task"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"evaluation.benchmark.{name} is {getattr(self, name)}; it must be "
                    "at least 1"
                )
        if not self.languages or len(set(self.languages)) < len(self.languages):
            raise UserError(
                f"evaluation.benchmark.languages is {list(self.languages)}; name en, "
                "zh or both, each once"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What is measured on held-out pairs while training.

    Attributes:
      path: the held-out set.
      num_pairs: pairs that are edited, the first of the set; at least 1.
      num_previews: how many of them are drawn, at most `num_pairs`.
      num_steps: sampling steps of each edit.
      latents: the set's contexts, encoded ahead; with those of every training set no
        conditioner is loaded. None encodes the instructions here.
      benchmark: cases that are edited and scored besides; None for none.
    """

    path: Path
    num_pairs: int = 16
    num_previews: int = 4
    num_steps: int = 8
    latents: Path | None = None
    benchmark: BenchmarkConfig | None = None

    def __post_init__(self) -> None:
        if self.num_pairs < 1 or self.num_steps < 1:
            raise UserError(
                f"evaluation.num_pairs is {self.num_pairs} and evaluation.num_steps "
                f"{self.num_steps}; both must be at least 1"
            )
        if not 0 <= self.num_previews <= self.num_pairs:
            raise UserError(
                f"evaluation.num_previews is {self.num_previews}; it must lie "
                f"between 0 and evaluation.num_pairs={self.num_pairs}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImportedAdapterConfig:
    """LoRA files of others, in training.

    Attributes:
      files: `FILE` or `FILE:scale`; None for no files.
      as_: (written `as`) `params` merges them into the frozen base, which thereby
        becomes another base; `pattern_shifting` makes them the modules that stage 1
        goes on training. None is `params`.
    """

    files: tuple[str, ...] | None = None
    as_: Literal["params", "pattern_shifting"] | None = None

    def __post_init__(self) -> None:
        if self.as_ is not None and not self.files:
            raise UserError(
                f"adapter.as={self.as_} has no effect without adapter.files; name "
                "the LoRA files, or leave it out"
            )
        for text in self.files or ():
            parse_lora_file(text)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One stage of training.

    Attributes:
      stage: what is trained; see `freeze.STAGE_COLLECTIONS`.
      preset: name of the model, a function of `model/presets.py`.
      model: sizes and choices; those of the base follow its weights.
      mesh: as on the command line, `4x2` or `data:4,model:2,context:2`.
      workdir: checkpoints, logs and previews.
      num_steps: optimizer steps of this stage.
      seed: of initial weights, noise, times.
      compute_dtype: of the model's matrix products; weights and sums stay float32.
      base: frozen base weights: `shipped`, or the path of a folder of converted weights
        or of a pretraining run. In pretraining `random` starts from nothing and
        `autoencoder` from the autoencoder of the phase before.
      previous: workdir of stage 1, for stage 2; None in the other stages.
      adapter: LoRA files to train on, or to go on training.
      trainable_rules: ordered (path regex, is trainable) over the stage's leaves.
      data: mixture, batch size, accumulation, language and dropout shares.
      evaluation: the held-out set.
      intervals: logging, evaluation, checkpoints.
      optimizer: AdamW, clip, moving average.
      phase1: learning rate of stage 1 and of both phases of pretraining.
      phase2: learning rate of stage 2.
      loss: weights of the stage-2 terms; no other stage reads them.
      reconstruction: of the autoencoder; no other stage reads it.
    """

    stage: Literal["autoencoder", "pretrain", "stage1", "stage2"]
    preset: str
    model: ModelConfig
    mesh: str
    workdir: Path
    num_steps: int
    seed: int
    compute_dtype: Literal["float32", "bfloat16"]
    base: str
    previous: Path | None
    adapter: ImportedAdapterConfig = dataclasses.field(
        default_factory=ImportedAdapterConfig
    )
    trainable_rules: tuple[tuple[str, bool], ...] = TRAIN_ALL
    data: PipelineConfig
    evaluation: EvaluationConfig
    intervals: IntervalConfig
    optimizer: OptimizerConfig
    phase1: PhaseSchedule
    phase2: PhaseSchedule
    loss: ConsistencyLossConfig
    reconstruction: ReconstructionConfig = dataclasses.field(
        default_factory=ReconstructionConfig
    )

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise UserError(f"num_steps is {self.num_steps}; it must be at least 1")
        if self.seed < 0:
            raise UserError(f"seed is {self.seed}; it must not be negative")
        if (self.previous is None) == (self.stage == "stage2"):
            raise UserError(
                f"previous is {self.previous} in {self.stage}; stage2 needs the "
                "workdir of stage 1, and no other stage may have one"
            )
        if self.base == "random" and self.stage not in ("autoencoder", "pretrain"):
            raise UserError(
                f"base=random in {self.stage} would train modules on noise; give "
                "shipped weights, converted weights or a pretraining run"
            )
        if self.stage == "stage2" and not self.data.transform.is_mask_required:
            raise UserError(
                "data.transform.is_mask_required is false in stage2, whose gate learns "
                "from the true masks; set it to true"
            )
        self._check_adapter()
        self._check_batch()
        self._check_latents()
        self._check_benchmark()

    def _check_adapter(self) -> None:
        if not self.adapter.files:
            return
        if self.stage not in ("stage1", "stage2"):
            raise UserError(
                f"adapter.files has no place in {self.stage}, which trains the base "
                "itself; leave it out"
            )
        if self.stage == "stage2" and self.adapter.as_ == "pattern_shifting":
            raise UserError(
                "adapter.as=pattern_shifting has no effect in stage2, whose "
                "pattern_shifting comes from stage 1; pass it to stage 1"
            )

    def _check_batch(self) -> None:
        shape = parse_mesh(self.mesh)
        if shape.context != 1:
            raise UserError(
                f"--mesh={self.mesh} has a context axis of {shape.context}, which "
                "training does not use yet; leave it out"
            )
        axis = shape.data
        num_micro_batches = self.data.num_microbatches
        if self.data.global_batch % (num_micro_batches * axis):
            raise UserError(
                f"data.global_batch={self.data.global_batch} does not divide into "
                f"{num_micro_batches} micro-batches over the {axis} data devices of "
                f"--mesh={self.mesh}; make it a multiple of {num_micro_batches * axis}"
            )

    def _check_latents(self) -> None:
        named = [entry.path for entry in self.data.mixture if entry.latents is not None]
        is_alone = self.evaluation.latents is not None and not named
        if (named and self.stage not in ("stage1", "stage2")) or is_alone:
            raise UserError(
                f"latents are named in {self.stage}, where they have no effect: "
                "pretraining encodes its own, and evaluation.latents spares the "
                "conditioner only together with the training sets' latents"
            )
        if named and len(named) != len(self.data.mixture):
            raise UserError(
                f"{len(named)} of {len(self.data.mixture)} sets of data.mixture name "
                "latents; all or none must, so that every step is the same program"
            )

    def _check_benchmark(self) -> None:
        benchmark = self.evaluation.benchmark
        if benchmark is None:
            return
        if self.stage not in ("stage1", "stage2"):
            raise UserError(
                f"evaluation.benchmark has no effect in {self.stage}, which does not "
                "edit photos; leave it out"
            )
        if benchmark.every % self.intervals.evaluate:
            raise UserError(
                f"evaluation.benchmark.every={benchmark.every} is no multiple of "
                f"intervals.evaluate={self.intervals.evaluate}, when a run is "
                "evaluated; change one of them"
            )
        if self.evaluation.latents is not None:
            raise UserError(
                "evaluation.benchmark needs the conditioner, which is not loaded with "
                "evaluation.latents; leave one of them out, or measure checkpoints "
                "with `python -m experiments.benchmark`"
            )
