"""What learned models measure, by models whose answers can be done by hand."""

import dataclasses
import math

import numpy as np
import pytest

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.evaluation.cases.case import AskedEdit, Masks
from tbstar_jax.evaluation.learned.measure import (
    LearnedMeasure,
    masked,
    product_crop,
    product_of,
)
from tbstar_jax.evaluation.learned.models import open_learned
from tbstar_jax.evaluation.scores.preservation import kept_region
from tbstar_jax.geometry import Box
from tests.support.benchmark_cases import case
from tests.support.learned_files import SIDE, write_weights

RED, GREEN, BLUE, BLACK = (
    np.full((64, 64, 3), color, np.uint8)
    for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0))
)
FACTS = Facts(object_en="box", color_en="red", new_color_en="blue")
STEP = (20 / 255) ** 2
"""Of ten levels, in [-1, 1], squared."""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    with open_learned(write_weights(tmp_path_factory.mktemp("weights"))) as opened:
        yield opened


@pytest.fixture
def plain():
    """A red picture that should become blue."""
    return case(source=RED, reference=BLUE, facts=FACTS)


def measured(models, one, answer, still=None):
    return LearnedMeasure(models, one)(answer, answer if still is None else still)


def test_masked_lpips_is_that_of_the_area_whatever_its_share(models):
    one = case()
    edit, kept = one.masks.edit, kept_region(one.masks.edit)
    brighter = one.source + np.uint8(10)
    assert measured(models, one, brighter)["lpips_keep"] == pytest.approx(
        STEP, rel=1e-4
    )
    # What lies in the edit and its guard band costs nothing.
    inside = np.where(kept[..., None], one.source, 0)
    assert measured(models, one, inside)["lpips_keep"] == 0.0
    spot = one.source.copy()
    spot[0, 0] += 10
    found = measured(models, one, spot)
    assert found["lpips_keep"] == pytest.approx(STEP / kept.sum(), rel=1e-4)
    wrong = one.reference.copy()
    wrong[edit] += 10
    assert measured(models, one, wrong)["lpips_edit"] == pytest.approx(STEP, rel=1e-4)
    wrong = np.where(edit[..., None], one.reference, 0)
    assert measured(models, one, wrong)["lpips_edit"] == 0.0


def test_the_ends_of_the_scale(models):
    one = case(facts=FACTS)
    right, copy = (measured(models, one, x) for x in (one.reference, one.source))
    assert right["lpips_keep"] == copy["lpips_keep"] == right["lpips_edit"] == 0.0
    assert copy["lpips_edit"] > 0.1
    for name in ("dino_prod", "dino_reference", "clip_i_reference", "clip_dir"):
        assert right[name] == pytest.approx(1.0, abs=2e-2), name
    assert right["dino_reference"] == pytest.approx(1.0)
    assert copy["dino_source"] == copy["clip_i_source"] == pytest.approx(1.0)
    assert copy["dino_reference"] < 1 - 1e-3 > right["dino_source"]


def test_cosines_of_colours(models, plain):
    found = measured(models, plain, GREEN)
    for name in ("dino_reference", "dino_source", "clip_i_reference", "clip_i_source"):
        assert found[name] == pytest.approx(0.0)
    assert measured(models, plain, BLUE)["clip_i_reference"] == pytest.approx(1.0)
    both = RED // 2 + BLUE // 2
    assert measured(models, plain, both)["clip_i_source"] == pytest.approx(0.5**0.5)


def test_captions_are_compared_with_the_answer(models, plain):
    assert measured(models, plain, BLUE)["clip_t"] == pytest.approx(1.0)
    assert measured(models, plain, RED)["clip_t"] == pytest.approx(0.0)
    assert measured(models, plain, BLUE)["clip_dir"] == pytest.approx(1.0)
    # (green - red) and (blue - red) are at 60 degrees.
    assert measured(models, plain, GREEN)["clip_dir"] == pytest.approx(0.5)


def test_what_does_not_apply_is_nan_and_never_0(models, plain):
    copy = measured(models, plain, RED)
    assert math.isnan(copy["clip_dir"])
    mute = dataclasses.replace(plain, facts=Facts())
    found = measured(models, mute, BLUE)
    assert math.isnan(found["clip_t"])
    assert math.isnan(found["clip_dir"])
    assert found["clip_i_reference"] == pytest.approx(1.0)
    # Black has no direction in this space: the model has no answer.
    dark = measured(models, plain, BLACK)
    assert [name for name, value in dark.items() if not math.isnan(value)] == [
        "lpips_keep",
        "lpips_edit",
        "dino_prod",
    ]
    everything = np.ones((64, 64), bool)
    open_ = dataclasses.replace(
        plain, masks=dataclasses.replace(plain.masks, edit=everything)
    )
    assert math.isnan(measured(models, open_, RED)["lpips_keep"])
    assert measured(models, open_, RED)["lpips_edit"] == pytest.approx(8 / 3)
    assert math.isnan(masked(models.lpips, RED, BLUE, ~everything))


def test_only_models_that_are_there_measure(models, plain):
    dino = dataclasses.replace(models, lpips=None, clip_image=None, clip_text=None)
    assert sorted(measured(dino, plain, BLUE)) == [
        "dino_prod",
        "dino_reference",
        "dino_source",
    ]
    mute = dataclasses.replace(models, lpips=None, dino=None, clip_text=None)
    assert sorted(measured(mute, plain, BLUE)) == ["clip_i_reference", "clip_i_source"]


def test_the_product_s_crop_is_a_square_of_the_product_alone():
    image = np.zeros((30, 40, 3), np.uint8)
    mask = np.zeros((30, 40), bool)
    mask[3:8, 30:40] = True  # 5 x 10 pixels, at the edge
    mask[4, 32] = False
    image[mask] = (9, 8, 7)
    image[4, 32] = (255, 0, 0)
    crop = product_crop(image, mask)
    assert crop.shape == (12, 12, 3)  # 10, and 1 on each side
    expected = np.full((12, 12, 3), 128, np.uint8)
    expected[3:8, 1:11] = (9, 8, 7)
    expected[4, 3] = 128
    np.testing.assert_array_equal(crop, expected)


def test_the_product_is_compared_where_it_lies_and_alone(models):
    one = case()  # 16 pixels wide, so a crop of 20: what the model takes
    assert SIDE == 20
    elsewhere = np.where(one.masks.product[..., None], one.reference, 0)
    assert measured(models, one, elsewhere)["dino_prod"] == pytest.approx(1.0)
    share = 16**2 / 20**2
    red, blue = (
        share * np.array(color) + (1 - share) * 128
        for color in ((200, 30, 30), (30, 30, 200))
    )
    cosine = red @ blue / np.linalg.norm(red) / np.linalg.norm(blue)
    copy = measured(models, one, one.source)
    assert copy["dino_prod"] == pytest.approx(cosine, abs=1e-6)
    # The answer with its motion undone is what counts.
    moved = measured(models, one, one.source, still=one.reference)
    assert moved["dino_prod"] == pytest.approx(1.0)
    assert moved["dino_reference"] == copy["dino_reference"]


def test_the_original_is_in_the_source_only_where_the_product_is_left_alone(models):
    for task in ("bg_white", "bg_scene", "outpaint"):
        one = case(task=task)
        found = measured(models, one, one.source)["dino_prod"]
        assert found == pytest.approx(1.0)
        picture, _ = product_of(one)
        assert picture is one.source
    for task in ("recolor", "material", "light_shadow", "layout", "text_add"):
        picture, _ = product_of(case(task=task))
        np.testing.assert_array_equal(picture, case(task=task).reference)
    for task in ("object_add", "object_remove", "object_replace"):
        one = case(task=task)
        assert product_of(one) is None
        assert math.isnan(measured(models, one, one.reference)["dino_prod"])


def test_of_several_edits_each_may_change_the_product():
    def product(task, *others):
        asked = [
            AskedEdit(
                task=name,
                undone=RED,
                masks=case().masks,
                target_texts=(),
                target_objects=(),
            )
            for name in (task, *others)
        ]
        return product_of(case(task=task, asked=tuple(asked)))

    recolored = product("outpaint", "recolor")
    np.testing.assert_array_equal(recolored[0], case(task="outpaint").reference)
    scenes = product("bg_white", "bg_scene")
    np.testing.assert_array_equal(scenes[0], case(task="bg_white").source)
    assert product("text_remove", "object_remove") is None


def test_of_an_outpainting_the_product_is_what_the_photo_shows():
    whole = case(task="outpaint")
    box = Box(top=0, left=0, height=24, width=64)
    cut = case(task="outpaint", photo_box=box)
    assert product_of(whole)[1].sum() == 16 * 16
    assert product_of(cut)[1].sum() == 8 * 16
    empty = np.zeros((64, 64), bool)
    masks = Masks(
        edit=empty, product=empty, product_after=empty, shadow=empty, text=empty
    )
    assert product_of(case(masks=masks)) is None


def test_what_answers_are_compared_with_is_embedded_once(models):
    calls = []

    def count(image):
        calls.append(image)
        return models.dino(image)

    one = case()
    measure = LearnedMeasure(dataclasses.replace(models, dino=count), one)
    assert calls == []
    first = measure(one.reference, one.reference)
    assert len(calls) == 5  # source, reference and product; the answer and its product
    again = measure(one.reference, one.reference)
    assert len(calls) == 7
    assert {**first, "clip_dir": 0} == {**again, "clip_dir": 0}
