"""What the two towers of Qwen2.5-VL share: linears, half-split rotation, attention."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import struct

from tbstar_jax.array_types import Array, Bool, Float, Int32
from tbstar_jax.model.layers import Shard


class Linear(nn.Module):
    """`y = x W (+ b)`, the output constrained to its place.

    Attributes:
      features: width of the output.
      output_axis: logical name of the output's last dimension.
      dtype: compute dtype.
      shard: places the sharding constraint.
      has_bias: whether there is a bias.
    """

    features: int
    output_axis: str
    dtype: Any
    shard: Shard
    has_bias: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "b n d"]) -> Float[Array, "b n f"]:
        """Applies the linear in the compute dtype."""
        kernel = self.param(
            "kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features)
        )
        y = x.astype(self.dtype) @ kernel.astype(self.dtype)
        if self.has_bias:
            bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
            y = y + bias.astype(self.dtype)[None, None]
        return self.shard(y, ("batch", "tokens", self.output_axis))


class GatedFeedForward(nn.Module):
    """`down(silu(gate(x)) * up(x))`.

    Attributes:
      hidden_size: hidden units.
      hidden_axis: logical name of the hidden units.
      dtype: compute dtype.
      shard: places sharding constraints.
      has_bias: whether the linears have biases.
    """

    hidden_size: int
    hidden_axis: str
    dtype: Any
    shard: Shard
    has_bias: bool

    @nn.compact
    def __call__(self, x: Float[Array, "b n d"]) -> Float[Array, "b n d"]:
        """Applies the three linears."""

        def linear(features: int, axis: str, name: str) -> Linear:
            return Linear(
                features, axis, self.dtype, self.shard, self.has_bias, name=name
            )

        gate = linear(self.hidden_size, self.hidden_axis, "gate_proj")(x)
        up = linear(self.hidden_size, self.hidden_axis, "up_proj")(x)
        return linear(x.shape[-1], "embed", "down_proj")(nn.silu(gate) * up)


@struct.dataclass
class Angles:
    """Cosine and sine of every token's angles, float32, half as wide as a head."""

    cos: Float[Array, "b n e"]
    sin: Float[Array, "b n e"]


def axis_angles(
    position_ids: Int32[Array, "b n a"], sections: tuple[int, ...], theta: float
) -> Angles:
    """Angles `position * theta^(-i / pairs)` of M-RoPE.

    The `sum(sections)` channel pairs of a head share one row of frequencies; which axis
    of the position a pair is rotated by is its section's.

    Args:
      position_ids: one position per axis, (frame, row, column).
      sections: channel pairs of every axis.
      theta: base of the frequencies.
    """
    frequencies = _frequencies(sum(sections), theta)
    axis = np.repeat(np.arange(len(sections)), sections)
    position = position_ids.astype(jnp.float32)[..., axis]
    angles = position * frequencies[None, None]
    return Angles(cos=jnp.cos(angles), sin=jnp.sin(angles))


def grid_angles(
    position_ids: Int32[Array, "b n 2"], num_pairs: int, theta: float
) -> Angles:
    """Angles of the vision tower: rows rotate the first half of the pairs.

    Both axes have the same frequencies, `theta^(-2 i / num_pairs)`.

    Args:
      position_ids: (row, column) in patches.
      num_pairs: channel pairs of a head.
      theta: base of the frequencies.
    """
    frequencies = _frequencies(num_pairs // 2, theta)
    position = position_ids.astype(jnp.float32)[..., None]
    angles = position * frequencies[None, None, None]  # [b, n, 2, pairs / 2]
    angles = angles.reshape(*angles.shape[:2], -1)
    return Angles(cos=jnp.cos(angles), sin=jnp.sin(angles))


def _frequencies(num: int, theta: float) -> np.ndarray:
    exponent = np.arange(num, dtype=np.float32) / np.float32(num)
    return (1.0 / np.power(np.float32(theta), exponent)).astype(np.float32)


def rotate_halves(
    x: Float[Array, "b n k e"], angles: Angles
) -> Float[Array, "b n k e"]:
    """Rotates channel i with channel i + e / 2 of every head, in float32.

    The diffusion transformer rotates adjacent channels instead (`model.rope`).

    Returns:
      The rotated array in the dtype of `x`.
    """
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    cos, sin = angles.cos[:, :, None], angles.sin[:, :, None]
    rotated = [first * cos - second * sin, second * cos + first * sin]
    return jnp.concatenate(rotated, axis=-1).astype(x.dtype)


def grouped_attention(
    query: Float[Array, "*b n k e"],
    key: Float[Array, "*b s j e"],
    value: Float[Array, "*b s j e"],
    is_seen: Bool[Array, "*b q s"],
) -> Float[Array, "*b n k e"]:
    """`softmax(q k^T / sqrt(e)) v`, key head i serving a group of query heads.

    Sequences of the conditioner are short (hundreds of tokens at 384 x 384 pixels), so
    the mask is dense here, unlike in the diffusion transformer. The longest are the
    6,400 patches of the four full-attention blocks at 1024 x 1024 pixels (the prompt of
    Qwen-Image-Edit): 2.6 GB of logits per image, while such a block runs.

    Args:
      query: rotated queries; `k` a multiple of `j`.
      key: rotated keys.
      value: values.
      is_seen: which keys count for a query; `q` is `n`, or 1 for all queries alike.

    Returns:
      The attended values in the dtype of `query`; the softmax is float32. A query that
      sees no key gets a finite value without meaning.
    """
    *lead, n, k, e = query.shape
    j, s = key.shape[-2], key.shape[-3]
    # Head-major, queries of a group side by side: [*b, j, group * n, e].
    q = jnp.swapaxes(query, -2, -3).reshape(*lead, j, k // j * n, e)
    keys, values = jnp.swapaxes(key, -2, -3), jnp.swapaxes(value, -2, -3)
    logits = jnp.matmul(
        q, jnp.swapaxes(keys, -1, -2), preferred_element_type=jnp.float32
    )
    logits = (logits * np.float32(e**-0.5)).reshape(*lead, j, k // j, n, s)
    hidden = np.finfo(np.float32).min
    logits = jnp.where(is_seen[..., None, None, :, :], logits, hidden)
    weights = jax.nn.softmax(logits, axis=-1).astype(values.dtype)
    attended = weights.reshape(*lead, j, k // j * n, s) @ values
    return jnp.swapaxes(attended.reshape(*lead, k, n, e), -2, -3)
