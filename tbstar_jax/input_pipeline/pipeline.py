"""Batches, exactly resumable and the same for any number of processes.

Order, per set and bucket: source -> seed -> shuffle -> repeat -> random_map -> batch ->
every P-th batch -> the micro-batches of one step; then a mix over buckets, then a start
at any step. Sliced before the mix, all processes see one bucket per step. Nothing is
filtered on the way, so a step's data follow from its number alone.
"""

import dataclasses
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import grain
import numpy as np

from tbstar_jax.array_types import Bool, Int
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.buckets import (
    BucketKey,
    assign_buckets,
    read_headers,
)
from tbstar_jax.input_pipeline.latents import Arrays, LatentSource
from tbstar_jax.input_pipeline.mixtures import MixtureEntry, bucket_weights
from tbstar_jax.input_pipeline.records import EditRecord
from tbstar_jax.input_pipeline.sources import Source
from tbstar_jax.input_pipeline.transforms import (
    Language,
    RandomExample,
    Tokenize,
    TransformConfig,
    choose_instruction,
    make_example,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """What is batched, and how.

    Attributes:
      mixture: the sets and their weights.
      transform: how records become examples.
      seed: of order and draws, in [0, 2**32).
      global_batch: examples per step, over all processes and micro-batches.
      num_microbatches: accumulated micro-batches per step.
      num_threads: readers per process.
      num_prefetched: steps read ahead per process, at least `num_threads`.
    """

    mixture: tuple[MixtureEntry, ...]
    transform: TransformConfig
    seed: int
    global_batch: int
    num_microbatches: int = 1
    num_threads: int = 4
    num_prefetched: int = 4

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed is {self.seed}, but must lie in [0, 2**32)")
        for name in ("global_batch", "num_microbatches", "num_threads"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}, but must be >= 1")
        if self.num_prefetched < self.num_threads:
            raise UserError(
                f"num_prefetched is {self.num_prefetched}, which leaves some of "
                f"num_threads={self.num_threads} without work; raise it"
            )


class InputPipeline:
    """An endless iterator over steps: dicts of arrays `[a b ...]`.

    Attributes:
      identity: names the order of the data: configuration and content, but not the
        number of processes, of readers, or where the sets lie.
      wait_seconds: time spent so far waiting for data, in seconds.
    """

    def __init__(
        self,
        steps: grain.MapDataset,
        identity: str,
        start_step: int,
        read_options: grain.ReadOptions,
    ):
        """Starts at a step; use `build_pipeline`."""
        self.identity = identity
        self.wait_seconds = 0.0
        self._steps = steps
        self._read_options = read_options
        self._start(start_step)

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """Returns itself."""
        return self

    def __next__(self) -> dict[str, np.ndarray]:
        """Returns this process' share of the next step."""
        start = time.perf_counter()
        element = next(self._iterator)
        self.wait_seconds += time.perf_counter() - start
        return element

    def __enter__(self) -> "InputPipeline":
        """Returns itself; leaving the context closes it."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes it."""
        self.close()

    @property
    def step(self) -> int:
        """The step that comes next."""
        return self._start_step + self._iterator.get_state()["next_index"]

    def get_state(self) -> dict[str, Any]:
        """Returns Grain's state and what it refers to, for JSON."""
        return {
            "identity": self.identity,
            "start_step": self._start_step,
            "grain": self._iterator.get_state(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continues where a saved pipeline was, by Grain's own state.

        Raises:
          UserError: the state belongs to other data or another configuration.
        """
        self._check_identity(state)
        self.close()
        self._start(state["start_step"])
        self._iterator.set_state(state["grain"])

    def check_state(self, state: dict[str, Any]) -> None:
        """Checks that a saved state means the step that comes next here.

        Raises:
          UserError: it means another step, other data or another configuration.
        """
        self._check_identity(state)
        saved = state["start_step"] + state["grain"]["next_index"]
        if saved != self.step:
            raise UserError(
                f"the saved input state stands at step {saved}, but the run resumes at "
                f"step {self.step}; the checkpoint is damaged"
            )

    def close(self) -> None:
        """Stops the readers."""
        self._iterator.close()

    def _start(self, step: int) -> None:
        self._start_step = step
        steps = self._steps[step:]
        self._iterator = iter(steps.to_iter_dataset(self._read_options))

    def _check_identity(self, state: dict[str, Any]) -> None:
        if state["identity"] != self.identity:
            raise UserError(
                "the checkpoint was trained on other data or other input settings "
                f"(identity {state['identity'][:12]}, now {self.identity[:12]}), so "
                "its order cannot be continued; restore them or start a new run"
            )


def build_pipeline(
    config: PipelineConfig,
    sources: Sequence[Source],
    tokenize: Tokenize,
    *,
    process_index: int,
    process_count: int,
    start_step: int = 0,
    latents: Sequence[LatentSource] | None = None,
) -> InputPipeline:
    """Builds the training input of one process.

    Args:
      config: what is batched, and how.
      sources: the open sets of `config.mixture`, in its order.
      tokenize: text to token ids; must not change between start and resume.
      process_index: which process this is, in [0, process_count).
      process_count: how many share each step.
      start_step: the first step to return; no data is read to get there.
      latents: encoded ahead, one per source; None: images are used.

    Returns:
      The iterator. Micro-batch j of process p holds examples p * b .. (p + 1) * b of
      the global micro-batch j, for any number of processes.

    Raises:
      UserError: counts that do not divide; records, masks, latents that do not fit.
    """
    shares = config.num_microbatches * process_count
    if config.global_batch % shares:
        raise UserError(
            f"global_batch={config.global_batch} does not divide into "
            f"{config.num_microbatches} micro-batches on {process_count} processes; "
            f"make it a multiple of {shares}"
        )
    assert 0 <= process_index < process_count
    assert start_step >= 0
    assert len(sources) == len(config.mixture)
    counts: list[list[int]] = []
    datasets: list[grain.MapDataset] = []
    longest = max((encoded.longest_context for encoded in latents or ()), default=0)
    for number, source in enumerate(sources):
        encoded = None if latents is None else latents[number]
        buckets = _buckets(source, config.transform, encoded)
        counts.append([len(rows) for _, rows in buckets])
        for grids, rows in buckets:
            seed = _derived_seed(config.seed, number, grids)
            every = slice(process_index, None, process_count)
            draw = RandomExample(
                config=config.transform, tokenize=tokenize, num_context_tokens=longest
            )
            datasets.append(_bucket_steps(config, rows, seed, draw, shares, every))
    steps = grain.MapDataset.mix(datasets, bucket_weights(config.mixture, counts))
    return InputPipeline(
        steps,
        _identity(config, sources, latents),
        start_step,
        grain.ReadOptions(config.num_threads, config.num_prefetched),
    )


def _bucket_steps(
    config: PipelineConfig,
    rows: Any,
    seed: int,
    draw: RandomExample,
    shares: int,
    every: slice,
) -> grain.MapDataset:
    """The endless steps of one bucket, as one process reads them."""
    dataset = (
        grain.MapDataset.source(rows)
        .seed(seed)
        .shuffle()
        .repeat()
        .random_map(draw)
        # Nothing remains of an endless set; without the flag Grain computes its length
        # in floating point and overflows.
        .batch(config.global_batch // shares, drop_remainder=True)
    )[every]
    # With one micro-batch this adds the leading dim of 1.
    return dataset.batch(config.num_microbatches, drop_remainder=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OrderedBatch:
    """Consecutive records of one bucket.

    Attributes:
      arrays: as a micro-batch `[b ...]`, nothing dropped.
      is_valid: False where the last example was repeated to fill the batch.
      records: the valid ones.
    """

    arrays: dict[str, np.ndarray]
    is_valid: Bool[np.ndarray, " b"]
    records: tuple[EditRecord, ...]


def iterate_in_order(
    source: Source,
    transform: TransformConfig,
    tokenize: Tokenize,
    batch_size: int,
    language: Language = "en",
) -> Iterator[OrderedBatch]:
    """Goes through a set once, bucket after bucket, each record exactly once.

    Args:
      source: e.g. the held-out set.
      transform: how records become examples; its shares are not used.
      tokenize: text to token ids.
      batch_size: examples per batch, the same for every bucket.
      language: whose first paraphrase is taken, where there is one.

    Raises:
      UserError: as `make_example` and `read_headers` do.
    """
    headers = read_headers(source)
    for bucket in assign_buckets(
        headers, transform.pixel_budget, str(source.directory)
    ):
        for start in range(0, len(bucket.rows), batch_size):
            rows = bucket.rows[start : start + batch_size]
            records = tuple(source[row] for row in rows)
            examples = [
                make_example(
                    record, choose_instruction(record, language), transform, tokenize
                )
                for record in records
            ]
            examples += [examples[-1]] * (batch_size - len(examples))
            yield OrderedBatch(
                arrays={
                    name: np.stack([example[name] for example in examples])
                    for name in examples[0]
                },
                is_valid=np.arange(batch_size) < len(records),
                records=records,
            )


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Some records of a source, with their latents where there are any."""

    source: Source
    rows: Int[np.ndarray, " r"]
    latents: LatentSource | None = None
    latent_rows: Int[np.ndarray, " r"] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[EditRecord, Arrays | None]:
        record = self.source[self.rows[index]]
        if self.latents is None or self.latent_rows is None:
            return record, None
        key, arrays = self.latents[self.latent_rows[index]]
        assert key == record.key
        return record, arrays


def _buckets(
    source: Source, transform: TransformConfig, latents: LatentSource | None
) -> list[tuple[BucketKey, _Rows]]:
    """Splits a source into its buckets, joined with its latents."""
    headers = read_headers(source)
    missing = np.flatnonzero(~headers.has_mask)
    if transform.is_mask_required and len(missing):
        raise UserError(
            f"{len(missing)} of {len(headers.keys)} records of {source.directory} have "
            f"no change mask, e.g. {headers.keys[missing[0]]!r}; stage 2 needs one for "
            "each"
        )
    buckets = assign_buckets(headers, transform.pixel_budget, str(source.directory))
    if latents is None:
        return [(bucket.grids, _Rows(source, bucket.rows)) for bucket in buckets]
    latent_rows = latents.rows_of(headers.keys)
    return [
        (bucket.grids, _Rows(source, bucket.rows, latents, latent_rows[bucket.rows]))
        for bucket in buckets
    ]


def _derived_seed(seed: int, number: int, grids: BucketKey) -> int:
    """Gives every bucket its own order, whatever other buckets there are."""
    text = json.dumps([seed, number, grids])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _identity(
    config: PipelineConfig,
    sources: Sequence[Source],
    latents: Sequence[LatentSource] | None,
) -> str:
    facts = {
        "transform": dataclasses.asdict(config.transform),
        "weights": [entry.weight for entry in config.mixture],
        "seed": config.seed,
        "global_batch": config.global_batch,
        "num_microbatches": config.num_microbatches,
        "sources": [source.fingerprint for source in sources],
        "latents": [source.fingerprint for source in latents or ()],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
