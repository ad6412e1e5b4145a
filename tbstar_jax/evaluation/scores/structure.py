"""What an answer lost of the photo's structure, however pale it was.

A mean colour difference hardly sees a pale print, an embossing or a fine seam that
vanished: by itself each pixel changes little. Seen against its own surroundings all of
it is gone. With s and a the fine structure of source and answer (L* less the mean
around a pixel, both lightly smoothed) and means over a tile of the kept region,

    lost = clip((<s s> - <s a>) / (<s s> + t^2), 0, 1)

is the share of the structure that the answer does not show, 0 where there was none.
Noise, new structure and another colour cost little; less contrast costs its share.
"""

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from tbstar_jax.metrics.similarity import tile_means

_SIGMA = 1.0
"""Of the smoothing, pixels: below it JPEG, noise and resampling are at work."""
_LEAST_AROUND, _AROUND_SHARE = 13, 1 / 20
"""Side of the box whose mean is taken off: pixels, and share of the longer side."""
_FAINT = 0.5
"""L*: t, the structure of which half can be lost."""


def structure_lost(
    source: Float[np.ndarray, "h w"],
    edited: Float[np.ndarray, "h w"],
    mask: Bool[np.ndarray, "h w"],
    side: int,
) -> float:
    """Returns the share of structure that is lost in the worst tile, in [0, 1].

    Args:
      source: L* in [0, 100].
      edited: the same of the answer, laid over the source.
      mask: the pixels to count; nothing outside is seen.
      side: of a tile, pixels.

    Returns:
      0 where the counted pixels are equal; NaN where no tile counts a quarter of its
      pixels.
    """
    fine, other = (_fine(light, mask) for light in (source, edited))
    power, missing = fine**2, fine * (fine - other)
    means = tile_means(np.stack([power, missing]), np.stack([mask, mask]), side)
    share = np.clip(means[1] / (means[0] + _FAINT**2), 0.0, 1.0)
    known = share[~np.isnan(share)]
    return float(known.max()) if known.size else math.nan


def _fine(
    light: Float[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """Structure finer than the box, of the counted pixels alone."""
    box = max(_LEAST_AROUND, round(_AROUND_SHARE * max(mask.shape)) | 1)
    values, counted = np.where(mask, light, 0.0), mask.astype(float)

    def smooth(plane: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
        return ndimage.gaussian_filter(plane, _SIGMA, truncate=3.0)

    def around(plane: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
        return ndimage.uniform_filter(plane, box)

    means = [f(values) / np.maximum(f(counted), 1e-6) for f in (smooth, around)]
    return np.where(mask, means[0] - means[1], 0.0)
