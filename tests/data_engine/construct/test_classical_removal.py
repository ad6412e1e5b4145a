"""Removal: the wall behind the product comes back, and nothing else moves."""

import numpy as np
import pytest

from tbstar_jax.data_engine.construct.classical import inpaint
from tbstar_jax.data_engine.construct.classical.expert import ClassicalExpert
from tbstar_jax.data_engine.construct.classical.inpaint import InpaintSettings
from tbstar_jax.data_engine.construct.protocol import CannotEdit
from tests.data_engine.construct.classical_photos import (
    BOX,
    SIDE,
    ask,
    disc,
    plain_wall,
    sky,
    studio,
)

ALGORITHMS = ["telea", "navier_stokes"]


def edit(image, request, **settings):
    expert = ClassicalExpert(inpaint=InpaintSettings(**{"max_share": 0.5, **settings}))
    return expert.edit(image, request, np.random.default_rng(0))


def mean_error(first, second, where):
    return np.abs(first.astype(float) - second)[where].mean()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_wall_behind_a_boxed_object_comes_back(algorithm):
    made = edit(studio(), ask("object_remove", BOX), algorithm=algorithm)
    where = made.mask > 0
    assert mean_error(studio(), plain_wall(), where) > 30
    assert mean_error(made.image, plain_wall(), where) < 4


def test_the_mask_is_exactly_what_differs():
    made = edit(studio(), ask("object_remove", BOX))
    differs = np.any(made.image != studio(), axis=2)
    np.testing.assert_array_equal(made.mask, np.where(differs, 255, 0))
    assert differs[40:56, 40:56].mean() > 0.99


def test_a_soft_border_goes_with_the_object():
    image, core = studio(softness=6.0), disc(softness=6.0) > 0.85
    everywhere = np.ones_like(core)
    region = inpaint.soft_border(image, core, everywhere, "telea")
    ghost = (disc(softness=6.0) > 0.1) & ~core
    assert region[ghost].mean() > 0.95
    without = inpaint.fill(image, core, "telea")
    with_border = inpaint.fill(image, region, "telea")
    assert mean_error(without, plain_wall(), core) > 20
    assert mean_error(with_border, plain_wall(), core) < 5


def test_a_mask_bounds_the_removal():
    mask = np.where(disc() > 0, 255, 0).astype(np.uint8)
    made = edit(studio(), ask("object_remove", mask=mask))
    assert not (made.mask[mask == 0]).any()
    assert (made.mask[disc() > 0.5] > 0).mean() > 0.98


def test_a_fill_has_the_grain_of_its_surroundings():
    made = edit(studio(), ask("object_remove", BOX))
    flat = inpaint.fill(studio(), disc() > 0, "telea")

    def grain(image):
        part = image[36:60, 36:60, 1].astype(float)
        return np.abs(np.diff(part, axis=1)).mean()

    assert grain(flat) < 0.5 * grain(plain_wall())
    assert 0.6 < grain(made.image) / grain(plain_wall()) < 1.6


def test_a_blob_on_a_real_photo_is_replaced_by_what_was_there():
    photo = sky(240)
    where = np.zeros(photo.shape[:2], bool)
    where[12:26, 160:174] = True
    spoiled = photo.copy()
    spoiled[where] = (160, 60, 40)
    made = edit(spoiled, ask("object_remove", (12, 160, 26, 174)))
    assert mean_error(spoiled, photo, where) > 60
    assert mean_error(made.image, photo, where) < 4


def test_the_same_generator_gives_the_same_bytes():
    first, second = (edit(studio(), ask("object_remove", BOX)) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)


def test_a_thing_as_large_as_the_photo_is_declined():
    with pytest.raises(CannotEdit, match=r"covers 39\.1% of the photo"):
        edit(studio(), ask("object_remove", BOX), max_share=0.3)


def test_structured_surroundings_are_declined():
    y, x = np.mgrid[:SIDE, :SIDE]
    checks = np.where((y // 9 + x // 9) % 2, 220, 40).astype(np.uint8)
    image = np.repeat(checks[:, :, None], 3, axis=2)
    with pytest.raises(CannotEdit, match="a fill would show"):
        edit(image, ask("object_remove", BOX))


def test_removal_without_a_place_is_declined():
    with pytest.raises(CannotEdit, match="needs the box or the mask"):
        edit(studio(), ask("object_remove"))


def test_a_box_outside_the_photo_is_declined():
    with pytest.raises(CannotEdit, match="outside the photo of 96 x 96"):
        edit(studio(), ask("object_remove", (10, 10, 50, 97)))
