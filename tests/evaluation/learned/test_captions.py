"""Captions say what the facts say, of source and reference apart, or nothing."""

import pytest

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.evaluation.cases.case import AskedEdit
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.learned.captions import captions_of
from tests.support.benchmark_cases import case

MUG = {"object_en": "mug", "color_en": "orange"}


@pytest.mark.parametrize(
    ("task", "facts", "source", "reference"),
    [
        (
            "bg_scene",
            {**MUG, "background_en": "tiled wall", "new_background_en": "wooden table"},
            "a product picture of an orange mug, tiled wall",
            "a product picture of an orange mug, wooden table",
        ),
        (
            "recolor",
            {**MUG, "new_color_en": "grey"},
            "a product picture of an orange mug",
            "a product picture of a grey mug",
        ),
        (
            "recolor",
            {**MUG, "new_color_en": "grey", "position": "top left"},
            "a product picture with an orange mug in the top left corner",
            "a product picture with a grey mug in the top left corner",
        ),
        (
            "material",
            {"object_en": "mug", "material_en": "glass", "new_material_en": "brass"},
            "a product picture of a mug made of glass",
            "a product picture of a mug made of brass",
        ),
        (
            "text_replace_en",
            {
                "text_kind_en": "headline",
                "text": "旧",
                "text_language": "zh",
                "new_text": "Slow Living",
                "new_text_language": "en",
                "position": "top",
            },
            "a product picture with a Chinese headline at the top",
            'a product picture with the headline "Slow Living" at the top',
        ),
        (
            "text_replace_zh",
            {"text_kind_en": "price", "text": "¥147", "new_text": "¥24.9"},
            'a product picture with the price "¥147"',
            'a product picture with the price "¥24.9"',
        ),
        (
            "text_add",
            {
                "color_en": "black",
                "text_kind_en": "headline",
                "new_text": "Ocean",
                "new_text_language": "en",
            },
            "a product picture",
            'a product picture with the black headline "Ocean"',
        ),
        (
            "text_remove",
            {**MUG, "text_kind_en": "label text", "text": "NIGHT"},
            'a product picture of an orange mug with the label text "NIGHT"',
            "a product picture of an orange mug",
        ),
        (
            "object_add",
            {**MUG, "other_object_en": "jar", "position": "left"},
            "a product picture of a jar",
            "a product picture of a jar with an orange mug on the left",
        ),
        (
            "object_remove",
            {**MUG, "position": "right"},
            "a product picture with an orange mug on the right",
            "a product picture",
        ),
        (
            "object_replace",
            {**MUG, "new_object_en": "cube", "new_color_en": "red"},
            "a product picture with an orange mug",
            "a product picture with a red cube",
        ),
        (
            "light_shadow",
            {**MUG, "light_en": "even light", "new_light_en": "warm light"},
            "a product picture of an orange mug, even light",
            "a product picture of an orange mug, warm light",
        ),
        (
            "layout",
            {"object_en": "box", "count": 1, "new_count": 3},
            "a product picture of a box",
            "a product picture of 3 boxes",
        ),
        (
            "layout",
            {**MUG, "position": "left", "new_position": "right"},
            "a product picture with an orange mug on the left",
            "a product picture with an orange mug on the right",
        ),
        (
            "repair_zoom",
            {"defect_en": "dust spots"},
            "a product picture, dust spots",
            "a product picture",
        ),
    ],
)
def test_captions_name_what_the_edit_changes(task, facts, source, reference):
    found = captions_of(case(task=task, facts=Facts(**facts)))
    assert found is not None
    assert (found.source, found.reference) == (source, reference)


@pytest.mark.parametrize(
    ("task", "facts"),
    [
        ("outpaint", {"direction": "up", "new_background_en": "grey background"}),
        (
            "text_replace_zh",
            {
                "text_kind_en": "headline",
                "text": "旧",
                "new_text": "新",
                "text_language": "zh",
                "new_text_language": "zh",
            },
        ),
        (
            "text_replace_zh",
            {"text_kind_en": "price", "text": "￥1", "new_text": "￥2"},
        ),
        ("layout", {**MUG, "new_size": "larger", "new_layout_en": "130 %"}),
        (
            "layout",
            {
                **MUG,
                "direction": "left",
                "position": "right",
                "new_position": "left",
            },
        ),
        ("recolor", MUG),
        ("bg_white", MUG),
        ("text_add", {}),
        ("object_replace", MUG),
        ("repair_zoom", {"object_en": "mug"}),
    ],
)
def test_where_nothing_true_tells_them_apart_there_are_none(task, facts):
    assert captions_of(case(task=task, facts=Facts(**facts))) is None


def test_half_of_a_double_edit_has_no_caption():
    one = case(facts=Facts(**MUG, new_color_en="grey"))
    asked = AskedEdit(
        task="recolor",
        undone=one.source,
        masks=one.masks,
        target_texts=(),
        target_objects=(),
    )
    assert captions_of(one) is not None
    both = case(facts=one.facts, asked=(asked, asked))
    assert captions_of(both) is None


def test_a_user_s_photo_is_not_said_to_be_of_a_product():
    facts = Facts(defect_en="scratches")
    found = captions_of(case(task="repair_zoom", facts=facts, generator="photo"))
    assert found is not None
    assert (found.source, found.reference) == ("a picture, scratches", "a picture")


def test_real_cases_have_captions_in_latin_letters():
    for task in ("bg_white", "text_remove", "object_replace", "light_shadow"):
        found = captions_of(make_case("smoke", task, 0))
        assert found is not None
        assert found.source != found.reference
        for text in (found.source, found.reference):
            assert text.startswith("a product picture")
            assert all(character < "\u2e80" for character in text)
            assert "None" not in text
