"""Instructions and photos to `PromptInputs`: the host side of the conditioner.

Tokenizer and image processor are those of transformers, imported here alone; the image
processor is the PIL one, so that neither torch nor torchvision is needed.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float32, Int32, UInt8
from PIL import Image

from tbstar_jax.array_types import Grid
from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.qwen25_batch import (
    PromptShape,
    TokenizedPrompt,
    WindowedImage,
    pad_prompts,
    smallest_shape,
    to_windows,
)
from tbstar_jax.model.conditioner.qwen25_config import Qwen25VLConfig
from tbstar_jax.model.conditioner.qwen25_positions import prompt_position_ids
from tbstar_jax.model.conditioner.qwen25_prompt import (
    IMAGE_MARK,
    TEXT_TO_IMAGE,
    PromptTemplate,
    picture_size,
    template_of,
)
from tbstar_jax.model.conditioner.qwen25_vl import PromptInputs

Positions: TypeAlias = Literal["mrope", "sequential"]
"""`mrope` is what the model was trained with. `sequential` counts the cells of images
like text: what diffusers 0.42 computes on transformers 5, because its edit pipelines do
not pass on which tokens are images. For comparisons with them only."""

# The public checkpoints' processor settings, for a folder that has no processor.
_MIN_PIXELS, _MAX_PIXELS = 56 * 56, 12_845_056


class PromptProcessor:
    """Tokenizer, image processor and templates of one checkpoint."""

    def __init__(
        self,
        config: Qwen25VLConfig,
        tokenizer: Callable[..., Any],
        image_processor: Callable[..., Any],
    ) -> None:
        """Checks the tokenizer against the templates and logs what differs.

        Args:
          config: of the conditioner.
          tokenizer: a transformers tokenizer with Qwen's special tokens.
          image_processor: a `Qwen2VLImageProcessorPil`.

        Raises:
          UserError: the tokenizer lacks the image token or has another id for it.
        """
        self.config = config
        self._tokenizer = tokenizer
        self._image_processor = image_processor
        marks = self._tokens(IMAGE_MARK).tolist()
        if marks != [config.image_token_id]:
            raise UserError(
                f"the tokenizer turns {IMAGE_MARK} into {marks}, the model expects "
                f"[{config.image_token_id}]; use the tokenizer of this checkpoint"
            )
        for template in (TEXT_TO_IMAGE, template_of(config, has_sources=True)):
            self._check_template(template)

    @classmethod
    def from_folder(cls, folder: Path, config: Qwen25VLConfig) -> "PromptProcessor":
        """Loads tokenizer and image processor of a local checkpoint.

        Args:
          folder: of a diffusers checkpoint, with `tokenizer/` and, for checkpoints that
            edit, `processor/`; without the latter the public settings are used.
          config: of the conditioner.

        Raises:
          UserError: there is no tokenizer, or it cannot be read.
        """
        from transformers import AutoTokenizer, Qwen2VLImageProcessorPil

        tokenizer_folder = folder / "tokenizer"
        if not tokenizer_folder.is_dir():
            raise UserError(
                f"{folder} has no tokenizer/ folder; copy it from the checkpoint"
            )
        try:
            tokenizer = AutoTokenizer.from_pretrained(
                tokenizer_folder, local_files_only=True
            )
            if (folder / "processor").is_dir():
                image_processor = Qwen2VLImageProcessorPil.from_pretrained(
                    folder / "processor", local_files_only=True
                )
            else:
                image_processor = Qwen2VLImageProcessorPil(
                    size={"shortest_edge": _MIN_PIXELS, "longest_edge": _MAX_PIXELS}
                )
        except (OSError, ValueError) as error:
            raise UserError(
                f"tokenizer or processor in {folder} cannot be read: {error}"
            ) from error
        return cls(config, tokenizer, image_processor)

    def __call__(
        self,
        instructions: Sequence[str],
        sources: Sequence[Sequence[UInt8[np.ndarray, "_ _ 3"]]],
        *,
        shape: PromptShape | None = None,
        positions: Positions = "mrope",
    ) -> PromptInputs:
        """Prepares a batch.

        Args:
          instructions: one per example; " " is the public pipelines' dropped one.
          sources: RGB photos of every example, any size; all examples have some or none
            has.
          shape: what to pad to; None pads to the largest example, the context rounded
            up to a multiple of 64 tokens.
          positions: how cells of images are counted.

        Returns:
          What `Qwen25VL` reads.

        Raises:
          UserError: an instruction too long, too many sources, or a shape too small.
        """
        has_sources = any(len(photos) for photos in sources)
        if has_sources and not all(len(photos) for photos in sources):
            raise UserError(
                "examples with and without source images cannot share a batch: their "
                "prompts differ; make two batches"
            )
        template = template_of(self.config, has_sources=has_sources)
        prompts = [
            self._prompt(template, instruction, photos, positions)
            for instruction, photos in zip(instructions, sources, strict=True)
        ]
        num_dropped = template.num_dropped
        if shape is None:
            shape = smallest_shape(prompts, num_dropped)
        return pad_prompts(prompts, shape, num_dropped, self.config.vision)

    def pixel_values(
        self, image: UInt8[np.ndarray, "h w 3"], area: int
    ) -> tuple[Float32[np.ndarray, "n c"], Grid]:
        """Normalised patches of one photo, and its grid in cells.

        The photo is resized to about `area` pixels (Lanczos), then by the image
        processor to whole cells (bicubic), as in the public pipelines.
        """
        height, width = image.shape[:2]
        height, width = picture_size(height, width, area)
        resized = Image.fromarray(image).resize(
            (width, height), Image.Resampling.LANCZOS
        )
        features = self._image_processor(images=[resized], return_tensors="np")
        _, rows, columns = features["image_grid_thw"][0].tolist()
        merge = self.config.vision.spatial_merge_size
        return features["pixel_values"], (rows // merge, columns // merge)

    def _tokens(self, text: str) -> Int32[np.ndarray, " m"]:
        return np.asarray(self._tokenizer(text)["input_ids"], np.int32)

    def _check_template(self, template: PromptTemplate) -> None:
        num_tokens = len(self._tokens(template.before))
        if num_tokens != template.num_dropped:
            logging.getLogger(__name__).warning(
                "this tokenizer turns the template's beginning into %d tokens, the "
                "public one into %d, which is how many are dropped: the context begins "
                "%s",
                num_tokens,
                template.num_dropped,
                "inside the template"
                if num_tokens > template.num_dropped
                else "inside the instruction",
            )

    def _prompt(
        self,
        template: PromptTemplate,
        instruction: str,
        photos: Sequence[np.ndarray],
        positions: Positions,
    ) -> TokenizedPrompt:
        """Tokens, positions and windows of one example."""
        tokens = self._tokens(template.render(instruction, len(photos)))
        limit = self.config.max_instruction_tokens + template.num_dropped
        if len(tokens) > limit:
            raise UserError(
                f"the prompt has {len(tokens) - template.num_dropped} tokens, this "
                f"conditioner takes at most {self.config.max_instruction_tokens}; "
                "shorten the instruction"
            )
        if tokens.max() >= self.config.language.vocab_size:
            raise UserError(
                f"the tokenizer has an id {tokens.max()}, the model's vocabulary ends "
                f"at {self.config.language.vocab_size}; use this checkpoint's tokenizer"
            )
        images = tuple(self._image(photo, template.picture_area) for photo in photos)
        repeats = np.ones(len(tokens), np.int64)
        marks = tokens == self.config.image_token_id
        repeats[marks] = [len(image.place) for image in images]
        tokens, is_cell = np.repeat(tokens, repeats), np.repeat(marks, repeats)
        match positions:
            case "mrope":
                ids = prompt_position_ids(is_cell, tuple(x.grid for x in images))
            case "sequential":
                index = np.arange(len(tokens), dtype=np.int32)
                ids = np.repeat(index[:, None], 3, axis=1)
        return TokenizedPrompt(
            token_ids=tokens, position_ids=ids, is_cell=is_cell, images=images
        )

    def _image(self, photo: np.ndarray, area: int) -> WindowedImage:
        return to_windows(*self.pixel_values(photo, area), self.config.vision)
