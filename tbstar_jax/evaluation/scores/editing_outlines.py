"""Outlines: how much of a pixel is product, and where a product ends.

Along a cut-out's outline a pixel mixes the product's colour F beside it with the
background's colour B beside it. With O the pixel's sRGB,

    alpha = <O - B, F - B> / |F - B|^2

F and B are the reference's, from the nearest pixels that are surely one or the other,
so that the same drawing has the same alpha. Where F and B are alike, alpha is unknown.

A silhouette is told by a background that does not change: what differs from it is the
product. Silhouettes are compared along the outline alone, since the inside of a thing
hides a lost rim (boundary IoU, Cheng et al. 2021).
"""

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from tbstar_jax.evaluation.scores.editing_measures import (
    LEAST_PIXELS,
    View,
    dilate,
    smooth,
)
from tbstar_jax.geometry import erode
from tbstar_jax.metrics.color import ciede2000

_MIXED = 2
"""Pixels on each side of an outline that may be mixed: antialiasing, a soft photo."""
_BAND = 4
"""Pixels on each side in which alpha is compared."""
_LOCAL_SIGMA = 2.0
"""Of the mean that gives F and B, pixels."""
_APART = 0.15
"""Least |F - B| in sRGB of [0, 1] that tells alpha."""
_LEAST_SHARE = 0.1
"""Of the band, whose alpha must be known."""
_NOISE_ALPHA = 0.1
"""Error of alpha that counts half of its size: camera noise, the ringing of a JPEG."""
_FRINGE_SHARE = 1 / 3
"""Of the source's error outside the outline: so much left halves the score."""
_FRINGE = (0.25, 1.5)
"""The least and the most that does, in pixels of product too much."""
_RIM = 1.5
"""Pixels of the product's rim whose loss halves the score."""
_DIFFERS = 6.0
"""CIEDE2000 from the background at which a smoothed pixel is product."""
_RIM_SHARE = 0.02
"""Of the diagonal: the width of the rims that are compared."""


def alpha_score(view: View, product: Bool[np.ndarray, "h w"]) -> float | None:
    """Compares the alpha of a cut-out's edge with the reference's, in [0, 1].

    1 / (1 + f / (s / 3)) / (1 + e / 1.5): f is the error outside the outline, in pixels
    of product too much, s the source's, where the old background stands (s / 3 from
    0.25 to 1.5); e is the error inside, in pixels of rim too little. None where too
    little of the alpha is known.

    Args:
      view: the pictures.
      product: in the reference.
    """
    band = dilate(product, _BAND) & ~erode(product, _BAND)
    ahead, behind = erode(product, _MIXED), ~dilate(product, _MIXED)
    if not ahead.any() or not behind.any():
        return None
    paint, ground = (
        nearest_colors(view.case.reference / 255.0, one, band)
        for one in (ahead, behind)
    )
    way = paint - ground
    power = np.sum(way**2, axis=-1)
    is_known = power >= _APART**2
    least = max(LEAST_PIXELS, _LEAST_SHARE * power.size)
    if np.count_nonzero(is_known) < least:
        return None
    alphas = [
        np.clip(
            np.sum((image[band] / 255.0 - ground) * way, axis=-1)[is_known]
            / power[is_known],
            -0.5,
            1.5,
        )
        for image in (view.answer, view.case.source, view.case.reference)
    ]
    errors = [np.abs(one - alphas[2]) for one in alphas[:2]]
    errors = [one**2 / (one + _NOISE_ALPHA) for one in errors]
    is_inside = product[band][is_known]
    # Errors in pixels of width: the sum over those on one side of a pixel of outline.
    fringe, old_fringe = (_BAND * _mean(one[~is_inside]) for one in errors)
    rim = _BAND * _mean(errors[0][is_inside])
    half = min(max(_FRINGE_SHARE * old_fringe, _FRINGE[0]), _FRINGE[1])
    return 1.0 / (1.0 + fringe / half) / (1.0 + rim / _RIM)


def _mean(values: Float[np.ndarray, " n"]) -> float:
    return float(values.mean()) if values.size else 0.0


def nearest_colors(
    image: Float[np.ndarray, "h w c"],
    known: Bool[np.ndarray, "h w"],
    where: Bool[np.ndarray, "h w"],
) -> Float[np.ndarray, "n c"]:
    """The local mean colour of the known pixel nearest to each of some others.

    Args:
      image: colours.
      known: pixels that may be looked at; at least one.
      where: the pixels to answer for, n of them.
    """
    weight = ndimage.gaussian_filter(known.astype(float), _LOCAL_SIGMA, truncate=3.0)
    total = ndimage.gaussian_filter(
        np.where(known[..., None], image, 0.0), _LOCAL_SIGMA, axes=(0, 1), truncate=3.0
    )
    rows, columns = ndimage.distance_transform_edt(
        ~known, return_distances=False, return_indices=True
    )
    at = rows[where], columns[where]
    return total[at] / weight[at][:, None]


def silhouette_score(view: View, product: Bool[np.ndarray, "h w"]) -> float | None:
    """Boundary IoU of the answer's silhouette with the product's, in [0, 1].

    What differs from the source's background (below the product: from the nearest of
    it) is product. Only the pixels are compared in which source and reference tell
    product and background rightly; shadows that the edit changes are left out. None
    where those are few.

    Args:
      view: the pictures; the background is kept.
      product: in source and reference.
    """
    reach = max(_BAND, round(_RIM_SHARE * math.hypot(*product.shape)))
    band = dilate(product, reach) & ~erode(product, reach)
    band &= product | ~view.case.masks.shadow
    behind = ~dilate(product, _MIXED)
    if not behind.any() or not band.any():
        return None
    ground = smooth(view.source_lab, 1.0)[band]
    is_inside = product[band]
    under = nearest_colors(view.source_lab, behind, band & dilate(product, _MIXED))
    ground[dilate(product, _MIXED)[band]] = under
    answer, source, reference = (
        ciede2000(smooth(lab, 1.0)[band], ground) > _DIFFERS for lab in view.labs
    )
    is_told = (source == is_inside) & (reference == is_inside)
    for side in (is_inside, ~is_inside):
        # A product in the colour of its ground has no silhouette.
        least = max(LEAST_PIXELS, 0.5 * np.count_nonzero(side))
        if np.count_nonzero(is_told & side) < least:
            return None
    found, right = answer[is_told], is_inside[is_told]
    return float(np.count_nonzero(found & right) / np.count_nonzero(found | right))
