"""Preview grids: one row per pair, source | target | edit | error map."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tbstar_jax.array_types import UInt8

_COLUMNS = ("source", "target", "edit", "error x4")
_MARGIN = 4
_LABEL_HEIGHT = 14
_ERROR_GAIN = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreviewRow:
    """One pair; the images may differ in size.

    Attributes:
      label: short text; only ASCII can be drawn, other characters become "?".
      source: RGB, 0..255.
      target: RGB, 0..255.
      edit: what the model made, of the target's size.
    """

    label: str
    source: UInt8[np.ndarray, "h w 3"]
    target: UInt8[np.ndarray, "y x 3"]
    edit: UInt8[np.ndarray, "y x 3"]


def error_map(
    target: UInt8[np.ndarray, "h w 3"], edit: UInt8[np.ndarray, "h w 3"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Draws the mean absolute difference of the channels, times 4, as grey.

    Black is equal; white is a difference of 64 of 255 or more.
    """
    difference = np.abs(target.astype(np.int32) - edit.astype(np.int32)).mean(axis=-1)
    grey = np.clip(difference * _ERROR_GAIN, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def preview_grid(rows: Sequence[PreviewRow]) -> UInt8[np.ndarray, "h w 3"]:
    """Draws rows under a line of column names, each row under its label.

    Args:
      rows: at least one.

    Returns:
      RGB, 0..255, on white; no image is scaled.
    """
    assert rows
    pictures = [
        (row.source, row.target, row.edit, error_map(row.target, row.edit))
        for row in rows
    ]
    widths = [max(each[i].shape[1] for each in pictures) for i in range(len(_COLUMNS))]
    heights = [max(image.shape[0] for image in each) for each in pictures]
    lefts = [_MARGIN + sum(widths[:i]) + i * _MARGIN for i in range(len(widths))]
    total_width = lefts[-1] + widths[-1] + _MARGIN
    row_height = _LABEL_HEIGHT + _MARGIN
    total_height = _LABEL_HEIGHT + sum(heights) + len(rows) * row_height + _MARGIN
    canvas = Image.new("RGB", (total_width, total_height), "white")
    draw = ImageDraw.Draw(canvas)
    for left, name in zip(lefts, _COLUMNS, strict=True):
        _write(draw, (left, 1), name)
    top = _LABEL_HEIGHT
    for row, images, height in zip(rows, pictures, heights, strict=True):
        _write(draw, (_MARGIN, top + 1), row.label)
        for left, image in zip(lefts, images, strict=True):
            canvas.paste(Image.fromarray(image), (left, top + _LABEL_HEIGHT))
        top += height + row_height
    return np.asarray(canvas)


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str) -> None:
    ascii_text = text.encode("ascii", "replace").decode()
    draw.text(place, ascii_text, fill="black", font=ImageFont.load_default(size=10))
