"""Where an edited picture lies: shift and zoom, estimated together.

The model: what the source shows at pixel `p` lies in the edited picture at
`middle + zoom (p - middle) + shift`, `middle` being the middle of the picture.

Start: on a picture of at most 128 px, for zooms 0.84 to 1.16, the band-passed luma's
correlation over the source's mask (Padfield, 2012, "Masked object registration in the
Fourier domain"), shifts up to a fifth of the side. Then, from coarse to fine, damped
Gauss-Newton steps (Lucas and Kanade, 1981) with the slopes of both pictures averaged
(Malis, 2004), a gain against changes of contrast, weights against undeclared changes.
The source's mask alone says what counts: its pixels look for themselves in the edit.

numpy and scipy, on the host.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.fft
from jaxtyping import Bool, Float, Shaped
from scipy import ndimage

from tbstar_jax.geometry import erode
from tbstar_jax.metrics.color import unit_image
from tbstar_jax.metrics.resampling import (
    IDENTITY,
    Motion,
    inside,
    level_of,
    moved_back,
    pyramid,
)

MAX_ZOOM = 0.16
"""Largest zoom searched for, as a difference from 1."""
MAX_SHIFT = 0.2
"""Largest shift searched for, as a share of the longer side."""
ACCURACY = 0.05
"""Pixels. A motion that puts no corner further than this from where a shift by whole
pixels puts it is taken to be that shift: the method is no more accurate."""

_SEARCH_SIDE, _FINEST_SIDE = 128, 512
_NUM_ZOOMS = 17
_ZOOM_COST = 0.5
"""Correlation that a start gives away per zoom: little texture fits any."""
_STILL_GAIN = 0.02
"""Correlation that no motion has ahead of any other start."""
_MIN_CONTRAST = 0.5
"""Levels: standard deviation of the band-passed luma that can be registered."""
_MIN_AGREEMENT = 0.5
"""Correlation of band-passed lumas below which the pictures do not show the same."""
_MIN_START = 0.3
"""The same for a start, which lies beside the best place."""
_MIN_COUNTED = 100
"""Pixels that must be left to compare at a level."""
_MIN_SPREAD = 1e-3
"""Least over most texture by direction; below it, a shift along the lines is unseen."""
_LUMA = (0.299, 0.587, 0.114)
_FINE, _LIGHT = 1.0, 25
"""Sigma of the blur against noise and side of the box whose mean is light, pixels."""
_HARDLY_MORE = 1.3
"""Times the squared rest of a motion that a shift by whole pixels may leave to be
preferred. Unmoved pictures leave up to 1.2 after JPEG, noise or blur; real motions
that are worth naming leave more than 10."""
_NUM_ROUNDS = 8
_ENOUGH = 2e-3
"""Pixels at a corner by which a step must still move the picture."""
_DAMPING = 1e-4

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
        row, column = ((side - 1) / 2 * (1 - self.zoom) for side in size)
        return Motion(
            zoom=self.zoom, rows=self.rows + row, columns=self.columns + column
        )


STILL = Registration(rows=0.0, columns=0.0, zoom=1.0)
UNKNOWN = Registration(rows=math.nan, columns=math.nan, zoom=math.nan)


def register(
    source: Shaped[np.ndarray, "h w 3"],
    edited: Shaped[np.ndarray, "h w 3"],
    mask: Bool[np.ndarray, "h w"] | None = None,
) -> Registration:
    """Estimates how the counted part of a picture moved.

    Within +-8 px and +-4 % the shift is found to 0.1 px and the zoom to 0.2 %.

    Args:
      source: the picture, uint8 or float in [0, 1].
      edited: the same picture, perhaps moved.
      mask: the source's pixels to look for (outside the true change); all if absent.

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
    lumas = [
        (255 * unit_image(image) @ np.array(_LUMA)).astype(np.float32)
        for image in (source, edited)
    ]
    levels = {
        step: _Level.of(lumas[0], lumas[1], kept, step)
        for step in pyramid(kept.shape, _SEARCH_SIDE, _FINEST_SIDE)
    }
    # What is too thin for the search may still be found where it was.
    for start in (_start(lumas[0], lumas[1], kept), IDENTITY):
        motion = None if start is None else _refined(levels, start)
        if motion is not None:
            return _simplest(levels, motion, kept.shape)
    return UNKNOWN


def _refined(levels: Mapping[int, "_Level"], motion: Motion) -> Motion | None:
    """Improves a start from coarse to fine; None where the finest does not agree."""
    found = None
    for step, level in levels.items():
        found = level.refined(motion.at_level(step))
        if found is not None:
            motion = found.from_level(step)
    return None if found is None else motion


def has_texture(
    image: Shaped[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"] | None = None
) -> bool:
    """Says whether a picture has anything to register: contrast finer than light."""
    kept = np.ones(image.shape[:2], bool) if mask is None else mask
    luma = (255 * unit_image(image) @ np.array(_LUMA)).astype(np.float32)
    band = _band(ndimage.gaussian_filter(luma, _FINE), kept)
    return bool(kept.any()) and float(band[kept].std()) >= _MIN_CONTRAST


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


def _start(source: _Plane, edited: _Plane, kept: _Mask) -> Motion | None:
    """Searches shifts and zooms on a small picture; None without agreement."""
    step = pyramid(kept.shape, _SEARCH_SIDE, _FINEST_SIDE)[0]
    first, second = (level_of(plane, step) for plane in (source, edited))
    counted = level_of(kept, step)
    if counted.sum() < _MIN_COUNTED:
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

    here = _band(ndimage.gaussian_filter(first, _FINE), counted)
    if here[counted].std() < _MIN_CONTRAST:
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
        there = _band(
            ndimage.gaussian_filter(moved_back(second, motion), _FINE), is_shown
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


@dataclasses.dataclass(frozen=True)
class _Level:
    """Both pictures at one size, lightly blurred, and what counts."""

    source: _Plane
    edited: _Plane
    kept: _Mask

    @classmethod
    def of(cls, source: _Plane, edited: _Plane, kept: _Mask, step: int) -> "_Level":
        first, second = (
            ndimage.gaussian_filter(level_of(plane, step), _FINE)
            for plane in (source, edited)
        )
        # As far from the change and from the border as the blur reaches.
        counted = erode(level_of(kept, step), 3) & inside(first.shape, IDENTITY, 3)
        return cls(first, second, counted)

    def refined(self, motion: Motion) -> Motion | None:
        """Improves a motion; None where it runs away or does not fit."""
        size = self.source.shape
        slopes = np.gradient(self.source)
        middle = [(side - 1) / 2 for side in size]
        radius = max(size) / 2
        for _ in range(_NUM_ROUNDS):
            counted = self.kept & inside(size, motion, margin=2)
            if counted.sum() < _MIN_COUNTED:
                return None
            back = moved_back(self.edited, motion)
            here, there = _band(self.source, counted), _band(back, counted)
            if min(here[counted].std(), there[counted].std()) < _MIN_CONTRAST:
                return None
            both = [
                (a + b / motion.zoom) / 2
                for a, b in zip(slopes, np.gradient(back), strict=True)
            ]
            rest = (here - there)[counted]
            # Noise of the edit in these too would be taken for a zoom: the source's
            # slopes alone say which way the rest points.
            guide = _columns(slopes, here, middle, radius)[counted]
            columns = _columns(both, there, middle, radius)[counted]
            weight = 1 / np.maximum(1, np.abs(rest) / _spread(rest))
            weighted = guide * weight[:, None]
            own = (weighted.T @ guide).astype(float)
            texture = np.linalg.eigvalsh(own[:2, :2])
            if texture[0] <= _MIN_SPREAD * texture[1]:
                return None
            normal = (weighted.T @ columns).astype(float)
            normal += _DAMPING * np.diag(np.diag(own))
            change = np.linalg.lstsq(normal, (weighted.T @ rest).astype(float))[0]
            motion = motion.after(change[0], change[1], change[2] / radius, middle)
            if not motion.is_within(size, 1.25 * MAX_ZOOM, 1.5 * MAX_SHIFT):
                return None
            if abs(change[:3]).max() < _ENOUGH:
                break
        return motion if self._agreement(motion) >= _MIN_AGREEMENT else None

    def explains(self, simple: Motion, motion: Motion) -> bool:
        """Says whether a simpler motion leaves hardly more than the one found."""
        size = self.source.shape
        counted = self.kept & inside(size, motion, 2) & inside(size, simple, 2)
        if not counted.any():
            return False
        here = _band(self.source, counted)[counted]
        weight = np.ones_like(here)
        left = []
        for one in (motion, simple):
            there = _band(moved_back(self.edited, one), counted)[counted]
            gain = (weight * here * there).sum() / (weight * there**2).sum()
            rest = here - gain * there
            if one is motion:
                weight = 1 / (1 + (rest / _spread(rest)) ** 2)
            left.append(float((weight * rest**2).sum()))
        return left[1] <= _HARDLY_MORE * left[0]

    def _agreement(self, motion: Motion) -> float:
        counted = self.kept & inside(self.source.shape, motion, margin=2)
        if not counted.any():
            return -1.0
        first = _band(self.source, counted)[counted]
        second = _band(moved_back(self.edited, motion), counted)[counted]
        if min(first.std(), second.std()) < _MIN_CONTRAST:
            return -1.0
        return float(np.corrcoef(first, second)[0, 1])


def _band(plane: _Plane, mask: _Mask) -> _Plane:
    """Takes away the local mean of what counts; zero elsewhere."""
    weight = ndimage.uniform_filter(mask.astype(np.float32), _LIGHT, mode="constant")
    total = ndimage.uniform_filter(
        np.where(mask, plane, np.float32(0)), _LIGHT, mode="constant"
    )
    mean = total / np.maximum(weight, 1e-6)
    return np.where(mask, plane - mean, np.float32(0))


def _spread(rest: Float[np.ndarray, " n"]) -> float:
    """Levels beyond which a rest is an edit or a new detail, not a motion."""
    return 2 * float(np.median(np.abs(rest))) + 2


def _columns(
    slopes: Sequence[_Plane], band: _Plane, middle: Sequence[float], radius: float
) -> Float[np.ndarray, "h w 4"]:
    """What a step of each parameter changes: rows, columns, zoom, contrast.

    The zoom's step moves what is `radius` from the middle by one pixel.
    """
    rows, columns = (
        (np.arange(side) - at).astype(np.float32) / radius
        for side, at in zip(band.shape, middle, strict=True)
    )
    zoom = slopes[0] * rows[:, None] + slopes[1] * columns
    return np.stack([*slopes, zoom, band], axis=-1)


def _simplest(
    levels: Mapping[int, _Level], motion: Motion, size: tuple[int, ...]
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
