"""Looking for a thing near its place, by its colours."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage, signal

from tbstar_jax.evaluation.scores.editing_measures import box_mask, smooth
from tbstar_jax.geometry import Box

_MATCH_SIDE = 48
"""Pixels of the shorter side at which things are matched."""
_FLAT_VARIANCE = 3.0
"""Added to variances of a template match: L* a* b* noise of a flat picture, squared."""


_SCALES = (0.8, 0.9, 1.11, 1.25)
"""Sizes in which a thing is also looked for."""
_CLEARLY = 0.03
"""Likeness by which another size must fit better than the thing's own."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Match:
    """Where a template fits best.

    Attributes:
      likeness: in [-1, 1]; 1 for the template itself.
      rows: how far down from its own place, pixels.
      columns: how far right.
      scale: of its sides over the template's, about its middle.
    """

    likeness: float
    rows: int
    columns: int
    scale: float = 1.0


def best_match(
    lab: Float[np.ndarray, "h w 3"],
    template: Float[np.ndarray, "h w 3"],
    mask: Bool[np.ndarray, "h w"],
    reach: int,
) -> Match:
    """Looks for what `template` shows in `mask`, up to `reach` pixels from its place.

    The likeness of colours about their means is 2 cov / (var + var'), so that a faint
    copy is less alike than a full one. Parts of the template that leave the picture are
    compared with the picture's edge.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    weights = mask[window].astype(float)
    pattern = template[window]
    count = weights.sum()
    mean = (pattern * weights[..., None]).sum((0, 1)) / count
    centred = (pattern - mean) * weights[..., None]
    padded = np.pad(lab, [(reach, reach), (reach, reach), (0, 0)], mode="edge")
    field = padded[
        rows[0] : rows[-1] + 1 + 2 * reach, columns[0] : columns[-1] + 1 + 2 * reach
    ]

    def slide(
        plane: Float[np.ndarray, "fh fw"], kernel: Float[np.ndarray, "kh kw"]
    ) -> Float[np.ndarray, "nh nw"]:
        return signal.correlate(plane, kernel, mode="valid", method="auto")

    shared = sum(slide(field[..., k], centred[..., k]) for k in range(3)) / count
    sums = [slide(field[..., k], weights) / count for k in range(3)]
    power = slide((field**2).sum(2), weights) / count
    variance = np.maximum(power - sum(one**2 for one in sums), 0.0)
    own = float((centred**2).sum() / count)
    likeness = 2 * shared / (variance + own + _FLAT_VARIANCE)
    # Of equal fits the nearest: a flat picture is found where it is.
    steps = np.arange(-reach, reach + 1)
    far = np.hypot(steps[:, None], steps[None, :])
    best = np.unravel_index(np.argmax(likeness - 1e-9 * far), likeness.shape)
    return Match(
        likeness=float(likeness[best]),
        rows=int(best[0]) - reach,
        columns=int(best[1]) - reach,
    )


def match_object(
    lab: Float[np.ndarray, "h w 3"], pattern: Float[np.ndarray, "h w 3"], box: Box
) -> Match:
    """Looks near a box of `lab` for what `pattern` shows in it and a little around.

    Large things are compared in a smaller picture, to 1/48 of their size.
    """
    return _match(_prepared(lab, pattern, box), 1.0)


def match_sized(
    lab: Float[np.ndarray, "h w 3"], pattern: Float[np.ndarray, "h w 3"], box: Box
) -> Match:
    """As `match_object`, also from 0.8 to 1.25 times the size about the box's middle.

    Another size is taken where it fits better by 0.03: the coarse steps of scale make
    that clear of a thing that is a tenth larger or smaller.
    """
    prepared = _prepared(lab, pattern, box)
    own = _match(prepared, 1.0)
    if own.likeness > 1.0 - _CLEARLY:
        return own
    others = [_match(prepared, scale) for scale in _SCALES]
    best = max(others, key=lambda match: match.likeness)
    return best if best.likeness > own.likeness + _CLEARLY else own


def aligned(
    lab: Float[np.ndarray, "h w 3"], match: Match, box: Box
) -> Float[np.ndarray, "h w 3"]:
    """The picture moved and resized so that what was found lies where it belongs.

    Args:
      lab: in which it was looked for.
      match: where it was found.
      box: where it belongs.
    """
    middle = np.array([box.top + box.height / 2, box.left + box.width / 2]) - 0.5
    start = middle * (1 - match.scale) + (match.rows, match.columns)
    return np.stack(
        [
            ndimage.affine_transform(
                lab[..., k], np.full(2, match.scale), start, order=1, mode="nearest"
            )
            for k in range(3)
        ],
        axis=-1,
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Prepared:
    """Smoothed pictures, every `step` pixels of them, and where the thing is."""

    lab: Float[np.ndarray, "h w 3"]
    pattern: Float[np.ndarray, "h w 3"]
    mask: Bool[np.ndarray, "h w"]
    reach: int
    step: int


def _prepared(
    lab: Float[np.ndarray, "h w 3"], pattern: Float[np.ndarray, "h w 3"], box: Box
) -> _Prepared:
    lab, pattern = (smooth(one, 1.0) for one in (lab, pattern))
    step = max(1, min(box.height, box.width) // _MATCH_SIDE)
    margin = max(2, min(box.height, box.width) // 12)
    reach = max(4, min(box.height, box.width) // 4)
    mask = box_mask(box, lab.shape[:2], margin)
    if step > 1:
        mask = mask[::step, ::step]
        lab, pattern = (
            ndimage.uniform_filter(one, step, axes=(0, 1))[::step, ::step]
            for one in (lab, pattern)
        )
    return _Prepared(
        lab=lab, pattern=pattern, mask=mask, reach=max(1, reach // step), step=step
    )


def _match(at: _Prepared, scale: float) -> Match:
    """The match of the pattern at one size; the pattern is resized about its middle."""
    pattern, mask = at.pattern, at.mask
    if scale != 1.0:
        pattern, mask = _resized(pattern, mask, scale)
    match = best_match(at.lab, pattern, mask, at.reach)
    return dataclasses.replace(
        match, rows=match.rows * at.step, columns=match.columns * at.step, scale=scale
    )


def _resized(
    pattern: Float[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], scale: float
) -> tuple[Float[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Scales a picture about the middle of a mask's box; its canvas stays."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    middle = np.array([rows[0] + rows[-1], columns[0] + columns[-1]]) / 2
    start = middle - middle / scale
    planes = [
        ndimage.affine_transform(
            pattern[..., k], np.full(2, 1 / scale), start, order=1, mode="nearest"
        )
        for k in range(3)
    ]
    # The window is scaled as the thing in it is, as far as the picture goes.
    reach = [scale * (one[-1] - one[0]) / 2 for one in (rows, columns)]
    grown = np.zeros_like(mask)
    ends = [
        slice(max(0, round(m - r)), round(m + r) + 1)
        for m, r in zip(middle, reach, strict=True)
    ]
    grown[ends[0], ends[1]] = True
    return np.stack(planes, axis=-1), grown
