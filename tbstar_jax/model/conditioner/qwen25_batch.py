"""Prompts of different lengths and images of different sizes, padded to one shape.

The conditioner is compiled for static shapes: prompts are padded as a suffix, images to
the same number of windows, examples to the same number of images.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int32

from tbstar_jax.array_types import Grid
from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.qwen25_config import VisionConfig
from tbstar_jax.model.conditioner.qwen25_positions import (
    image_windows,
    patch_position_ids,
)
from tbstar_jax.model.conditioner.qwen25_vl import PromptImages, PromptInputs

_CONTEXT_MULTIPLE = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class PromptShape:
    """What a batch is padded to; batches of one shape share a compiled program.

    Attributes:
      num_tokens: of a prompt, those that are dropped included.
      num_images: of an example.
      num_windows: of an image; 0 without images.
    """

    num_tokens: int
    num_images: int
    num_windows: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowedImage:
    """One image, window by window.

    Attributes:
      grid: rows and columns in cells.
      patches: normalised pixels; zero in padding.
      position_ids: (row, column) in patches; zero in padding.
      is_patch: which patches are not padding.
      place: where in the windows a cell stands, as in `Windows`.
    """

    grid: Grid
    patches: Float32[np.ndarray, "w p c"]
    position_ids: Int32[np.ndarray, "w p 2"]
    is_patch: Bool[np.ndarray, "w p"]
    place: Int32[np.ndarray, " n"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenizedPrompt:
    """One example.

    Attributes:
      token_ids: one image token per cell.
      position_ids: (frame, row, column).
      is_cell: which tokens stand for a cell.
      images: in the prompt's order.
    """

    token_ids: Int32[np.ndarray, " m"]
    position_ids: Int32[np.ndarray, "m 3"]
    is_cell: Bool[np.ndarray, " m"]
    images: tuple[WindowedImage, ...]


def to_windows(
    pixels: Float32[np.ndarray, "n c"], grid: Grid, config: VisionConfig
) -> WindowedImage:
    """Lays an image out as its attention windows.

    Args:
      pixels: patches in the image processor's order.
      grid: rows and columns in cells.
      config: of the vision tower.
    """
    windows = image_windows(grid, config)
    is_cell = windows.cells >= 0

    def gather(per_cell: np.ndarray) -> np.ndarray:
        values = per_cell[np.maximum(windows.cells, 0)]  # [w, u, q, c]
        values[~is_cell] = 0
        return values.reshape(len(is_cell), config.patches_per_window, -1)

    by_cell = pixels.reshape(-1, config.patches_per_cell, config.patch_dim)
    return WindowedImage(
        grid=grid,
        patches=gather(by_cell),
        position_ids=gather(patch_position_ids(grid, config)),
        is_patch=np.repeat(is_cell, config.patches_per_cell, axis=1),
        place=windows.place,
    )


def smallest_shape(prompts: Sequence[TokenizedPrompt], num_dropped: int) -> PromptShape:
    """The shape of the largest example, its context rounded up to a multiple of 64."""
    longest = max(len(prompt.token_ids) for prompt in prompts) - num_dropped
    images = [image for prompt in prompts for image in prompt.images]
    return PromptShape(
        num_tokens=num_dropped + -(-longest // _CONTEXT_MULTIPLE) * _CONTEXT_MULTIPLE,
        num_images=max(len(prompt.images) for prompt in prompts),
        num_windows=max((len(image.patches) for image in images), default=0),
    )


def pad_prompts(
    prompts: Sequence[TokenizedPrompt],
    shape: PromptShape,
    num_dropped: int,
    config: VisionConfig,
) -> PromptInputs:
    """Stacks examples, padded to `shape`.

    Raises:
      UserError: an example does not fit the shape.
    """
    _check_room(prompts, shape)
    token_ids = np.zeros((len(prompts), shape.num_tokens), np.int32)
    position_ids = np.zeros((*token_ids.shape, 3), np.int32)
    cell_index = np.full(token_ids.shape, -1, np.int32)
    for row, prompt in enumerate(prompts):
        length = len(prompt.token_ids)
        token_ids[row, :length] = prompt.token_ids
        position_ids[row, :length] = prompt.position_ids
        cells_per_image = shape.num_windows * config.cells_per_window
        places = [k * cells_per_image + x.place for k, x in enumerate(prompt.images)]
        if places:
            cell_index[row, :length][prompt.is_cell] = np.concatenate(places)
    return PromptInputs(
        token_ids=token_ids,
        position_ids=position_ids,
        num_tokens=np.asarray([len(p.token_ids) for p in prompts], np.int32),
        cell_index=cell_index,
        images=_pad_images(prompts, shape, config) if shape.num_images else None,
        num_dropped=num_dropped,
    )


def _check_room(prompts: Sequence[TokenizedPrompt], shape: PromptShape) -> None:
    needed = smallest_shape(prompts, 0)
    for what, need, room in (
        ("tokens", max(len(p.token_ids) for p in prompts), shape.num_tokens),
        ("images", needed.num_images, shape.num_images),
        ("windows", needed.num_windows, shape.num_windows),
    ):
        if need > room:
            raise UserError(
                f"a prompt needs {need} {what}, the shape to pad to has {room}; give a "
                "larger shape"
            )


def _pad_images(
    prompts: Sequence[TokenizedPrompt], shape: PromptShape, config: VisionConfig
) -> PromptImages:
    per_image = (shape.num_windows, config.patches_per_window)
    lead = (len(prompts), shape.num_images, *per_image)
    patches = np.zeros((*lead, config.patch_dim), np.float32)
    position_ids = np.zeros((*lead, 2), np.int32)
    is_patch = np.zeros(lead, bool)
    for row, prompt in enumerate(prompts):
        for k, image in enumerate(prompt.images):
            num = len(image.patches)
            patches[row, k, :num] = image.patches
            position_ids[row, k, :num] = image.position_ids
            is_patch[row, k, :num] = image.is_patch
    return PromptImages(patches, position_ids, is_patch)
