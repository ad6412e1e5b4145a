"""Editing held-out pairs and scoring what came out.

The same code measures inside training and for the README's table: pairs are edited in
order, at model size, with noise that depends on the pair's position alone; where the
keep gate (or nothing) says what to keep, the result is composited as the user gets it.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.array_types import Array, Variables
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.consistency import (
    ConsistencyScores,
    ConsistencySummary,
    consistency_scores,
    summarize,
)
from tbstar_jax.inference.composite import composite
from tbstar_jax.inference.editor import Context, Editor, SamplingOptions
from tbstar_jax.inference.image_file import source_from_array
from tbstar_jax.input_pipeline.images import decode_image, decode_mask
from tbstar_jax.input_pipeline.latents import LatentSource
from tbstar_jax.input_pipeline.records import RecordSource
from tbstar_jax.input_pipeline.transforms import Language, choose_instruction


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeldoutPair:
    """One pair that no stage trained on.

    Attributes:
      key: of the record.
      task: its task id.
      instruction: the first paraphrase in the language asked for.
      source: RGB 0..255.
      target: the right edit.
      change_mask: True where they differ.
      context: the instruction, encoded ahead, `[m d]`; None leaves it to the editor.
      references: further pictures that the instruction speaks of, RGB 0..255.
    """

    key: str
    task: str
    instruction: str
    source: UInt8[np.ndarray, "h w 3"]
    target: UInt8[np.ndarray, "h w 3"]
    change_mask: Bool[np.ndarray, "h w"]
    context: Float[np.ndarray, "m d"] | None = None
    references: tuple[UInt8[np.ndarray, "_ _ 3"], ...] = ()

    @property
    def pictures(self) -> tuple[UInt8[np.ndarray, "_ _ 3"], ...]:
        """All that a model is shown: the source first."""
        return self.source, *self.references


@dataclasses.dataclass(frozen=True)
class HeldoutEdit:
    """What a model made of a pair.

    Attributes:
      image: as the user gets it.
      edit_mask: True where the keep gate edits; None without a gate.
      mask_cell: pixels per side of what the mask is made of, a token's for the gate.
    """

    image: UInt8[np.ndarray, "h w 3"]
    edit_mask: Bool[np.ndarray, "h w"] | None
    mask_cell: int = 1


def load_pairs(
    path: Path,
    num_pairs: int,
    language: Language = "en",
    latents: LatentSource | None = None,
) -> list[HeldoutPair]:
    """Reads pairs, spread evenly over the set, which is ordered by task.

    Args:
      path: a record directory with the split `test`.
      num_pairs: at most so many.
      language: whose first instruction is taken.
      latents: of the same set, with contexts, which then stand for the instructions.

    Raises:
      UserError: the set is missing or damaged, or has fewer pairs.
    """
    source = RecordSource(path, "test")
    if num_pairs > len(source):
        raise UserError(
            f"{path} has {len(source)} pairs, fewer than the {num_pairs} asked for; "
            "lower the number or build a larger set"
        )
    rows = [index * len(source) // num_pairs for index in range(num_pairs)]
    pairs = []
    for row in rows:
        record = source[row]
        instruction = choose_instruction(record, language)
        context = None
        if latents is not None:
            (place,) = latents.rows_of([record.key])
            _, arrays = latents[place]
            context = arrays[instruction.context_name].astype(np.float32)
        pairs.append(
            HeldoutPair(
                key=record.key,
                task=record.task,
                instruction=instruction.text,
                source=decode_image(record.source_images[0]),
                target=decode_image(record.target_image),
                change_mask=decode_mask(record.change_mask) > 127,
                context=context,
            )
        )
    return pairs


def edit_pairs(
    editor: Editor,
    parts: Variables,
    pairs: Sequence[HeldoutPair],
    options: SamplingOptions,
    *,
    batch_size: int,
) -> list[HeldoutEdit]:
    """Edits every pair's source by its instruction.

    Args:
      editor: compiled functions of the model.
      parts: base and the stage modules to use.
      pairs: sizes and the number of pictures may differ; each is its own batch shape.
      options: how to sample.
      batch_size: pairs per call; a multiple of the mesh's data axis.

    Returns:
      One edit per pair, in order.
    """
    edits: dict[int, HeldoutEdit] = {}
    shapes = [tuple(one.shape for one in pair.pictures) for pair in pairs]
    for rows in _batches(shapes, batch_size):
        padded = [*rows, *[rows[-1]] * (batch_size - len(rows))]
        columns = zip(*(pairs[row].pictures for row in padded), strict=True)
        images = [np.stack(column) for column in columns]
        keys = jax.vmap(lambda row: jax.random.fold_in(jax.random.key(0), row))(
            np.asarray(padded, np.uint32)
        )
        prepared = editor.prepare(parts, *images)
        instructions = _instructions(pairs, padded)
        edited = editor.generate(parts, prepared, instructions, keys, options)
        decoded = _fetch(edited.image)
        keep = edited.keep_probability
        probability = None if keep is None else _fetch(keep)
        for index, row in enumerate(rows):
            p = None if probability is None else probability[index]
            edits[row] = _finish(pairs[row], decoded[index], p, options.use_gate)
    return [edits[row] for row in range(len(pairs))]


def _instructions(
    pairs: Sequence[HeldoutPair], rows: Sequence[int]
) -> tuple[str, ...] | Context:
    """Contexts where the pairs have them, of one length for all batches; else texts."""
    lengths = [len(pair.context) for pair in pairs if pair.context is not None]
    if not lengths:
        return tuple(pairs[row].instruction for row in rows)
    assert len(lengths) == len(pairs)
    values = [
        np.pad(context, ((0, max(lengths) - len(context)), (0, 0)))
        for row in rows
        if (context := pairs[row].context) is not None
    ]
    num_tokens = np.array([lengths[row] for row in rows], np.int32)
    return Context(jnp.asarray(np.stack(values)), jnp.asarray(num_tokens))


def score_pairs(
    pairs: Sequence[HeldoutPair], edits: Sequence[HeldoutEdit]
) -> list[ConsistencyScores]:
    """The scores of every edit, see `evaluation/consistency.py`."""
    return [
        consistency_scores(
            pair.source,
            pair.target,
            edit.image,
            pair.change_mask,
            edit.edit_mask,
            mask_cell=edit.mask_cell,
        )
        for pair, edit in zip(pairs, edits, strict=True)
    ]


def spread_over_tasks(pairs: Sequence[HeldoutPair], count: int) -> list[int]:
    """Places of `count` pairs to show: the first of every task, the second, ..."""
    seen: dict[str, int] = {}
    order = []
    for index, pair in enumerate(pairs):
        seen[pair.task] = seen.get(pair.task, 0) + 1
        order.append((seen[pair.task], index))
    chosen = [index for _, index in sorted(order)[:count]]
    return sorted(chosen, key=lambda index: (pairs[index].task, index))


def copy_of_input(pairs: Sequence[HeldoutPair]) -> list[HeldoutEdit]:
    """The editor that changes nothing: the anchor every table starts with."""
    return [HeldoutEdit(pair.source, None) for pair in pairs]


def summary_of(
    pairs: Sequence[HeldoutPair], edits: Sequence[HeldoutEdit]
) -> ConsistencySummary:
    """Means over all pairs. The identity task has no inside and leaves that mean."""
    return summarize(score_pairs(pairs, edits))


def _batches(
    shapes: Sequence[tuple[tuple[int, ...], ...]], batch_size: int
) -> Iterator[list[int]]:
    """Rows whose pictures have equal sizes, at most `batch_size` at a time."""
    for shape in sorted(set(shapes)):
        rows = [row for row, each in enumerate(shapes) if each == shape]
        for start in range(0, len(rows), batch_size):
            yield rows[start : start + batch_size]


def _fetch(array: Array) -> np.ndarray:
    """The whole array on this host, also when other processes hold parts of it."""
    if array.is_fully_addressable:
        return np.asarray(array)
    return np.asarray(multihost_utils.process_allgather(array, tiled=True))


def _finish(
    pair: HeldoutPair,
    decoded: UInt8[np.ndarray, "h w 3"],
    probability: Float[np.ndarray, "rows columns"] | None,
    use_gate: bool,
) -> HeldoutEdit:
    if probability is None or not use_gate:
        return HeldoutEdit(decoded, None)
    cell = len(decoded) // len(probability)
    mask = (probability <= np.float32(0.5)).repeat(cell, axis=0).repeat(cell, axis=1)
    source = source_from_array(pair.source)
    image = composite(source, decoded, np.where(mask, 255, 0).astype(np.uint8))
    return HeldoutEdit(image, mask, cell)
