"""E of the tasks with several good drawings: the attributes asked for, not pixels.

The reference gives the attribute's value; the source's value scores 0. A second part
asks whether the thing is still there: nothing may be gained by painting over it.
"""

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from tbstar_jax.evaluation.scores.editing_measures import (
    LEAST_PIXELS,
    View,
    above_chance,
    dot,
    far_intactness,
    gradient_likeness,
    relative,
    skill,
    smooth,
)
from tbstar_jax.evaluation.scores.editing_outlines import silhouette_score
from tbstar_jax.evaluation.scores.editing_structure import structure_score
from tbstar_jax.evaluation.scores.editing_texture import (
    distribution,
    texture,
)
from tbstar_jax.geometry import erode
from tbstar_jax.metrics.color import ciede2000, srgb_to_linear, unit_image

_CHANGED = 3.0
"""Least CIEDE2000 of a pixel whose attribute the reference changes."""
_LEAST_CHROMA = 10.0
"""Chroma below which a colour is grey and has no hue."""
_PALE = 25.0
"""Chroma that tints a grey or a pale colour as another: errors of less are partial."""
_RIM = 2
"""Pixels of a product's rim that mix with what is behind it."""
_HIGHLIGHT = 12.0
"""L* above a surface's median at which it shines."""
_FREE_COLOR = 2.3
"""Shift of mean a*, b* of a surface that is no other material."""
_HALF_SPECULAR = 12.0
"""Error of the highlights, in L* of contrast, that halves the score."""
_FIELD_SIGMA = 0.015
"""Smoothing of a shading field, as a share of the shorter side."""
_DARK = 0.02
"""Linear light added before a logarithm: shadows deeper than this look alike."""
_LOST_CHROMA = 5.0
"""Excess change of a*, b* that halves the score of a kept chromaticity."""

_FREE_CHROMA = 0.5
"""Excess that a camera's grain and a mild JPEG have."""
_CHROMA_SIGMA = 2.0
"""Pixels: a JPEG keeps a colour for two by two of them."""


def recolor_parts(view: View) -> dict[str, float | None]:
    """`color`, `hue`, `chroma`, `structure` of the recoloured; `intact` away from it.

    The colours are means over the dark, middle and light thirds of the source, so that
    a part painted over or left out shows, and shading does not. `color` is the skill of
    their CIEDE2000 difference: it alone sees a right hue that is far too dark. `hue`
    and `chroma` are what of the error in a*, b* lies across and along the reference's
    direction from grey, and count even where lightness is most of the change. A grey
    reference has no hue. `structure`: see `structure_score`.
    """
    part = changed_part(view)
    means = _third_means(view, part)
    return {
        "color": _color_skill(means),
        "hue": _hue(means),
        "chroma": _chroma(means),
        "structure": structure_score(view, part),
        "intact": far_intactness(view),
    }


def changed_part(view: View) -> Bool[np.ndarray, "h w"]:
    """Marks what the reference visibly changes; all of the edit if that is little."""
    edit = view.case.masks.edit
    part = edit & (ciede2000(view.source_lab, view.reference_lab) > _CHANGED)
    return part if np.count_nonzero(part) >= LEAST_PIXELS else edit


def _third_means(
    view: View, part: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, "3 3 3"]:
    """Mean Lab of answer, source, reference in the source's thirds of lightness."""
    order = np.argsort(view.source_lab[part][:, 0], kind="stable")
    thirds = np.array_split(order, 3)
    return np.stack(
        [np.stack([lab[part][k].mean(axis=0) for k in thirds]) for lab in view.labs]
    )


def _color_skill(means: Float[np.ndarray, "3 3 3"]) -> float | None:
    error, source_error = (
        float(ciede2000(one, means[2]).mean()) for one in (means[0], means[1])
    )
    return skill(error, source_error) if source_error > 0 else None


def _hue(means: Float[np.ndarray, "3 3 3"]) -> float | None:
    """1 - dH / max(C, dH of the source, 25), C the reference's chroma, in [0, 1].

    dH = 2 sqrt(C C') sin(dh / 2) is CIE Lab's difference of hue: 60 degrees off at full
    chroma scores 0; None where the reference is grey.
    """
    errors, chroma = [], float(np.hypot(*means[2][:, 1:].T).mean())
    if chroma < _LEAST_CHROMA:
        return None
    for one in means[:2]:
        apart = np.sum((one - means[2])[:, 1:] ** 2, axis=1)
        lengths = np.hypot(*one[:, 1:].T) - np.hypot(*means[2][:, 1:].T)
        errors.append(float(np.sqrt(np.maximum(apart - lengths**2, 0.0)).mean()))
    return skill(errors[0], max(chroma, errors[1], _PALE))


def _chroma(means: Float[np.ndarray, "3 3 3"]) -> float:
    """1 - dC / max(C, dC of the source, 25), in [0, 1]: grey for a colour scores 0."""
    chromas = [np.hypot(*one[:, 1:].T) for one in means]
    errors = [float(np.abs(one - chromas[2]).mean()) for one in chromas[:2]]
    return skill(errors[0], max(float(chromas[2].mean()), errors[1], _PALE))


def _structure(view: View, part: Bool[np.ndarray, "h w"]) -> float:
    # The step at its outline is there however the part is painted over: outside it,
    # every picture is filled with its own mean.
    filled = [
        np.where(part, lab[..., 0], lab[..., 0][part].mean()) for lab in view.labs
    ]

    def likeness(light: Float[np.ndarray, "h w"]) -> float:
        return max(gradient_likeness(light, other, part) for other in filled[1:])

    return above_chance(relative(likeness(filled[0]), likeness(filled[2])))


def material_parts(view: View) -> dict[str, float | None]:
    """`surface`, `specular`, `structure`, `outline` of the product, `intact` beside it.

    `surface` is the skill of the statistics that make a material: the distribution of
    L* (highlights and contrast), mean a* and b* (2.3 are free: a JPEG's shift of a
    saturated colour, hardly seen), fine texture. `specular` compares the
    highlights alone: 1 / (1 + e / 12) with e the error of their contrast. `structure`
    is the likeness of lightness gradients to the source's or the reference's, whichever
    is greater, as a share of the reference's; `outline` the silhouette's boundary IoU.
    """
    product = view.case.masks.product_after
    part = changed_part(view) & product
    if np.count_nonzero(part) < LEAST_PIXELS:
        part = changed_part(view)
    errors = [
        _surface_distance(lab, view.reference_lab, part)
        for lab in (view.answer_lab, view.source_lab)
    ]
    return {
        "surface": skill(*errors) if errors[1] > 0 else None,
        "specular": _specular(view, part & erode(product, _RIM)),
        "structure": _structure(view, part),
        "outline": silhouette_score(view, product),
        "intact": far_intactness(view),
    }


def _specular(view: View, part: Bool[np.ndarray, "h w"]) -> float | None:
    """Closeness of the highlights to the reference's, in (0, 1]; None of a tiny part.

    Contrast is that of the lightest 2 and 5 % to the median, in L*; the share is of the
    pixels at least 12 above the median, in per cent. The error is the mean of the three
    differences.
    """
    if np.count_nonzero(part) < LEAST_PIXELS:
        return None
    own, reference = (
        _highlights(lab, part) for lab in (view.answer_lab, view.reference_lab)
    )
    return 1.0 / (1.0 + float(np.abs(own - reference).mean()) / _HALF_SPECULAR)


def _highlights(
    lab: Float[np.ndarray, "h w 3"], part: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, " 3"]:
    light = smooth(lab, 1.0)[..., 0][part]
    median, bright, brightest = np.quantile(light, (0.5, 0.95, 0.98))
    share = 100.0 * np.mean(light > median + _HIGHLIGHT)
    return np.array([bright - median, brightest - median, share])


def _surface_distance(
    lab: Float[np.ndarray, "h w 3"],
    reference: Float[np.ndarray, "h w 3"],
    part: Bool[np.ndarray, "h w"],
) -> float:
    light = np.abs(
        distribution(lab, part)[:, 0] - distribution(reference, part)[:, 0]
    ).mean()
    shift = float(np.linalg.norm((lab - reference)[part][:, 1:].mean(axis=0)))
    color = max(0.0, shift - _FREE_COLOR)
    fine = abs(texture(lab, part) - texture(reference, part))
    return float(light) + color + 3.0 * fine


def light_parts(view: View) -> dict[str, float | None]:
    """`field`, `chromaticity`, `detail` of a change of light.

    With F = log(answer / source) and G = log(reference / source), smoothed, over the
    edit region, per channel (so that a warmer light is a field too): `field` is
    cos(F, G) times the ratio of their sizes along G, min(b, 1 / b) with
    b = <F, G> / <G, G>. `chromaticity` falls with the change of a*, b* beyond the
    reference's own; `detail` is the likeness of gradients to the reference's.
    """
    edit = view.case.masks.edit
    fields = [
        _light_field(image, view.case.source, edit)
        for image in (view.answer, view.case.reference)
    ]
    own, power = (dot(one, one) for one in fields)
    shared = dot(fields[0], fields[1])
    field = None if power <= 0 else 0.0
    if power > 0 and shared > 0:
        size = shared / power
        field = shared / math.sqrt(own * power) * min(size, 1 / size)
    return {
        "field": field,
        "chromaticity": _chromaticity(view, edit),
        "detail": _detail(view, edit),
    }


def _light_field(
    image: np.ndarray, source: np.ndarray, mask: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, " n"]:
    sigma = max(1.0, _FIELD_SIGMA * min(mask.shape))
    logs = [
        np.log(
            ndimage.gaussian_filter(srgb_to_linear(unit_image(one)), sigma, axes=(0, 1))
            + _DARK
        )
        for one in (image, source)
    ]
    return (logs[0] - logs[1])[mask].ravel()


def _chromaticity(view: View, mask: Bool[np.ndarray, "h w"]) -> float:
    """Keeps the colours of things: a*, b* no farther from the reference's than before.

    The excess is the mean distance of a*, b* from the reference's minus the source's
    own distance, since a light may be turned on by halves.
    """
    answer, source, reference = (
        smooth(lab, _CHROMA_SIGMA)[mask][:, 1:] for lab in view.labs
    )
    far, own = (
        float(np.linalg.norm(colors - reference, axis=1).mean())
        for colors in (answer, source)
    )
    return 1.0 / (1.0 + max(0.0, far - own - _FREE_CHROMA) / _LOST_CHROMA)


def _detail(view: View, mask: Bool[np.ndarray, "h w"]) -> float:
    inside = erode(mask, 1)
    reference = view.reference_lab[..., 0]
    values = [
        gradient_likeness(lab[..., 0], reference, inside)
        for lab in (view.answer_lab, view.reference_lab)
    ]
    return above_chance(relative(*values))
