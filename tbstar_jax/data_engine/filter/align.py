"""How far the target lies from its source: masked registration to 1/50 pixel.

Four steps. Blocks of the source are searched in the target, and the displacement that
most of them agree on is a start that no edit can pull away. Around it the enhanced
correlation coefficient (Evangelidis and Psarakis, 2008) is maximised over what is
outside the region, first for a translation, then, where that does not explain the
target, for an affine map whose determinant is the zoom. A translation is polished by
`subpixel.py`. What cannot be registered (no texture, no agreement, no convergence) has
the displacement NaN: it is never taken for zero.
"""

import dataclasses
import math

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.data_engine.filter.blocks import agreed_motion
from tbstar_jax.data_engine.filter.region import (
    MARGIN,
    TOLERANCE,
    difference,
    estimated_region,
    grown,
    outside_of,
)
from tbstar_jax.data_engine.filter.subpixel import refined_shift, sampled

_IDENTITY = np.eye(2, 3, dtype=np.float32)
_MIN_CONTRAST = 3.0
"""Standard deviation of the luma, in levels, below which nothing can be registered."""
_LIGHT_SCALE = 8.0
"""Pixels below which a change of brightness is texture, not light."""
_MIN_OUTSIDE = 0.04
"""Share of the image that must be left to register."""
_MIN_EDGES = 0.01
"""Share of the picture that edges must have to say where it lies."""
_MUCH_BETTER = 0.8
"""Share of a translation's lack of correlation that an affine map may leave."""
_STILL = 0.75
"""Mean difference, in levels, below which a translation is taken as the whole story."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Alignment:
    """Where the target lies; NaN where that cannot be said.

    Attributes:
      rows: pixels the target lies lower than the source.
      columns: pixels it lies further right.
      zoom: its scale, above 1 when things are larger in the target.
      confidence: correlation of the registered pictures outside the region, -1 to 1.
      region: the region that was left out: the declared or the estimated one.
    """

    rows: float
    columns: float
    zoom: float
    confidence: float
    region: Bool[np.ndarray, "h w"]

    @property
    def shift(self) -> float:
        """Euclidean displacement, in pixels."""
        return math.hypot(self.rows, self.columns)


def align(
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    mask: Bool[np.ndarray, "h w"] | None = None,
    may_look_inside: bool = True,
) -> Alignment:
    """Registers the target on the source.

    Args:
      source: the picture before.
      target: the picture after, of the same size.
      mask: what the edit may change; estimated when absent.
      may_look_inside: whether a region that leaves too little may be registered too: a
        recoloured product keeps its edges, a new background has none of the old ones.
    """
    first, second = luma(source), luma(target)
    nowhere = np.zeros(first.shape, bool)
    if mask is not None:
        outside = outside_of(mask)
        if _has_texture(first, outside):
            if (source[outside] == target[outside]).all():
                return _still(mask)
            start = agreed_motion(first, second, grown(mask, MARGIN))
            return _refined(first, second, mask, outside, _IDENTITY, start)
        if not may_look_inside:
            return _unknown(mask)
        # New light is the reason most often, and must not look like a motion.
        first, second = _flattened(first), _flattened(second)
    start = _start(source, target, first, second)
    if start is None:
        return _unknown(nowhere if mask is None else mask)
    region = estimated_region(source, _moved_back(target, start))
    outside = outside_of(region)
    if not _has_texture(first, outside):
        return _unknown(region if mask is None else mask)
    if (source[outside] == target[outside]).all():
        return _still(region if mask is None else mask)
    found = _refined(first, second, region, outside, start, None)
    return found if mask is None else dataclasses.replace(found, region=mask)


def warped_back(
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    rows: float,
    columns: float,
) -> UInt8[np.ndarray, "h w 3"]:
    """Undoes the target's displacement; what it never showed comes from the source.

    Args:
      source: the picture before.
      target: the picture after.
      rows: as in `Alignment`.
      columns: as in `Alignment`.
    """
    floats = sampled(target.astype(np.float32), np.array([columns, rows]))
    warped = np.rint(np.clip(floats, 0, 255)).astype(np.uint8)
    height, width = target.shape[:2]
    at_rows = np.arange(height) + rows
    at_columns = np.arange(width) + columns
    is_shown = np.logical_and.outer(
        (at_rows >= 0) & (at_rows <= height - 1),
        (at_columns >= 0) & (at_columns <= width - 1),
    )
    return np.where(is_shown[:, :, None], warped, source)


def luma(image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """Returns the luma, float32 levels."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _flattened(image: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Local contrast in levels: brightness that varies slowly is taken out."""
    around = cv2.GaussianBlur(image, (0, 0), _LIGHT_SCALE)
    return ((image - around) * (128.0 / (around + 16.0))).astype(np.float32)


def _moved_back(
    image: UInt8[np.ndarray, "h w 3"], matrix: Float[np.ndarray, "2 3"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Undoes a motion by one cubic resampling; the border is repeated."""
    return cv2.warpAffine(
        image,
        matrix,
        (image.shape[1], image.shape[0]),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _still(region: Bool[np.ndarray, "h w"]) -> Alignment:
    return Alignment(rows=0.0, columns=0.0, zoom=1.0, confidence=1.0, region=region)


def _unknown(region: Bool[np.ndarray, "h w"]) -> Alignment:
    nan = math.nan
    return Alignment(rows=nan, columns=nan, zoom=nan, confidence=nan, region=region)


def _has_texture(
    luma: Float[np.ndarray, "h w"], outside: Bool[np.ndarray, "h w"]
) -> bool:
    """Whether enough is left, and enough to see in it, in both directions."""
    if outside.mean() < _MIN_OUTSIDE:
        return False
    for axis in (0, 1):
        step = np.abs(np.diff(luma, axis=axis))
        inside = np.delete(outside, -1, axis=axis)
        # A ramp of light has no place; an edge of a few levels has one.
        if float(np.percentile(step[inside], 99)) < _MIN_CONTRAST:
            return False
    return True


def _start(
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    first: Float[np.ndarray, "h w"],
    second: Float[np.ndarray, "h w"],
) -> Float[np.ndarray, "2 3"] | None:
    """Finds a start where the region is not known.

    None moved if most of what shows a displacement, the edges, is where it was; else
    the blocks are asked; and if they do not agree, since most of the picture is new,
    edges of a small part that are where they were are proof enough.
    """
    slopes = cv2.Sobel(first, cv2.CV_32F, 1, 0), cv2.Sobel(first, cv2.CV_32F, 0, 1)
    step = cv2.magnitude(*slopes) / 8
    is_still = difference(source, target) <= TOLERANCE
    is_edge = step > _MIN_CONTRAST
    if is_edge.mean() > _MIN_EDGES and is_still[is_edge].mean() > 0.5:
        return _IDENTITY
    agreed = agreed_motion(first, second, np.zeros(first.shape, bool))
    is_steep = step > 2 * TOLERANCE
    if agreed is None and (is_still & is_steep).mean() > _MIN_EDGES:
        return _IDENTITY
    return agreed


def _refined(
    first: Float[np.ndarray, "h w"],
    second: Float[np.ndarray, "h w"],
    region: Bool[np.ndarray, "h w"],
    outside: Bool[np.ndarray, "h w"],
    *starts: Float[np.ndarray, "2 3"] | None,
) -> Alignment:
    """Maximises the correlation from the best start, as translation, then affine."""
    known = [start for start in starts if start is not None]
    start = max(known, key=lambda one: _correlation(first, second, one, outside))
    found = None
    if _zoom_of(start) == 1:
        found = _maximised(first, second, start, cv2.MOTION_TRANSLATION, outside)
    if found is None or not _is_explained(first, second, found[1], outside):
        confidence, matrix = found or (-1.0, start)
        affine = _maximised(first, second, matrix, cv2.MOTION_AFFINE, outside)
        # More parameters always fit a little better; a zoom fits much better.
        if affine is not None and 1 - affine[0] < _MUCH_BETTER * (1 - confidence):
            found = affine
    if found is None:
        return _unknown(region)
    confidence, matrix = found
    rows, columns = _at_middle(matrix, first.shape)
    if math.hypot(rows, columns) > max(first.shape) / 4:
        return _unknown(region)  # it ran away
    zoom = _zoom_of(matrix)
    if zoom == 1:
        rows, columns = refined_shift(first, second, outside, rows, columns)
    return Alignment(
        rows=rows, columns=columns, zoom=zoom, confidence=confidence, region=region
    )


def _zoom_of(matrix: Float[np.ndarray, "2 3"]) -> float:
    return math.sqrt(max(0.0, float(np.linalg.det(matrix[:, :2].astype(float)))))


def _correlation(
    first: Float[np.ndarray, "h w"],
    second: Float[np.ndarray, "h w"],
    matrix: Float[np.ndarray, "2 3"],
    outside: Bool[np.ndarray, "h w"],
) -> float:
    back = _unmoved(second, matrix)[outside]
    here = first[outside]
    spread = float(here.std() * back.std())
    if spread == 0:
        return -1.0
    return float(((here - here.mean()) * (back - back.mean())).mean()) / spread


def _unmoved(
    image: Float[np.ndarray, "h w"], matrix: Float[np.ndarray, "2 3"]
) -> Float[np.ndarray, "h w"]:
    size = (image.shape[1], image.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )


def _maximised(
    first: Float[np.ndarray, "h w"],
    second: Float[np.ndarray, "h w"],
    matrix: Float[np.ndarray, "2 3"],
    motion: int,
    outside: Bool[np.ndarray, "h w"],
) -> tuple[float, Float[np.ndarray, "2 3"]] | None:
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-5)
    # The mask belongs to the target, which lies displaced by the start.
    valid = cv2.warpAffine(
        outside.view(np.uint8) * 255, matrix, (first.shape[1], first.shape[0])
    )
    try:
        confidence, found = cv2.findTransformECC(
            first, second, matrix.copy(), motion, criteria, valid, 5
        )
    except cv2.error:
        return None  # it did not converge
    if not math.isfinite(confidence) or not np.isfinite(found).all():
        return None
    return float(confidence), found


def _is_explained(
    first: Float[np.ndarray, "h w"],
    second: Float[np.ndarray, "h w"],
    matrix: Float[np.ndarray, "2 3"],
    outside: Bool[np.ndarray, "h w"],
) -> bool:
    """Whether a translation leaves less than a zoom of a textured picture would."""
    rest = np.abs(_unmoved(second, matrix) - first)[outside]
    return float(rest.mean()) < _STILL


def _at_middle(
    matrix: Float[np.ndarray, "2 3"], shape: tuple[int, ...]
) -> tuple[float, float]:
    """Returns the displacement of the image's middle, rows then columns."""
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2, 1.0])
    moved = matrix.astype(float) @ middle
    return float(moved[1] - middle[1]), float(moved[0] - middle[0])
