"""Encoding a set ahead: what the frozen parts make of every record, stored once.

Training then reads latents, and contexts where they were asked for, instead of running
autoencoder and conditioner in every step. The set names the weights and settings that
made it; training computes the same name and refuses another, so that the two cannot
differ unseen.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from tqdm import tqdm

from tbstar_jax.array_types import Float, Tree, UInt8, Variables
from tbstar_jax.config import to_dict
from tbstar_jax.input_pipeline.buckets import assign_buckets, read_headers
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.latents import (
    LatentSource,
    holds_context,
    write_latents,
)
from tbstar_jax.input_pipeline.records import EditRecord
from tbstar_jax.input_pipeline.sources import Source
from tbstar_jax.input_pipeline.transforms import instruction_texts
from tbstar_jax.model.conditioner.byte import ByteConditionerConfig
from tbstar_jax.model.conditioner.qwen25_processor import PromptProcessor
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.model.vae import VAE
from tbstar_jax.training.context_readers import ByteReader, QwenReader, to_canvas
from tbstar_jax.training.objective import to_unit

StoredDtype: TypeAlias = Literal["float32", "float16", "bfloat16"]

_BATCH_SIZE = 16
_RECORDS_PER_SHARD = 2000
_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Precomputed:
    """What is stored of every record.

    Attributes:
      has_sources: the sources' latents beside the target's.
      has_context: the context of every instruction and of the dropped one.
      dtype: of the stored numbers; float32 is what training would compute itself.
    """

    has_sources: bool
    has_context: bool
    dtype: StoredDtype


def preprocessing_hash(
    model: ModelConfig,
    identities: Mapping[str, str],
    *,
    has_context: bool,
    folder: Path | None = None,
) -> str:
    """Names the weights and settings that make the arrays, 16 hexadecimal digits.

    Args:
      model: sizes, latent statistics, pixel budget.
      identities: of the frozen parts.
      has_context: whether the conditioner took part.
      folder: of the base, whose tokenizer and image processor Qwen2.5-VL reads with.
    """
    facts: dict[str, Any] = {
        "version": _VERSION,
        "vae": [identities["vae"], to_dict(model.vae)],
        "pixel_budget": model.pixel_budget,
    }
    if has_context:
        facts["conditioner"] = [
            identities["conditioner"],
            to_dict(model.conditioner),
            _prompt_files(folder),
        ]
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def precompute(
    source: Source,
    directory: Path,
    split: str,
    model: ModelConfig,
    parts: Variables,
    identities: Mapping[str, str],
    stored: Precomputed,
    *,
    folder: Path | None = None,
    show_progress: bool,
) -> int:
    """Encodes every record of a set and writes the latent set.

    Args:
      source: the open set.
      directory: of the latent set; must not hold a finished one.
      split: of the record set.
      model: sizes, latent statistics, pixel budget.
      parts: `vae`, and `conditioner` where contexts are stored.
      identities: of these parts.
      stored: what is kept, and how.
      folder: of the base; needed for contexts of Qwen2.5-VL.
      show_progress: whether to draw a progress bar.

    Returns:
      How many records were encoded.

    Raises:
      UserError: a record that does not fit the model, or a directory in the way.
    """
    encoder = _Encoder(model, parts, stored, folder)
    with tqdm(
        total=len(source), desc="latents", unit="record", disable=not show_progress
    ) as bar:

        def examples() -> Iterator[tuple[str, dict[str, np.ndarray]]]:
            for records in _batches(source, model.pixel_budget):
                yield from encoder(records)
                bar.update(len(records))

        return write_latents(
            directory,
            "latents",
            split,
            examples(),
            _RECORDS_PER_SHARD,
            preprocessing_hash(
                model, identities, has_context=stored.has_context, folder=folder
            ),
        )


def open_latents(
    directory: str | os.PathLike[str],
    split: str,
    model: ModelConfig,
    identities: Mapping[str, str],
    folder: Path,
) -> LatentSource:
    """Opens a latent set that was made by these weights and settings.

    Args:
      directory: of the latent set.
      split: of the record set.
      model: sizes, latent statistics, pixel budget.
      identities: of the frozen parts.
      folder: of the base.

    Raises:
      UserError: there is none, or other weights or settings made it.
    """
    has_context = holds_context(directory)
    expected = preprocessing_hash(
        model, identities, has_context=has_context, folder=folder
    )
    return LatentSource(directory, split, expected)


class _Encoder:
    """Compiled encoders of one model; a batch of one image size at a time."""

    def __init__(
        self,
        model: ModelConfig,
        parts: Variables,
        stored: Precomputed,
        folder: Path | None,
    ) -> None:
        self._model, self._stored = model, stored
        self._vae = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), parts["vae"])
        self._encode = jax.jit(self._latent)
        self._reader: ByteReader | QwenReader | None = None
        if stored.has_context:
            self._reader = _reader(model, parts["conditioner"], folder)

    def _latent(self, parameters: Tree, image: jax.Array) -> Any:
        variables = {"params": parameters}
        return VAE(self._model.vae).apply(variables, to_unit(image), method=VAE.encode)

    def __call__(
        self, records: Sequence[EditRecord]
    ) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """Key and arrays of every record."""
        budget = self._model.pixel_budget
        stored: list[dict[str, np.ndarray]] = [{} for _ in records]
        columns = {"target_latent": [_decode(r.target_image, r.key) for r in records]}
        num_sources = len(records[0].source_images) if self._stored.has_sources else 0
        for k in range(num_sources):
            columns[f"source_latent_{k + 1}"] = [
                _decode(r.source_images[k], r.key) for r in records
            ]
        for name, images in columns.items():
            padded = _filled([to_canvas(image, budget) for image in images])
            latents = self._encode(self._vae, padded)
            for arrays, latent in zip(stored, np.asarray(latents), strict=False):
                arrays[name] = self._cast(latent)
        if self._reader is not None:
            self._add_contexts(self._reader, records, stored)
        for record, arrays in zip(records, stored, strict=True):
            yield record.key, arrays

    def _add_contexts(
        self,
        reader: ByteReader | QwenReader,
        records: Sequence[EditRecord],
        stored: Sequence[dict[str, np.ndarray]],
    ) -> None:
        photos = [
            [_decode(image, record.key) for image in record.source_images]
            for record in records
        ]
        jobs = [
            (row, name, text)
            for row, record in enumerate(records)
            for name, text in instruction_texts(record).items()
        ]
        for start in range(0, len(jobs), _BATCH_SIZE):
            some = jobs[start : start + _BATCH_SIZE]
            # A full batch: one shape is compiled.
            full = [*some, *[some[-1]] * (_BATCH_SIZE - len(some))]
            contexts = reader(
                [text for _, _, text in full], [photos[row] for row, _, _ in full]
            )
            for (row, name, _), values in zip(some, contexts, strict=False):
                stored[row][name] = self._cast(values)

    def _cast(self, values: Float[np.ndarray, "..."]) -> np.ndarray:
        if self._stored.dtype == "bfloat16":
            return values.astype(ml_dtypes.bfloat16)
        return values.astype(self._stored.dtype)


def _reader(
    model: ModelConfig, parameters: Tree, folder: Path | None
) -> ByteReader | QwenReader:
    config = model.conditioner
    if isinstance(config, ByteConditionerConfig):
        return ByteReader(config, parameters, model.pixel_budget)
    assert folder is not None
    return QwenReader(PromptProcessor.from_folder(folder, config), parameters)


def _prompt_files(folder: Path | None) -> list[str]:
    """Digests of the tokenizer's and the image processor's files, if there are any."""
    if folder is None:
        return []
    files = [
        path
        for name in ("tokenizer", "processor")
        for path in sorted((folder / name).glob("*.json"))
    ]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def _batches(source: Source, pixel_budget: int) -> Iterator[list[EditRecord]]:
    """Every record once, those of one batch with the same grids."""
    buckets = assign_buckets(read_headers(source), pixel_budget, str(source.directory))
    for bucket in buckets:
        for start in range(0, len(bucket.rows), _BATCH_SIZE):
            rows = bucket.rows[start : start + _BATCH_SIZE]
            yield [source[int(row)] for row in rows]


def _decode(data: bytes, key: str) -> UInt8[np.ndarray, "h w 3"]:
    return decode_image(data, f"an image of record {key!r}")


def _filled(images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> np.ndarray:
    """A full batch: one shape is compiled per image size."""
    return np.stack([*images, *[images[-1]] * (_BATCH_SIZE - len(images))])
