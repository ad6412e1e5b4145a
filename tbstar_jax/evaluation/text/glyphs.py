"""Comparing drawings of a text in a known box: needs no OCR, reads no characters.

The fallback where no reader is installed, and the measure of removals.
"""

import math

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from tbstar_jax.evaluation.cases.draft import box_of
from tbstar_jax.evaluation.text.ink import (
    MARGIN,
    MIN_CONTRAST,
    Ink,
    find_ink,
    window_of,
)
from tbstar_jax.geometry import Box
from tbstar_jax.metrics.color import ciede2000

MAX_SHIFT = 2
"""Pixels by which an answer's text may lie elsewhere, each way."""

SHIFT_PENALTY = 0.02
"""Of the overlap, per pixel of displacement."""

_FINE = 48
"""Pixels of height to which small boxes are enlarged before they are compared."""
_MIN_ENLARGEMENT, _MAX_ENLARGEMENT = 2, 4
"""At least 2, so that half a pixel of displacement is a step of the search."""

_NO_ENERGY = 1e-12
_FAINT = 0.25
"""Of the reference's contrast: fainter ink is a trace, not a text."""


def glyph_overlap(
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    box: Box,
    place: Box | None = None,
) -> float:
    """Returns the intersection over union of the ink of two pictures, in [0, 1].

    The colour of ink and ground does not count, nor (much) a displacement of up to
    `MAX_SHIFT` pixels: the best place is taken, `SHIFT_PENALTY` per pixel taken off.

    Args:
      reference: what the text should look like.
      answer: the edit.
      box: of the ink.
      place: where the answer has it, brought to the size of `box` before they are
        compared; `box` by default.

    Returns:
      1 for the reference itself; 0 without ink; NaN where the reference has none.
    """
    expected = find_ink(window_of(reference, box))
    if expected is None:
        return math.nan
    found = find_ink(
        window_of(answer, place or box), max(MIN_CONTRAST, _FAINT * expected.contrast)
    )
    if found is None:
        return 0.0
    return _best_overlap(expected.coverage, _sized(found.coverage, box))


def solid_overlap(reference: UInt8[np.ndarray, "h w 3"], box: Box) -> float:
    """Returns the `glyph_overlap` of a text with a bar drawn over it, in [0, 1].

    The share of ink in its own box: what no reading of the letters is needed for.
    NaN where the reference has no ink.
    """
    ink = find_ink(window_of(reference, box))
    own = None if ink is None else box_of(ink.mask)
    return (
        math.nan if ink is None or own is None else float(ink.mask[own.slices].mean())
    )


def ink_left(
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    box: Box,
) -> float:
    """Returns how much of a text's contrast is left after it was to be taken away.

    The regression of what the answer adds to the reference on what the source has
    there, both without their means: a new ground of even colour is no ink.

    Returns:
      1 for the source, 0 for the reference, at least 0; above 1 when it was drawn
      stronger. NaN where source and reference are equal.
    """
    pattern, rest = _changes(source, reference, answer, box)
    energy = float(np.sum(pattern**2))
    if energy <= _NO_ENERGY:
        return math.nan
    return max(0.0, float(np.sum(pattern * rest)) / energy)


def structure_left(
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    box: Box,
) -> float:
    """Returns the energy of what is drawn where a text was to be taken away.

    Of whatever the answer adds to the reference, over that of the old text: sees
    another text in its place, too.

    Returns:
      1 for the source, 0 for the reference, at least 0; NaN where they are equal.
    """
    pattern, rest = _changes(source, reference, answer, box)
    energy = float(np.sum(pattern**2))
    return float(np.sum(rest**2)) / energy if energy > _NO_ENERGY else math.nan


def ink_color_error(
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    box: Box,
    place: Box | None = None,
) -> float:
    """Returns CIEDE2000 between the mean colours of the ink; NaN without ink.

    Arguments as of `glyph_overlap`.
    """
    expected, found = _inks(reference, answer, box, place)
    if expected is None or found is None:
        return math.nan
    return float(ciede2000(expected.color, found.color))


def ink_height_ratio(
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    box: Box,
    place: Box | None = None,
) -> float:
    """Returns the answer's height of ink over the reference's; NaN without ink.

    At most what the box and its margin can show. Arguments as of `glyph_overlap`.
    """
    expected, found = _inks(reference, answer, box, place)
    if expected is None or found is None:
        return math.nan
    return found.height / expected.height


def _changes(
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    box: Box,
) -> tuple[Float[np.ndarray, "wh ww 3"], Float[np.ndarray, "wh ww 3"]]:
    """What source and answer have more than the reference, without their means."""
    new = window_of(reference, box)
    changes = (window_of(image, box) - new for image in (source, answer))
    pattern, rest = (change - change.mean(axis=(0, 1)) for change in changes)
    return pattern, rest


def _inks(
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    box: Box,
    place: Box | None,
) -> tuple[Ink | None, Ink | None]:
    return (
        find_ink(window_of(reference, box)),
        find_ink(window_of(answer, place or box)),
    )


def _sized(coverage: Float[np.ndarray, "h w"], box: Box) -> Float[np.ndarray, "wh ww"]:
    """The coverage of a window in the size of another box's; as it is in its own."""
    inner = coverage[MARGIN:-MARGIN, MARGIN:-MARGIN]
    if inner.shape == (box.height, box.width):
        return coverage
    image = Image.fromarray(inner.astype(np.float32))
    resized = image.resize((box.width, box.height), Image.Resampling.BICUBIC)
    return np.pad(np.clip(np.asarray(resized, np.float64), 0.0, 1.0), MARGIN)


def _best_overlap(
    expected: Float[np.ndarray, "h w"], found: Float[np.ndarray, "h w"]
) -> float:
    scale = min(
        _MAX_ENLARGEMENT,
        max(_MIN_ENLARGEMENT, math.ceil(_FINE / expected.shape[0])),
    )
    first, second = (_enlarged(coverage, scale) for coverage in (expected, found))
    reach = MAX_SHIFT * scale
    padded = np.pad(second, reach)
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    best = 0.0
    for row in range(2 * reach + 1):
        for column in range(2 * reach + 1):
            moved = padded[row : row + first.shape[0], column : column + first.shape[1]]
            common = int(np.count_nonzero(first & moved))
            pixels = math.hypot(row - reach, column - reach) / scale
            overlap = common / (total - common) * (1.0 - SHIFT_PENALTY * pixels)
            best = max(best, overlap)
    return best


def _enlarged(
    coverage: Float[np.ndarray, "h w"], scale: int
) -> Bool[np.ndarray, "fh fw"]:
    size = (coverage.shape[1] * scale, coverage.shape[0] * scale)
    image = Image.fromarray(coverage.astype(np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC)) > 0.5
