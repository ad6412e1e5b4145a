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
    distribution,
    dot,
    far_intactness,
    gradient_likeness,
    outline_likeness,
    relative,
    skill,
    texture,
)
from tbstar_jax.geometry import erode
from tbstar_jax.metrics.color import ciede2000, srgb_to_linear, unit_image

_CHANGED = 3.0
"""Least CIEDE2000 of a pixel whose attribute the reference changes."""
_FIELD_SIGMA = 0.015
"""Smoothing of a shading field, as a share of the shorter side."""
_DARK = 0.02
"""Linear light added before a logarithm: shadows deeper than this look alike."""
_LOST_CHROMA = 5.0
"""Excess change of a*, b* that halves the score of a kept chromaticity."""


def recolor_parts(view: View) -> dict[str, float | None]:
    """`color` and `structure` of what the reference recolours; `intact` away from it.

    `color` is the skill of the CIEDE2000 difference between mean colours, averaged over
    the dark, middle and light thirds of the source, so that a part painted over or left
    out shows. `structure` is the likeness of lightness gradients to the source's or the
    reference's, whichever is greater, as a share of the reference's.
    """
    part = changed_part(view)
    return {
        "color": _color_skill(view, part),
        "structure": _structure(view, part),
        "intact": far_intactness(view),
    }


def changed_part(view: View) -> Bool[np.ndarray, "h w"]:
    """Marks what the reference visibly changes; all of the edit if that is little."""
    edit = view.case.masks.edit
    part = edit & (ciede2000(view.source_lab, view.reference_lab) > _CHANGED)
    return part if np.count_nonzero(part) >= LEAST_PIXELS else edit


def _color_skill(view: View, part: Bool[np.ndarray, "h w"]) -> float | None:
    if np.count_nonzero(part) < LEAST_PIXELS:
        return None
    order = np.argsort(view.source_lab[part][:, 0], kind="stable")
    thirds = np.array_split(order, 3)
    means = [
        np.stack([lab[part][third].mean(axis=0) for third in thirds])
        for lab in view.labs
    ]
    error, source_error = (
        float(ciede2000(one, means[2]).mean()) for one in (means[0], means[1])
    )
    return skill(error, source_error) if source_error > 0 else None


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
    """`surface`, `structure`, `outline` of the product, `intact` away from it.

    `surface` is the skill of the statistics that make a material: the distribution of
    L* (highlights and contrast), mean a* and b*, fine texture.
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
        "structure": _structure(view, part),
        "outline": outline_likeness(view, product),
        "intact": far_intactness(view),
    }


def _surface_distance(
    lab: Float[np.ndarray, "h w 3"],
    reference: Float[np.ndarray, "h w 3"],
    part: Bool[np.ndarray, "h w"],
) -> float:
    light = np.abs(
        distribution(lab, part)[:, 0] - distribution(reference, part)[:, 0]
    ).mean()
    color = np.linalg.norm((lab - reference)[part][:, 1:].mean(axis=0))
    fine = abs(texture(lab, part) - texture(reference, part))
    return float(light + color) + 3.0 * fine


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
    """Keeps the colours of things: a*, b* no farther from the reference's mean change.

    The excess is the mean distance of a*, b* from the reference's minus the source's
    own distance, since a light may be turned on by halves.
    """
    far, own = (
        float(np.linalg.norm((lab - view.reference_lab)[mask][:, 1:], axis=1).mean())
        for lab in (view.answer_lab, view.source_lab)
    )
    return 1.0 / (1.0 + max(0.0, far - own) / _LOST_CHROMA)


def _detail(view: View, mask: Bool[np.ndarray, "h w"]) -> float:
    inside = erode(mask, 1)
    reference = view.reference_lab[..., 0]
    values = [
        gradient_likeness(lab[..., 0], reference, inside)
        for lab in (view.answer_lab, view.reference_lab)
    ]
    return above_chance(relative(*values))
