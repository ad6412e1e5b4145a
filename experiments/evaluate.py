"""What a training run measures on held-out pairs, and draws."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from tbstar_jax.array_types import Tree, UInt8
from tbstar_jax.evaluation.heldout import (
    edit_pairs,
    load_pairs,
    spread_over_tasks,
    summary_of,
)
from tbstar_jax.inference.editor import Editor, SamplingOptions
from tbstar_jax.input_pipeline.latents import LatentSource
from tbstar_jax.parallel.sharding import ActivationShard
from tbstar_jax.training.freeze import merge
from tbstar_jax.training.loop import Evaluate
from tbstar_jax.training.preview import PreviewRow, preview_grid
from tbstar_jax.training.step import TrainState
from tbstar_jax.training.train_config import TrainConfig

_BATCH_SIZE = 8


def make_evaluate(
    config: TrainConfig,
    frozen: Tree,
    mesh: Mesh,
    latents: LatentSource | None = None,
) -> Evaluate:
    """The evaluation of one run: edits by the moving average, scores and a preview.

    Args:
      config: of the run.
      frozen: collection to tree.
      mesh: of the run.
      latents: of the held-out set, with the contexts of its instructions; None encodes
        them here.
    """
    settings = config.evaluation
    pairs = load_pairs(settings.path, settings.num_pairs, latents=latents)
    dtype = jnp.bfloat16 if config.compute_dtype == "bfloat16" else jnp.float32
    editor = Editor(config.model, dtype=dtype, shard=ActivationShard(mesh))
    options = SamplingOptions(
        num_steps=settings.num_steps,
        guidance_scale=1.0,
        use_gate=config.stage == "stage2",
    )
    axis = mesh.shape["data"]
    batch_size = -(-_BATCH_SIZE // axis) * axis

    def evaluate(
        state: TrainState,
    ) -> Iterator[tuple[str, float | UInt8[np.ndarray, "h w 3"]]]:
        parts = merge(state.ema, frozen)
        edits = edit_pairs(editor, parts, pairs, options, batch_size=batch_size)
        jax.block_until_ready(parts)
        summary = summary_of(pairs, edits)
        for name, value in summary.as_scalars().items():
            yield f"heldout/{name}", value
        if settings.num_previews:
            rows = [
                PreviewRow(
                    label=f"{pair.task}: {pair.instruction}",
                    source=pair.source,
                    target=pair.target,
                    edit=edit.image,
                )
                for pair, edit in zip(pairs, edits, strict=True)
            ]
            shown = spread_over_tasks(pairs, settings.num_previews)
            yield "heldout", preview_grid([rows[index] for index in shown])

    return evaluate
