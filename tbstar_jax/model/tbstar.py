"""TBStar: one pure function over three variable collections.

    params            the base transformer, parameter for parameter Qwen-Image's
    pattern_shifting  stage 1: adapters of both streams, source embedding
    consistency       stage 2: adapters of the source branch, keep gate

A module is on when its collection is passed to `apply`; a collection absent equals the
same collection at initialisation, bit for bit in float32.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from tbstar_jax.array_types import (
    Array,
    Float,
    Grid,
    Int32,
    ModelOutput,
    PRNGKeyArray,
    Variables,
)
from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.byte import ByteConditionerConfig
from tbstar_jax.model.conditioner.qwen25_config import Qwen25VLConfig
from tbstar_jax.model.consistency import ConsistencyConfig, KeepGate
from tbstar_jax.model.layers import (
    LinearSettings,
    PlainLinear,
    Shard,
    TimestepEmbedder,
    modulate,
    unsharded,
)
from tbstar_jax.model.mmdit import (
    BlockInputs,
    KeysValues,
    Streams,
    TransformerConfig,
    scanned_blocks,
)
from tbstar_jax.model.norms import RMSNorm, layer_norm
from tbstar_jax.model.pattern_shifting import COLLECTION as PATTERN_SHIFTING
from tbstar_jax.model.pattern_shifting import PatternShiftingConfig
from tbstar_jax.model.rope import (
    RotaryTable,
    context_position_ids,
    image_position_ids,
    rotary_table,
)
from tbstar_jax.model.vae import VAEConfig

COLLECTIONS = ("params", "pattern_shifting", "consistency")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Every part of the system that has weights.

    Attributes:
      transformer: the base.
      pattern_shifting: stage-1 modules.
      consistency: stage-2 modules.
      vae: image to latent and back.
      conditioner: instruction and source thumbnail to context tokens.
      pixel_budget: largest number of pixels the transformer works on.
      num_steps: default number of sampling steps.
      guidance_scale: default guidance; 1 runs the conditional branch alone.
      compatible: what else must be able to run the model with its stage-1 modules, as
        a LoRA; None for nothing. See `compatible_with_diffusers`.
    """

    transformer: TransformerConfig
    pattern_shifting: PatternShiftingConfig
    consistency: ConsistencyConfig
    vae: VAEConfig
    conditioner: ByteConditionerConfig | Qwen25VLConfig
    pixel_budget: int
    num_steps: int
    guidance_scale: float
    compatible: Literal["diffusers"] | None = None

    @property
    def byte_conditioner(self) -> ByteConditionerConfig:
        """The conditioner, for code that knows the byte-level one alone.

        Raises:
          UserError: it is Qwen2.5-VL.
        """
        if not isinstance(self.conditioner, ByteConditionerConfig):
            raise UserError(
                "this needs a model with the byte-level conditioner (tiny or small), "
                "but this model's is Qwen2.5-VL; give its embeddings precomputed"
            )
        return self.conditioner

    def __post_init__(self) -> None:
        """Raises ValueError for what diffusers could not run."""
        if self.compatible is None:
            return
        if self.transformer.source_attention != "full":
            raise ValueError(
                "model.compatible=diffusers needs model.transformer.source_attention="
                f"full, not {self.transformer.source_attention}: diffusers has no other"
            )
        if self.pattern_shifting.num_source_embeddings:
            raise ValueError(
                "model.compatible=diffusers needs "
                "model.pattern_shifting.num_source_embeddings=0, not "
                f"{self.pattern_shifting.num_source_embeddings}: no LoRA can hold them"
            )


def compatible_with_diffusers(config: ModelConfig) -> ModelConfig:
    """The model whose stage-1 modules are exactly a LoRA for diffusers and ComfyUI.

    Sources are attended to in full and have no embedding; the time they are modulated
    at stays what it is, the base's.
    """
    return dataclasses.replace(
        config,
        compatible="diffusers",
        transformer=dataclasses.replace(config.transformer, source_attention="full"),
        pattern_shifting=dataclasses.replace(
            config.pattern_shifting, num_source_embeddings=0
        ),
    )


@struct.dataclass
class SourceCache:
    """What the model needs of the sources, computed once per image.

    Attributes:
      keys_values: rotated keys and values, `[l b n_k heads e]` per source.
      last_hidden: source 1's states after the last block `[b n d]`, for the keep gate.
      clean: source 1's tokens `[b n c]`, for the keep gate.
    """

    keys_values: KeysValues
    last_hidden: Float[Array, "b n d"]
    clean: Float[Array, "b n c"]


class TBStar(nn.Module):
    """The transformer with its pattern-shifting and consistency modules.

    Attributes:
      config: sizes and choices.
      dtype: compute dtype; parameters keep the dtype they are given.
      shard: places sharding constraints, see `parallel/sharding.py`.
    """

    config: ModelConfig
    dtype: Any = jnp.float32
    shard: Shard = unsharded

    def setup(self) -> None:
        """Makes the modules, named as in the public checkpoints."""
        config = self.config.transformer
        settings = LinearSettings(
            pattern_shifting=self.config.pattern_shifting,
            consistency=self.config.consistency,
            dtype=self.dtype,
            shard=self.shard,
        )
        self.img_in = PlainLinear(config.width, self.dtype)
        self.txt_norm = RMSNorm()
        self.txt_in = PlainLinear(config.width, self.dtype)
        self.timestep_embedder = TimestepEmbedder(config.width, self.dtype)
        self.transformer_blocks = scanned_blocks(config, settings)
        self.norm_out = PlainLinear(2 * config.width, self.dtype)
        self.proj_out = PlainLinear(config.in_channels, self.dtype)
        self.keep_gate = KeepGate(self.config.consistency.gate_width, self.dtype)
        num_embeddings = self.config.pattern_shifting.num_source_embeddings
        has_embedding = (
            self.has_variable(PATTERN_SHIFTING, "source_embedding")
            or self.is_initializing()
        )
        self.source_embedding = (
            self.variable(
                PATTERN_SHIFTING,
                "source_embedding",
                jnp.zeros,
                (num_embeddings, config.width),
                jnp.float32,
            )
            if num_embeddings and has_embedding
            else None
        )

    def __call__(
        self,
        target_tokens: Float[Array, "b n c"],
        time: Float[Array, " b"],
        context: Float[Array, "b m dc"],
        num_context_tokens: Int32[Array, " b"],
        source_tokens: tuple[Float[Array, "b _ c"], ...] = (),
        *,
        target_grid: Grid,
        source_grids: tuple[Grid, ...] = (),
        source_cache: SourceCache | None = None,
    ) -> ModelOutput:
        """Predicts the velocity of the target's tokens.

        Args:
          target_tokens: packed noisy latent.
          time: in [0, 1], 0 is clean.
          context: the conditioner's output, padding as a suffix.
          num_context_tokens: how many context tokens of each example count.
          source_tokens: packed clean latents of the sources; empty with a cache.
          target_grid: rows and columns of the target's tokens.
          source_grids: the same of every source.
          source_cache: the result of `encode_source` on these sources.

        Returns:
          The velocity `[b n c]` float32 and the keep logit, see `ModelOutput`.

        Raises:
          ValueError: a cache was given with `source_attention="full"`.
        """
        self._require_cacheable(source_tokens, source_cache)
        time_embedding = self.timestep_embedder(time)
        inputs = self._block_inputs(
            time_embedding,
            num_context_tokens,
            context.shape[1],
            (target_grid, *source_grids),
            has_sources=bool(source_tokens),
        )
        streams = Streams(
            target=self._embed_image(target_tokens, None),
            sources=self._embed_sources(source_tokens),
            context=self.shard(
                self.txt_in(self.txt_norm(context.astype(self.dtype))),
                ("batch", "tokens", "embed"),
            ),
        )
        cached = source_cache.keys_values if source_cache else None
        streams, _ = self.transformer_blocks(streams, cached, inputs)
        assert streams.target is not None
        velocity = self._velocity(streams.target, time_embedding)
        keep_logit = None
        if source_grids and source_grids[0] == target_grid:
            last = source_cache.last_hidden if source_cache else streams.sources[0]
            clean = source_cache.clean if source_cache else source_tokens[0]
            difference = target_tokens - time[:, None, None] * velocity - clean
            keep_logit = self.keep_gate(streams.target, last, difference, time)
        return ModelOutput(velocity, keep_logit)

    def encode_source(
        self,
        source_tokens: tuple[Float[Array, "b _ c"], ...],
        *,
        source_grids: tuple[Grid, ...],
    ) -> SourceCache:
        """Computes what every step, guidance branch and instruction reuses.

        Args:
          source_tokens: packed clean latents of at least one source.
          source_grids: rows and columns of their tokens.

        Raises:
          ValueError: the model's sources see more than themselves.
        """
        if self.config.transformer.source_attention != "cached":
            raise ValueError(
                "sources can be encoded alone only with source_attention='cached', "
                f"not '{self.config.transformer.source_attention}'"
            )
        inputs = BlockInputs(
            time_embedding=None,
            source_time_embedding=self._source_time_embedding(None),
            target_rotary=None,
            source_rotary=self._source_rotary(source_grids),
            context_rotary=None,
            num_keys=None,
        )
        streams = Streams(None, self._embed_sources(source_tokens), None)
        streams, keys_values = self.transformer_blocks(streams, None, inputs)
        return SourceCache(keys_values, streams.sources[0], source_tokens[0])

    def _require_cacheable(
        self, source_tokens: tuple[Array, ...], source_cache: SourceCache | None
    ) -> None:
        is_full = self.config.transformer.source_attention == "full"
        if source_cache is not None and (source_tokens or is_full):
            raise ValueError(
                "a source cache replaces the source tokens and requires "
                "source_attention='cached'"
            )

    def _velocity(
        self, hidden: Float[Array, "b n d"], time_embedding: Float[Array, "b d"]
    ) -> Float[Array, "b n c"]:
        """The head, float32: unlike the blocks, its halves are (scale, shift)."""
        modulation = self.norm_out(nn.silu(time_embedding))[:, None]
        scale, shift = jnp.split(modulation, 2, axis=-1)
        velocity = self.proj_out(modulate(layer_norm(hidden), shift, scale))
        return velocity.astype(jnp.float32)

    def _block_inputs(
        self,
        time_embedding: Float[Array, "b d"],
        num_context_tokens: Int32[Array, " b"],
        max_context_tokens: int,
        grids: tuple[Grid, ...],
        *,
        has_sources: bool,
    ) -> BlockInputs:
        """What every block reads; `grids` are the target's and every source's."""
        num_image_tokens = sum(rows * columns for rows, columns in grids)
        return BlockInputs(
            time_embedding=time_embedding,
            source_time_embedding=self._source_time_embedding(time_embedding),
            target_rotary=self._rotary(image_position_ids(grids[0], 0)),
            source_rotary=self._source_rotary(grids[1:] if has_sources else ()),
            context_rotary=self._rotary(
                context_position_ids(max_context_tokens, grids)
            ),
            num_keys=num_context_tokens + num_image_tokens,
        )

    def _rotary(self, position_ids: Any) -> RotaryTable:
        return rotary_table(position_ids, self.config.transformer.axes_dims_rope)

    def _source_rotary(self, grids: Sequence[Grid]) -> tuple[RotaryTable, ...]:
        return tuple(
            self._rotary(image_position_ids(grid, frame))
            for frame, grid in enumerate(grids, start=1)
        )

    def _source_time_embedding(
        self, time_embedding: Float[Array, "b d"] | None
    ) -> Float[Array, "_ d"]:
        if self.config.transformer.source_time == "same":
            assert time_embedding is not None
            return time_embedding
        return self.timestep_embedder(jnp.zeros((1,), jnp.float32))

    def _embed_image(self, tokens: Array, source_index: int | None) -> Array:
        # The vector joins the bias, so that a zero vector changes no bit.
        vector = None
        if source_index is not None and self.source_embedding is not None:
            vector = self.source_embedding.value[source_index]
        x = self.img_in(tokens, vector)
        return self.shard(x, ("batch", "tokens", "embed"))

    def _embed_sources(self, tokens: tuple[Array, ...]) -> tuple[Array, ...]:
        limit = self.config.pattern_shifting.num_source_embeddings
        if self.source_embedding is not None and len(tokens) > limit:
            raise ValueError(
                f"{len(tokens)} sources, but the source embedding has {limit}; "
                "raise pattern_shifting.num_source_embeddings"
            )
        return tuple(self._embed_image(x, k) for k, x in enumerate(tokens))


def init_variables(model: TBStar, key: PRNGKeyArray) -> Variables:
    """All three collections at initialisation, float32.

    The base is random; the other two change nothing until they are trained. The
    collections draw from keys folded from `key`.
    """
    config = model.config.transformer
    # No variable depends on the kernel, and flash attention takes no float32.
    model = model.clone(
        config=dataclasses.replace(
            model.config,
            transformer=dataclasses.replace(config, attention_kernel="xla"),
        )
    )
    grid = (2, 2)
    tokens = jnp.zeros((1, 4, config.in_channels), jnp.float32)
    rngs = {
        name: jax.random.fold_in(key, index) for index, name in enumerate(COLLECTIONS)
    }
    variables = model.init(
        rngs,
        tokens,
        jnp.zeros((1,), jnp.float32),
        jnp.zeros((1, 1, config.joint_attention_dim), jnp.float32),
        jnp.ones((1,), jnp.int32),
        (tokens,),
        target_grid=grid,
        source_grids=(grid,),
    )
    return {name: variables.get(name, {}) for name in COLLECTIONS}


def abstract_variables(model: TBStar) -> Variables:
    """Shapes and dtypes of `init_variables`, without computing anything."""
    return jax.eval_shape(lambda: init_variables(model, jax.random.key(0)))
