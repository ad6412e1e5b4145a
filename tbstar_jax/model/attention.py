"""Scaled dot-product attention with a key length in place of a mask.

Keys are laid out [target, sources, text] with the text's padding as a suffix, so one
length per example says which keys count, and no tokens x tokens mask exists.
"""

from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from tbstar_jax.array_types import Array, Float, Int32
from tbstar_jax.model.splash import splash_attention

AttentionKernel: TypeAlias = Literal["xla", "cudnn", "splash"]
"""`xla` runs everywhere; flash attention are `cudnn` on NVIDIA GPUs, bfloat16 only, and
`splash` on TPUs, on one device: see `Shard.per_device`."""


def attention(
    query: Float[Array, "b n k e"],
    key: Float[Array, "b s k e"],
    value: Float[Array, "b s k e"],
    num_keys: Int32[Array, " b"] | None,
    kernel: AttentionKernel,
) -> Float[Array, "b n k e"]:
    """`softmax(q k^T / sqrt(e)) v` per head.

    Args:
      query: rotated queries.
      key: rotated keys, the ones that do not count as a suffix.
      value: values.
      num_keys: how many keys of each example count; None for all.
      kernel: the implementation.

    Returns:
      The attended values in the dtype of `query`; the softmax is float32.
    """
    if kernel == "cudnn":
        return jax.nn.dot_product_attention(
            query,
            key,
            value,
            key_value_seq_lengths=num_keys,
            implementation="cudnn",
        )
    if kernel == "splash":
        return splash_attention(query, key, value, num_keys)
    # Head-major products: 2 to 3 times faster on CPU than the token-major einsum.
    q, k, v = (jnp.swapaxes(x, 1, 2) for x in (query, key, value))  # [b k n e]
    scale = np.float32(query.shape[-1] ** -0.5)
    logits = jnp.einsum("bkne,bkse->bkns", q, k, preferred_element_type=jnp.float32)
    logits = logits * scale
    if num_keys is not None:
        counts = jnp.arange(key.shape[1], dtype=jnp.int32)[None] < num_keys[:, None]
        logits = jnp.where(counts[:, None, None], logits, np.float32(-np.inf))
    weights = jax.nn.softmax(logits, axis=-1).astype(v.dtype)
    return jnp.swapaxes(jnp.einsum("bkns,bkse->bkne", weights, v), 1, 2)
