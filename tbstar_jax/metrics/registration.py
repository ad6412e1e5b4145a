"""How far an edit moved the picture: one global shift, to 1/20 pixel.

Phase correlation of the luma. What must not count (the changed region) is filled with
the mean of the rest and a Hann window hides the borders. The cross-power spectrum is
whitened, weak frequencies (noise, missing texture) less than strong ones; its peak is
found on the pixel grid and refined by an upsampled matrix DFT (Guizar-Sicairos,
Thurman, Fienup, 2008). The fill stands still while the picture moves, which pulls the
estimate towards zero, so the shift found is undone and the rest estimated again.

Numpy only: training and benchmark call it on the host.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from tbstar_jax.geometry import erode
from tbstar_jax.metrics.color import unit_image

UPSAMPLING = 20
"""Steps per pixel of the refined peak."""

_NUM_ROUNDS = 3
_LUMA = (0.299, 0.587, 0.114)
_WEAK_POWER = 0.1
"""Frequencies well above this share of the mean power count alike, others less."""
_MIN_CONTRAST = 1 / 255
"""Standard deviation of the luma below which there is nothing to register."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """A global displacement, in pixels; NaN where the picture has no texture.

    Attributes:
      rows: positive when the edit lies lower than the source.
      columns: positive when the edit lies further right.
    """

    rows: float
    columns: float

    @property
    def magnitude(self) -> float:
        """The Euclidean length, in pixels."""
        return math.hypot(self.rows, self.columns)


def global_shift(
    source: Shaped[np.ndarray, "h w 3"],
    edited: Shaped[np.ndarray, "h w 3"],
    mask: Bool[np.ndarray, "h w"] | None = None,
) -> Shift:
    """Estimates how far the counted part of a picture moved.

    Args:
      source: the picture, uint8 or float in [0, 1].
      edited: the same picture, perhaps displaced.
      mask: the pixels to compare (outside the true change); all when absent.
    """
    first, second = (unit_image(image) @ np.array(_LUMA) for image in (source, edited))
    is_kept = np.ones(first.shape, bool) if mask is None else mask
    if not _has_texture(first, is_kept) or not _has_texture(second, is_kept):
        return Shift(rows=math.nan, columns=math.nan)
    total = np.zeros(2)
    for _ in range(_NUM_ROUNDS):
        aligned = _displace(second, -total)
        reach = math.ceil(np.abs(total).max()) + 1 if total.any() else 0
        is_common = erode(is_kept, reach)  # what either picture shows of the rest
        if not is_common.any():
            break
        rest = _phase_correlation(first, aligned, is_common)
        total += rest
        if not rest.any():
            break
    return Shift(rows=float(total[0]), columns=float(total[1]))


def _phase_correlation(
    first: Float[np.ndarray, "h w"],
    second: Float[np.ndarray, "h w"],
    mask: Bool[np.ndarray, "h w"],
) -> Float[np.ndarray, "2"]:
    """Returns the rows and columns by which `second` lies further than `first`."""
    spectra = [np.fft.fft2(_window(image, mask)) for image in (first, second)]
    cross = spectra[1] * np.conj(spectra[0])
    power = np.abs(cross)
    mean_power = power.mean()
    if mean_power == 0:
        # What is compared is flat in one of the pictures: nothing shows a shift.
        return np.zeros(2)
    whitened = cross / (power + _WEAK_POWER * mean_power)
    correlation = np.real(np.fft.ifft2(whitened))
    peak = np.unravel_index(correlation.argmax(), correlation.shape)
    coarse = [
        (int(at) + size // 2) % size - size // 2
        for at, size in zip(peak, first.shape, strict=True)
    ]
    reach = UPSAMPLING * 3 // 2
    steps = np.arange(-reach, reach + 1) / UPSAMPLING
    rows, columns = (
        np.exp(2j * np.pi * np.outer(at + steps, np.fft.fftfreq(size)))
        for at, size in zip(coarse, first.shape, strict=True)
    )
    fine = np.real(rows @ whitened @ columns.T)
    best = np.unravel_index(fine.argmax(), fine.shape)
    return np.array([coarse[0] + steps[best[0]], coarse[1] + steps[best[1]]])


def _window(
    image: Float[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """Fills what does not count with the mean and fades towards the borders."""
    rows, columns = (
        0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(size) + 0.5) / size)
        for size in image.shape
    )
    return np.where(mask, image - image[mask].mean(), 0.0) * np.outer(rows, columns)


def _displace(
    image: Float[np.ndarray, "h w"], shift: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "h w"]:
    """Moves an image by whole and fractional pixels, wrapping around."""
    if not shift.any():
        return image
    rows, columns = (np.fft.fftfreq(size) for size in image.shape)
    turn = np.exp(-2j * np.pi * (rows[:, None] * shift[0] + columns * shift[1]))
    return np.real(np.fft.ifft2(np.fft.fft2(image) * turn))


def _has_texture(
    image: Float[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]
) -> bool:
    return bool(mask.any()) and float(image[mask].std()) >= _MIN_CONTRAST
