"""Contexts of an instruction from Qwen2.5-VL, for models that have it as conditioner.

    instruction, photos --processor (host)--> prompts --conditioner--> contexts

The unconditional branch of guidance reads the same photos with the instruction " ", the
public pipelines' negative prompt.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt8

from tbstar_jax.array_types import Array, Tree
from tbstar_jax.inference.editor import Context
from tbstar_jax.model.conditioner.qwen25_processor import Positions, PromptProcessor
from tbstar_jax.model.conditioner.qwen25_prompt import DROPPED_INSTRUCTION
from tbstar_jax.model.conditioner.qwen25_vl import PromptInputs, Qwen25VL


class QwenReader:
    """The conditioner of one checkpoint, compiled, with its host side."""

    def __init__(
        self,
        processor: PromptProcessor,
        *,
        dtype: Any = jnp.float32,
        positions: Positions = "mrope",
    ) -> None:
        """Takes the checkpoint's processor.

        Args:
          processor: tokenizer, image processor and templates.
          dtype: of the computation.
          positions: how cells of images are counted; see `Positions`.
        """
        self._processor = processor
        self._positions = positions
        model = Qwen25VL(processor.config, dtype=dtype)

        def encode(params: Tree, inputs: PromptInputs) -> tuple[Array, Array]:
            encoded: Any = model.apply({"params": params}, inputs)
            return encoded[0], encoded[1]

        self._encode = jax.jit(encode)

    def __call__(
        self,
        params: Tree,
        instruction: str,
        photos: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        *,
        is_guided: bool,
    ) -> tuple[Context, Context | None]:
        """Reads an instruction about photos.

        Args:
          params: of the conditioner.
          instruction: what to change, or without photos what to draw.
          photos: sRGB, any size, as the prompt numbers them.
          is_guided: also read the dropped instruction.

        Returns:
          The context of the instruction and of the dropped one, each of one example.

        Raises:
          UserError: the instruction is too long, or there are too many photos.
        """
        texts = [instruction, DROPPED_INSTRUCTION] if is_guided else [instruction]
        inputs = self._processor(
            texts, [list(photos)] * len(texts), positions=self._positions
        )
        values, num_tokens = self._encode(params, inputs)
        contexts = [
            Context(values[row : row + 1], num_tokens[row : row + 1])
            for row in range(len(texts))
        ]
        return contexts[0], contexts[1] if is_guided else None
