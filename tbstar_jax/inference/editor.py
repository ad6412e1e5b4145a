"""Editing a batch of model-size images: the compiled core of every edit.

`prepare` computes what depends on the photo alone (latent, and with cached source
attention every block's keys and values); `generate` runs the sampler for one
instruction. The pipeline for single photos, the in-training evaluation and the
benchmark all call these two.
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
    UInt8,
    Variables,
)
from tbstar_jax.diffusion.sampler import Denoiser, Guidance, Keep, sample
from tbstar_jax.diffusion.timesteps import TimestepConfig, sampling_times
from tbstar_jax.model.conditioner.byte import ByteConditioner, tokenize
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
    """A photo as the transformer sees it, computed once.

    Attributes:
      image: `[b h w 3]` in [-1, 1].
      tokens: packed clean latent `[b n c]`.
      cache: keys and values of every block; None with full source attention.
      grid: rows and columns of tokens.
    """

    image: Float[Array, "b h w 3"]
    tokens: Float[Array, "b n c"]
    cache: SourceCache | None
    grid: Grid = struct.field(pytree_node=False)


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
    """

    image: UInt8[Array, "b h w 3"]
    keep_probability: Float[Array, "b rows columns"] | None


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
        self._conditioner = ByteConditioner(config.byte_conditioner, dtype=dtype)
        self.prepare = jax.jit(self._prepare)
        self._generate = jax.jit(
            self._generate_batch, static_argnames=("options", "grid")
        )

    def generate(
        self,
        parts: Variables,
        prepared: PreparedSource,
        instructions: tuple[str, ...] | Context,
        keys: Key[Array, " b"],
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
          keys: one random key per image, `[b]`.
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
            keys,
            strength,
            options=options,
            grid=prepared.grid,
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

    def _prepare(
        self, parts: Variables, image: UInt8[Array, "b h w 3"]
    ) -> PreparedSource:
        pixels = image.astype(jnp.float32) / np.float32(127.5) - 1
        latent: Any = self._vae.apply(
            {"params": parts["vae"]}, pixels, method=VAE.encode
        )
        grid, tokens = grid_of(latent), pack(latent)
        cache: Any = None
        if self.config.transformer.source_attention == "cached":
            cache = self._model.apply(
                _transformer_variables(parts),
                (tokens,),
                source_grids=(grid,),
                method=TBStar.encode_source,
            )
        return PreparedSource(pixels, tokens, cache, grid)

    def _context(
        self, parts: Variables, prepared: PreparedSource, text: _Text
    ) -> Context:
        if isinstance(text, Context):
            return text
        ids, lengths = text
        encoded: Any = self._conditioner.apply(
            {"params": parts["conditioner"]},
            ids,
            lengths,
            prepared.image,
            jnp.ones(ids.shape[0], bool),
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
                (prepared.tokens,) if cache is None else (),
                target_grid=prepared.grid,
                source_grids=(prepared.grid,),
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
        keys: Key[Array, " b"],
        strength: Float[Array, "b n"] | None,
        *,
        options: SamplingOptions,
        grid: Grid,
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
            keep = Keep(prepared.tokens, strength)
        draw = functools.partial(jax.random.normal, shape=prepared.tokens.shape[1:])
        noise = jax.vmap(draw)(keys)
        times = sampling_times(
            options.num_steps, prepared.tokens.shape[1], options.timesteps
        )
        result = sample(
            self._denoiser(parts, prepared, text),
            noise,
            times,
            guidance=guidance,
            keep=keep,
        )
        latent = unpack(result.latent, grid)
        decoded: Any = self._vae.apply(
            {"params": parts["vae"]}, latent, method=VAE.decode
        )
        p = result.keep_probability
        return EditedBatch(
            image=jnp.round((decoded + 1) * np.float32(127.5)).astype(jnp.uint8),
            keep_probability=None if p is None else p.reshape(-1, *grid),
        )


def _transformer_variables(parts: Variables) -> Variables:
    return {name: parts[name] for name in COLLECTIONS if name in parts}
