"""The edit region, found without training, for checkpoints that have no keep gate.

    decoded edit, autoencoder's round trip of the source
      -> both blurred, CIEDE2000 between them
      -> hysteresis: pixels above `grow` that hang together with one above `seed`
      -> closing, so that a region has no small holes and gaps
      -> a margin around it

The round trip stands for the source: what the autoencoder loses is no edit. Lengths are
in pixels of the model's image, for they follow from the autoencoder's reach.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.geometry import erode
from tbstar_jax.metrics.color import ciede2000, srgb_to_lab


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegionConfig:
    """How differences become a region.

    Attributes:
      blur_px: standard deviation of the blur, in pixels.
      seed: CIEDE2000 that makes a pixel an edit by itself.
      grow: CIEDE2000 that makes a pixel an edit beside one.
      closing_px: half the width of the gaps that are closed.
      margin_px: that is added all around; the composite fades inside the region.
    """

    blur_px: float = 1.0
    seed: float = 8.0
    grow: float = 4.0
    closing_px: int = 2
    margin_px: int = 2


def estimate_region(
    edited: UInt8[np.ndarray, "h w 3"],
    round_trip: UInt8[np.ndarray, "h w 3"],
    config: RegionConfig | None = None,
) -> UInt8[np.ndarray, "h w"]:
    """Masks what an edit changed.

    Args:
      edited: the decoded edit, sRGB, before any compositing.
      round_trip: the source through the autoencoder, of the same size.
      config: thresholds; None is the default.

    Returns:
      255 where the images differ by more than the model's noise, else 0.
    """
    config = RegionConfig() if config is None else config
    difference = ciede2000(
        srgb_to_lab(_blurred(edited, config.blur_px)),
        srgb_to_lab(_blurred(round_trip, config.blur_px)),
    )
    values = np.asarray(difference)
    region = _grown(values > config.seed, values > config.grow)
    region = erode(_dilated(region, config.closing_px), config.closing_px)
    region = _dilated(region, config.margin_px)
    return np.where(region, 255, 0).astype(np.uint8)


def _blurred(
    image: UInt8[np.ndarray, "h w 3"], deviation: float
) -> Float[np.ndarray, "h w 3"]:
    """A Gaussian blur, in [0, 1]; beyond the border the edge goes on."""
    reach = math.ceil(3 * deviation)
    offsets = np.arange(-reach, reach + 1, dtype=np.float64)
    weights = np.exp(-0.5 * (offsets / deviation) ** 2)
    weights /= weights.sum()
    values = image / 255.0
    for axis in (0, 1):
        length = values.shape[axis]
        border = [(reach, reach) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(values, border, mode="edge")
        values = sum(
            weight * padded.take(range(start, start + length), axis=axis)
            for start, weight in enumerate(weights.tolist())
        )
    return np.asarray(values)


def _grown(
    seeds: Bool[np.ndarray, "h w"], allowed: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """The allowed pixels that hang together with a seed, corners included."""
    region = seeds
    while True:
        larger = (_dilated(region, 1) & allowed) | seeds
        if np.array_equal(larger, region):
            return region
        region = larger


def _dilated(region: Bool[np.ndarray, "h w"], reach: int) -> Bool[np.ndarray, "h w"]:
    return ~erode(~region, reach)
