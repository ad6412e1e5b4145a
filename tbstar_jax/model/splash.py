"""Flash attention on TPUs: jax's splash kernel for keys that count as a prefix.

The kernel works on one device, on blocks of queries and keys. Queries and keys are
padded to whole blocks; what is padded, and the padding of the text before it, is a
segment of its own that no query sees. Across devices the caller calls it per device:
examples and heads are independent.
"""

import jax
import jax.numpy as jnp
from jax.experimental.pallas.ops.tpu import splash_attention as pallas

from tbstar_jax.array_types import Array, Float, Int32

_LANES = 128
_BLOCKS = (512, 256, _LANES)


def splash_attention(
    query: Float[Array, "b n k e"],
    key: Float[Array, "b s k e"],
    value: Float[Array, "b s k e"],
    num_keys: Int32[Array, " b"] | None,
    *,
    interpret: bool = False,
) -> Float[Array, "b n k e"]:
    """`softmax(q k^T / sqrt(e)) v` per head, on one device; see `attention`.

    Args:
      query: rotated queries.
      key: rotated keys, the ones that do not count as a suffix.
      value: values.
      num_keys: how many keys of each example count, at least one; None for all.
      interpret: run the kernel's own program on a CPU, for tests.
    """
    b, n, heads, e = query.shape
    num_all_keys = key.shape[1]
    scale = jnp.asarray(e**-0.5, query.dtype)
    q, k, v = (_head_major(x) for x in (query * scale, key, value))
    padded_n, padded_s = q.shape[2], k.shape[2]
    kernel = pallas.make_splash_mha_single_device(
        pallas.MultiHeadMask([pallas.FullMask((padded_n, padded_s))] * heads),
        block_sizes=_block_sizes(padded_n, padded_s),
        interpret=interpret,
    )
    if num_keys is None:
        num_keys = jnp.full(b, num_all_keys, jnp.int32)
    is_padding = jnp.arange(padded_s, dtype=jnp.int32)[None] >= num_keys[:, None]
    segments = pallas.SegmentIds(
        q=jnp.zeros((b, padded_n), jnp.int32), kv=is_padding.astype(jnp.int32)
    )
    attended = jax.vmap(kernel)(q, k, v, segments)
    return jnp.swapaxes(attended, 1, 2)[:, :n]


def _head_major(x: Float[Array, "b n k e"]) -> Float[Array, "b k _ e"]:
    """`[b k n e]`, tokens padded to whole lanes."""
    missing = -x.shape[1] % _LANES
    return jnp.pad(jnp.swapaxes(x, 1, 2), ((0, 0), (0, 0), (0, missing), (0, 0)))


def _block_sizes(num_queries: int, num_keys: int) -> pallas.BlockSizes:
    """The largest blocks that divide both sides, for all passes."""
    of_queries, of_keys = (
        next(block for block in _BLOCKS if count % block == 0)
        for count in (num_queries, num_keys)
    )
    return pallas.BlockSizes(
        block_q=of_queries,
        block_kv=of_keys,
        block_q_dkv=of_queries,
        block_kv_dkv=of_keys,
        block_q_dq=of_queries,
        block_kv_dq=of_keys,
    )
