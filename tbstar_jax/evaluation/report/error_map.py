"""Where an answer is right and where it is not, in four colours.

After PaintBench (`docs/metric.md`), with CIEDE2000 for its CIE76: every pixel is right
or wrong by its distance from the reference, which outside the edit is the source.
"""

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.metrics.color import ciede2000, srgb_to_lab

CORRECT, WRONG, KEPT, CHANGED = "#56b4e9", "#d55e00", "#ececec", "#2d1e5f"
"""Apart in lightness too, for every kind of colour vision."""

LEGEND: tuple[tuple[str, str], ...] = (
    (CORRECT, "edited as in the reference"),
    (WRONG, "in the edit, but unlike the reference"),
    (KEPT, "outside, kept"),
    (CHANGED, "outside, wrongly changed"),
)
"""Colours and what they say."""

THRESHOLD = 5.0
"""CIEDE2000 up to which two pixels are the same."""


def error_map(
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    edit_mask: Bool[np.ndarray, "h w"],
    threshold: float = THRESHOLD,
) -> UInt8[np.ndarray, "h w 3"]:
    """Paints every pixel in the colour of `LEGEND` that it belongs to.

    Args:
      reference: the right edit, sRGB; outside the mask it is the source.
      answer: sRGB.
      edit_mask: True where the instruction permits a change.
      threshold: CIEDE2000 above which a pixel is wrong.
    """
    is_wrong = np.zeros(edit_mask.shape, bool)
    differs = (reference != answer).any(axis=2)  # all others are 0 apart
    first, second = (srgb_to_lab(image[differs]) for image in (reference, answer))
    is_wrong[differs] = ciede2000(first, second) > threshold
    colors = np.array([_rgb(color) for color, _ in LEGEND], np.uint8)
    return colors[2 * ~edit_mask + is_wrong]


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue
