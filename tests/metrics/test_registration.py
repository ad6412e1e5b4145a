"""Registration against an oracle's motions of real textures, with a changed region."""

import dataclasses
import functools
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image
from scipy import ndimage

from tbstar_jax.data_engine.render.sampling import generator
from tbstar_jax.data_engine.studio.edits import sample_edit
from tbstar_jax.data_engine.studio.pairs import render_pair
from tbstar_jax.metrics.registration import (
    STILL,
    Registration,
    has_texture,
    register,
    shown,
    unregistered,
)

PICTURES = ("coffee", "camera", "brick")
SIZE = (144, 176)


@functools.cache
def texture(name, size=SIZE):
    path = Path(skimage.__file__).parent / "data" / f"{name}.png"
    with Image.open(path) as image:
        small = image.convert("RGB").resize(size[::-1], Image.Resampling.LANCZOS)
        return np.asarray(small)


def moved(image, rows, columns, zoom=1.0):
    """The oracle: quintic splines, not the kernel that is tested."""
    middle = (np.array(image.shape[:2]) - 1) / 2
    start = middle - (middle + np.array([rows, columns])) / zoom
    planes = [
        ndimage.affine_transform(
            image[..., k].astype(float), np.full(2, 1 / zoom), start, order=5
        )
        for k in range(3)
    ]
    return np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255).astype(np.uint8)


def with_change(image, seed=0):
    """Repaints a box; returns the image and the mask of the rest."""
    box = np.s_[image.shape[0] // 4 : image.shape[0] * 2 // 3, 50:110]
    mask = np.ones(image.shape[:2], bool)
    mask[box] = False
    changed = image.copy()
    shape = changed[box].shape
    changed[box] = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return changed, mask


def known(rows, columns, zoom=1.0):
    return Registration(rows=float(rows), columns=float(columns), zoom=float(zoom))


def assert_found(found, expected):
    assert found.rows == pytest.approx(expected.rows, abs=0.1)
    assert found.columns == pytest.approx(expected.columns, abs=0.1)
    assert found.zoom == pytest.approx(expected.zoom, abs=0.002)


SHIFTS = [(0, 0), (8, -8), (-3.3, 6.7), (0.25, 0.5)]
ZOOMS = [0.96, 0.983, 1.0, 1.005, 1.04]


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("zoom", ZOOMS)
def test_shift_and_zoom_are_found_together(name, zoom):
    source = texture(name)
    for rows, columns in SHIFTS:
        edited, mask = with_change(moved(source, rows, columns, zoom))
        assert_found(register(source, edited, mask), known(rows, columns, zoom))


@pytest.mark.parametrize("size", [(256, 256), (512, 400), (800, 1024)])
def test_every_size_is_registered(size):
    source = texture("coffee", size)
    for motion in (known(-7.6, 7.9, 0.961), known(2.4, -0.7, 1.012)):
        edited, mask = with_change(moved(source, *dataclasses.astuple(motion)))
        assert_found(register(source, edited, mask), motion)


def test_a_studio_photo_is_registered_outside_its_edit():
    rng = generator("tests", 0, 2, "registration")
    pair = render_pair(sample_edit(rng, "recolor", (256, 256), 1))
    mask = pair.change_mask == 0
    for motion in (known(5.2, -3.1, 1.02), known(-0.6, 0.4, 0.99)):
        edited = moved(pair.target, *dataclasses.astuple(motion))
        assert_found(register(pair.source, edited, mask), motion)


@pytest.mark.parametrize("name", PICTURES)
def test_a_change_alone_is_exactly_no_motion(name):
    source = texture(name)
    edited, mask = with_change(source)
    assert register(source, edited, mask) == STILL
    assert register(source, edited, mask) == known(0, 0, 1)


def damages():
    source = texture("coffee").astype(float)
    noise = np.random.default_rng(0).normal(0, 6, source.shape)
    light = np.linspace(0.5, 1.2, source.shape[1])[:, None]
    third = source.copy()
    third[:, :58] = texture("camera")[:, :58]
    return {
        "noise": source + noise,
        "blur": ndimage.gaussian_filter(source, (1, 1, 0)),
        "cast": source + np.array([12, 0, -12]),
        "exposure": source * 0.7,
        "light": source * light,
        "third_redone": third,
    }


@pytest.mark.parametrize("name", damages())
def test_a_change_of_pixels_in_place_is_no_motion(name):
    damaged = np.clip(np.rint(damages()[name]), 0, 255).astype(np.uint8)
    assert register(texture("coffee"), damaged) == STILL


def test_a_motion_is_found_beneath_noise_and_new_light():
    source = texture("coffee")
    motion = known(5.5, -3.2, 1.03)
    light = np.linspace(0.6, 1.2, source.shape[1])[:, None]
    edited = moved(source, *dataclasses.astuple(motion)) * light
    edited += np.random.default_rng(0).normal(0, 5, edited.shape)
    edited = np.clip(edited, 0, 255).astype(np.uint8)
    assert_found(register(source, edited), motion)


def test_whole_pixels_are_found_and_undone_exactly():
    source = texture("coffee")
    edited = np.roll(source, (2, -3), axis=(0, 1))
    there, back = register(source, edited), register(edited, source)
    assert there == known(2, -3)
    assert back == known(-2, 3)
    assert there.shift == math.hypot(2, 3)
    visible = shown(SIZE, there)
    assert visible[: SIZE[0] - 2, 3:].all()
    assert not visible[SIZE[0] - 2 :].any()
    assert not visible[:, :3].any()
    assert np.array_equal(unregistered(edited, there, fill=source), source)
    fill = np.zeros_like(source)
    assert not unregistered(edited, there, fill=fill)[~visible].any()


def test_undoing_a_motion_brings_the_picture_back():
    source = texture("coffee")
    motion = known(3.5, -2.25, 1.02)
    edited = moved(source, *dataclasses.astuple(motion))
    back = unregistered(edited, motion, fill=source)
    assert back.dtype == np.uint8
    inner = np.s_[8:-8, 8:-8]
    before = np.abs(edited[inner].astype(float) - source[inner]).mean()
    after = np.abs(back[inner].astype(float) - source[inner]).mean()
    assert after < before / 10
    as_float = unregistered(edited / 255, motion, fill=source / 255)
    levels = np.clip(as_float * 255, 0, 255)
    np.testing.assert_allclose(levels, back, atol=0.51)


def test_nothing_to_undo_returns_the_picture_itself():
    source = texture("coffee")
    for motion in (STILL, register(source, np.zeros_like(source))):
        assert unregistered(source, motion, fill=source) is source
        assert shown(SIZE, motion).all()


def test_what_cannot_be_registered_is_nan():
    source = texture("coffee")
    flat = np.full_like(source, 128)
    stripes = np.repeat(source[:, :1], SIZE[1], axis=1)
    nothing = np.zeros(SIZE, bool)
    pairs = itertools.chain(
        [(flat, source), (source, flat), (flat, flat + np.uint8(9))],
        [(stripes, np.roll(stripes, 2, axis=0))],
        itertools.permutations([texture(name) for name in PICTURES], 2),
    )
    for first, second in pairs:
        found = register(first, second)
        assert not found.is_known
        assert math.isnan(found.rows)
        assert math.isnan(found.shift)
    assert not register(source, source, nothing).is_known
    small = source[:8, :8]
    assert not register(small, np.roll(small, 1, axis=0)).is_known


def test_texture_is_contrast_finer_than_light():
    source = texture("coffee")
    ramp = np.broadcast_to(np.linspace(0, 1, SIZE[1])[:, None], (*SIZE, 3))
    assert has_texture(source)
    assert not has_texture(np.full_like(source, 9))
    assert not has_texture(0.2 + 0.1 * ramp)
    mask = np.zeros(SIZE, bool)
    assert not has_texture(source, mask)
