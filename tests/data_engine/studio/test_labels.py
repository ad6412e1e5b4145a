"""Text and logo of a label: where they are, and that neither touches the other."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

from tbstar_jax.data_engine.render.sampling import generator
from tbstar_jax.data_engine.studio.backends import NumpyBackend
from tbstar_jax.data_engine.studio.edits import sample_edit
from tbstar_jax.data_engine.studio.labels import PRINT_SIZE, draw_print, text_part
from tbstar_jax.data_engine.studio.packing import shape_of
from tbstar_jax.data_engine.studio.pairs import render_pair
from tbstar_jax.data_engine.studio.renderer import render, render_all
from tbstar_jax.data_engine.studio.sampling import (
    LOGO_FORMS,
    TEXTS_EN,
    TEXTS_ZH,
    Needs,
    sample_scene,
)
from tbstar_jax.data_engine.studio.scene import (
    Backdrop,
    Camera,
    Item,
    Label,
    Light,
    Scene,
    scene_digest,
    scene_json,
)
from tbstar_jax.data_engine.studio.stage import text_boxes

ASPECTS = (0.95, 1.5, 2.19, 2.2, 3.0)
"""Of the plates that there are; from 2.2 on the logo is on the left."""

LABEL = Label(text="SALE", plate=(250, 250, 250), ink=(20, 20, 20), logo="ring")


def scene(family="box", size=(96, 96), **label):
    box = Item(
        family=family,
        color="red",
        material="matte",
        accent="black",
        accent_material="plastic",
        proportions=(0.5, 0.5, 0.5, 0.3),
        x=0.0,
        z=0.0,
        turn=14.0,
        scale=1.0,
        grain=0.4,
        label=dataclasses.replace(LABEL, **label),
    )
    light = Light(azimuth=-45.0, elevation=45.0, warmth=0.0, softness=0.15, key=0.9,
                  fill=0.55, shadow=0.8)  # fmt: skip
    camera = Camera(pitch=10.0, distance=4.8, height=0.3, field_of_view=10.0)
    backdrop = Backdrop(kind="white", tone=(255, 255, 255))
    return Scene(size=size, items=(box,), light=light, backdrop=backdrop, camera=camera)


def in_part(aspect, has_logo):
    """Marks the texels of the text's part."""
    rows, columns = PRINT_SIZE
    left, top, right, bottom = text_part(aspect, has_logo)
    v = (np.arange(rows)[:, None] + 0.5) / rows * 2 - 1
    u = (np.arange(columns)[None] + 0.5) / columns * 2 - 1
    return (u > left) & (u < right) & (v > top) & (v < bottom)


@pytest.mark.parametrize("aspect", ASPECTS)
@pytest.mark.parametrize("logo", [None, *LOGO_FORMS])
def test_another_text_changes_no_bit_of_logo_and_frame(aspect, logo):
    blank = draw_print("", aspect, logo)
    part = in_part(aspect, logo is not None)
    # The text's part is empty without it: neither logo nor frame reach into it.
    assert not blank[part].any()
    for text in ("1", *TEXTS_EN, *TEXTS_ZH):
        drawn = draw_print(text, aspect, logo)
        assert np.array_equal(drawn[~part], blank[~part])
        assert drawn[part].max() > 0.9


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_logo_is_above_the_text_or_on_the_left_of_it(aspect):
    plain, blank = draw_print("", aspect), draw_print("", aspect, "ring")
    rows, columns = np.nonzero(blank != plain)
    left, top, _, _ = text_part(aspect, True)
    is_wide = aspect >= 2.2
    assert (left > -0.5) == is_wide
    assert (top > -0.5) != is_wide
    if is_wide:
        assert 2 * (columns.max() + 1) / PRINT_SIZE[1] - 1 < left
    else:
        assert 2 * (rows.max() + 1) / PRINT_SIZE[0] - 1 < top
        assert abs(columns.mean() - (PRINT_SIZE[1] - 1) / 2) < 1.5
    # As wide as it is high.
    wide = (columns.max() - columns.min() + 1) / PRINT_SIZE[1] * aspect
    assert wide == pytest.approx(
        (rows.max() - rows.min() + 1) / PRINT_SIZE[0], abs=0.05
    )


def test_all_logos_differ_from_each_other():
    frames = render_all(
        [scene(text="", logo=one) for one in LOGO_FORMS], NumpyBackend()
    )
    for one, other in itertools.combinations(frames, 2):
        differs = np.abs(one.image.astype(int) - other.image).max(axis=2) > 60
        assert differs.sum() >= 20


@pytest.mark.parametrize("family", ["box", "can"])
def test_a_picture_keeps_the_logo_bit_for_bit_under_another_text(family):
    texts = ("", "SALE", "买一送一")
    frames = render_all([scene(family, text=one) for one in texts], NumpyBackend())
    blank = frames[0]
    outside = blank.room[0] == 0
    logo = (blank.ink[0] > 0.5) & outside
    assert logo.sum() > 30
    assert not blank.text.any()
    for frame in frames[1:]:
        assert np.array_equal(frame.image[outside], blank.image[outside])
        assert np.array_equal(frame.room, blank.room)
        assert np.array_equal(frame.ink - frame.text, blank.ink)
        assert frame.text[0].max() > 0.9


@pytest.mark.parametrize("family", ["box", "can"])
def test_the_box_of_a_text_is_that_of_its_letters(family):
    edit = sample_edit(generator("tests", 0, 0, "labels"), "identity", (96, 96))
    edit = dataclasses.replace(edit, before=scene(family), after=scene(family))
    pair = render_pair(edit)
    (note,) = text_boxes(edit, pair)
    assert (note["text"], note["kept"], note["image"]) == ("SALE", True, "both")
    top, left, bottom, right = note["box"]
    without = render(scene(family, text=""))
    rows, columns = np.nonzero(np.any(pair.source != without.image, axis=2))
    letters = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
    # Of the last pixels some are of a twentieth of ink or less.
    np.testing.assert_allclose(letters, (top, left, bottom, right), atol=1)
    # The plate's frame is wider, and its logo above.
    inked = np.nonzero(pair.before.ink[0] > 0.05)
    assert inked[0].min() < top - 8
    assert inked[1].min() < left
    assert inked[1].max() + 1 > right


def test_a_logo_is_a_parameter_of_its_scene():
    with_logo, without = scene(), scene(logo=None)
    assert scene_digest(with_logo) != scene_digest(without)
    labels = [json.loads(scene_json(one))["items"][0]["label"] for one in
              (with_logo, without)]  # fmt: skip
    assert [label["logo"] for label in labels] == ["ring", None]
    assert Label(**labels[0] | {"plate": (250,) * 3, "ink": (20,) * 3}) == LABEL


def test_half_of_the_labels_have_a_logo_and_all_forms_occur():
    found = []
    for index in range(160):
        rng = generator("tests", 6, index, "logos")
        one = sample_scene(rng, (16, 16), 1, Needs(label=True))[0]
        found.append(one.items[0].label.logo)
    assert 0.35 < np.mean([one is not None for one in found]) < 0.6
    assert set(found) == {None, *LOGO_FORMS}


def test_a_plate_that_is_small_in_the_picture_has_no_logo():
    shares = {True: [], False: []}
    for index in range(300):
        rng = generator("tests", 6, index, "small")
        one = sample_scene(rng, (16, 16), 1, Needs(label=True, num_props=2))[0]
        half = 0.5 * np.radians(one.camera.field_of_view)
        seen = 2 * np.tan(half) * one.camera.distance
        product = one.items[0]
        plate = shape_of(product.family, product.proportions).plate
        share = 2 * plate.half_height * product.scale / seen
        shares[product.label.logo is not None].append(share)
    assert min(shares[True]) >= 0.09
    assert min(shares[False]) < 0.09


@pytest.mark.parametrize("task", ["text_add", "text_remove", "text_replace_en"])
def test_edits_of_texts_keep_the_logo(task):
    logos = set()
    for index in range(12):
        edit = sample_edit(generator("tests", 6, index, task), task, (16, 16))
        before, after = edit.before.items[0].label, edit.after.items[0].label
        assert dataclasses.replace(before, text=after.text) == after
        logos.add(before.logo is not None)
    assert logos == {True, False}
