"""Where an answer wrote a text that may stand anywhere in a zone.

Where anything visible changes, two places are looked for first: where the change, and
where the picture (a plate hides the ground), is likest to the reference's, of the same
size; noise and the ringing of a JPEG move them little. For others, what the answer
visibly changes in the zone falls into groups. A group is the text, or the text on a
plate, in which the ink then lies as it does in the reference. A group that is not of
the text's size is no text: what is read is a box in the zone, never the zone or the
picture.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage, signal

from tbstar_jax.evaluation.cases.draft import box_of
from tbstar_jax.evaluation.text.crop import line_height
from tbstar_jax.geometry import Box, erode
from tbstar_jax.metrics.color import ciede2000, srgb_to_lab

_VISIBLE = 6.0
"""CIEDE2000 from the source above which a smoothed pixel is changed; what JPEG and
resampling do stays below."""
_EVEN = 0.25
"""Quantile of the zone's difference that is taken for a change of its ground."""
_JOINED = 0.35
"""Of a line's height: gaps of up to twice as much do not part a text."""
_EDGE = 3
"""Pixels along the zone's outline, in which a JPEG mixes colours across it."""
_LEAST_SHARE, _LEAST_PIXELS = 0.1, 8
"""Of the largest group's pixels: smaller groups are noise."""
_MOST_PLACES = 4
_MOST_SCALE = 3.0
"""Of an answer's box over the reference's, each way: larger letters, two lines."""
_STEADY = 0.1
"""Difference of sizes below which the text has the reference's."""
_SAME = 0.9
"""Intersection over union of boxes that are one place."""
_BARE = 0.7
"""Likewise of a text's box and of what the reference changes: it has no plate."""
_SIGMA, _SIGMA_REACH = 1.0, 4
_RIM = 2
"""Pixels around a text that are matched with it."""
_LEAST_LIKENESS = 0.5
_LEAST_SPREAD = 1.0
"""Lab: an answer's change that varies less is no writing."""


def other_places(
    *,
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    zone: Bool[np.ndarray, "h w"],
    text: str,
    box: Box,
) -> tuple[Box, ...]:
    """Looks for where else than in its box an answer may have written a text.

    Args:
      source: the picture before, on the canvas.
      reference: the right edit.
      answer: the edit, of the same size.
      zone: where the text may stand.
      text: what is to be written.
      box: of its ink in the reference.

    Returns:
      At most four boxes of ink, the likeliest first; none for source and reference.
    """
    inner = erode(zone, _EDGE)
    first, second = (_change(source, one, zone) for one in (reference, answer))
    reach = max(2, round(_JOINED * line_height(text, box)))
    around, own = (
        _union([one for one in _groups(changed, reach) if _common(one, box)])
        for changed in (_changed(first, region) for region in (zone, inner))
    )
    found = _groups(_changed(second, inner), reach)
    if around is None or not found:
        return ()
    is_bare = _iou(around, box) >= _BARE
    places = [box]
    likest = (
        _likest(first.lab, second.lab, zone, box),
        _likest(first.shown, second.shown, zone, box),
    )
    for place in filter(None, likest):
        if all(_iou(place, one) < _SAME for one in places):
            places.append(place)
    for group in filter(None, (found[0], _union(found), *found[1:])):
        if any(_iou(group, one) >= _SAME for one in (around, own) if one):
            continue
        ways = [] if is_bare else [_carried(box, around, group)]
        ways.append(_trimmed(box, around if is_bare else box, group))
        ways.append(_carried(box, around, group, is_same_size=True))
        for place in filter(None, ways):
            if all(_iou(place, one) < _SAME for one in places):
                places.append(place)
    return tuple(places[1 : _MOST_PLACES + 1])


@dataclasses.dataclass(frozen=True, eq=False)
class _Change:
    """What a picture changes in a zone; nothing outside of it.

    Attributes:
      shown: the smoothed picture, CIE Lab; outside the mean of the source's zone, so
        that the zone has no outline.
      lab: its difference from the source.
      size: CIEDE2000 of it.
    """

    shown: Float[np.ndarray, "h w 3"]
    lab: Float[np.ndarray, "h w 3"]
    size: Float[np.ndarray, "h w"]


def _change(
    source: UInt8[np.ndarray, "h w 3"],
    picture: UInt8[np.ndarray, "h w 3"],
    zone: Bool[np.ndarray, "h w"],
) -> _Change:
    planes = (*zone.shape, 3)
    change = _Change(np.zeros(planes), np.zeros(planes), np.zeros(zone.shape))
    box = box_of(zone)
    if box is None:
        return change
    window = tuple(
        slice(max(0, first - _SIGMA_REACH), first + side + _SIGMA_REACH)
        for first, side in ((box.top, box.height), (box.left, box.width))
    )
    labs = [
        ndimage.gaussian_filter(srgb_to_lab(one[window]), _SIGMA, axes=(0, 1))
        for one in (source, picture)
    ]
    inside = zone[window]
    change.shown[:] = labs[0][inside].mean(axis=0)
    change.shown[window] = np.where(inside[..., None], labs[1], change.shown[window])
    change.lab[window] = np.where(inside[..., None], labs[1] - labs[0], 0.0)
    change.size[window] = np.where(inside, ciede2000(labs[0], labs[1]), 0.0)
    return change


def _changed(change: _Change, zone: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Pixels of the zone that visibly differ, by more than its ground does."""
    if not zone.any():
        return zone
    ground = np.quantile(change.size[zone], _EVEN)
    return zone & (change.size > ground + _VISIBLE)


def _likest(
    reference: Float[np.ndarray, "h w 3"],
    answer: Float[np.ndarray, "h w 3"],
    zone: Bool[np.ndarray, "h w"],
    box: Box,
) -> Box | None:
    """The box at which the answer correlates best with the reference in its own box.

    None where it correlates below 0.5 everywhere, as noise does.
    """
    around = box_of(zone)
    if around is None:
        return None
    # One rim more, since a text may touch the zone's edge.
    pad = ((_RIM, _RIM), (_RIM, _RIM), (0, 0))
    pattern, field = (
        np.pad(one, pad, mode="edge")[at.top : at.top + at.height + 2 * _RIM][
            :, at.left : at.left + at.width + 2 * _RIM
        ]
        for one, at in ((reference, box), (answer, around))
    )
    if min(np.subtract(field.shape, pattern.shape)) < 0:
        return None
    centred = pattern - pattern.mean(axis=(0, 1))
    ones = np.ones(pattern.shape[:2])

    def slide(
        plane: Float[np.ndarray, "fh fw"], kernel: Float[np.ndarray, "kh kw"]
    ) -> Float[np.ndarray, "nh nw"]:
        return signal.correlate(plane, kernel, mode="valid") / ones.size

    common = sum(slide(field[..., k], centred[..., k]) for k in range(3))
    means = sum(slide(field[..., k], ones) ** 2 for k in range(3))
    variance = np.maximum(slide((field**2).sum(axis=2), ones) - means, 0.0)
    own = float((centred**2).sum() / ones.size)
    likeness = common / np.sqrt((variance + 1e-9) * (own + 1e-9))
    likeness[variance <= _LEAST_SPREAD**2] = -1.0
    row, column = np.unravel_index(np.argmax(likeness), likeness.shape)
    if likeness[row, column] < _LEAST_LIKENESS:
        return None
    return dataclasses.replace(
        box, top=around.top + int(row), left=around.left + int(column)
    )


def _groups(changed: Bool[np.ndarray, "h w"], reach: int) -> list[Box]:
    """Boxes of what lies within `reach` of one another, the largest first."""
    labels, count = ndimage.label(~erode(~changed, reach), np.ones((3, 3)))
    labels[~changed] = 0
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    least = max(_LEAST_PIXELS, _LEAST_SHARE * max(sizes, default=0))
    boxes = []
    for index in np.argsort(-sizes, kind="stable"):
        box = box_of(labels == index + 1) if sizes[index] >= least else None
        if box is not None:
            boxes.append(box)
    return boxes


def _is_alike(first: Box, second: Box) -> bool:
    """Whether one box may be the other, drawn larger, smaller or broken."""
    scales = (first.height / second.height, first.width / second.width)
    return all(1 / _MOST_SCALE <= scale <= _MOST_SCALE for scale in scales)


def _carried(
    text: Box, whole: Box, group: Box, *, is_same_size: bool = False
) -> Box | None:
    """The text's box, as it lies on a whole, on a group; None where sizes differ."""
    if not _is_alike(group, whole):
        return None
    down, across = group.height / whole.height, group.width / whole.width
    if is_same_size or max(abs(down - 1), abs(across - 1)) <= _STEADY:
        down = across = 1.0
    # From middle to middle, so that a pixel more or less moves nothing by one.
    row = group.top + group.height / 2 - down * (whole.top + whole.height / 2)
    column = group.left + group.width / 2 - across * (whole.left + whole.width / 2)
    return _box(
        round(row + down * text.top),
        round(column + across * text.left),
        round(down * text.height),
        round(across * text.width),
    )


def _trimmed(text: Box, around: Box, group: Box) -> Box | None:
    """A group less what a text's own group has more than its ink."""
    if not _is_alike(group, around):
        return None
    return _box(
        group.top + text.top - around.top,
        group.left + text.left - around.left,
        group.height + text.height - around.height,
        group.width + text.width - around.width,
    )


def _box(top: int, left: int, height: int, width: int) -> Box:
    """A box that is not empty and starts in the picture."""
    return Box(
        top=max(0, top), left=max(0, left), height=max(1, height), width=max(1, width)
    )


def _union(boxes: list[Box]) -> Box | None:
    if not boxes:
        return None
    top, left = min(one.top for one in boxes), min(one.left for one in boxes)
    bottom = max(one.top + one.height for one in boxes)
    right = max(one.left + one.width for one in boxes)
    return Box(top=top, left=left, height=bottom - top, width=right - left)


def _common(first: Box, second: Box) -> int:
    """Pixels in both."""
    rows, columns = (
        min(a + m, b + n) - max(a, b)
        for a, m, b, n in (
            (first.top, first.height, second.top, second.height),
            (first.left, first.width, second.left, second.width),
        )
    )
    return max(0, rows) * max(0, columns)


def _iou(first: Box, second: Box) -> float:
    both = _common(first, second)
    return both / (first.height * first.width + second.height * second.width - both)
