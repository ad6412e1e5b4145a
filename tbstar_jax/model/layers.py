"""Layers shared by the transformer's two streams.

The timestep's sinusoid is float32 whatever the compute dtype; parameters keep the
dtype they were loaded with and are cast at use.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tbstar_jax.array_types import Array, Float
from tbstar_jax.model.consistency import COLLECTION as CONSISTENCY
from tbstar_jax.model.consistency import ConsistencyConfig
from tbstar_jax.model.pattern_shifting import COLLECTION as PATTERN_SHIFTING
from tbstar_jax.model.pattern_shifting import (
    Adapter,
    AdapterConfig,
    PatternShiftingConfig,
    adapter_of,
    low_rank_update,
    merged_product,
)

Names: TypeAlias = tuple[str | None, ...]
"""The logical name of every dimension of an array."""


@runtime_checkable
class Shard(Protocol):
    """Where activations lie."""

    def __call__(self, x: Array, names: Names) -> Array:
        """Places a sharding constraint."""

    def per_device(
        self,
        function: Callable[..., Array],
        arguments: tuple[Array, ...],
        names: tuple[Names, ...],
    ) -> Array:
        """Calls a function on every device's part; the result lies as the first one."""


@dataclasses.dataclass(frozen=True)
class Unsharded:
    """The `Shard` of a single device: no constraint."""

    def __call__(self, x: Array, names: Names) -> Array:
        """Returns `x`."""
        del names
        return x

    def per_device(
        self,
        function: Callable[..., Array],
        arguments: tuple[Array, ...],
        names: tuple[Names, ...],
    ) -> Array:
        """Calls the function."""
        del names
        return function(*arguments)


unsharded = Unsharded()


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinearSettings:
    """What every linear of a transformer shares.

    Attributes:
      pattern_shifting: adapters of stage 1.
      consistency: adapters of stage 2, for source tokens.
      dtype: compute dtype.
      shard: places sharding constraints on outputs.
    """

    pattern_shifting: PatternShiftingConfig
    consistency: ConsistencyConfig
    dtype: Any
    shard: Shard


class AdaptedLinear(nn.Module):
    """`y = x W + b`, plus the adapters whose collections are passed.

    Attributes:
      features: width of the output.
      target: the linear's name among the adapters' targets.
      input_axis: logical name of the input's last dimension.
      output_axis: logical name of the output's last dimension.
      settings: adapters, dtype and sharding.
    """

    features: int
    target: str
    input_axis: str
    output_axis: str
    settings: LinearSettings

    @nn.compact
    def __call__(
        self, x: Float[Array, "b *n d"], *, is_source: bool = False
    ) -> Float[Array, "b *n f"]:
        """Applies the linear; consistency adapters act on source tokens only."""
        settings = self.settings
        kernel = self.param(
            "kernel",
            nn.initializers.lecun_normal(),
            (x.shape[-1], self.features),
        )
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        if x.ndim == 2:
            # So few rows that XLA would rather reduce outputs than gather the kernel.
            kernel = settings.shard(kernel, (self.input_axis, self.output_axis))
        x, kernel = x.astype(settings.dtype), kernel.astype(settings.dtype)
        bias = bias.astype(settings.dtype).reshape((1,) * (x.ndim - 1) + (-1,))
        scales, adapters = self._adapters(x.shape[-1], is_source)
        is_merged = settings.dtype == jnp.float32 and all(
            lora_a.ndim == 2 for lora_a, _ in adapters
        )
        if is_merged:
            y = merged_product(scales, x, kernel, adapters) + bias
        else:
            # In the gradient, x's waits here for the adapters': put off, theirs would
            # keep the wide states of every call of a block in memory.
            x, adapters = jax.lax.optimization_barrier((x, adapters))
            y = x @ kernel + bias
            for scale, adapter in zip(scales, adapters, strict=True):
                y = y + low_rank_update(x, adapter, scale)
        middle: tuple[str | None, ...] = ("tokens",) * (y.ndim - 2)
        return settings.shard(y, ("batch", *middle, self.output_axis))

    def _adapters(
        self, width: int, is_source: bool
    ) -> tuple[tuple[float, ...], tuple[Adapter, ...]]:
        """Scales and matrices of the adapters that act on this call."""
        settings = self.settings
        stages: list[tuple[str, AdapterConfig]] = [
            (PATTERN_SHIFTING, settings.pattern_shifting)
        ]
        if is_source:
            stages.append((CONSISTENCY, settings.consistency.adapters))
        scales, adapters = [], []
        for collection, config in stages:
            if self.target not in config.targets:
                continue
            adapter = adapter_of(self, collection, config, width, self.features)
            if adapter is not None:
                scales.append(config.alpha / config.rank)
                adapters.append(adapter)
        return tuple(scales), tuple(adapters)


def modulate(
    x: Float[Array, "b n d"],
    shift: Float[Array, "#b 1 d"],
    scale: Float[Array, "#b 1 d"],
) -> Float[Array, "b n d"]:
    """`x (1 + scale) + shift`."""
    return x * (1 + scale) + shift


def timestep_sinusoid(time: Float[Array, " b"], width: int) -> Float[Array, "b d"]:
    """Sinusoidal features of the time, float32.

    Angles `1000 t f_i` with `f_i = exp(-ln(10000) i / (width / 2))`; the first half of
    the features are cosines, the second half sines (qwen_image checkpoints' order). The
    product with 1000 is taken in float32 after the time was rounded to the compute
    dtype, as the reference implementation does.

    Args:
      time: in [0, 1].
      width: number of features, even.
    """
    half = width // 2
    exponent = np.arange(half, dtype=np.float32) / np.float32(half)
    frequencies = np.exp(np.float32(-np.log(10000.0)) * exponent)
    angles = 1000 * (time.astype(jnp.float32)[:, None] * frequencies[None])
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)


class PlainLinear(nn.Module):
    """A linear that no collection adapts."""

    features: int
    dtype: Any

    @nn.compact
    def __call__(
        self, x: Float[Array, "*b d"], offset: Float[Array, " f"] | None = None
    ) -> Float[Array, "*b f"]:
        """`x W + (b + offset)` in the compute dtype."""
        kernel = self.param(
            "kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features)
        )
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        if offset is not None:
            bias = bias.astype(jnp.float32) + offset.astype(jnp.float32)
        y = x.astype(self.dtype) @ kernel.astype(self.dtype)
        return y + jnp.reshape(bias.astype(self.dtype), (1,) * (y.ndim - 1) + (-1,))


class TimestepEmbedder(nn.Module):
    """Sinusoid -> linear -> SiLU -> linear."""

    features: int
    dtype: Any

    @nn.compact
    def __call__(self, time: Float[Array, " b"]) -> Float[Array, "b d"]:
        """Embeds times in [0, 1]."""
        x = timestep_sinusoid(time.astype(self.dtype), 256).astype(self.dtype)
        x = PlainLinear(self.features, self.dtype, name="linear_1")(x)
        return PlainLinear(self.features, self.dtype, name="linear_2")(nn.silu(x))
