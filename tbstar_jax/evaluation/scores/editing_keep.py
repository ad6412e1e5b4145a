"""E of the tasks whose region may be drawn freely: is what was asked for there?

The reference gives statistics and an example of the thing, not pixels; where in its
zone a thing stands, and how its background is drawn, is left to the answer.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from tbstar_jax.evaluation.cases.draft import box_of
from tbstar_jax.evaluation.scores.editing_matching import (
    aligned,
    match_object,
    match_sized,
)
from tbstar_jax.evaluation.scores.editing_measures import (
    LEAST_PIXELS,
    View,
    above_chance,
    box_mask,
    dilate,
    extent,
    far_intactness,
    outline_likeness,
    progress,
    relative,
    skill,
    smooth,
    visible_difference,
)
from tbstar_jax.evaluation.scores.editing_texture import (
    GRAIN,
    LEAST_TEXTURE,
    distribution_skill,
    texture,
)
from tbstar_jax.geometry import Box
from tbstar_jax.metrics.color import ciede2000

_SHARP = 48
_LEAST_IDENTITY = 0.05
_LEAST_APART = 30.0
"""Least distance of old and new colours, as `distribution_distance` counts it: ten in
each of L*, a* and b*. Of 40 additions and replacements in `dev` and `mini` eight are
nearer, two of them (other logos of the same brown) about as near as a JPEG 75 is."""


def scene_background_parts(view: View) -> dict[str, float | None]:
    """`changed`, `statistics`, `texture` of the background, `outline` of the product.

    `changed` is the visible difference from the source, as a share of the reference's;
    `statistics` the skill of the distribution of colours; `texture` how near the fine
    contrast is to the reference's. `outline`: the product still stands before it.
    """
    masks = view.case.masks
    ground = masks.edit & ~dilate(masks.product_after, 2)
    if np.count_nonzero(ground) < LEAST_PIXELS:
        ground = masks.edit
    return {
        "changed": _changed(view, ground),
        "statistics": distribution_skill(view, ground, texture_weight=0.0),
        "texture": _texture_closeness(view, ground),
        "outline": outline_likeness(view, masks.product_after),
    }


def _changed(view: View, mask: Bool[np.ndarray, "h w"]) -> float:
    source = view.source_lab[mask]
    amounts = [
        float(visible_difference(lab[mask], source).mean())
        for lab in (view.answer_lab, view.reference_lab)
    ]
    return relative(*amounts)


def _texture_closeness(view: View, mask: Bool[np.ndarray, "h w"]) -> float:
    """1 within a tenth of the reference's fine contrast, 0.05 at 3 times more or less.

    A tenth is what the grain of a photo is, that no drawing needs to have.
    """
    apart = abs(texture(view.answer_lab, mask) - texture(view.reference_lab, mask))
    return min(1.0, max(LEAST_TEXTURE, 1.0 - (apart - GRAIN)))


def added_object_parts(view: View) -> dict[str, float | None]:
    """`changed`, `color`, `shape` of the zone where the reference has the thing.

    `changed` is the visible difference from the source, as a share of the reference's;
    `color` the skill of the distribution of colours in the zone, counted from a source
    that is not nearer than `_LEAST_APART`; `shape` how far the
    best match of the reference's thing, anywhere near and in 0.8 to 1.25 of its size,
    went from the source's to 1;
    `extent`: no more of the open zone changes than the thing takes. `identity`, where
    a second picture shows the thing: see `_identity`.
    """
    zone, box = _zone(view)
    return {
        "changed": _changed(view, zone),
        "color": distribution_skill(view, zone, least=_LEAST_APART),
        "shape": _shape(view, box),
        "extent": extent(view),
        "identity": _identity(view, box),
    }


def replaced_object_parts(view: View) -> dict[str, float | None]:
    """`gone` (the old thing is not found any more), `color` and `shape` of the new.

    `around` is what stays as it was 6 pixels and more from what the reference changes,
    doubled up to 1: another good thing may reach into half of it. `identity`, where a
    second picture shows the new thing: see `_identity`.
    """
    zone, box = _zone(view)
    kept = far_intactness(view)
    return {
        "gone": _gone(view),
        "color": distribution_skill(view, zone, least=_LEAST_APART),
        "shape": _shape(view, box),
        "around": None if kept is None else min(1.0, 2.0 * kept),
        "identity": _identity(view, box),
    }


def _zone(view: View) -> tuple[Bool[np.ndarray, "h w"], Box]:
    """The zone of the thing, and its box in the reference."""
    box = _box_or_edit(view, [one.after for one in view.case.target_objects])
    margin = max(2, min(box.height, box.width) // 8)
    return box_mask(box, view.case.size, margin), box


def _box_or_edit(view: View, boxes: Sequence[Box | None]) -> Box:
    """The first known box; around the edit without one."""
    box = next((one for one in boxes if one is not None), None)
    box = box or box_of(view.case.masks.edit)
    assert box is not None, "a case has something to edit"
    return box


def _shape(view: View, box: Box) -> float | None:
    values = [match_sized(lab, view.reference_lab, box).likeness for lab in view.labs]
    way = progress(values[0], values[1], values[2], least=0.05)
    return None if way is None else above_chance(way)


def _identity(view: View, box: Box) -> float | None:
    """Whether it is the thing that was shown, not one that the words fit, too.

    The skill of the visible difference from the reference's thing, over its pixels and
    at the place and size at which it is best found; at least 0.05. None where no
    picture shows the thing: then any that is called so will do.
    """
    case = view.case
    thing = case.masks.product_after
    if case.object_photo is None or np.count_nonzero(thing) < LEAST_PIXELS:
        return None
    # Large things are found to 1/48 of their size only.
    sigma = max(1.0, min(box.height, box.width) / _SHARP)
    reference = smooth(view.reference_lab, sigma)[thing]
    errors = []
    for lab in (view.answer_lab, view.source_lab):
        found = aligned(lab, match_sized(lab, view.reference_lab, box), box)
        difference = visible_difference(smooth(found, sigma)[thing], reference)
        errors.append(float(difference.mean()))
    return max(_LEAST_IDENTITY, skill(*errors)) if errors[1] > 0 else None


def _gone(view: View) -> float | None:
    """How far the match of the source's thing fell, from the source's to the end."""
    box = _box_or_edit(view, [one.before for one in view.case.target_objects])
    values = [match_object(lab, view.source_lab, box).likeness for lab in view.labs]
    return progress(values[0], values[1], values[2], least=0.05)


def outpaint_parts(view: View) -> dict[str, float | None]:
    """`filled`, `seam`, `statistics`, `texture` of what lies outside the photo.

    `filled` is the visible difference from the canvas's grey, as a share of the
    reference's. `seam` compares the step across the photo's border (the photo's own
    pixels within) with the reference's: it is the skill of the excess. `statistics` is
    the skill of the distribution of colours.
    """
    box = view.case.photo_box
    assert box is not None, "an outpainting has a photo box"
    outside = np.ones(view.case.size, bool)
    outside[box.slices] = False
    return {
        "filled": _changed(view, outside),
        "seam": _seam(view, box),
        "statistics": distribution_skill(view, outside, texture_weight=0.0),
        "texture": _texture_closeness(view, outside),
    }


def _seam(view: View, box: Box) -> float | None:
    steps = [_border_steps(view, box, lab) for lab in view.labs]
    if not steps[0].size:
        return None
    excess, source_excess = (
        float(np.maximum(one - steps[2], 0.0).mean()) for one in (steps[0], steps[1])
    )
    return skill(excess, source_excess) if source_excess > 0 else None


def _border_steps(
    view: View, box: Box, lab: Float[np.ndarray, "h w 3"]
) -> Float[np.ndarray, " n"]:
    """CIEDE2000 between pixels on both sides of the photo's border."""
    rows, columns = view.case.size
    bottom, right = box.top + box.height, box.left + box.width
    across = slice(box.left, right)
    down = slice(box.top, bottom)
    photo = view.source_lab
    steps = []
    if box.top > 0:
        steps.append(ciede2000(lab[box.top - 1, across], photo[box.top, across]))
    if bottom < rows:
        steps.append(ciede2000(lab[bottom, across], photo[bottom - 1, across]))
    if box.left > 0:
        steps.append(ciede2000(lab[down, box.left - 1], photo[down, box.left]))
    if right < columns:
        steps.append(ciede2000(lab[down, right], photo[down, right - 1]))
    return np.concatenate(steps) if steps else np.zeros(0)
