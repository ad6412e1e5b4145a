"""What a region is like, wherever its colours are in it: fine contrast and quantiles.

Colours are CIE Lab.
"""

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from tbstar_jax.evaluation.scores.editing_measures import (
    LEAST_PIXELS,
    View,
    change_weights,
    dot,
    skill,
    smooth,
)
from tbstar_jax.metrics.color import srgb_to_lab

GRAIN = 0.1
"""`texture` that a photo's grain adds to a plain ground."""
LEAST_TEXTURE = 0.05
"""Score of a texture that is as fine or coarse as any: its colours are something."""

_NOISE_SLOPE = 1.5
"""Fall by the log of (1 + a) / (1 + r), of the answer's and the reference's contrast:
0.05 is reached where it is 2.1."""
_FINE_COLOR = 1 / 3
_PLACE, _LEAST_POWER = 4.0, 1e-2
"""Sigma of the windows, pixels, in which a share of the source is told; its least
power in one, levels squared."""
_QUANTILES = np.linspace(0.05, 0.95, 10)


def texture(lab: Float[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"]) -> float:
    """Log of 1 + the mean fine contrast of L* over a region: 0 for a flat one."""
    return math.log1p(float(fine_contrast(lab[..., :1])[mask].mean()))


def fine_contrast(lab: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w c"]:
    """What is finer than 2.5 pixels and coarser than 0.8, without its sign."""
    bands = (ndimage.gaussian_filter(lab, sigma, axes=(0, 1)) for sigma in (0.8, 2.5))
    return np.abs(np.subtract(*bands))


def quietness(view: View, mask: Bool[np.ndarray, "h w"]) -> float | None:
    """1 where a region has no more fine contrast than the reference's, 0.05 far beyond.

    Noise over what was to vanish has the right colours on average. The contrasts of L*
    and of a*, b* (fine colour is seen less: a third) are means by `change_weights`, so
    that noise on thin letters is not lost in the plate around them; the worse of the
    two counts. What is left of the source is taken away first, other parts count it. A
    smoother fill than the reference's costs nothing here.
    """
    if np.count_nonzero(mask) < LEAST_PIXELS:
        return None
    weights = change_weights(view, mask)[mask]
    scale = np.array([1.0, _FINE_COLOR, _FINE_COLOR])
    answer, reference = (
        fine_contrast(lab)[mask] * scale
        for lab in (_without_ghost(view, mask), view.reference_lab)
    )
    excess = max(
        _log_contrast(answer[:, channels], weights)
        - _log_contrast(reference[:, channels], weights)
        for channels in (slice(0, 1), slice(1, 3))
    )
    return min(1.0, max(LEAST_TEXTURE, 1.0 - _NOISE_SLOPE * (excess - GRAIN)))


def _without_ghost(
    view: View, mask: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w 3"]:
    """The answer less its share, in [0, 1], of what the source has more, by places.

    In sRGB, where pictures are blended: on dark grounds a share of the letters is no
    like share of their Lab.

    Returns:
      CIE Lab.
    """
    source, reference, answer = (
        picture.astype(np.float64)
        for picture in (view.case.source, view.case.reference, view.answer)
    )
    pattern = np.where(mask[..., None], source - reference, 0.0)
    power, common = (
        ndimage.gaussian_filter((pattern * one).sum(axis=2), _PLACE)
        for one in (pattern, answer - reference)
    )
    share = np.clip(common / np.maximum(power, _LEAST_POWER), 0.0, 1.0)
    rest = np.clip(answer - share[..., None] * pattern, 0.0, 255.0)
    return srgb_to_lab(rest / 255.0)


def _log_contrast(
    contrast: Float[np.ndarray, "n c"], weights: Float[np.ndarray, " n"]
) -> float:
    total = float(weights.sum())
    mean = dot(weights, np.linalg.norm(contrast, axis=1)) / total if total > 0 else 0.0
    return math.log1p(mean)


def distribution(
    lab: Float[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, "10 3"]:
    """Ten quantiles of L*, a* and b* over a region."""
    return np.quantile(lab[mask], _QUANTILES, axis=0)


def distribution_distance(
    lab: Float[np.ndarray, "h w 3"],
    reference: Float[np.ndarray, "h w 3"],
    mask: Bool[np.ndarray, "h w"],
    texture_weight: float = 3.0,
) -> float:
    """Distance of the colours of a region, wherever they are in it.

    The sum over L*, a*, b* of the Wasserstein-1 distance, and the texture's.
    """
    quantiles = [distribution(smooth(one, 1.0), mask) for one in (lab, reference)]
    apart = np.abs(quantiles[0] - quantiles[1])
    fine = abs(texture(lab, mask) - texture(reference, mask))
    return float(apart.mean(axis=0).sum()) + texture_weight * fine


def distribution_skill(
    view: View,
    mask: Bool[np.ndarray, "h w"],
    texture_weight: float = 3.0,
    least: float = 0.0,
) -> float:
    """Skill of `distribution_distance` from the reference.

    Args:
      view: the pictures.
      mask: the region.
      texture_weight: of the texture in the distance.
      least: distance that the source is taken to have at least. Where old and new have
        the same colours, the skill would be about a JPEG's else; other parts must tell
        the source from the reference then.
    """
    error, source_error = (
        distribution_distance(lab, view.reference_lab, mask, texture_weight)
        for lab in (view.answer_lab, view.source_lab)
    )
    return skill(error, max(source_error, least))
