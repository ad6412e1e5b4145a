"""What pretraining measures and draws: round trips, and pictures from captions."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.sharding import Mesh

from tbstar_jax.array_types import (
    Array,
    Float,
    Grid,
    Int32,
    ModelOutput,
    Tree,
    UInt8,
    Variables,
)
from tbstar_jax.diffusion.loss import flow_loss
from tbstar_jax.diffusion.path import interpolate, velocity_of
from tbstar_jax.diffusion.sampler import Denoiser, Guidance, sample
from tbstar_jax.diffusion.timesteps import TimestepConfig, sampling_times
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import to_model
from tbstar_jax.input_pipeline.buckets import plan_image
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.mixtures import open_source
from tbstar_jax.input_pipeline.records import EditRecord
from tbstar_jax.metrics.similarity import psnr
from tbstar_jax.model.conditioner.byte import ByteConditioner, tokenize
from tbstar_jax.model.tbstar import ModelConfig, TBStar
from tbstar_jax.model.tokens import grid_of, pack, unpack
from tbstar_jax.model.vae import VAE
from tbstar_jax.parallel.sharding import ActivationShard, replicated
from tbstar_jax.training.freeze import merge
from tbstar_jax.training.loop import Evaluate
from tbstar_jax.training.objective import to_unit
from tbstar_jax.training.preview import PreviewRow, preview_grid
from tbstar_jax.training.step import TrainState
from tbstar_jax.training.train_config import EvaluationConfig, TrainConfig

FIXED_TIMES = (0.2, 0.4, 0.6, 0.8)
"""Times at which the flow loss of the fixed examples is measured."""

_BATCH_SIZE = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaptionedImage:
    """One example of the base's evaluation, at model size.

    Attributes:
      caption: the first English one, or Chinese where there is none.
      target: what it describes.
      thumbnail: another rendering of the scene; grey where there is none.
      has_thumbnail: whether the conditioner sees it, or its null token.
    """

    caption: str
    target: UInt8[np.ndarray, "h w 3"]
    thumbnail: UInt8[np.ndarray, "y x 3"]
    has_thumbnail: bool

    @property
    def shapes(self) -> tuple[int, ...]:
        """What examples of one batch have in common."""
        return (*self.target.shape, *self.thumbnail.shape)


@struct.dataclass
class Prompt:
    """What the conditioner reads, on the host or on devices.

    Attributes:
      ids: `[b m]` int32.
      lengths: `[b]` int32.
      thumbnail: `[b y x 3]` uint8.
      has_thumbnail: `[b]` bool.
    """

    ids: Any
    lengths: Any
    thumbnail: Any
    has_thumbnail: Any


def make_autoencoder_evaluate(
    config: TrainConfig, frozen: Tree, mesh: Mesh
) -> Evaluate:
    """PSNR of the round trip of held-out images, by the moving average."""
    records = _spread_records(config.evaluation, "test")
    budget = config.model.pixel_budget
    images = [_at_model_size(record.target_image, budget) for record in records]
    vae = VAE(config.model.vae, dtype=_dtype(config))
    size = _batch_size(mesh)

    @functools.partial(jax.jit, out_shardings=replicated(mesh))
    def round_trip(params: Tree, image: Array) -> Array:
        decoded: Any = vae.apply({"params": params}, to_unit(image))
        return _to_uint8(decoded)

    def evaluate(
        state: TrainState,
    ) -> Iterator[tuple[str, float | UInt8[np.ndarray, "h w 3"]]]:
        params = merge(state.ema, frozen)["vae"]

        def decode(rows: Sequence[int]) -> np.ndarray:
            return np.asarray(round_trip(params, np.stack([images[r] for r in rows])))

        decoded = _in_batches([image.shape for image in images], size, decode)
        values = [psnr(*pair) for pair in zip(images, decoded, strict=True)]
        yield "heldout/psnr", float(np.mean(values))
        preview = [
            PreviewRow(
                label=f"{values[r]:.1f} dB",
                source=images[r],
                target=images[r],
                edit=decoded[r],
            )
            for r in _previewed(len(images), config.evaluation)
        ]
        if preview:
            yield "round_trip", preview_grid(preview)

    return evaluate


def make_base_evaluate(config: TrainConfig, frozen: Tree, mesh: Mesh) -> Evaluate:
    """Flow loss of fixed examples, and pictures sampled from their captions.

    The examples are training images (`evaluation.path` is the captioned set, which has
    no held-out part): the loss, free of the noise of drawn times, shows progress, not
    generalisation. Every second example sees a thumbnail.
    """
    records = _spread_records(config.evaluation, "train")
    examples = [
        _captioned(record, config.model.pixel_budget, has_thumbnail=number % 2 == 1)
        for number, record in enumerate(records)
    ]
    painter = _Painter(config, mesh)
    size = _batch_size(mesh)
    shapes = [example.shapes for example in examples]

    def evaluate(
        state: TrainState,
    ) -> Iterator[tuple[str, float | UInt8[np.ndarray, "h w 3"]]]:
        parts = merge(state.ema, frozen)

        def measure(rows: Sequence[int]) -> np.ndarray:
            return painter.losses(parts, [examples[r] for r in rows], rows)

        by_time = np.mean(_in_batches(shapes, size, measure), axis=0)
        yield "fixed/flow", float(by_time.mean())
        for time, loss in zip(FIXED_TIMES, by_time, strict=True):
            yield f"fixed/flow_t{time}", float(loss)
        chosen = _previewed(len(examples), config.evaluation)
        if not chosen:
            return

        def paint(places: Sequence[int]) -> np.ndarray:
            rows = [chosen[place] for place in places]
            return painter.paint(parts, [examples[r] for r in rows], rows)

        pictures = _in_batches([shapes[r] for r in chosen], size, paint)
        preview = [
            PreviewRow(
                label=examples[r].caption,
                source=examples[r].thumbnail,
                target=examples[r].target,
                edit=picture,
            )
            for r, picture in zip(chosen, pictures, strict=True)
        ]
        yield "captions", preview_grid(preview)

    return evaluate


class _Painter:
    """Compiled text-to-image functions of one run."""

    def __init__(self, config: TrainConfig, mesh: Mesh) -> None:
        dtype = _dtype(config)
        self._config = config.model
        self._num_steps = config.evaluation.num_steps
        self._model = TBStar(config.model, dtype=dtype, shard=ActivationShard(mesh))
        self._vae = VAE(config.model.vae, dtype=dtype)
        self._conditioner = ByteConditioner(config.model.byte_conditioner, dtype=dtype)
        whole = replicated(mesh)
        self._losses = jax.jit(self._losses_of, out_shardings=whole)
        self._paint = jax.jit(
            self._paint_batch, static_argnames=("grid",), out_shardings=whole
        )

    def losses(
        self,
        parts: Variables,
        examples: Sequence[CaptionedImage],
        rows: Sequence[int],
    ) -> Float[np.ndarray, "b t"]:
        """Flow loss at every fixed time; the noise follows from the row."""
        images = np.stack([example.target for example in examples])
        prompt = self._prompt(examples)
        seeds = np.asarray(rows, np.uint32)
        return np.asarray(self._losses(parts, images, prompt, seeds))

    def paint(
        self,
        parts: Variables,
        examples: Sequence[CaptionedImage],
        rows: Sequence[int],
    ) -> UInt8[np.ndarray, "b h w 3"]:
        """Pictures of the captions in the targets' size."""
        cell = self._config.vae.downscale * 2
        height, width, _ = examples[0].target.shape
        captions = self._prompt(examples)
        empty = self._prompt(
            [dataclasses.replace(example, caption="") for example in examples]
        )
        seeds = np.asarray(rows, np.uint32)
        grid = (height // cell, width // cell)
        return np.asarray(self._paint(parts, captions, empty, seeds, grid=grid))

    def _prompt(self, examples: Sequence[CaptionedImage]) -> Prompt:
        ids, lengths = _tokenize([each.caption for each in examples], self._config)
        return Prompt(
            ids=ids,
            lengths=lengths,
            thumbnail=np.stack([each.thumbnail for each in examples]),
            has_thumbnail=np.asarray([each.has_thumbnail for each in examples]),
        )

    def _denoiser(self, parts: Variables, prompt: Prompt, grid: Grid) -> Denoiser:
        encoded: Any = self._conditioner.apply(
            {"params": parts["conditioner"]},
            prompt.ids,
            prompt.lengths,
            to_unit(prompt.thumbnail),
            prompt.has_thumbnail,
        )
        context, num_context_tokens = encoded

        def denoise(noisy: Array, time: Array) -> ModelOutput:
            output = self._model.apply(
                {"params": parts["params"]},
                noisy,
                time,
                context,
                num_context_tokens,
                target_grid=grid,
            )
            assert isinstance(output, ModelOutput)
            return output

        return denoise

    def _losses_of(
        self, parts: Variables, images: Array, prompt: Prompt, seeds: Array
    ) -> Float[Array, "b t"]:
        latent: Any = self._vae.apply(
            {"params": parts["vae"]}, to_unit(images), method=VAE.encode
        )
        tokens = pack(latent)
        noise = _noise(seeds, tokens.shape[1:])
        denoise = self._denoiser(parts, prompt, grid_of(latent))
        velocity = velocity_of(tokens, noise)

        def at(time: Float[Array, ""]) -> Float[Array, " b"]:
            times = jnp.broadcast_to(time, tokens.shape[:1])
            output = denoise(interpolate(tokens, noise, times), times)
            return flow_loss(output.velocity, velocity)

        return jax.lax.map(at, jnp.asarray(FIXED_TIMES, jnp.float32)).T

    def _paint_batch(
        self,
        parts: Variables,
        captions: Prompt,
        empty: Prompt,
        seeds: Array,
        *,
        grid: Grid,
    ) -> UInt8[Array, "b h w 3"]:
        num_tokens = grid[0] * grid[1]
        noise = _noise(seeds, (num_tokens, self._config.transformer.in_channels))
        guidance = None
        if self._config.guidance_scale != 1:
            guidance = Guidance(
                scale=self._config.guidance_scale,
                unconditional=self._denoiser(parts, empty, grid),
            )
        times = sampling_times(self._num_steps, num_tokens, TimestepConfig())
        denoise = self._denoiser(parts, captions, grid)
        latent = unpack(sample(denoise, noise, times, guidance=guidance).latent, grid)
        decoded: Any = self._vae.apply(
            {"params": parts["vae"]}, latent, method=VAE.decode
        )
        return _to_uint8(decoded)


def _tokenize(
    captions: Sequence[str], config: ModelConfig
) -> tuple[Int32[np.ndarray, "b m"], Int32[np.ndarray, " b"]]:
    conditioner = config.byte_conditioner
    ids = np.zeros((len(captions), conditioner.max_tokens), np.int32)
    lengths = np.zeros(len(captions), np.int32)
    for row, caption in enumerate(captions):
        tokens = tokenize(caption, conditioner)
        ids[row, : len(tokens)] = tokens
        lengths[row] = len(tokens)
    return ids, lengths


def _noise(seeds: Array, shape: tuple[int, ...]) -> Float[Array, "b n c"]:
    def draw(seed: Array) -> Array:
        return jax.random.normal(jax.random.fold_in(jax.random.key(0), seed), shape)

    return jax.vmap(draw)(seeds)


def _to_uint8(image: Float[Array, "b h w 3"]) -> UInt8[Array, "b h w 3"]:
    return jnp.round((image + 1) * np.float32(127.5)).astype(jnp.uint8)


def _captioned(
    record: EditRecord, pixel_budget: int, *, has_thumbnail: bool
) -> CaptionedImage:
    target = _at_model_size(record.target_image, pixel_budget)
    has_thumbnail = has_thumbnail and bool(record.source_images)
    thumbnail = np.full_like(target, 192)
    if has_thumbnail:
        thumbnail = _at_model_size(record.source_images[0], pixel_budget)
    return CaptionedImage(
        caption=(record.instructions_en or record.instructions_zh)[0],
        target=target,
        thumbnail=thumbnail,
        has_thumbnail=has_thumbnail,
    )


def _at_model_size(data: bytes, pixel_budget: int) -> UInt8[np.ndarray, "h w 3"]:
    image = decode_image(data)
    return to_model(image, plan_image(image.shape[:2], pixel_budget))


def _spread_records(config: EvaluationConfig, split: str) -> list[EditRecord]:
    """The records that are measured, spread evenly over the set."""
    source = open_source(config.path, split)
    if config.num_pairs > len(source):
        raise UserError(
            f"{config.path} has {len(source)} records, fewer than the "
            f"{config.num_pairs} of evaluation.num_pairs; lower it"
        )
    return [
        source[index * len(source) // config.num_pairs]
        for index in range(config.num_pairs)
    ]


def _previewed(count: int, config: EvaluationConfig) -> list[int]:
    """Rows that are drawn, about half of them odd: those see a thumbnail."""
    step = max(1, count // max(1, config.num_previews)) | 1
    return sorted({row * step % count for row in range(config.num_previews)})


def _in_batches(
    shapes: Sequence[tuple[int, ...]],
    size: int,
    call: Callable[[Sequence[int]], np.ndarray],
) -> list[np.ndarray]:
    """One result per row, of calls with `size` rows of equal shape, some repeated."""
    results: dict[int, np.ndarray] = {}
    for shape in sorted(set(shapes)):
        rows = [row for row, each in enumerate(shapes) if each == shape]
        for start in range(0, len(rows), size):
            group = rows[start : start + size]
            padded = [*group, *[group[-1]] * (size - len(group))]
            results.update(zip(group, call(padded), strict=False))
    return [results[row] for row in range(len(shapes))]


def _batch_size(mesh: Mesh) -> int:
    """Examples per call, a multiple of the data axis."""
    axis = mesh.shape["data"]
    return -(-_BATCH_SIZE // axis) * axis


def _dtype(config: TrainConfig) -> Any:
    return jnp.bfloat16 if config.compute_dtype == "bfloat16" else jnp.float32
