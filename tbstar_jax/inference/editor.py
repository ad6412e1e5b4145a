"""Editing a batch of model-size images: the compiled core of every edit.

`prepare` computes what depends on the photos alone (latents, and with cached source
attention every block's keys and values); `generate` runs the sampler for one
instruction. The pipeline for single photos, the in-training evaluation and the
benchmark all call these two. Instructions are texts for the byte-level conditioner;
Qwen2.5-VL's are contexts, see `qwen_reader.py`.
"""

import dataclasses
import functools
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from tbstar_jax.array_types import (
    Array,
    Float,
    Grid,
    Int32,
    Key,
    ModelOutput,
    Tree,
    UInt8,
    Variables,
)
from tbstar_jax.diffusion.sampler import Denoiser, Guidance, Keep, sample
from tbstar_jax.diffusion.timesteps import TimestepConfig, sampling_times
from tbstar_jax.model.conditioner.byte import (
    ByteConditioner,
    ByteConditionerConfig,
    tokenize,
)
from tbstar_jax.model.layers import Shard, unsharded
from tbstar_jax.model.tbstar import COLLECTIONS, ModelConfig, SourceCache, TBStar
from tbstar_jax.model.tokens import grid_of, pack, unpack
from tbstar_jax.model.vae import VAE


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How an edit is sampled.

    Attributes:
      num_steps: model evaluations per branch.
      guidance_scale: 1 runs the conditional branch alone.
      use_gate: blend kept tokens with the source at every step.
      timesteps: constants of the times that are visited.
    """

    num_steps: int
    guidance_scale: float
    use_gate: bool
    timesteps: TimestepConfig = dataclasses.field(default_factory=TimestepConfig)


@struct.dataclass
class PreparedSource:
    """The photos of an edit as the transformer sees them, computed once.

    Attributes:
      image: source 1, `[b h w 3]` in [-1, 1]; None for text to image.
      tokens: packed clean latents `[b n_k c]`, one per source.
      cache: keys and values of every block; None with full source attention.
      grid: rows and columns of the target's tokens.
      source_grids: the same of every source.
    """

    image: Float[Array, "b h w 3"] | None
    tokens: tuple[Float[Array, "b _ c"], ...]
    cache: SourceCache | None
    grid: Grid = struct.field(pytree_node=False)
    source_grids: tuple[Grid, ...] = struct.field(pytree_node=False)


def no_source(grid: Grid) -> PreparedSource:
    """What text to image starts from: the target's grid alone."""
    return PreparedSource(None, (), None, grid, ())


@struct.dataclass
class Context:
    """Instructions as the transformer reads them, encoded ahead.

    Attributes:
      values: the conditioner's output, `[b m d]`.
      num_tokens: valid ones per instruction, `[b]`.
    """

    values: Float[Array, "b m d"]
    num_tokens: Int32[Array, " b"]


@struct.dataclass
class EditedBatch:
    """The sampler's pictures.

    Attributes:
      image: `[b h w 3]` uint8, decoded, before any compositing.
      keep_probability: the gate's last p on the token grid `[b rows columns]`, or None.
      latent: what was decoded, packed, `[b n c]`.
    """

    image: UInt8[Array, "b h w 3"]
    keep_probability: Float[Array, "b rows columns"] | None
    latent: Float[Array, "b n c"]


_Text: TypeAlias = tuple[Array | np.ndarray, Array | np.ndarray] | Context
"""Token ids and their numbers, or what the conditioner made of them."""


class Editor:
    """Compiled functions of one model configuration; weights are arguments.

    Attributes:
      config: of the model.
    """

    def __init__(
        self, config: ModelConfig, *, dtype: Any = jnp.float32, shard: Shard = unsharded
    ) -> None:
        self.config = config
        self._model = TBStar(config, dtype=dtype, shard=shard)
        self._vae = VAE(config.vae, dtype=dtype)
        self._conditioner = (
            ByteConditioner(config.conditioner, dtype=dtype)
            if isinstance(config.conditioner, ByteConditionerConfig)
            else None
        )
        self._prepare = jax.jit(self._prepare_batch, static_argnames=("grid",))
        self._round_trip = jax.jit(
            lambda vae, tokens, grids: self._decode(vae, tokens, grids[0]),
            static_argnums=2,
        )
        self._generate = jax.jit(self._generate_batch, static_argnames=("options",))

    def prepare(
        self,
        parts: Variables,
        *images: UInt8[Array | np.ndarray, "b _ _ 3"],
        grid: Grid | None = None,
    ) -> PreparedSource:
        """Encodes a batch's sources.

        Args:
          parts: trees of base, autoencoder and the stage modules in use.
          *images: source 1 of every example, source 2, and so on; whole tokens.
          grid: rows and columns of the target's tokens; source 1's if None.
        """
        return self._prepare(parts, images, grid=grid)

    def round_trip(
        self, parts: Variables, prepared: PreparedSource
    ) -> UInt8[Array, "b h w 3"]:
        """Source 1 through the autoencoder and back: an edit that changes nothing."""
        return self._round_trip(parts["vae"], prepared.tokens[0], prepared.source_grids)

    def generate(
        self,
        parts: Variables,
        prepared: PreparedSource,
        instructions: tuple[str, ...] | Context,
        noise: Key[Array, " b"] | Float[Array | np.ndarray, "b n c"],
        options: SamplingOptions,
        strength: Float[Array, "b n"] | None = None,
        *,
        unconditional: Context | None = None,
    ) -> EditedBatch:
        """Edits every image of a batch by its instruction.

        Args:
          parts: trees of base, autoencoder, conditioner and the stage modules in use;
            with contexts the conditioner may lack.
          prepared: from `prepare`.
          instructions: one per image, or their contexts.
          noise: one random key per image, `[b]`, or what the sampler starts from.
          options: how to sample.
          strength: how much of each token is kept, `[b n]` in [0, 1]; None leaves it to
            the gate if the options use it.
          unconditional: the empty instruction's contexts, where guidance is on and
            instructions are contexts.

        Raises:
          UserError: an instruction is too long for the conditioner.
        """
        text: _Text
        empty: _Text | None = unconditional
        if isinstance(instructions, Context):
            text = instructions
            assert unconditional is not None or options.guidance_scale == 1
        else:
            assert unconditional is None
            text = self._tokenize(instructions)
            empty = self._tokenize(("",) * len(instructions))
        return self._generate(
            parts,
            prepared,
            text,
            empty,
            noise,
            strength,
            options=options,
        )

    def _tokenize(
        self, texts: tuple[str, ...]
    ) -> tuple[Int32[np.ndarray, "b m"], Int32[np.ndarray, " b"]]:
        config = self.config.byte_conditioner
        ids = np.zeros((len(texts), config.max_tokens), np.int32)
        lengths = np.zeros(len(texts), np.int32)
        for row, text in enumerate(texts):
            tokens = tokenize(text, config)
            ids[row, : len(tokens)] = tokens
            lengths[row] = len(tokens)
        return ids, lengths

    def _prepare_batch(
        self,
        parts: Variables,
        images: tuple[UInt8[Array, "b _ _ 3"], ...],
        *,
        grid: Grid | None,
    ) -> PreparedSource:
        pixels = [x.astype(jnp.float32) / np.float32(127.5) - 1 for x in images]
        latents: list[Any] = [
            self._vae.apply({"params": parts["vae"]}, x, method=VAE.encode)
            for x in pixels
        ]
        grids = tuple(grid_of(latent) for latent in latents)
        tokens = tuple(pack(latent) for latent in latents)
        cache: Any = None
        if self.config.transformer.source_attention == "cached":
            cache = self._model.apply(
                _transformer_variables(parts),
                tokens,
                source_grids=grids,
                method=TBStar.encode_source,
            )
        return PreparedSource(pixels[0], tokens, cache, grid or grids[0], grids)

    def _context(
        self, parts: Variables, prepared: PreparedSource, text: _Text
    ) -> Context:
        if isinstance(text, Context):
            return text
        ids, lengths = text
        assert self._conditioner is not None  # there was something to tokenize with
        encoded: Any = self._conditioner.apply(
            {"params": parts["conditioner"]},
            ids,
            lengths,
            prepared.image,
            jnp.full(ids.shape[0], prepared.image is not None),
        )
        return Context(encoded[0], encoded[1])

    def _denoiser(
        self, parts: Variables, prepared: PreparedSource, text: _Text
    ) -> Denoiser:
        context = self._context(parts, prepared, text)
        cache = prepared.cache

        def denoise(noisy: Array, time: Array) -> ModelOutput:
            output = self._model.apply(
                _transformer_variables(parts),
                noisy,
                time,
                context.values,
                context.num_tokens,
                prepared.tokens if cache is None else (),
                target_grid=prepared.grid,
                source_grids=prepared.source_grids,
                source_cache=cache,
            )
            assert isinstance(output, ModelOutput)
            return output

        return denoise

    def _generate_batch(
        self,
        parts: Variables,
        prepared: PreparedSource,
        text: _Text,
        empty_text: _Text | None,
        noise: Key[Array, " b"] | Float[Array, "b n c"],
        strength: Float[Array, "b n"] | None,
        *,
        options: SamplingOptions,
    ) -> EditedBatch:
        guidance = None
        if options.guidance_scale != 1:
            assert empty_text is not None
            guidance = Guidance(
                scale=options.guidance_scale,
                unconditional=self._denoiser(parts, prepared, empty_text),
            )
        keep = None
        if options.use_gate or strength is not None:
            keep = Keep(prepared.tokens[0], strength)
        grid = prepared.grid
        num_tokens = grid[0] * grid[1]
        if jnp.issubdtype(noise.dtype, jax.dtypes.prng_key):
            shape = (num_tokens, self.config.transformer.in_channels)
            noise = jax.vmap(functools.partial(jax.random.normal, shape=shape))(noise)
        times = sampling_times(options.num_steps, num_tokens, options.timesteps)
        result = sample(
            self._denoiser(parts, prepared, text),
            noise,
            times,
            guidance=guidance,
            keep=keep,
        )
        p = result.keep_probability
        return EditedBatch(
            image=self._decode(parts["vae"], result.latent, grid),
            keep_probability=None if p is None else p.reshape(-1, *grid),
            latent=result.latent,
        )

    def _decode(
        self, vae: Tree, tokens: Float[Array, "b n c"], grid: Grid
    ) -> UInt8[Array, "b h w 3"]:
        decoded: Any = self._vae.apply(
            {"params": vae}, unpack(tokens, grid), method=VAE.decode
        )
        return jnp.round((decoded + 1) * np.float32(127.5)).astype(jnp.uint8)


def _transformer_variables(parts: Variables) -> Variables:
    return {name: parts[name] for name in COLLECTIONS if name in parts}
