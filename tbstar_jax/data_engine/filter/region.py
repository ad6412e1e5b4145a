"""Which pixels an edit may change, and which must stay.

A declared mask is taken at its word. Without one, the region is estimated: the target
is laid over the source, and what still differs clearly is the region. Either way it is
dilated before anything is compared outside, because codecs smear and editors feather.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

MARGIN = 8
"""Pixels around the region, and at the image's border, that are not compared."""

TOLERANCE = 4.0
"""Difference, in levels of 255 after `smoothed`, that nobody sees."""

_CLEAR_DIFFERENCE = 16.0
"""Levels that make a pixel part of an estimated region, at least."""


def smoothed(image: UInt8[np.ndarray, "h w *c"]) -> Float[np.ndarray, "h w *c"]:
    """Blurs by a Gaussian of 1 pixel, float32 levels, so that single pixels count less.

    Args:
      image: grey or RGB.
    """
    return cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0)


def difference(
    source: UInt8[np.ndarray, "h w 3"], target: UInt8[np.ndarray, "h w 3"]
) -> Float[np.ndarray, "h w"]:
    """Returns the largest difference over the channels, after `smoothed`, in levels."""
    # The blur is linear: blurring the difference is half the work.
    delta = source.astype(np.float32) - target.astype(np.float32)
    return np.abs(cv2.GaussianBlur(delta, (0, 0), 1.0)).max(axis=2)


def grown(mask: Bool[np.ndarray, "h w"], pixels: int) -> Bool[np.ndarray, "h w"]:
    """Dilates a mask by a square of `2 * pixels + 1`."""
    if not mask.any():
        return mask
    side = 2 * pixels + 1
    return cv2.dilate(mask.view(np.uint8), np.ones((side, side), np.uint8)) > 0


def outside_of(
    region: Bool[np.ndarray, "h w"], margin: int = MARGIN
) -> Bool[np.ndarray, "h w"]:
    """Returns what is compared: `margin` away from the region and from the border."""
    outside = ~grown(region, margin)
    outside[:margin] = outside[-margin:] = False
    outside[:, :margin] = outside[:, -margin:] = False
    return outside


def estimated_region(
    source: UInt8[np.ndarray, "h w 3"], target: UInt8[np.ndarray, "h w 3"]
) -> Bool[np.ndarray, "h w"]:
    """Finds what was edited in a pair that lies on top of each other.

    A global cast or re-encoding is no region: what counts is what differs clearly more
    than most pixels of a picture of which up to two thirds were edited. Specks are
    removed.

    Args:
      source: the picture before.
      target: the picture after, already registered.
    """
    amount = difference(source, target)
    threshold = max(_CLEAR_DIFFERENCE, 3.0 * float(np.percentile(amount, 30)))
    clear = (amount > threshold).astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    solid = cv2.morphologyEx(clear, cv2.MORPH_OPEN, kernel)
    return cv2.dilate(solid, np.ones((5, 5), np.uint8)) > 0
