"""One training run from its configuration: wires mesh, weights, data, step and loop."""

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from tbstar_jax.array_types import Array, Tree, Variables
from tbstar_jax.checkpoint import Checkpoints
from tbstar_jax.config import to_dict, to_json
from tbstar_jax.convert.folder import BASE_PARTS, Weights
from tbstar_jax.diffusion.timesteps import TimestepConfig
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.latents import LatentSource
from tbstar_jax.input_pipeline.mixtures import open_mixture
from tbstar_jax.input_pipeline.pipeline import InputPipeline, build_pipeline
from tbstar_jax.model.conditioner.byte import (
    ByteConditioner,
    ByteConditionerConfig,
    tokenize,
)
from tbstar_jax.model.tbstar import ModelConfig, TBStar, init_variables
from tbstar_jax.model.vae import VAE
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh
from tbstar_jax.parallel.sharding import (
    batch_sharding,
)
from tbstar_jax.training.freeze import STAGE_COLLECTIONS
from tbstar_jax.training.initialise import (
    CHECKPOINTS,
    Initialised,
    WeightSource,
    first_step,
    initialise,
    previous_stage,
    start_as_identity,
)
from tbstar_jax.training.logging import RunWriter
from tbstar_jax.training.loop import Evaluate, Loop
from tbstar_jax.training.objective import Objective, required_parts
from tbstar_jax.training.optimizer import (
    make_optimizer,
    phase_schedule,
    two_phase_schedule,
)
from tbstar_jax.training.placement import (
    make_state,
    place_batch,
    place_frozen,
    shardings_of,
)
from tbstar_jax.training.reconstruction import (
    ReconstructionObjective,
    reconstruction_step_tflop,
)
from tbstar_jax.training.step import TrainState, make_train_step
from tbstar_jax.training.throughput import Workload, peak_tflops
from tbstar_jax.training.train_config import TrainConfig
from tbstar_jax.training.workload import train_step_tflop

MakeEvaluate: TypeAlias = Callable[[TrainConfig, Tree, Mesh], Evaluate]
"""(config, frozen trees, mesh) to the evaluation on held-out pairs."""


def train(
    config: TrainConfig,
    base: Weights | None,
    make_evaluate: MakeEvaluate,
    *,
    show_progress: bool,
    latents: Sequence[LatentSource] | None = None,
    without: tuple[str, ...] = (),
) -> TrainState:
    """Trains one stage, resuming where its workdir holds a checkpoint.

    Args:
      config: of the run.
      base: the frozen base; in pretraining the autoencoder alone, and None to train
        that.
      make_evaluate: the evaluation, injected: it stands above this layer.
      show_progress: whether to draw a progress bar.
      latents: of every set of the mixture, encoded ahead; None encodes in every step.
      without: frozen trees that neither a step nor the evaluation needs.

    Returns:
      The last state; it is saved.

    Raises:
      UserError: settings, weights, data or checkpoints that do not fit.
    """
    mesh = make_mesh(parse_mesh(config.mesh))
    _require_whole_heads(config, mesh)
    checkpoints = Checkpoints(
        config.workdir / CHECKPOINTS,
        save_every=config.intervals.save,
        keep_latest=config.intervals.keep_latest,
    )
    start = first_step(checkpoints.directory, config.previous)
    schedule = _schedule(config, start)
    optimizer = make_optimizer(config.optimizer, schedule, first_step=start)
    initialised = _initialise(
        config, base, optimizer, mesh, checkpoints, start, without
    )
    state = initialised.state
    frozen = place_frozen(initialised.frozen, mesh, _dtype(config))
    batches = _batches(config, initialised, start, latents)
    loop = Loop(
        step_fn=_step_fn(config, optimizer, schedule, mesh, state, frozen),
        frozen=frozen,
        batches=batches,
        place_batch=functools.partial(place_batch, mesh),
        evaluate=make_evaluate(config, frozen, mesh),
        checkpoints=checkpoints,
        metadata=initialised.metadata,
        writer=_writer(config, state),
        intervals=config.intervals,
        last_step=start + config.num_steps,
        workload=_workload(config, latents),
        platform=jax.devices()[0].platform,
    )
    with contextlib.closing(checkpoints), loop.writer, contextlib.closing(batches):
        loop.writer.config(to_json(config))
        return loop.run(state, show_progress=show_progress)


def _writer(config: TrainConfig, state: TrainState) -> RunWriter:
    return RunWriter(
        config.workdir,
        resume_step=int(state.step),
        is_primary=jax.process_index() == 0,
    )


def _schedule(config: TrainConfig, start: int) -> optax.Schedule:
    """Learning rate by global step; stage 2 is in the second phase from its start."""
    if config.stage == "stage2":
        return two_phase_schedule(config.phase1, config.phase2, start)
    return phase_schedule(config.phase1)


def _initialise(
    config: TrainConfig,
    base: Weights | None,
    optimizer: optax.GradientTransformation,
    mesh: Mesh,
    checkpoints: Checkpoints,
    start: int,
    without: tuple[str, ...],
) -> Initialised:
    expected = run_identity(config, base)
    needed = abstract_parts(config)
    return initialise(
        {name: tree for name, tree in needed.items() if name not in without},
        stage=config.stage,
        rules=config.trainable_rules,
        sources=_sources(config, base, mesh, start, expected["base_identity"]),
        make_state=functools.partial(make_state, optimizer, mesh, config.seed, start),
        checkpoints=checkpoints,
        expected=expected,
        config=to_dict(config),
        first_step=start,
    )


def _step_fn(
    config: TrainConfig,
    optimizer: optax.GradientTransformation,
    schedule: optax.Schedule,
    mesh: Mesh,
    state: TrainState,
    frozen: Variables,
) -> Any:
    """The compiled step of the stage's objective."""
    objective: Objective | ReconstructionObjective
    if config.stage == "autoencoder":
        objective = ReconstructionObjective(
            config.model.vae, config.reconstruction, dtype=_dtype(config)
        )
    else:
        objective = Objective(
            config.stage,
            config.model,
            consistency=config.loss,
            timesteps=TimestepConfig(),
            dtype=_dtype(config),
            mesh=mesh,
        )
    return make_train_step(
        objective,
        optimizer,
        schedule,
        loss_weights=objective.loss_weights,
        largest_ema_decay=config.optimizer.ema_decay,
        state_shardings=jax.tree.map(lambda x: x.sharding, state),
        frozen_shardings=jax.tree.map(lambda x: x.sharding, frozen),
        batch_shardings=batch_sharding(mesh, batch_axis=1),
    )


def run_identity(config: TrainConfig, base: Weights | None) -> dict[str, str]:
    """What the checkpoints of a run must say: stage, preset and frozen base."""
    if base is None:
        identity = "none"
    elif config.stage == "pretrain":
        identity = base.identities["vae"]
    else:
        identity = base.base_identity
    return {
        "stage": config.stage,
        "preset": config.preset,
        "base_identity": identity,
    }


def abstract_parts(config: TrainConfig) -> Variables:
    """Shapes of every tree the stage needs, float32."""
    return jax.eval_shape(lambda: _random_parts(config, jax.random.key(0)))


def _random_parts(config: TrainConfig, key: Array) -> Variables:
    model = config.model
    image = jnp.zeros((1, 2 * model.vae.downscale, 2 * model.vae.downscale, 3))
    ids, length = jnp.zeros((1, 1), jnp.int32), jnp.ones((1,), jnp.int32)
    parts = {
        **init_variables(TBStar(model), jax.random.fold_in(key, 0)),
        "vae": VAE(model.vae).init(jax.random.fold_in(key, 1), image)["params"],
    }
    if isinstance(model.conditioner, ByteConditionerConfig):
        # Others run ahead of training, see precompute.py.
        parts["conditioner"] = ByteConditioner(model.conditioner).init(
            jax.random.fold_in(key, 2), ids, length, None, jnp.zeros((1,), bool)
        )["params"]
    return {name: parts[name] for name in required_parts(config.stage) if name in parts}


def _sources(
    config: TrainConfig,
    base: Weights | None,
    mesh: Mesh,
    start: int,
    base_identity: str,
) -> list[WeightSource]:
    sources = []
    if config.previous is not None:
        trained = {"pattern_shifting": abstract_parts(config)["pattern_shifting"]}
        shardings = shardings_of(trained, mesh)
        abstract = jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(
                leaf.shape, leaf.dtype, sharding=sharding
            ),
            trained,
            shardings,
        )
        expected = {
            "stage": "stage1",
            "preset": config.preset,
            "base_identity": base_identity,
        }
        sources.append(previous_stage(config.previous, start, abstract, expected))
    if base is not None:
        names: tuple[str, ...] = BASE_PARTS
        if config.adapter.as_ == "pattern_shifting":
            names += ("pattern_shifting",)
        load = {
            name: functools.partial(_as_float32, base.parts[name])
            for name in names
            if name in base.parts
        }
        sources.append(
            WeightSource(origin="converted weights", path=config.base, load=load)
        )
    sources.append(
        WeightSource(
            origin="random",
            path=f"seed {config.seed}",
            load={
                name: functools.partial(_random_part, config, name)
                for name in STAGE_COLLECTIONS[config.stage]
            },
        )
    )
    return sources


def _random_part(config: TrainConfig, name: str) -> Tree:
    make = jax.jit(lambda key: _random_parts(config, key)[name])
    tree = dict(make(jax.random.key(config.seed)))
    return start_as_identity(tree) if name == "params" else tree


def _as_float32(tree: Tree) -> Tree:
    return jax.tree.map(lambda leaf: np.asarray(leaf).astype(np.float32), tree)


def _batches(
    config: TrainConfig,
    initialised: Initialised,
    first_step: int,
    latents: Sequence[LatentSource] | None,
) -> InputPipeline:
    """The input, standing at the state's next step."""
    sources = open_mixture(config.data.mixture, "train")
    batches = build_pipeline(
        config.data,
        sources,
        functools.partial(_tokenize, config.model),
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        start_step=int(initialised.state.step) - first_step,
        latents=latents,
    )
    if initialised.data_iterator_state is not None:
        batches.check_state(initialised.data_iterator_state)
    return batches


def _tokenize(model: ModelConfig, text: str) -> np.ndarray:
    return tokenize(text, model.byte_conditioner)


def _num_context_tokens(
    model: ModelConfig, latents: Sequence[LatentSource] | None
) -> int:
    """How long contexts are padded."""
    longest = max((encoded.longest_context for encoded in latents or ()), default=0)
    conditioner = model.conditioner
    if longest or not isinstance(conditioner, ByteConditionerConfig):
        return longest
    return conditioner.max_tokens + conditioner.num_thumbnail_tokens


def _workload(config: TrainConfig, latents: Sequence[LatentSource] | None) -> Workload:
    batch_size = config.data.global_batch
    if config.stage == "autoencoder":
        crop_size = config.reconstruction.crop_size
        tflop = reconstruction_step_tflop(config.model.vae, batch_size, crop_size)
    else:
        tflop = train_step_tflop(
            config.model,
            batch_size,
            _num_context_tokens(config.model, latents),
            is_base_trained=config.stage == "pretrain",
            has_source=config.stage != "pretrain",
        )
    return Workload(
        num_images=batch_size,
        num_devices=parse_mesh(config.mesh).num_devices,
        peak_tflops=peak_tflops(jax.devices()[0].device_kind),
        tflop=tflop,
    )


def _require_whole_heads(config: TrainConfig, mesh: Mesh) -> None:
    """Says at the start what would only be found while compiling."""
    num_heads, axis = config.model.transformer.num_attention_heads, mesh.shape["model"]
    if num_heads % axis:
        raise UserError(
            f"the {num_heads} attention heads do not divide over the {axis} model "
            f"devices of --mesh={config.mesh}; choose a mesh whose model axis divides "
            f"{num_heads}"
        )


def _dtype(config: TrainConfig) -> Any:
    return jnp.bfloat16 if config.compute_dtype == "bfloat16" else jnp.float32
