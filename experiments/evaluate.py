"""What a training run measures on held-out pairs and the benchmark, and draws."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from tbstar_jax.array_types import Tree, UInt8, Variables
from tbstar_jax.evaluation.heldout import (
    HeldoutEdit,
    HeldoutPair,
    edit_pairs,
    load_pairs,
    spread_over_tasks,
    summary_of,
)
from tbstar_jax.evaluation.in_training import draw_subset, is_due
from tbstar_jax.inference.editor import Editor, SamplingOptions
from tbstar_jax.input_pipeline.latents import LatentSource
from tbstar_jax.parallel.sharding import ActivationShard
from tbstar_jax.training.freeze import merge
from tbstar_jax.training.initialise import CHECKPOINTS, first_step
from tbstar_jax.training.loop import Evaluate
from tbstar_jax.training.preview import PreviewRow, preview_grid
from tbstar_jax.training.step import TrainState
from tbstar_jax.training.train_config import TrainConfig

_BATCH_SIZE = 8

_Edited: TypeAlias = Callable[[Variables, Sequence[HeldoutPair]], list[HeldoutEdit]]


def make_evaluate(
    config: TrainConfig,
    frozen: Tree,
    mesh: Mesh,
    latents: LatentSource | None = None,
) -> Evaluate:
    """The evaluation of one run: edits by the moving average, scores and a preview.

    The benchmark's cases are edited as the held-out pairs are: same sampler, no
    guidance, composited where the keep gate says what to keep.

    Args:
      config: of the run.
      frozen: collection to tree.
      mesh: of the run.
      latents: of the held-out set, with the contexts of its instructions; None encodes
        them here.

    Raises:
      UserError: the held-out set cannot be read, or the benchmark's cases do not suit
        the model.
    """
    settings = config.evaluation
    pairs = load_pairs(settings.path, settings.num_pairs, latents=latents)
    edited = _make_edited(config, mesh)
    measured = _make_benchmark(config, edited)

    def evaluate(
        state: TrainState,
    ) -> Iterator[tuple[str, float | UInt8[np.ndarray, "h w 3"]]]:
        parts = merge(state.ema, frozen)
        edits = edited(parts, pairs)
        for name, value in summary_of(pairs, edits).as_scalars().items():
            yield f"heldout/{name}", value
        if settings.num_previews:
            yield "heldout", _preview(pairs, edits, settings.num_previews)
        if measured is not None:
            yield from measured(parts, int(state.step))

    return evaluate


def _make_edited(config: TrainConfig, mesh: Mesh) -> _Edited:
    dtype = jnp.bfloat16 if config.compute_dtype == "bfloat16" else jnp.float32
    editor = Editor(config.model, dtype=dtype, shard=ActivationShard(mesh))
    options = SamplingOptions(
        num_steps=config.evaluation.num_steps,
        guidance_scale=1.0,
        use_gate=config.stage == "stage2",
    )
    axis = mesh.shape["data"]
    batch_size = -(-_BATCH_SIZE // axis) * axis

    def edited(parts: Variables, pairs: Sequence[HeldoutPair]) -> list[HeldoutEdit]:
        edits = edit_pairs(editor, parts, pairs, options, batch_size=batch_size)
        jax.block_until_ready(parts)
        return edits

    return edited


def _make_benchmark(
    config: TrainConfig, edited: _Edited
) -> Callable[[Variables, int], Iterator[tuple[str, float]]] | None:
    """Draws the benchmark's cases and says what to do with them; None without one.

    Returns:
      `(parts, global step)` to the scores, where they are due.
    """
    benchmark = config.evaluation.benchmark
    if benchmark is None:
        return None
    is_primary = jax.process_index() == 0
    subset = draw_subset(benchmark, config.model, show_progress=is_primary)
    start = first_step(config.workdir / CHECKPOINTS, config.previous)
    last_step = start + config.num_steps

    def measured(parts: Variables, step: int) -> Iterator[tuple[str, float]]:
        if is_due(step, benchmark.every, last_step):
            yield from subset.scalars(edited(parts, subset.pairs))

    return measured


def _preview(
    pairs: Sequence[HeldoutPair], edits: Sequence[HeldoutEdit], count: int
) -> UInt8[np.ndarray, "h w 3"]:
    rows = [
        PreviewRow(
            label=f"{pair.task}: {pair.instruction}",
            source=pair.source,
            target=pair.target,
            edit=edit.image,
        )
        for pair, edit in zip(pairs, edits, strict=True)
    ]
    shown = spread_over_tasks(pairs, count)
    return preview_grid([rows[index] for index in shown])
