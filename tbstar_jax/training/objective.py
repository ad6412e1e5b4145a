"""What each stage minimises: from a batch of images and text to losses per example.

    autoencoder  see reconstruction.py
    pretrain  flow matching of the target given its caption; half the examples also see
              a thumbnail of another rendering of the scene; no source tokens
    stage 1   flow matching of the target given source and instruction
    stage 2   region-balanced flow, blend and gate (see diffusion/loss.py)

Frozen trees arrive as an argument beside the trainable ones and are merged only to be
applied.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.sharding import Mesh

from tbstar_jax.array_types import (
    Array,
    Bool,
    Float,
    Grid,
    Int32,
    ModelOutput,
    PRNGKeyArray,
    Tree,
    Variables,
)
from tbstar_jax.diffusion.loss import (
    ConsistencyLossConfig,
    changed_tokens,
    consistency_loss,
    flow_loss,
)
from tbstar_jax.diffusion.path import interpolate, velocity_of
from tbstar_jax.diffusion.timesteps import TimestepConfig, sample_training_times
from tbstar_jax.model.conditioner.byte import ByteConditioner
from tbstar_jax.model.tbstar import COLLECTIONS, ModelConfig, TBStar
from tbstar_jax.model.tokens import PATCH_SIZE, grid_of, pack
from tbstar_jax.model.vae import VAE
from tbstar_jax.parallel.sharding import ActivationShard, data_parallel_copies
from tbstar_jax.training.freeze import merge

Stage: TypeAlias = Literal["autoencoder", "pretrain", "stage1", "stage2"]

BASE_PARTS = ("params", "vae", "conditioner")

THUMBNAIL_SHARE = 0.5
"""Share of the base's training examples that see a thumbnail."""


@struct.dataclass
class NoisyBatch:
    """One micro-batch on the path between latent and noise.

    Attributes:
      latent: clean target tokens.
      noisy: `x_t`.
      velocity: `noise - latent`.
      time: `[b]`.
      sources: clean source tokens, one entry per source.
      target_grid: of the target's tokens.
      source_grids: of every source's tokens.
    """

    latent: Float[Array, "b n c"]
    noisy: Float[Array, "b n c"]
    velocity: Float[Array, "b n c"]
    time: Float[Array, " b"]
    sources: tuple[Float[Array, "b _ c"], ...]
    target_grid: Grid = struct.field(pytree_node=False)
    source_grids: tuple[Grid, ...] = struct.field(pytree_node=False)


class Objective:
    """The loss function of one stage, as `training/step.py` wants it.

    Attributes:
      loss_weights: lambda of every term.
    """

    def __init__(
        self,
        stage: Stage,
        config: ModelConfig,
        *,
        consistency: ConsistencyLossConfig,
        timesteps: TimestepConfig,
        dtype: Any,
        mesh: Mesh,
    ) -> None:
        self._stage = stage
        self._mesh = mesh
        self._consistency = consistency
        self._timesteps = timesteps
        self._config = config
        self._model = TBStar(config, dtype=dtype, shard=ActivationShard(mesh))
        self._vae = VAE(config.vae, dtype=dtype)
        self._dtype = dtype
        self.loss_weights = {"flow": 1.0}
        if stage == "stage2":
            self.loss_weights["blend"] = consistency.blend_weight
            self.loss_weights["gate"] = consistency.gate_weight

    def __call__(
        self,
        trainable: Tree,
        frozen: Tree,
        micro_batch: dict[str, Array],
        key: PRNGKeyArray,
    ) -> tuple[dict[str, Float[Array, " b"]], dict[str, Float[Array, " b"]]]:
        """Losses and weights per example, see `training/step.py`.

        Args:
          trainable: collection to tree.
          frozen: collection to tree; with `trainable` everything the stage needs.
          micro_batch: arrays of the input pipeline without the accumulation axis.
          key: of this micro-batch.
        """
        # Stage modules are differentiated as one copy per data-parallel device, so that
        # their gradients cross the network once.
        copied = {
            name: tree if name in BASE_PARTS else data_parallel_copies(tree, self._mesh)
            for name, tree in trainable.items()
        }
        parts = merge(copied, frozen)
        noise_key, thumbnail_key = jax.random.split(key)
        batch = self._noise(parts, micro_batch, noise_key)
        output = self._apply(parts, micro_batch, batch, thumbnail_key)
        ones = jnp.ones(batch.time.shape, jnp.float32)
        if self._stage != "stage2":
            return {"flow": flow_loss(output.velocity, batch.velocity)}, {"flow": ones}
        cell = self._config.vae.downscale * PATCH_SIZE
        losses = consistency_loss(
            output,
            batch.noisy,
            batch.latent,
            batch.velocity,
            batch.sources[0],
            batch.time,
            changed_tokens(micro_batch["change_mask"], cell),
            micro_batch["is_instruction_dropped"],
            self._consistency,
        )
        return (
            {"flow": losses.flow, "blend": losses.blend, "gate": losses.gate},
            {"flow": ones, "blend": losses.has_gate, "gate": losses.has_gate},
        )

    def _noise(
        self, parts: Variables, micro_batch: dict[str, Array], key: PRNGKeyArray
    ) -> NoisyBatch:
        """Latents of target and sources, and a random point of the path."""
        latent = self._latent(parts, micro_batch, "target_latent", "target_image")
        sources = []
        if self._stage != "pretrain":
            for k in range(1, num_sources(micro_batch) + 1):
                name = f"source_latent_{k}", f"source_image_{k}"
                sources.append(self._latent(parts, micro_batch, *name))
        time_key, noise_key = jax.random.split(key)
        tokens = pack(latent)
        b, n = tokens.shape[:2]
        time = sample_training_times(time_key, b, n, self._timesteps)
        noise = jax.random.normal(noise_key, tokens.shape, jnp.float32)
        return NoisyBatch(
            latent=tokens,
            noisy=interpolate(tokens, noise, time),
            velocity=velocity_of(tokens, noise),
            time=time,
            sources=tuple(pack(x) for x in sources),
            target_grid=grid_of(latent),
            source_grids=tuple(grid_of(x) for x in sources),
        )

    def _latent(
        self, parts: Variables, micro_batch: dict[str, Array], latent: str, image: str
    ) -> Float[Array, "b h w c"]:
        """The precomputed latent if the batch has it, else the encoded image."""
        if latent in micro_batch:
            return micro_batch[latent].astype(jnp.float32)
        pixels = to_unit(micro_batch[image])
        encoded = self._vae.apply({"params": parts["vae"]}, pixels, method=VAE.encode)
        return jnp.asarray(encoded)

    def _apply(
        self,
        parts: Variables,
        micro_batch: dict[str, Array],
        batch: NoisyBatch,
        thumbnail_key: PRNGKeyArray,
    ) -> ModelOutput:
        context, num_context_tokens = self._context(parts, micro_batch, thumbnail_key)
        output = self._model.apply(
            {name: parts[name] for name in COLLECTIONS if name in parts},
            batch.noisy,
            batch.time,
            context,
            num_context_tokens,
            batch.sources,
            target_grid=batch.target_grid,
            source_grids=batch.source_grids,
        )
        assert isinstance(output, ModelOutput)
        return output

    def _context(
        self, parts: Variables, micro_batch: dict[str, Array], key: PRNGKeyArray
    ) -> tuple[Float[Array, "b m d"], Int32[Array, " b"]]:
        """The conditioner's output, precomputed or computed here."""
        if "context" in micro_batch:
            context = micro_batch["context"].astype(jnp.float32)
            return context, micro_batch["num_context_tokens"]
        ids = micro_batch["instruction_tokens"]
        has_source: Bool[Array, " b"] = jnp.ones(ids.shape[0], bool)
        if self._stage == "pretrain":
            has_source = jax.random.bernoulli(key, THUMBNAIL_SHARE, (ids.shape[0],))
        image = micro_batch.get("source_image_1")
        if image is None:
            # Captions without another rendering; stages 1 and 2 always have a source.
            has_source = jnp.zeros_like(has_source)
        conditioner = ByteConditioner(self._config.byte_conditioner, dtype=self._dtype)
        encoded: Any = conditioner.apply(
            {"params": parts["conditioner"]},
            ids,
            micro_batch["num_instruction_tokens"],
            None if image is None else to_unit(image),
            has_source,
        )
        return encoded[0], encoded[1]


def num_sources(batch: dict[str, Array]) -> int:
    """How many sources a batch carries."""
    names = [name for name in batch if name.startswith("source_image_")]
    return len(names or [name for name in batch if name.startswith("source_latent_")])


def to_unit(image: Array) -> Float[Array, "b h w 3"]:
    """uint8 0..255 to float32 [-1, 1]."""
    return image.astype(jnp.float32) / np.float32(127.5) - 1


def required_parts(stage: Stage) -> tuple[str, ...]:
    """The trees a stage's loss needs, trainable or frozen."""
    return {
        "autoencoder": ("vae",),
        "pretrain": BASE_PARTS,
        "stage1": (*BASE_PARTS, "pattern_shifting"),
        "stage2": (*BASE_PARTS, "pattern_shifting", "consistency"),
    }[stage]


def with_statistics(
    config: ModelConfig, mean: Sequence[float], std: Sequence[float]
) -> ModelConfig:
    """The config with measured latent statistics, `[z_dim]` each."""
    vae = dataclasses.replace(
        config.vae,
        latents_mean=tuple(mean),
        latents_std=tuple(std),
    )
    return dataclasses.replace(config, vae=vae)
