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

from tbstar_jax.array_types import Float, UInt8, Variables
from tbstar_jax.config import to_dict
from tbstar_jax.geometry import to_model
from tbstar_jax.input_pipeline.buckets import assign_buckets, plan_image, read_headers
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.latents import (
    LatentSource,
    holds_context,
    write_latents,
)
from tbstar_jax.input_pipeline.records import EditRecord
from tbstar_jax.input_pipeline.sources import Source
from tbstar_jax.input_pipeline.transforms import instruction_texts
from tbstar_jax.model.conditioner.byte import ByteConditioner, tokenize
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.model.vae import VAE
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

    @property
    def parts(self) -> tuple[str, ...]:
        """The frozen trees that are needed for it."""
        return ("vae", "conditioner") if self.has_context else ("vae",)


def preprocessing_hash(
    model: ModelConfig, identities: Mapping[str, str], *, has_context: bool
) -> str:
    """Names the weights and settings that make the arrays, 16 hexadecimal digits.

    Args:
      model: sizes, latent statistics, pixel budget.
      identities: of the frozen parts.
      has_context: whether the conditioner took part.
    """
    facts: dict[str, Any] = {
        "version": _VERSION,
        "vae": [identities["vae"], to_dict(model.vae)],
        "pixel_budget": model.pixel_budget,
    }
    if has_context:
        facts["conditioner"] = [
            identities["conditioner"],
            to_dict(model.byte_conditioner),
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
      show_progress: whether to draw a progress bar.

    Returns:
      How many records were encoded.

    Raises:
      UserError: a record that does not fit the model, or a directory in the way.
    """
    encoder = _Encoder(model, parts, stored)
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
            preprocessing_hash(model, identities, has_context=stored.has_context),
            has_context=stored.has_context,
        )


def open_latents(
    directory: str | os.PathLike[str],
    split: str,
    model: ModelConfig,
    identities: Mapping[str, str],
) -> LatentSource:
    """Opens a latent set that was made by these weights and settings.

    Raises:
      UserError: there is none, or other weights or settings made it.
    """
    has_context = holds_context(directory)
    expected = preprocessing_hash(model, identities, has_context=has_context)
    return LatentSource(directory, split, expected)


class _Encoder:
    """Compiled encoders of one model; a batch of one image size at a time."""

    def __init__(
        self, model: ModelConfig, parts: Variables, stored: Precomputed
    ) -> None:
        self._model, self._stored = model, stored
        self._parts = {
            name: jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), parts[name])
            for name in stored.parts
        }
        self._encode = jax.jit(self._latent)
        self._condition = jax.jit(self._context)

    def _latent(self, parts: Variables, image: jax.Array) -> Any:
        vae = VAE(self._model.vae)
        variables = {"params": parts["vae"]}
        return vae.apply(variables, to_unit(image), method=VAE.encode)

    def _context(
        self,
        parts: Variables,
        ids: jax.Array,
        lengths: jax.Array,
        image: jax.Array | None,
    ) -> Any:
        return ByteConditioner(self._model.byte_conditioner).apply(
            {"params": parts["conditioner"]},
            ids,
            lengths,
            None if image is None else to_unit(image),
            jnp.full(ids.shape[0], image is not None),
        )

    def __call__(
        self, records: Sequence[EditRecord]
    ) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """Key and arrays of every record."""
        budget = self._model.pixel_budget
        stored: list[dict[str, np.ndarray]] = [{} for _ in records]
        targets = [
            _read(r.target_image, f"target of {r.key!r}", budget) for r in records
        ]
        columns = {"target_latent": targets}
        num_sources = len(records[0].source_images)
        sources = [
            [_read(r.source_images[k], f"source of {r.key!r}", budget) for r in records]
            for k in range(num_sources)
        ]
        if self._stored.has_sources:
            for k, images in enumerate(sources, start=1):
                columns[f"source_latent_{k}"] = images
        for name, images in columns.items():
            latents = self._encode(self._parts, _filled(images))
            for arrays, latent in zip(stored, np.asarray(latents), strict=False):
                arrays[name] = self._cast(latent)
        if self._stored.has_context:
            self._add_contexts(records, sources[0] if sources else None, stored)
        for record, arrays in zip(records, stored, strict=True):
            yield record.key, arrays

    def _add_contexts(
        self,
        records: Sequence[EditRecord],
        sources: Sequence[UInt8[np.ndarray, "h w 3"]] | None,
        stored: Sequence[dict[str, np.ndarray]],
    ) -> None:
        jobs = [
            (row, name, text)
            for row, record in enumerate(records)
            for name, text in instruction_texts(record).items()
        ]
        for start in range(0, len(jobs), _BATCH_SIZE):
            some = jobs[start : start + _BATCH_SIZE]
            ids, lengths = self._tokenize([text for _, _, text in some])
            images = None if sources is None else [sources[row] for row, _, _ in some]
            context, counts = self._condition(
                self._parts, ids, lengths, None if images is None else _filled(images)
            )
            found = zip(some, np.asarray(context), np.asarray(counts), strict=False)
            for (row, name, _), values, count in found:
                stored[row][name] = self._cast(values[:count])

    def _tokenize(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        config = self._model.byte_conditioner
        ids = np.zeros((_BATCH_SIZE, config.max_tokens), np.int32)
        lengths = np.ones(_BATCH_SIZE, np.int32)
        for row, text in enumerate(texts):
            tokens = tokenize(text, config)
            ids[row, : len(tokens)] = tokens
            lengths[row] = len(tokens)
        return ids, lengths

    def _cast(self, values: Float[np.ndarray, "..."]) -> np.ndarray:
        if self._stored.dtype == "bfloat16":
            return values.astype(ml_dtypes.bfloat16)
        return values.astype(self._stored.dtype)


def _batches(source: Source, pixel_budget: int) -> Iterator[list[EditRecord]]:
    """Every record once, those of one batch with the same grids."""
    buckets = assign_buckets(read_headers(source), pixel_budget, str(source.directory))
    for bucket in buckets:
        for start in range(0, len(bucket.rows), _BATCH_SIZE):
            rows = bucket.rows[start : start + _BATCH_SIZE]
            yield [source[int(row)] for row in rows]


def _read(data: bytes, key: str, pixel_budget: int) -> UInt8[np.ndarray, "h w 3"]:
    name = f"an image of record {key!r}"
    image = decode_image(data, name)
    return to_model(image, plan_image(image.shape[:2], pixel_budget, name))


def _filled(images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> np.ndarray:
    """A full batch: one shape is compiled per image size."""
    return np.stack([*images, *[images[-1]] * (_BATCH_SIZE - len(images))])
