"""Base, stage 1, stage 2 and "copy the input" on the same held-out pairs.

`compare_models` edits and `score_table` averages: together the table of the README for
any weights folder. The base runs without modules, with the source's tokens present and
without guidance (it never learned to edit); the stages run as a user gets them, with
the steps and the guidance of the weights' configuration.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from tbstar_jax.array_types import Variables
from tbstar_jax.convert.folder import BASE_PARTS, STAGE_PARTS, Weights
from tbstar_jax.evaluation.heldout import (
    HeldoutEdit,
    HeldoutPair,
    copy_of_input,
    edit_pairs,
    summary_of,
)
from tbstar_jax.evaluation.sheet.contents import ScoreRow, ScoreTable
from tbstar_jax.inference.editor import Editor, SamplingOptions

_BATCH_SIZE = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparedModel:
    """What one model made of the held-out pairs.

    Attributes:
      name: `base`, `stage 1`, `stage 2`.
      part: the collection its stage trained.
      edits: one per pair, in order.
    """

    name: str
    part: str
    edits: tuple[HeldoutEdit, ...]


def sampling_options(weights: Weights, part: str) -> SamplingOptions:
    """How a model is sampled when its last collection is this one."""
    config = weights.config
    return SamplingOptions(
        num_steps=config.num_steps,
        guidance_scale=1.0 if part == "params" else config.guidance_scale,
        use_gate=part == "consistency",
    )


def compare_models(
    editor: Editor,
    weights: Weights,
    pairs: Sequence[HeldoutPair],
    parts: Sequence[str] = ("params", *STAGE_PARTS),
) -> tuple[ComparedModel, ...]:
    """Edits the pairs with the base and after each stage.

    Args:
      editor: of the weights' configuration; one for several weights compiles once.
      weights: with both stages' modules.
      pairs: held-out pairs.
      parts: the last collection of each model: `params` is the base alone.
    """
    names = {"params": "base", "pattern_shifting": "stage 1", "consistency": "stage 2"}
    everything: Variables = jax.tree.map(
        lambda leaf: jnp.asarray(leaf, jnp.float32), weights.parts
    )
    compared = []
    for part in parts:
        depth = ("params", *STAGE_PARTS).index(part)
        variables = {
            name: everything[name] for name in (*BASE_PARTS, *STAGE_PARTS[:depth])
        }
        options = sampling_options(weights, part)
        edits = edit_pairs(editor, variables, pairs, options, batch_size=_BATCH_SIZE)
        compared.append(ComparedModel(name=names[part], part=part, edits=tuple(edits)))
    return tuple(compared)


def score_table(
    title: str,
    pairs: Sequence[HeldoutPair],
    models: Sequence[ComparedModel],
    num_steps: Mapping[str, int],
) -> ScoreTable:
    """Averages the scores of every model, and of the input itself.

    Args:
      title: which weights these are.
      pairs: the held-out pairs.
      models: from `compare_models`.
      num_steps: training steps by collection, as far as they are known.
    """
    rows = [
        ScoreRow(
            name=model.name,
            note=steps_note(num_steps, model.part),
            summary=summary_of(pairs, model.edits),
        )
        for model in models
    ]
    rows.append(
        ScoreRow(
            name="copy the input",
            note="not a model",
            summary=summary_of(pairs, copy_of_input(pairs)),
        )
    )
    return ScoreTable(title=title, rows=tuple(rows))


def steps_note(num_steps: Mapping[str, int], part: str) -> str:
    """Says how long a collection was trained."""
    if part not in num_steps:
        return "steps not recorded"
    return f"{num_steps[part]:,} steps"
