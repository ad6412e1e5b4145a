"""The soft edge of a product: alpha that follows the photo, and colours without it.

`soften` turns a hard mask into alpha that follows the photo's edges (guided filter, He
et al., 2010); `foreground_colors` removes the old background from the soft pixels (blur
fusion, Forte, 2021).
"""

import cv2
import numpy as np

from tbstar_jax.array_types import Bool, Float, UInt8
from tbstar_jax.data_engine.construct.classical.regions import (
    bounding_box,
    grown,
    shrunk_within,
)


def soften(
    image: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], band: int
) -> Float[np.ndarray, "h w"]:
    """Turns a hard mask into alpha that follows the photo's edges.

    Args:
      image: the photo.
      mask: the product, correct up to `band` pixels.
      band: pixels on both sides of the mask's border whose alpha is estimated.

    Returns:
      Alpha in [0, 1]: 1 deep inside, 0 far outside.
    """
    inside, outside = shrunk_within(mask, band), ~grown(mask, band)
    if not (~inside & ~outside).any():
        return mask.astype(np.float64)
    window = 2 * band + 1
    # Only the band is estimated; the filter sees two windows beyond it.
    box = bounding_box(~inside & ~outside, margin=2 * window)
    estimate = mask.astype(np.float64)
    estimate[box.slices] = _guided(
        image[box.slices].astype(np.float64) / 255, estimate[box.slices], window, 1e-4
    )
    # The filter leaves a haze; what is nearly kept or nearly gone is so altogether.
    estimate = np.clip((estimate - 0.12) / 0.76, 0.0, 1.0)
    estimate[inside] = 1.0
    estimate[outside] = 0.0
    return estimate


def foreground_colors(
    image: UInt8[np.ndarray, "h w 3"], alpha: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w 3"]:
    """Estimates the product's own colour where it is mixed with the background.

    Returns:
      Colours in [0, 1]; the photo's own where alpha is 1.
    """
    picture = image.astype(np.float64) / 255
    share = alpha[:, :, None]
    front, back = picture, picture
    radius = max(8, min(image.shape[:2]) // 8)
    for window in (2 * radius + 1, 7):
        front_weight = cv2.blur(alpha, (window, window))[:, :, None]
        front_mean = cv2.blur(front * share, (window, window))
        front_mean /= np.maximum(front_weight, 1e-5)
        back_mean = cv2.blur(back * (1 - share), (window, window))
        back_mean /= np.maximum(1 - front_weight, 1e-5)
        rest = picture - share * front_mean - (1 - share) * back_mean
        front = np.clip(front_mean + share * rest, 0.0, 1.0)
        back = np.clip(back_mean, 0.0, 1.0)
    return np.where(share >= 1, picture, front)


def _guided(
    guide: Float[np.ndarray, "h w 3"],
    values: Float[np.ndarray, "h w"],
    window: int,
    smoothness: float,
) -> Float[np.ndarray, "h w"]:
    """The guided filter with a colour guide."""

    def mean(array: Float[np.ndarray, "h w *c"]) -> Float[np.ndarray, "h w *c"]:
        return cv2.blur(array, (window, window), borderType=cv2.BORDER_REFLECT)

    guide_mean, value_mean = mean(guide), mean(values)
    together = mean(guide * values[:, :, None]) - guide_mean * value_mean[:, :, None]
    products = guide[:, :, :, None] * guide[:, :, None, :]
    variance = mean(products.reshape(*values.shape, 9)).reshape(*values.shape, 3, 3)
    variance = variance - guide_mean[:, :, :, None] * guide_mean[:, :, None, :]
    variance += smoothness * np.eye(3)
    # Elsewhere the mask is flat around the pixel, and so is the answer.
    varies = np.abs(together).max(axis=2) > 0
    slope = np.zeros_like(guide)
    slope[varies] = np.linalg.solve(variance[varies], together[varies][:, :, None])[
        :, :, 0
    ]
    offset = value_mean - (slope * guide_mean).sum(axis=2)
    return (mean(slope) * guide).sum(axis=2) + mean(offset)
