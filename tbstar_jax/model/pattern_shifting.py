"""Pattern-shifting modules: what stage 1 adds to turn a generator into an editor.

Low-rank adapters on the linears of both streams,

    y = x W + b + (alpha / rank) (x A) B,

and a learned vector per source image that marks its tokens as a source. `B` and the
vectors start at zero, so the modules at initialisation change nothing. The paper names
these modules and leaves their form open; this form is ours (docs/design.md).

In float32 the product is computed as `x (W + (alpha / rank) A B)`: one matrix product
per linear, the program around it the same with adapters and without, so that modules at
initialisation change no bit. In bfloat16 that sum would round small updates away, and
the form above is computed.
"""

import dataclasses
import functools
from typing import TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen import initializers

from tbstar_jax.array_types import Array, Float

COLLECTION = "pattern_shifting"

IMAGE_LINEARS = ("to_q", "to_k", "to_v", "to_out", "img_mlp_in", "img_mlp_out")
TEXT_LINEARS = (
    "add_q_proj",
    "add_k_proj",
    "add_v_proj",
    "to_add_out",
    "txt_mlp_in",
    "txt_mlp_out",
)
MODULATION_LINEARS = ("img_mod", "txt_mod")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """Low-rank adapters of one collection.

    Attributes:
      rank: inner width of every adapter.
      alpha: the update is scaled by `alpha / rank`.
      targets: names of the adapted linears.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raises ValueError for a rank below 1 or an unknown or repeated target."""
        known = IMAGE_LINEARS + TEXT_LINEARS + MODULATION_LINEARS
        unknown = sorted(set(self.targets) - set(known))
        if self.rank < 1:
            raise ValueError(f"adapter rank must be at least 1, got {self.rank}")
        if unknown or len(set(self.targets)) != len(self.targets):
            raise ValueError(
                f"adapter targets must be distinct names of {', '.join(known)}; "
                f"got {', '.join(self.targets)}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatternShiftingConfig(AdapterConfig):
    """Stage-1 modules.

    Attributes:
      num_source_embeddings: how many sources have an embedding of their own; 0 leaves
        the source embedding out.
    """

    num_source_embeddings: int


Adapter: TypeAlias = tuple[Array, Array]
"""`A` `[d, rank]` and `B` `[rank, f]` of one adapter."""


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def merged_product(
    scales: tuple[float, ...],
    x: Float[Array, "*b d"],
    kernel: Float[Array, "d f"],
    adapters: tuple[Adapter, ...],
) -> Float[Array, "*b f"]:
    """`x (W + sum_i scale_i A_i B_i)`, with adapter gradients of low rank.

    Plain differentiation would form the gradient of the merged kernel, `d x f` numbers
    and as many FLOPs as training the base; the rule below never does.

    Args:
      scales: `alpha / rank` of every adapter.
      x: the linear's input.
      kernel: the base's.
      adapters: on top of it.
    """
    return x @ _merge(scales, kernel, adapters)


def _merge(
    scales: tuple[float, ...], kernel: Array, adapters: tuple[Adapter, ...]
) -> Array:
    for scale, (lora_a, lora_b) in zip(scales, adapters, strict=True):
        update = (lora_a @ lora_b) * jnp.asarray(scale, kernel.dtype)
        kernel = kernel + update.astype(kernel.dtype)
    return kernel


def _merged_forward(
    scales: tuple[float, ...], x: Array, kernel: Array, adapters: tuple[Adapter, ...]
) -> tuple[Array, tuple[Array, Array, tuple[Adapter, ...]]]:
    return merged_product(scales, x, kernel, adapters), (x, kernel, adapters)


def _merged_backward(
    scales: tuple[float, ...],
    residuals: tuple[Array, Array, tuple[Adapter, ...]],
    dy: Array,
) -> tuple[Array, Array, tuple[Adapter, ...]]:
    x, kernel, adapters = residuals
    dx = dy @ _merge(scales, kernel, adapters).T
    rows, drows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    # The base's own gradient is dead code where the base is frozen.
    dkernel = rows.T @ drows
    gradients = []
    for scale, (lora_a, lora_b) in zip(scales, adapters, strict=True):
        factor = jnp.asarray(scale, dy.dtype)
        da = rows.T @ (drows @ lora_b.T) * factor
        db = (rows @ lora_a).T @ drows * factor
        gradients.append((da, db))
    return dx, dkernel, tuple(gradients)


merged_product.defvjp(_merged_forward, _merged_backward)


def adapter_of(
    module: nn.Module,
    collection: str,
    config: AdapterConfig,
    width: int,
    features: int,
) -> Adapter | None:
    """The adapter of one linear, or None when its collection is not passed.

    The leaves `<collection>/.../lora_a` `[width, rank]` (uniform within
    `1/sqrt(width)`) and `lora_b` `[rank, features]` (zero) live in the scope of
    `module`. Both may be passed with a leading dimension `g`, one copy for each of `g`
    groups of consecutive examples; see `data_parallel_copies` in
    `parallel/sharding.py`.

    Args:
      module: the linear that owns the adapter, inside its call.
      collection: `pattern_shifting` or `consistency`.
      config: rank and scale.
      width: of the linear's input.
      features: width of the linear's output.
    """
    if not (module.has_variable(collection, "lora_a") or module.is_initializing()):
        return None
    uniform = initializers.variance_scaling(1 / 3, "fan_in", "uniform")
    lora_a = module.variable(
        collection,
        "lora_a",
        lambda: uniform(module.make_rng(collection), (width, config.rank), jnp.float32),
    ).value
    lora_b = module.variable(
        collection, "lora_b", jnp.zeros, (config.rank, features), jnp.float32
    ).value
    return lora_a, lora_b


def low_rank_update(
    x: Float[Array, "*b d"], adapter: Adapter, scale: float
) -> Float[Array, "*b f"]:
    """`scale (x A) B` in the dtype of `x`."""
    lora_a, lora_b = adapter
    hidden = _multiply(x, lora_a.astype(x.dtype))
    return _multiply(hidden, lora_b.astype(x.dtype)) * jnp.asarray(scale, x.dtype)


def _multiply(x: Float[Array, "*b d"], kernel: Float[Array, "*g d f"]) -> Array:
    """`x @ kernel`, with a kernel of its own for each group of examples if it has one.

    What all examples share (a batch of one) takes the first copy.
    """
    if kernel.ndim == 2:
        return x @ kernel
    if x.shape[0] == 1:
        return x @ kernel[0]
    grouped = x.reshape(kernel.shape[0], -1, *x.shape[1:])
    y = jnp.einsum("g...d,gdf->g...f", grouped, kernel)
    return y.reshape(*x.shape[:-1], kernel.shape[-1])
