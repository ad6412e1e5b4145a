"""What differs between source and target, where it should and where it should not.

Each function measures one thing of a registered pair and knows no threshold. A value
that cannot be had (nothing outside the region, nothing sharp to compare) is NaN.
"""

import math

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.data_engine.filter.region import (
    TOLERANCE,
    difference,
    grown,
    outside_of,
)
from tbstar_jax.metrics.color import ciede2000, srgb_to_lab

MAX_PSNR = 100.0
"""What identical pixels are given, in dB, since a score is finite."""

_LEAK_MARGIN = 4
_MIN_PIXELS = 64
_CELLS_PER_SIDE = 64
_TILE = 16
_MIN_LAPLACIAN = 1.0
"""Laplacian energy, levels squared, below which sharpness says nothing."""


def pair_scores(
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    region: Bool[np.ndarray, "h w"],
    is_declared: bool,
) -> dict[str, float]:
    """Measures where a registered pair differs; names without prefix.

    Args:
      source: the picture before.
      target: the picture after, of the same size and in its place.
      region: what the edit may change.
      is_declared: whether the record says so; an estimated region cannot leak.
    """
    amount = difference(source, target)
    outside = outside_of(region)
    scores = {
        "region_share": float(region.mean()),
        "changed_share": float((amount > TOLERANCE).mean()),
        "region_change": region_change(amount, region),
        "leak_share": leak_share(amount, region) if is_declared else math.nan,
    }
    if outside.sum() < _MIN_PIXELS:
        return scores
    return scores | {
        **color_drift(source, target, outside),
        **preservation(source, target, outside),
    }


def region_change(
    amount: Float[np.ndarray, "h w"], region: Bool[np.ndarray, "h w"]
) -> float:
    """Returns how much the edit changed at least somewhere, in levels.

    The 99th percentile over the region; over the picture its 99.9th without one.
    """
    if region.any():
        return float(np.percentile(amount[region], 99))
    return float(np.percentile(amount, 99.9))


def leak_share(
    amount: Float[np.ndarray, "h w"], region: Bool[np.ndarray, "h w"]
) -> float:
    """Returns the share of what lies outside the mask that visibly differs, in [0, 1].

    Four pixels around the mask do not count: composites fade out over some.
    """
    outside = ~grown(region, _LEAK_MARGIN)
    if outside.sum() < _MIN_PIXELS:
        return math.nan
    return float((amount[outside] > TOLERANCE).mean())


def color_drift(
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    outside: Bool[np.ndarray, "h w"],
) -> dict[str, float]:
    """Measures casts: CIEDE2000 mean and 95th percentile, signed means of L*, a*, b*.

    Colours are averaged over cells first (at most 64 a side), which leaves a cast as it
    is and takes away noise, codecs and most of the work. Cells that are not wholly
    outside do not count.
    """
    height, width = outside.shape
    cell = max(4, math.ceil(max(height, width) / _CELLS_PER_SIDE))
    size = (max(1, width // cell), max(1, height // cell))
    whole = (slice(0, size[1] * cell), slice(0, size[0] * cell))
    share = cv2.resize(
        outside[whole].astype(np.float32), size, interpolation=cv2.INTER_AREA
    )
    counts = share >= 1
    if not counts.any():
        return {}
    first, second = (
        srgb_to_lab(
            cv2.resize(
                image[whole].astype(np.float32), size, interpolation=cv2.INTER_AREA
            )[counts].astype(np.float64)
            / 255
        )
        for image in (source, target)
    )
    error = ciede2000(first, second)
    drift = (second - first).mean(axis=0)
    return {
        "color_mean": float(error.mean()),
        "color_p95": float(np.percentile(error, 95)),
        "drift_l": float(drift[0]),
        "drift_a": float(drift[1]),
        "drift_b": float(drift[2]),
    }


def preservation(
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    outside: Bool[np.ndarray, "h w"],
) -> dict[str, float]:
    """Measures how well the rest was kept: PSNR, SSIM, share of equal pixels."""
    delta = source[outside].astype(np.float32) - target[outside].astype(np.float32)
    error = float(np.square(delta).mean()) / 255**2
    return {
        "psnr_outside": min(MAX_PSNR, -10 * math.log10(error)) if error else MAX_PSNR,
        "ssim_outside": 1.0 if not error else luma_ssim(source, target, outside),
        "identical_share": float((delta == 0).all(axis=1).mean()),
    }


def luma_ssim(
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    outside: Bool[np.ndarray, "h w"],
) -> float:
    """Returns the mean SSIM of the luma (11 x 11 Gaussian, sigma 1.5) over a mask."""
    x, y = (
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        for image in (source, target)
    )

    def mean(image: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
        return cv2.GaussianBlur(image, (11, 11), 1.5)

    mean_x, mean_y = mean(x), mean(y)
    var_x = mean(x * x) - mean_x**2
    var_y = mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    score /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return float(score[outside].mean())


def sharpness(
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    outside: Bool[np.ndarray, "h w"],
) -> dict[str, float]:
    """Measures what a blur, or sharpening, did to the rest, in the target as it came.

    `blur_ratio` is the Laplacian energy of the target over the source's in the median
    tile. The pair need not be registered for it, and warping back would blur by itself.
    """
    if outside.sum() < _MIN_PIXELS:
        return {}
    lumas = [
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        for image in (source, target)
    ]
    before, after = (
        _tile_means(np.square(cv2.Laplacian(luma, cv2.CV_32F)), outside)
        for luma in lumas
    )
    is_sharp = before >= _MIN_LAPLACIAN
    # The median tile: what was lost at one place is not a blur of the picture.
    ratio = np.median(after[is_sharp] / before[is_sharp]) if is_sharp.any() else np.nan
    return {"blur_ratio": float(ratio)}


def _tile_means(
    image: Float[np.ndarray, "h w"], outside: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, " n"]:
    """Returns the means over tiles of 16 pixels of what is outside in them."""
    size = (math.ceil(image.shape[1] / _TILE), math.ceil(image.shape[0] / _TILE))
    weights = outside.astype(np.float32)
    padding = (0, size[1] * _TILE - len(image), 0, size[0] * _TILE - image.shape[1])
    total, count = (
        cv2.resize(
            cv2.copyMakeBorder(values, *padding, cv2.BORDER_CONSTANT, value=0.0),
            size,
            interpolation=cv2.INTER_AREA,
        )
        for values in (image * weights, weights)
    )
    counts = count >= 0.25
    return total[counts] / count[counts]
