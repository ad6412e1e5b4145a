"""The double-stream diffusion transformer of Qwen-Image, with a source branch.

Two streams with weights of their own, image and text, meet in every block's attention.
The image stream runs over the target and over every source separately (same weights,
separate calls); `source_attention` says what a source may see:

    cached: a source sees itself; the target and the text see everything. A source's
            keys and values then depend on nothing but the source, and are computed
            once per image.
    full:   everything sees everything, as in the public checkpoints.

Blocks are scanned: every leaf below `transformer_blocks` has a leading block axis.
"""

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from tbstar_jax.array_types import Array, Float, Int32
from tbstar_jax.model.attention import AttentionKernel, attention
from tbstar_jax.model.layers import AdaptedLinear, LinearSettings, modulate
from tbstar_jax.model.norms import RMSNorm, layer_norm
from tbstar_jax.model.rope import RotaryTable, rotate


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """The base transformer; names follow the public checkpoints' `config.json`.

    Attributes:
      num_layers: number of double-stream blocks.
      num_attention_heads: heads of both streams.
      attention_head_dim: width of a head.
      in_channels: channels of a packed token.
      joint_attention_dim: width of the conditioner's output.
      axes_dims_rope: channels of a head rotated by frame, row and column.
      source_time: sources are modulated at t = 0 ("zero", the public `zero_cond_t`) or
        at the target's t ("same").
      source_attention: what a source may see, see the module docstring.
      remat: what the backward pass recomputes: nothing, or every block.
      attention_kernel: implementation of attention.
    """

    num_layers: int
    num_attention_heads: int
    attention_head_dim: int
    in_channels: int
    joint_attention_dim: int
    axes_dims_rope: tuple[int, int, int]
    source_time: Literal["zero", "same"]
    source_attention: Literal["cached", "full"]
    remat: Literal["none", "block"]
    attention_kernel: AttentionKernel

    def __post_init__(self) -> None:
        """Raises ValueError for settings that contradict each other."""
        if sum(self.axes_dims_rope) != self.attention_head_dim:
            raise ValueError(
                f"axes_dims_rope {self.axes_dims_rope} must sum to "
                f"attention_head_dim {self.attention_head_dim}"
            )
        if self.source_attention == "cached" and self.source_time == "same":
            raise ValueError(
                "source_attention='cached' requires source_time='zero': keys of a "
                "source modulated at the target's time change at every step"
            )

    @property
    def width(self) -> int:
        """Width of both streams."""
        return self.num_attention_heads * self.attention_head_dim


@struct.dataclass
class Streams:
    """Hidden states of one pass; absent streams are None.

    Attributes:
      target: `[b n d]`; None while sources are encoded alone.
      sources: one `[b n_k d]` per source; empty when their keys come from a cache.
      context: text `[b m d]`; None while sources are encoded alone.
    """

    target: Float[Array, "b n d"] | None
    sources: tuple[Float[Array, "b _ d"], ...]
    context: Float[Array, "b m d"] | None


@struct.dataclass
class KeysValues:
    """Rotated keys and values of every source, `[b n_k heads e]` each.

    Stacked over blocks they are `[l b n_k heads e]`.
    """

    keys: tuple[Array, ...]
    values: tuple[Array, ...]


@struct.dataclass
class BlockInputs:
    """What every block reads.

    Attributes:
      time_embedding: `[b d]`, of the target's time; None while sources are encoded.
      source_time_embedding: `[b d]`, or `[1 d]` for t = 0.
      target_rotary: angles of the target's tokens; None while sources are encoded.
      source_rotary: angles of every source's tokens.
      context_rotary: angles of the text's tokens; None while sources are encoded.
      num_keys: `[b]`, keys that count, the text's padding being a suffix; or None.
    """

    time_embedding: Float[Array, "b d"] | None
    source_time_embedding: Float[Array, "_ d"]
    target_rotary: RotaryTable | None
    source_rotary: tuple[RotaryTable, ...]
    context_rotary: RotaryTable | None
    num_keys: Int32[Array, " b"] | None


class FeedForward(nn.Module):
    """Linear to four times the width, tanh-GELU, linear back."""

    prefix: str
    width: int
    settings: LinearSettings
    remat: Literal["none", "block"]

    def setup(self) -> None:
        """Makes the two linears, named `<prefix>_in` and `<prefix>_out` as targets."""
        self.linear_in = AdaptedLinear(
            4 * self.width, f"{self.prefix}_in", "embed", "mlp", self.settings
        )
        self.linear_out = AdaptedLinear(
            self.width, f"{self.prefix}_out", "mlp", "embed", self.settings
        )

    def __call__(
        self, x: Float[Array, "b n d"], *, is_source: bool = False
    ) -> Float[Array, "b n d"]:
        """Applies the two linears."""
        gelu: Any = functools.partial(nn.gelu, approximate=True)
        if self.remat == "block":
            # Held while the block is recomputed: its input, not its derivative's parts.
            gelu = jax.checkpoint(gelu)
        hidden = gelu(self.linear_in(x, is_source=is_source))
        return self.linear_out(hidden, is_source=is_source)


class JointAttention(nn.Module):
    """Queries, keys and values of both streams, and their way out."""

    config: TransformerConfig
    settings: LinearSettings

    def setup(self) -> None:
        """Makes the linears and the query and key norms of both streams."""
        width = self.config.width

        def heads(target: str) -> AdaptedLinear:
            return AdaptedLinear(width, target, "embed", "heads", self.settings)

        def out(target: str) -> AdaptedLinear:
            return AdaptedLinear(width, target, "heads", "embed", self.settings)

        self.to_q, self.to_k, self.to_v = heads("to_q"), heads("to_k"), heads("to_v")
        self.add_q_proj = heads("add_q_proj")
        self.add_k_proj = heads("add_k_proj")
        self.add_v_proj = heads("add_v_proj")
        self.to_out, self.to_add_out = out("to_out"), out("to_add_out")
        self.norm_q, self.norm_k = RMSNorm(), RMSNorm()
        self.norm_added_q, self.norm_added_k = RMSNorm(), RMSNorm()

    def _split_heads(self, x: Float[Array, "b n d"]) -> Float[Array, "b n k e"]:
        config = self.config
        return x.reshape(
            *x.shape[:2], config.num_attention_heads, config.attention_head_dim
        )

    def image_qkv(
        self, x: Float[Array, "b n d"], rotary: RotaryTable, *, is_source: bool
    ) -> tuple[Array, Array, Array]:
        """Rotated queries and keys, and values, of image tokens, `[b n k e]`."""
        q = self._split_heads(self.to_q(x, is_source=is_source))
        k = self._split_heads(self.to_k(x, is_source=is_source))
        v = self._split_heads(self.to_v(x, is_source=is_source))
        return rotate(self.norm_q(q), rotary), rotate(self.norm_k(k), rotary), v

    def context_qkv(
        self, x: Float[Array, "b m d"], rotary: RotaryTable
    ) -> tuple[Array, Array, Array]:
        """Rotated queries and keys, and values, of text tokens, `[b m k e]`."""
        q = self._split_heads(self.add_q_proj(x))
        k = self._split_heads(self.add_k_proj(x))
        v = self._split_heads(self.add_v_proj(x))
        q = rotate(self.norm_added_q(q), rotary)
        return q, rotate(self.norm_added_k(k), rotary), v

    def attend(
        self, q: Array, k: Array, v: Array, num_keys: Int32[Array, " b"] | None
    ) -> Float[Array, "b n d"]:
        """Attention over the given keys, heads merged."""
        shard = self.settings.shard
        names = ("batch", "tokens", "heads", None)
        q, k, v = (shard(x, names) for x in (q, k, v))
        attend = functools.partial(attention, kernel=self.config.attention_kernel)
        if self.config.attention_kernel == "splash":
            # Nothing tells the compiler how to split a kernel's own program.
            counts = num_keys
            if counts is None:
                counts = jnp.full(k.shape[0], k.shape[1], jnp.int32)
            whose = (names, names, names, ("batch",))
            y = shard.per_device(attend, (q, k, v, counts), whose)
        else:
            y = attend(q, k, v, num_keys)
        y = y.reshape(*y.shape[:2], -1)
        return shard(y, ("batch", "tokens", "heads"))


class TransformerBlock(nn.Module):
    """One double-stream block; the body of the scan."""

    config: TransformerConfig
    settings: LinearSettings

    def setup(self) -> None:
        """Makes the block's modules, named as in the public checkpoints."""
        width, remat = self.config.width, self.config.remat

        def modulation(target: str) -> AdaptedLinear:
            return AdaptedLinear(
                6 * width, target, "embed", "modulation", self.settings
            )

        self.img_mod, self.txt_mod = modulation("img_mod"), modulation("txt_mod")
        self.attn = JointAttention(self.config, self.settings)
        self.img_mlp = FeedForward("img_mlp", width, self.settings, remat)
        self.txt_mlp = FeedForward("txt_mlp", width, self.settings, remat)

    def __call__(
        self, streams: Streams, cached: KeysValues | None, inputs: BlockInputs
    ) -> tuple[Streams, KeysValues | None]:
        """Updates the streams.

        Args:
          streams: states before the block.
          cached: keys and values of the sources, if they were computed before.
          inputs: what every block reads.

        Returns:
          The states after the block, and the sources' keys and values when sources
          are encoded alone (target absent), else None.
        """
        source_modulation = (
            self._modulation(self.img_mod, inputs.source_time_embedding)
            if streams.sources
            else None
        )
        source_qkv = []
        for x, rotary in zip(streams.sources, inputs.source_rotary, strict=True):
            assert source_modulation is not None
            x = modulate(layer_norm(x), *source_modulation[:2])
            source_qkv.append(self.attn.image_qkv(x, rotary, is_source=True))
        encoded = KeysValues(
            keys=tuple(k for _, k, _ in source_qkv),
            values=tuple(v for _, _, v in source_qkv),
        )
        target, context, joint = self._joint(
            streams, source_qkv, encoded if cached is None else cached, inputs
        )
        sources = []
        for i, x in enumerate(streams.sources):
            q, k, v = source_qkv[i]
            if target is not None:
                # One image after the other, there and back: merged or interleaved,
                # their feed-forwards would need the memory of all of them at once.
                target, x = jax.lax.optimization_barrier((target, x))
            attended = self.attn.attend(q, k, v, None) if joint is None else joint[i]
            assert source_modulation is not None
            sources.append(
                self._finish_image(x, attended, source_modulation, is_source=True)
            )
        updated = Streams(target=target, sources=tuple(sources), context=context)
        return updated, (encoded if streams.target is None else None)

    def _joint(
        self,
        streams: Streams,
        source_qkv: list[tuple[Array, Array, Array]],
        source_kv: KeysValues,
        inputs: BlockInputs,
    ) -> tuple[Array | None, Array | None, list[Array] | None]:
        """Target and text over all keys; with full attention the sources too."""
        if streams.target is None or streams.context is None:
            return None, None, None
        assert inputs.time_embedding is not None
        assert inputs.target_rotary is not None
        assert inputs.context_rotary is not None
        image = self._modulation(self.img_mod, inputs.time_embedding)
        text = self._modulation(self.txt_mod, inputs.time_embedding)
        x = modulate(layer_norm(streams.target), *image[:2])
        q_target, k_target, v_target = self.attn.image_qkv(
            x, inputs.target_rotary, is_source=False
        )
        x = modulate(layer_norm(streams.context), *text[:2])
        q_text, k_text, v_text = self.attn.context_qkv(x, inputs.context_rotary)

        is_full = self.config.source_attention == "full"
        q_sources = [q for q, _, _ in source_qkv] if is_full else []
        attended = self.attn.attend(
            jnp.concatenate([q_target, *q_sources, q_text], axis=1),
            jnp.concatenate([k_target, *source_kv.keys, k_text], axis=1),
            jnp.concatenate([v_target, *source_kv.values, v_text], axis=1),
            inputs.num_keys,
        )
        lengths = [x.shape[1] for x in (q_target, *q_sources)]
        splits = [sum(lengths[: i + 1]) for i in range(len(lengths))]
        parts = jnp.split(attended, splits, axis=1)
        target = self._finish_image(streams.target, parts[0], image, is_source=False)
        context = self._finish_context(streams.context, parts[-1], text)
        return target, context, list(parts[1:-1]) if is_full else None

    def _modulation(
        self, linear: AdaptedLinear, time_embedding: Float[Array, "b d"]
    ) -> tuple[Array, ...]:
        """(shift, scale, gate) of attention, then of the feed-forward; `[b 1 d]`."""
        vector = linear(nn.silu(time_embedding))
        # Small, and every part has the width of the stream, which is not split.
        vector = self.settings.shard(vector, ("batch", "embed"))
        return tuple(jnp.split(vector[:, None], 6, axis=-1))

    def _finish_image(
        self, x: Array, attended: Array, modulation: tuple[Array, ...], is_source: bool
    ) -> Array:
        """Attention's way out and the feed-forward, both gated, of image tokens."""
        _, _, gate, mlp_shift, mlp_scale, mlp_gate = modulation
        shard = self.settings.shard
        x = x + gate * self.attn.to_out(attended, is_source=is_source)
        hidden = modulate(layer_norm(x), mlp_shift, mlp_scale)
        x = x + mlp_gate * self.img_mlp(hidden, is_source=is_source)
        return shard(x, ("batch", "tokens", "embed"))

    def _finish_context(
        self, x: Array, attended: Array, modulation: tuple[Array, ...]
    ) -> Array:
        """The same for text tokens."""
        _, _, gate, mlp_shift, mlp_scale, mlp_gate = modulation
        x = x + gate * self.attn.to_add_out(attended)
        hidden = modulate(layer_norm(x), mlp_shift, mlp_scale)
        x = x + mlp_gate * self.txt_mlp(hidden)
        return self.settings.shard(x, ("batch", "tokens", "embed"))


def scanned_blocks(config: TransformerConfig, settings: LinearSettings) -> Any:
    """The blocks as one scanned, optionally rematerialised module."""
    block: Any = TransformerBlock
    if config.remat == "block":
        block = nn.remat(block, prevent_cse=False)
    collections = ("params", "pattern_shifting", "consistency")
    scanned = nn.scan(
        block,
        variable_axes=dict.fromkeys(collections, 0),
        split_rngs=dict.fromkeys(collections, True),
        in_axes=(0, nn.broadcast),
        length=config.num_layers,
    )
    return scanned(config, settings)
