"""Structure of lightness, whatever its tones: SSIM after matching histograms.

Two good drawings of a colour differ in contrast and tone. The answer's L* in a part is
given the other picture's histogram by a monotone map; what SSIM then sees is where
light and dark lie. L* is stretched to the part's own range, since the shading of a
plain product spans few of the 100 levels that SSIM's constants are made for.
"""

import numpy as np
from jaxtyping import Bool, Float

from tbstar_jax.evaluation.scores.editing_measures import (
    View,
    above_chance,
    dilate,
    relative,
    smooth,
)
from tbstar_jax.metrics.similarity import ssim

_LEVELS = np.linspace(0.0, 1.0, 65)
"""Quantiles that the map goes through."""
_LEAST_RANGE = 15.0
"""L* from dark to light of a part that counts as structured: else noise would."""
_LEAST = 0.05
"""Of a part without its structure: the colour asked for is still something."""
_WINDOW_REACH = 5
"""Half of SSIM's window: windows about every pixel of the part count."""


def matched_histogram(
    values: Float[np.ndarray, " n"], model: Float[np.ndarray, " m"]
) -> Float[np.ndarray, " n"]:
    """Maps values, never changing their order, so that they are spread as a model's.

    Through 65 quantiles, linear between. Equal values stay equal: a flat picture
    stays flat.
    """
    own, target = (np.quantile(one, _LEVELS) for one in (values, model))
    levels, first = np.unique(own, return_index=True)
    # Of a level that holds several quantiles, the middle one.
    last = np.append(first[1:], own.size) - 1
    return np.interp(values, levels, (target[first] + target[last]) / 2)


def structure_score(view: View, part: Bool[np.ndarray, "h w"]) -> float | None:
    """Whether light and dark lie in a part as they did, in [0.05, 1].

    The greater of the likenesses to source and reference, as a share of what the
    reference itself reaches. None where the part has no whole window.
    """
    lights = [smooth(lab, 1.0)[..., 0][part] for lab in view.labs]
    likeness = [
        max(_likeness(one, other, part) for other in lights[1:])
        for one in (lights[0], lights[2])
    ]
    if np.isnan(likeness).any():
        return None
    return _LEAST + (1.0 - _LEAST) * above_chance(relative(*likeness))


def _likeness(
    light: Float[np.ndarray, " n"],
    model: Float[np.ndarray, " n"],
    part: Bool[np.ndarray, "h w"],
) -> float:
    low, high = np.quantile(model, (0.02, 0.98))
    span = max(high - low, _LEAST_RANGE)
    planes = []
    for values in (matched_histogram(light, model), model):
        # Outside the part lies its mean, in both: the outline itself is no likeness.
        plane = np.full(part.shape, 0.5)
        plane[part] = 0.5 + (values - values.mean()) / span
        planes.append(plane[..., None])
    return float(ssim(planes[0], planes[1], dilate(part, _WINDOW_REACH)))
