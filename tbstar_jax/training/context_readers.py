"""Instructions and photos to contexts, by batches: one reader per conditioner."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tbstar_jax.array_types import Array, Float, Tree, UInt8
from tbstar_jax.geometry import to_model
from tbstar_jax.input_pipeline.buckets import plan_image
from tbstar_jax.model.conditioner.byte import (
    ByteConditioner,
    ByteConditionerConfig,
    tokenize,
)
from tbstar_jax.model.conditioner.qwen25_processor import PromptProcessor
from tbstar_jax.model.conditioner.qwen25_prompt import DROPPED_INSTRUCTION
from tbstar_jax.model.conditioner.qwen25_vl import PromptInputs, Qwen25VL
from tbstar_jax.training.objective import to_unit


def to_canvas(
    image: UInt8[np.ndarray, "h w 3"], pixel_budget: int
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Pads an image to whole tokens, as training does."""
    return to_model(image, plan_image(image.shape[:2], pixel_budget))


class ByteReader:
    """The byte-level conditioner, in float32. It sees source 1 alone."""

    def __init__(
        self, config: ByteConditionerConfig, parameters: Tree, pixel_budget: int
    ) -> None:
        self._config, self._pixel_budget = config, pixel_budget
        self._parameters = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, jnp.float32), parameters
        )
        self._apply = jax.jit(self._encode)

    def __call__(
        self,
        texts: Sequence[str],
        photos: Sequence[Sequence[UInt8[np.ndarray, "_ _ 3"]]],
    ) -> list[Float[np.ndarray, "_ d"]]:
        """The context of every text; all photos have one size, or there are none."""
        ids = np.zeros((len(texts), self._config.max_tokens), np.int32)
        lengths = np.zeros(len(texts), np.int32)
        for row, text in enumerate(texts):
            tokens = tokenize(text, self._config)
            ids[row, : len(tokens)] = tokens
            lengths[row] = len(tokens)
        images = None
        if photos[0]:
            seen = [to_canvas(sources[0], self._pixel_budget) for sources in photos]
            images = np.stack(seen)
        values, counts = self._apply(self._parameters, ids, lengths, images)
        return _cut(values, counts)

    def _encode(
        self, parameters: Tree, ids: Array, lengths: Array, images: Array | None
    ) -> Any:
        return ByteConditioner(self._config).apply(
            {"params": parameters},
            ids,
            lengths,
            None if images is None else to_unit(images),
            jnp.full(ids.shape[0], images is not None),
        )


class QwenReader:
    """Qwen2.5-VL, in the dtype its weights are stored in. It sees every source."""

    def __init__(self, processor: PromptProcessor, parameters: Tree) -> None:
        self._processor = processor
        self._parameters = jax.tree.map(jnp.asarray, parameters)
        model = Qwen25VL(
            processor.config, dtype=jax.tree.leaves(self._parameters)[0].dtype
        )

        def encode(parameters: Tree, inputs: PromptInputs) -> Any:
            return model.apply({"params": parameters}, inputs)

        self._apply = jax.jit(encode)

    def __call__(
        self,
        texts: Sequence[str],
        photos: Sequence[Sequence[UInt8[np.ndarray, "_ _ 3"]]],
    ) -> list[Float[np.ndarray, "_ d"]]:
        """The context of every text; the empty one is the public pipelines'."""
        inputs = self._processor(
            [text or DROPPED_INSTRUCTION for text in texts], photos
        )
        values, counts = self._apply(self._parameters, inputs)
        return _cut(values, counts)


def _cut(values: Array, counts: Array) -> list[Float[np.ndarray, "_ d"]]:
    """The valid tokens of every example, float32."""
    found = zip(np.asarray(values, np.float32), np.asarray(counts), strict=True)
    return [context[:count] for context, count in found]
