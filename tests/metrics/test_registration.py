"""Registration: fractional Fourier shifts of real textures, with a changed region."""

import math
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from tbstar_jax.metrics.registration import global_shift

SIZE = (112, 144)


def texture(name):
    path = Path(skimage.__file__).parent / "data" / f"{name}.png"
    with Image.open(path) as image:
        small = image.convert("RGB").resize(SIZE[::-1], Image.Resampling.LANCZOS)
        return np.asarray(small) / 255


def displaced(image, rows, columns):
    """Moves an image down and right by Fourier's shift theorem."""
    turn = np.exp(
        -2j
        * np.pi
        * (
            np.fft.fftfreq(image.shape[0])[:, None] * rows
            + np.fft.fftfreq(image.shape[1]) * columns
        )
    )
    spectrum = np.fft.fft2(image, axes=(0, 1)) * turn[:, :, None]
    return np.clip(np.real(np.fft.ifft2(spectrum, axes=(0, 1))), 0, 1)


def with_change(image, seed=0):
    """Repaints a box; returns the image and the mask of the rest."""
    mask = np.ones(SIZE, bool)
    mask[30:80, 50:110] = False
    changed = image.copy()
    changed[~mask] = np.random.default_rng(seed).random((50 * 60, 3))
    return changed, mask


@pytest.mark.parametrize("name", ["coffee", "camera", "brick"])
@pytest.mark.parametrize(
    "shift", [(1, 0), (0.5, -0.25), (3.5, -2), (-0.15, 0.3), (6, -4), (2.37, 1.81)]
)
def test_fractional_shifts_are_found_to_a_tenth_of_a_pixel(name, shift):
    source = texture(name)
    edited, mask = with_change(displaced(source, *shift))
    found = global_shift(source, edited, mask)
    assert (found.rows, found.columns) == pytest.approx(shift, abs=0.1)
    assert found.magnitude == pytest.approx(math.hypot(*shift), abs=0.1)


@pytest.mark.parametrize("name", ["coffee", "camera", "brick"])
def test_a_change_alone_is_no_shift(name):
    source = texture(name)
    edited, mask = with_change(source)
    assert global_shift(source, edited, mask).magnitude == 0


def test_a_blur_and_noise_are_no_shift():
    source = texture("coffee")
    edited, mask = with_change(source)
    blurred = sum(np.roll(edited, k, axis) for axis in (0, 1) for k in (-1, 0, 1)) / 6
    noisy = blurred + np.random.default_rng(0).normal(0, 0.02, edited.shape)
    assert global_shift(source, noisy, mask).magnitude <= 0.1


def test_swapping_the_pictures_turns_the_sign():
    source = (texture("coffee") * 255).astype(np.uint8)
    edited = np.roll(source, (2, -3), axis=(0, 1))
    there, back = global_shift(source, edited), global_shift(edited, source)
    assert (there.rows, there.columns) == (2, -3)
    assert (back.rows, back.columns) == (-2, 3)


def test_without_texture_the_shift_is_nan():
    source = texture("coffee")
    flat = np.full_like(source, 0.5)
    nothing = np.zeros(SIZE, bool)
    assert math.isnan(global_shift(flat, source).magnitude)
    assert math.isnan(global_shift(source, flat).magnitude)
    assert math.isnan(global_shift(source, source, nothing).magnitude)
