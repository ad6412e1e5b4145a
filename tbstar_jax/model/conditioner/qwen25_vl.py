"""The conditioner of the Qwen-Image family: Qwen2.5-VL up to its last hidden state.

    images -> vision tower --.
    prompt -> tokens --------+-> language model -> drop the template's first tokens

It stands where `ByteConditioner` stands at `tiny`: a padded sequence of context tokens
and its true lengths come out. What goes in is prepared on the host, padded to static
shapes, by `qwen25_processor.py`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import struct

from tbstar_jax.array_types import Array, Float, Int32, Tree
from tbstar_jax.model.conditioner.qwen25_config import Qwen25VLConfig
from tbstar_jax.model.conditioner.qwen25_language import LanguageModel
from tbstar_jax.model.conditioner.qwen25_vision import VisionTower
from tbstar_jax.model.layers import Shard, unsharded


@struct.dataclass
class PromptImages:
    """The images of a batch, as attention windows; on the host or on devices.

    Attributes:
      patches: normalised pixels, `[b k w p c]` float32: image k, window w, patch p.
      position_ids: (row, column) of every patch, `[b k w p 2]` int32, in patches.
      is_patch: which patches are not padding, `[b k w p]` bool.
    """

    patches: Any
    position_ids: Any
    is_patch: Any


@struct.dataclass
class PromptInputs:
    """A batch of prompts; on the host or on devices.

    Attributes:
      token_ids: `[b m]` int32, padded as a suffix.
      position_ids: (frame, row, column), `[b m 3]` int32.
      num_tokens: true lengths, `[b]` int32.
      cell_index: which cell of the example's windows stands in a token's place, -1 for
        none, `[b m]` int32.
      images: None for text alone.
      num_dropped: tokens of the template in front that are no context.
    """

    token_ids: Any
    position_ids: Any
    num_tokens: Any
    cell_index: Any
    images: PromptImages | None
    num_dropped: int = struct.field(pytree_node=False)


class Qwen25VL(nn.Module):
    """Prompts, with or without images, to context tokens."""

    config: Qwen25VLConfig
    dtype: Any = jnp.float32
    shard: Shard = unsharded

    def setup(self) -> None:
        """Makes the two towers."""
        self.visual = VisionTower(self.config.vision, self.dtype, self.shard)
        self.language_model = LanguageModel(
            self.config.language, self.dtype, self.shard
        )

    def __call__(
        self, inputs: PromptInputs
    ) -> tuple[Float[Array, "b m d"], Int32[Array, " b"]]:
        """Encodes a batch.

        Args:
          inputs: from the host.

        Returns:
          The hidden states after the last norm without the template's first tokens,
          zero where there is padding, and how many count per example.
        """
        x = self.hidden_states(inputs)[:, inputs.num_dropped :]
        num_context = inputs.num_tokens - inputs.num_dropped
        index = jnp.arange(x.shape[1], dtype=jnp.int32)
        counts = index[None] < num_context[:, None]
        return jnp.where(counts[..., None], x, jnp.zeros((), x.dtype)), num_context

    def hidden_states(self, inputs: PromptInputs) -> Float[Array, "b m d"]:
        """The hidden states after the last norm, of all tokens and of padding."""
        return self.language_model(
            inputs.token_ids,
            inputs.position_ids,
            None if inputs.images is None else self._image_tokens(inputs.images),
            inputs.cell_index,
        )

    def _image_tokens(self, images: PromptImages) -> Float[Array, "b u d"]:
        """Tokens of all cells of an example's images, side by side."""
        examples, num_images = images.is_patch.shape[:2]

        def merge(x: Array) -> Array:
            return jnp.reshape(x, (examples * num_images, *x.shape[2:]))

        tokens = self.visual(
            merge(images.patches), merge(images.position_ids), merge(images.is_patch)
        )
        return tokens.reshape(examples, -1, tokens.shape[-1])


def abstract_conditioner(config: Qwen25VLConfig) -> Tree:
    """Shapes of every parameter, float32; nothing is computed."""
    shape = (1, 1, 1, config.vision.patches_per_window)
    inputs = PromptInputs(
        token_ids=np.zeros((1, 1), np.int32),
        position_ids=np.zeros((1, 1, 3), np.int32),
        num_tokens=np.ones(1, np.int32),
        cell_index=np.zeros((1, 1), np.int32),
        images=PromptImages(
            patches=np.zeros((*shape, config.vision.patch_dim), np.float32),
            position_ids=np.zeros((*shape, 2), np.int32),
            is_patch=np.ones(shape, bool),
        ),
        num_dropped=0,
    )
    variables: Any = jax.eval_shape(Qwen25VL(config).init, jax.random.key(0), inputs)
    return dict(variables["params"])
