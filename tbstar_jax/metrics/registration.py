"""Where an edited picture lies: shift and zoom, estimated together.

The model: what the source shows at pixel `p` lies in the edited picture at
`middle + zoom (p - middle) + shift`, `middle` being the middle of the picture.

Start: on a picture of at most 128 px, for zooms 0.84 to 1.16, the band-passed luma's
correlation over the source's mask (Padfield, 2012, "Masked object registration in the
Fourier domain"), shifts up to a fifth of the side. Then `motion_fit`, from coarse to
fine. The source's mask alone says what counts: its pixels look for themselves in the
edit.

numpy and scipy, on the host.
"""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import scipy.fft
from jaxtyping import Bool, Float, Shaped
from scipy import ndimage

from tbstar_jax.metrics.color import unit_image
from tbstar_jax.metrics.motion_fit import (
    FINE,
    MAX_SHIFT,
    MAX_ZOOM,
    MIN_CONTRAST,
    MIN_COUNTED,
    Level,
    band,
    refined_motion,
)
from tbstar_jax.metrics.resampling import (
    IDENTITY,
    Motion,
    inside,
    level_of,
    moved_back,
    pyramid,
)

AGREEMENT = 0.8
"""Correlation, of band-passed lumas and without what clearly differs, below which two
pictures do not show the same. Other pictures reach 0.7, a half redone one 0.95."""
ACCURACY = 0.05
"""Pixels. A motion that puts no corner further than this from where a shift by whole
pixels puts it is taken to be that shift: the method is no more accurate."""

_SEARCH_SIDE, _FINEST_SIDE = 128, 512
_NUM_ZOOMS = 17
_ZOOM_COST = 0.5
"""Correlation that a start gives away per zoom: little texture fits any."""
_STILL_GAIN = 0.02
"""Correlation that no motion has ahead of any other start."""
_CLEAR_AGREEMENT = 0.9
"""From here on no other start is tried."""
_MIN_START = 0.3
"""Correlation below which a start is none; it lies beside the best place."""
_LUMA = (0.299, 0.587, 0.114)

_Plane = Float[np.ndarray, "h w"]
_Mask = Bool[np.ndarray, "h w"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Registration:
    """A global motion; all NaN where it cannot be said.

    Attributes:
      rows: pixels the middle of the edit lies lower than the source's.
      columns: pixels it lies further right.
      zoom: above 1 when things are larger in the edit.
    """

    rows: float
    columns: float
    zoom: float

    @property
    def is_known(self) -> bool:
        """Whether the pictures could be registered."""
        return not math.isnan(self.zoom)

    @property
    def is_still(self) -> bool:
        """Whether nothing moved."""
        return (self.rows, self.columns, self.zoom) == (0, 0, 1)

    @property
    def shift(self) -> float:
        """The Euclidean length of the displacement, in pixels."""
        return math.hypot(self.rows, self.columns)

    def motion(self, size: tuple[int, int]) -> Motion:
        """Returns the map of pixel positions, for pictures of `size`."""
        shifted = Motion(zoom=self.zoom, rows=self.rows, columns=self.columns)
        return shifted.about_middle(size)


STILL = Registration(rows=0.0, columns=0.0, zoom=1.0)
UNKNOWN = Registration(rows=math.nan, columns=math.nan, zoom=math.nan)


def register(
    source: Shaped[np.ndarray, "h w 3"],
    edited: Shaped[np.ndarray, "h w 3"],
    mask: Bool[np.ndarray, "h w"] | None = None,
    min_agreement: float = AGREEMENT,
) -> Registration:
    """Estimates how the counted part of a picture moved.

    Within +-8 px and +-4 % the shift is found to 0.1 px and the zoom to 0.2 %.

    Args:
      source: the picture, uint8 or float in [0, 1].
      edited: the same picture, perhaps moved.
      mask: the source's pixels to look for (outside the true change); all if absent.
      min_agreement: below it the pictures do not show the same. Lower only where the
        motion is checked by other means.

    Returns:
      The motion: exactly (0, 0, 1) where the counted pixels are identical; NaN where
      none is counted, where there is no texture (in any, or in one direction), or where
      the pictures do not show the same.
    """
    kept = np.ones(source.shape[:2], bool) if mask is None else mask
    if not kept.any():
        return UNKNOWN
    if np.array_equal(source[kept], edited[kept]):
        return STILL
    lumas = [_luma(image) for image in (source, edited)]
    levels = {
        step: Level.of(lumas[0], lumas[1], kept, step)
        for step in pyramid(kept.shape, _SEARCH_SIDE, _FINEST_SIDE)
    }
    best: tuple[float, Motion | None] = (min_agreement, None)
    # What is too thin for the search may still be found where it was.
    for start in (_start(lumas[0], lumas[1], kept), IDENTITY):
        if start is not None and best[0] < _CLEAR_AGREEMENT:
            best = max(best, refined_motion(levels, start), key=lambda found: found[0])
    return UNKNOWN if best[1] is None else _simplest(levels, best[1], kept.shape)


def has_texture(
    image: Shaped[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"] | None = None
) -> bool:
    """Says whether a picture has anything to register: contrast finer than light."""
    kept = np.ones(image.shape[:2], bool) if mask is None else mask
    fine = band(ndimage.gaussian_filter(_luma(image), FINE), kept)
    return bool(kept.any()) and float(fine[kept].std()) >= MIN_CONTRAST


def unregistered(
    edited: Shaped[np.ndarray, "h w 3"],
    registration: Registration,
    fill: Shaped[np.ndarray, "h w 3"],
) -> Shaped[np.ndarray, "h w 3"]:
    """Undoes a motion by one resampling (Lanczos, 3 lobes; exact for whole pixels).

    Args:
      edited: the moved picture, uint8 or float in [0, 1].
      registration: of `register`.
      fill: what stands where the moved picture shows nothing.

    Returns:
      The picture laid over the source, of the type of `edited`; `edited` itself when
      nothing moved or the motion is unknown.
    """
    if registration.is_still or not registration.is_known:
        return edited
    back = moved_back(edited, registration.motion(edited.shape[:2]))
    return np.where(shown(edited.shape[:2], registration)[..., None], back, fill)


def shown(size: tuple[int, int], registration: Registration) -> _Mask:
    """Returns which pixels of the source lie inside the moved picture."""
    if not registration.is_known:
        return np.ones(size, bool)
    return inside(size, registration.motion(size))


def _luma(image: Shaped[np.ndarray, "h w 3"]) -> _Plane:
    """Rec. 601 luma, 0..255, float32."""
    return (255 * unit_image(image) @ np.array(_LUMA)).astype(np.float32)


def _start(source: _Plane, edited: _Plane, kept: _Mask) -> Motion | None:
    """Searches shifts and zooms on a small picture; None without agreement."""
    step = pyramid(kept.shape, _SEARCH_SIDE, _FINEST_SIDE)[0]
    first, second = (level_of(plane, step) for plane in (source, edited))
    counted = level_of(kept, step)
    if counted.sum() < MIN_COUNTED:
        return None
    reach = min(math.ceil(MAX_SHIFT * max(first.shape)), min(first.shape) - 1)
    padded = [scipy.fft.next_fast_len(side + reach, real=True) for side in first.shape]

    def spectrum(plane: Shaped[np.ndarray, "h w"]) -> np.ndarray:
        return scipy.fft.rfft2(plane.astype(np.float32), padded)

    def correlation(one: np.ndarray, other: np.ndarray) -> _Plane:
        found = scipy.fft.irfft2(other * np.conj(one), padded)
        rows, columns = (
            np.r_[0 : reach + 1, side - reach : side] for side in found.shape
        )
        return found[np.ix_(rows, columns)]

    here = band(ndimage.gaussian_filter(first, FINE), counted)
    if here[counted].std() < MIN_CONTRAST:
        return None
    one, mask, power = (spectrum(x) for x in (here, counted, here**2))
    # A place with almost no texture agrees with none.
    least = 0.1 * float(np.square(here).sum())
    best, found = _MIN_START, None
    for zoom in np.linspace(1 - MAX_ZOOM, 1 + MAX_ZOOM, _NUM_ZOOMS):
        motion = dataclasses.replace(IDENTITY, zoom=float(zoom)).about_middle(
            first.shape
        )
        is_shown = inside(first.shape, motion)
        there = band(
            ndimage.gaussian_filter(moved_back(second, motion), FINE), is_shown
        )
        overlap = correlation(power, spectrum(is_shown)) * correlation(
            mask, spectrum(there**2)
        )
        score = correlation(one, spectrum(there)) / np.sqrt(
            np.maximum(overlap, least**2)
        )
        score -= _ZOOM_COST * abs(math.log(zoom))
        if motion == IDENTITY:
            score[0, 0] += _STILL_GAIN
        if score.max() > best:
            best = float(score.max())
            at = np.unravel_index(score.argmax(), score.shape)
            rows, columns = (k if k <= reach else k - 2 * reach - 1 for k in at)
            found = dataclasses.replace(
                motion,
                rows=motion.rows + zoom * int(rows),
                columns=motion.columns + zoom * int(columns),
            ).from_level(step)
    return found


def _simplest(
    levels: Mapping[int, Level], motion: Motion, size: tuple[int, ...]
) -> Registration:
    """Takes a shift by whole pixels for one where they cannot be told apart."""
    middle = [(side - 1) / 2 for side in size]
    rows, columns = (
        at + (motion.zoom - 1) * half
        for at, half in zip((motion.rows, motion.columns), middle, strict=True)
    )
    whole = Motion(zoom=1.0, rows=float(round(rows)), columns=float(round(columns)))
    reach = max(
        abs(at - round(at)) + abs(motion.zoom - 1) * half
        for at, half in zip((rows, columns), middle, strict=True)
    )
    finest = min(levels)
    if reach <= ACCURACY or levels[finest].explains(
        whole.at_level(finest), motion.at_level(finest)
    ):
        return Registration(rows=whole.rows, columns=whole.columns, zoom=1.0)
    return Registration(rows=rows, columns=columns, zoom=motion.zoom)
