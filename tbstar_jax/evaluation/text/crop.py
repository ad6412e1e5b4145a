"""What a reader is shown of a known box: one fixed rule for every answer.

The box with an eighth of a line around it, resampled so that a line's ink is 40 px
high, and a border of the edge's own pixels. Without the enlargement Tesseract misses
texts that it reads without error with it; with a quarter of a line it takes the rims of
badges and bottles for dashes and bars (three times the errors on the benchmark's own
cases).
"""

import math
import unicodedata

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.text.reader import Crop
from tbstar_jax.geometry import Box

INK_HEIGHT = 40
"""Of a line of a crop, pixels."""

_MAX_SCALE, _MIN_SCALE = 6.0, 0.1
_MAX_WIDTH = 6000
_BORDER = 8
_MAX_LINES = 4
_LINE_PITCH = 1.24
"""Of the typesetting, in em squares; a line's ink takes about 0.85 of one."""
_LINE_INK = 0.85


def text_crop(
    image: UInt8[np.ndarray, "h w 3"], box: Box, text: str, language: Language | None
) -> Crop:
    """Cuts a text out.

    Args:
      image: sRGB.
      box: of the ink; what leaves the image is left out.
      text: what is expected there, for the number of lines.
      language: of the text; None for numbers.
    """
    lines = num_lines(text, box)
    line = line_height(text, box)
    window = around(image, box, max(2, round(line / 8)))
    scale = min(_MAX_SCALE, max(_MIN_SCALE, INK_HEIGHT / max(1.0, line)))
    scale = min(scale, _MAX_WIDTH / window.shape[1])
    size = (
        max(1, round(window.shape[1] * scale)),
        max(1, round(window.shape[0] * scale)),
    )
    resized = np.asarray(Image.fromarray(window).resize(size, Image.Resampling.BICUBIC))
    bordered = np.pad(resized, [(_BORDER, _BORDER)] * 2 + [(0, 0)], mode="edge")
    return Crop(image=bordered, language=language, num_lines=lines)


def around(
    image: UInt8[np.ndarray, "h w 3"], box: Box, margin: int
) -> UInt8[np.ndarray, "bh bw 3"]:
    """Returns the pixels of a box and of a margin, as far as the image goes.

    A box that lies wholly outside gives the nearest pixel.
    """
    rows, columns = image.shape[:2]
    top = min(max(0, box.top - margin), rows - 1)
    left = min(max(0, box.left - margin), columns - 1)
    bottom = max(top + 1, min(rows, box.top + box.height + margin))
    right = max(left + 1, min(columns, box.left + box.width + margin))
    return image[top:bottom, left:right]


def line_height(text: str, box: Box) -> float:
    """Returns the height of the ink of one line of a text that fills a box, pixels."""
    return box.height / (1 + (num_lines(text, box) - 1) * _LINE_PITCH / _LINE_INK)


def num_lines(text: str, box: Box) -> int:
    """Returns how many lines of a text best explain the shape of its box, 1 to 4."""
    length = sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.55 for c in text)
    shape = box.width / max(1, box.height)

    def misfit(lines: int) -> float:
        height = _LINE_INK + (lines - 1) * _LINE_PITCH
        return abs(math.log(max(length, 0.5) / lines / height / shape))

    return min(range(1, _MAX_LINES + 1), key=misfit)
