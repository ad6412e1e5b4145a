"""The best motion beside a start: damped Gauss-Newton steps on band-passed lumas.

What the source's kept pixels show is looked for in the edit (Lucas and Kanade, 1981),
with the slopes of both pictures averaged (Malis, 2004), a gain against changes of
contrast, and weights against undeclared changes. numpy and scipy, on the host.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from tbstar_jax.geometry import erode
from tbstar_jax.metrics.resampling import (
    IDENTITY,
    Motion,
    inside,
    level_of,
    moved_back,
)

MIN_CONTRAST = 0.5
"""Levels: standard deviation of the band-passed luma that can be registered."""
MIN_AGREEMENT = 0.5
"""Agreement below which a step from coarse to fine is not taken."""
MIN_COUNTED = 100
"""Pixels that must be left to compare at a level."""
_MIN_SPREAD = 1e-3
"""Least over most texture by direction; below it, a shift along the lines is unseen."""
_HARDLY_MORE = 1.5
"""Times the squared rest of a motion that a shift by whole pixels may leave to be
preferred. Unmoved pictures leave up to 1.5 after JPEG, noise or blur; a quarter of a
pixel leaves more than 3."""
_NUM_ROUNDS = 8
_ENOUGH = 2e-3
"""Pixels at a corner by which a step must still move the picture."""
_DAMPING = 1e-4
MAX_ZOOM = 0.16
"""Largest zoom searched for, as a difference from 1."""
MAX_SHIFT = 0.2
"""Largest shift searched for, as a share of the longer side."""
FINE, LIGHT = 1.0, 25
"""Sigma of the blur against noise and side of the box whose mean is light, pixels."""

_Plane = Float[np.ndarray, "h w"]
_Mask = Bool[np.ndarray, "h w"]


@dataclasses.dataclass(frozen=True)
class Level:
    """Both pictures at one size, lightly blurred, and what counts."""

    source: _Plane
    edited: _Plane
    kept: _Mask

    @classmethod
    def of(cls, source: _Plane, edited: _Plane, kept: _Mask, step: int) -> "Level":
        """Makes both pictures `step` times smaller."""
        first, second = (
            ndimage.gaussian_filter(level_of(plane, step), FINE)
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
            if counted.sum() < MIN_COUNTED:
                return None
            back = moved_back(self.edited, motion)
            here, there = band(self.source, counted), band(back, counted)
            if min(here[counted].std(), there[counted].std()) < MIN_CONTRAST:
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
        return motion if self.agreement(motion) >= MIN_AGREEMENT else None

    def explains(self, simple: Motion, motion: Motion) -> bool:
        """Says whether a simpler motion leaves hardly more than the one found."""
        size = self.source.shape
        counted = self.kept & inside(size, motion, 2) & inside(size, simple, 2)
        if not counted.any():
            return False
        here = band(self.source, counted)[counted]
        weight = np.ones_like(here)
        left = []
        for one in (motion, simple):
            there = band(moved_back(self.edited, one), counted)[counted]
            gain = (weight * here * there).sum() / (weight * there**2).sum()
            rest = here - gain * there
            if one is motion:
                weight = _trust(rest)
            left.append(float((weight * rest**2).sum()))
        return left[1] <= _HARDLY_MORE * left[0]

    def agreement(self, motion: Motion) -> float:
        """Correlation, -1 to 1, in which what clearly differs counts little."""
        counted = self.kept & inside(self.source.shape, motion, margin=2)
        if not counted.any():
            return -1.0
        first = band(self.source, counted)[counted]
        second = band(moved_back(self.edited, motion), counted)[counted]
        if min(first.std(), second.std()) < MIN_CONTRAST:
            return -1.0
        weight = _trust(first - second)
        power = (weight * first**2).sum() * (weight * second**2).sum()
        return float((weight * first * second).sum() / math.sqrt(power))


def _trust(rest: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Weights in (0, 1] by which an edit or a new detail counts little."""
    return 1 / (1 + (rest / _spread(rest)) ** 2)


def band(plane: _Plane, mask: _Mask) -> _Plane:
    """Takes away the local mean of what counts; zero elsewhere."""
    weight = ndimage.uniform_filter(mask.astype(np.float32), LIGHT, mode="constant")
    total = ndimage.uniform_filter(
        np.where(mask, plane, np.float32(0)), LIGHT, mode="constant"
    )
    mean = total / np.maximum(weight, 1e-6)
    return np.where(mask, plane - mean, np.float32(0))


def _spread(rest: Float[np.ndarray, " n"]) -> float:
    """Levels beyond which a rest is an edit or a new detail, not a motion."""
    return 2 * float(np.median(np.abs(rest))) + 2


def _columns(
    slopes: Sequence[_Plane], edited: _Plane, middle: Sequence[float], radius: float
) -> Float[np.ndarray, "h w 4"]:
    """What a step of each parameter changes: rows, columns, zoom, contrast.

    The zoom's step moves what is `radius` from the middle by one pixel.
    """
    rows, columns = (
        (np.arange(side) - at).astype(np.float32) / radius
        for side, at in zip(edited.shape, middle, strict=True)
    )
    zoom = slopes[0] * rows[:, None] + slopes[1] * columns
    return np.stack([*slopes, zoom, edited], axis=-1)


def refined_motion(
    levels: Mapping[int, Level], motion: Motion
) -> tuple[float, Motion | None]:
    """Improves a start from coarse to fine.

    Args:
      levels: by factor, coarsest first.
      motion: the start, of the whole picture.

    Returns:
      The agreement at the finest level, and the motion; -1 and None if it is lost.
    """
    found = None
    for step, level in levels.items():
        found = level.refined(motion.at_level(step))
        if found is not None:
            motion = found.from_level(step)
    if found is None:
        return -1.0, None
    return levels[min(levels)].agreement(found), motion
