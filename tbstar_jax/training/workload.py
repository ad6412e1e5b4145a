"""Floating-point operations of a training step, by formula.

Per block and stream, with D the width: 12 D^2 weights work on every token (query, key,
value, output, feed-forward), two FLOPs each; attention costs 4 D per query and key. The
backward pass of a frozen linear is one product more, of a trained one two; attention's
is 2.5 times its forward. Adapters, embeddings and modulation are left out (below 2 % at
every preset), as is what rematerialisation computes again: this is useful work.
"""

import math

from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.model.tokens import PATCH_SIZE


def forward_tflop(
    config: ModelConfig, num_target: int, num_source: int, num_context: int
) -> float:
    """10^12 operations of one forward pass of one example.

    Args:
      config: of the model.
      num_target: target tokens.
      num_source: source tokens, all sources together (one source assumed).
      num_context: text tokens.
    """
    linear, attention = _parts(config, num_target, num_source, num_context)
    return linear + attention


def train_step_tflop(
    config: ModelConfig,
    batch_size: int,
    num_context: int,
    *,
    is_base_trained: bool,
    has_source: bool,
) -> float:
    """10^12 operations of one optimizer step on square images of the pixel budget.

    Args:
      config: of the model.
      batch_size: examples per step over all devices.
      num_context: tokens of the padded context.
      is_base_trained: the base's weights get gradients (pretraining).
      has_source: one source of the target's size takes part.
    """
    cell = config.vae.downscale * PATCH_SIZE
    num_image = int(math.sqrt(config.pixel_budget)) ** 2 // cell**2
    linear, attention = _parts(
        config, num_image, num_image if has_source else 0, num_context
    )
    linear_passes = 3.0 if is_base_trained else 2.0
    return batch_size * (linear_passes * linear + 3.5 * attention)


def _parts(
    config: ModelConfig, num_target: int, num_source: int, num_context: int
) -> tuple[float, float]:
    transformer = config.transformer
    blocks, width = transformer.num_layers, transformer.width
    tokens = num_target + num_source + num_context
    linear = 2 * blocks * 12 * width**2 * tokens
    if transformer.source_attention == "cached":
        pairs = (num_target + num_context) * tokens + num_source**2
    else:
        pairs = tokens**2
    return linear / 1e12, 4 * blocks * width * pairs / 1e12
