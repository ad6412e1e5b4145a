"""How alike two images are, over a mask, and how well two masks agree.

Images are uint8 or float in [0, 1], `[*b h w c]`; masks are bool, True = counted.
Each result is one value per image, NaN where the mask counts no pixel. Every function
computes with the module its arrays come from: numpy in float64, jax in its default.
"""

import math
from types import ModuleType
from typing import Any

from jaxtyping import Bool, Float, Shaped

from tbstar_jax.metrics.color import ciede2000, srgb_to_lab, unit_image

SSIM_WINDOW = 11
"""Rows and columns of SSIM's Gaussian window (sigma 1.5)."""

TILE = 32
"""Rows and columns of a tile."""


def masked_mean(
    values: Shaped[Any, "*b h w"], mask: Bool[Any, "*b h w"] | None = None
) -> Float[Any, "*b"]:
    """Averages the counted pixels; all of them without a mask."""
    xp: ModuleType = values.__array_namespace__()
    if mask is None:
        mask = xp.ones(values.shape, dtype=bool)
    values = xp.where(mask, xp.asarray(values, dtype=float), 0.0)
    count = xp.asarray(xp.sum(mask, axis=(-2, -1)), dtype=float)
    mean = xp.sum(values, axis=(-2, -1)) / xp.maximum(count, 1.0)
    return xp.where(count > 0, mean, xp.nan)


def mean_squared_error(
    first: Shaped[Any, "*b h w c"],
    second: Shaped[Any, "*b h w c"],
    mask: Bool[Any, "*b h w"] | None = None,
) -> Float[Any, "*b"]:
    """Averages the squared difference over pixels and channels, levels in [0, 1]."""
    xp: ModuleType = first.__array_namespace__()
    square = (unit_image(first) - unit_image(second)) ** 2
    return masked_mean(xp.mean(square, axis=-1), mask)


def psnr(
    first: Shaped[Any, "*b h w c"],
    second: Shaped[Any, "*b h w c"],
    mask: Bool[Any, "*b h w"] | None = None,
) -> Float[Any, "*b"]:
    """Returns the peak signal-to-noise ratio in dB, peak 1.

    Infinite when the counted pixels are identical, never capped: average it only over
    finite values, and count the exact images beside it.
    """
    xp: ModuleType = first.__array_namespace__()
    error = mean_squared_error(first, second, mask)
    is_exact = error == 0
    decibel = -10 * xp.log10(xp.where(is_exact, 1.0, error))
    return xp.where(is_exact, xp.inf, decibel)


def ciede2000_map(
    first: Shaped[Any, "*b h w 3"], second: Shaped[Any, "*b h w 3"]
) -> Float[Any, "*b h w"]:
    """Returns the CIEDE2000 difference of two sRGB images, pixel by pixel."""
    return ciede2000(srgb_to_lab(first), srgb_to_lab(second))


def ciede2000_mean(
    first: Shaped[Any, "*b h w 3"],
    second: Shaped[Any, "*b h w 3"],
    mask: Bool[Any, "*b h w"] | None = None,
) -> Float[Any, "*b"]:
    """Returns the mean CIEDE2000 difference of two sRGB images."""
    return masked_mean(ciede2000_map(first, second), mask)


def share_within(
    difference: Float[Any, "*b h w"],
    threshold: float,
    mask: Bool[Any, "*b h w"] | None = None,
) -> Float[Any, "*b"]:
    """Returns the share of pixels that differ by at most `threshold`, in [0, 1].

    Over the kept region against the source it is what was preserved, over the edit
    region against the reference the edit's accuracy.

    Args:
      difference: of `ciede2000_map`.
      threshold: in the same unit; 2 is just visible, 10 is another colour.
      mask: the pixels to count; all when absent.
    """
    return masked_mean(difference <= threshold, mask)


def tile_means(
    difference: Float[Any, "*b h w"],
    mask: Bool[Any, "*b h w"] | None = None,
    side: int = TILE,
) -> Float[Any, "*b rows columns"]:
    """Averages the counted pixels of every square tile.

    Tiles start at the first row and column; the last ones may be cut off. A tile of
    which fewer than a quarter of the pixels count is NaN.

    Args:
      difference: of `ciede2000_map`.
      mask: the pixels to count; all when absent.
      side: of a tile, pixels.
    """
    xp: ModuleType = difference.__array_namespace__()
    if mask is None:
        mask = xp.ones(difference.shape, dtype=bool)
    total = _tile_sums(xp.where(mask, difference, 0.0), side)
    count = _tile_sums(xp.where(mask, 1.0, 0.0), side)
    mean = total / xp.maximum(count, 1.0)
    return xp.where(4 * count >= side**2, mean, xp.nan)


def tile95(
    difference: Float[Any, "*b h w"], mask: Bool[Any, "*b h w"] | None = None
) -> Float[Any, "*b"]:
    """Returns the 95th percentile of `tile_means`: what the mean of a picture hides.

    Linear between the two nearest tiles; NaN where no tile counts enough pixels.
    """
    xp: ModuleType = difference.__array_namespace__()
    means = tile_means(difference, mask)
    means = means.reshape(*means.shape[:-2], -1)
    known = ~xp.isnan(means)
    ordered = xp.sort(xp.where(known, means, xp.inf), axis=-1)
    count = xp.asarray(xp.sum(known, axis=-1), dtype=float)
    place = xp.maximum(0.95 * (count - 1), 0.0)
    below = xp.floor(place)
    low, high = (
        xp.take_along_axis(ordered, xp.asarray(at, dtype=int)[..., None], axis=-1)
        for at in (below, xp.ceil(place))
    )
    low, high = low[..., 0], high[..., 0]
    # The two may both be infinite where no tile is known.
    rise = xp.where(count > 0, high - xp.where(count > 0, low, 0.0), 0.0)
    return xp.where(count > 0, low + (place - below) * rise, xp.nan)


def worst_tile(
    difference: Float[Any, "*b h w"],
    mask: Bool[Any, "*b h w"] | None = None,
    side: int = TILE,
) -> Float[Any, "*b"]:
    """Returns the largest of `tile_means`: one thing lost in a large picture.

    NaN where no tile counts enough pixels.
    """
    xp: ModuleType = difference.__array_namespace__()
    means = tile_means(difference, mask, side)
    is_known = ~xp.isnan(means)
    largest = xp.max(xp.where(is_known, means, -xp.inf), axis=(-2, -1))
    return xp.where(xp.any(is_known, axis=(-2, -1)), largest, xp.nan)


def edit_iou(
    asked: Float[Any, "*b h w"],
    left: Float[Any, "*b h w"],
    threshold: float,
    edit: Bool[Any, "*b h w"],
    uncounted: Bool[Any, "*b h w"] | None = None,
) -> Float[Any, "*b"]:
    """Scores where an edit landed by intersection over union, in [0, 1].

    With the change C = the edit region where source and reference differ by more than
    the threshold: the pixels of C that are right, over C and all pixels outside C that
    are wrong. A copy of the source scores 0, the reference 1, and what is changed
    needlessly costs. NaN where C is empty. PaintBench, docs/metric.md, whose M is C.

    Args:
      asked: `ciede2000_map` of source and reference.
      left: the same of reference and edited picture.
      threshold: below it a pixel is right.
      edit: what the instruction permits to change.
      uncounted: pixels outside the change that cannot be wrong (a guard band).
    """
    xp: ModuleType = asked.__array_namespace__()
    change = edit & (asked > threshold)
    is_right = left <= threshold
    is_wrong = ~is_right & ~change
    if uncounted is not None:
        is_wrong = is_wrong & ~uncounted
    right, whole = (
        xp.asarray(xp.sum(pixels, axis=(-2, -1)), dtype=float)
        for pixels in (change & is_right, change | is_wrong)
    )
    has_change = xp.any(change, axis=(-2, -1))
    return xp.where(has_change, right / xp.maximum(whole, 1.0), xp.nan)


def share_identical(
    first: Shaped[Any, "*b h w c"],
    second: Shaped[Any, "*b h w c"],
    mask: Bool[Any, "*b h w"] | None = None,
) -> Float[Any, "*b"]:
    """Returns the share of pixels equal in every channel, in [0, 1]."""
    xp: ModuleType = first.__array_namespace__()
    return masked_mean(xp.all(first == second, axis=-1), mask)


def ssim(
    first: Shaped[Any, "*b h w c"],
    second: Shaped[Any, "*b h w c"],
    mask: Bool[Any, "*b h w"] | None = None,
) -> Float[Any, "*b"]:
    """Returns the mean structural similarity, in [-1, 1].

    Gaussian 11 x 11 window (sigma 1.5), K1 = 0.01, K2 = 0.03, population moments. Only
    windows that lie wholly in the image and in the mask count, so nothing outside the
    mask is seen; NaN when there is none.
    """
    xp: ModuleType = first.__array_namespace__()
    height, width = first.shape[-3:-1]
    if min(height, width) < SSIM_WINDOW:
        return xp.full(first.shape[:-3], xp.nan)
    x, y = unit_image(first), unit_image(second)
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    var_x = _window_mean(x * x) - mean_x**2
    var_y = _window_mean(y * y) - mean_y**2
    covariance = _window_mean(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    score = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    score = score / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    if mask is not None:
        outside = xp.asarray(~mask[..., None], dtype=float)
        mask = _window_mean(outside)[..., 0] == 0
    return masked_mean(xp.mean(score, axis=-1), mask)


def mask_iou(
    first: Bool[Any, "*b h w"], second: Bool[Any, "*b h w"]
) -> Float[Any, "*b"]:
    """Returns intersection over union, in [0, 1]; two empty masks agree: 1."""
    xp: ModuleType = first.__array_namespace__()
    union = xp.asarray(xp.sum(first | second, axis=(-2, -1)), dtype=float)
    both = xp.asarray(xp.sum(first & second, axis=(-2, -1)), dtype=float)
    return xp.where(union > 0, both / xp.maximum(union, 1.0), 1.0)


def _tile_sums(
    values: Float[Any, "*b h w"], side: int
) -> Float[Any, "*b rows columns"]:
    xp: ModuleType = values.__array_namespace__()
    height, width = values.shape[-2:]
    rest = [(0, 0)] * (values.ndim - 2) + [(0, -height % side), (0, -width % side)]
    padded = xp.pad(values, rest)
    rows, columns = (length // side for length in padded.shape[-2:])
    tiles = padded.reshape(*values.shape[:-2], rows, side, columns, side)
    return xp.sum(tiles, axis=(-3, -1))


def _window_mean(image: Float[Any, "*b h w c"]) -> Float[Any, "*b vh vw c"]:
    """Averages each full window with Gaussian weights, rows then columns."""
    radius = SSIM_WINDOW // 2
    weights = [math.exp(-0.5 * (k / 1.5) ** 2) for k in range(-radius, radius + 1)]
    total = sum(weights)
    height, width = image.shape[-3] - 2 * radius, image.shape[-2] - 2 * radius
    image = sum(
        (weight / total) * image[..., k : k + height, :, :]
        for k, weight in enumerate(weights)
    )
    return sum(
        (weight / total) * image[..., k : k + width, :]
        for k, weight in enumerate(weights)
    )
