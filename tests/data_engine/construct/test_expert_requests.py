"""Requests: what rules ask for, what of a model's words is accepted, what is known."""

import dataclasses

import numpy as np
import pytest

from tbstar_jax.data_engine.construct.auxiliary import auxiliary_of
from tbstar_jax.data_engine.construct.classical.relight import LIGHTS as KNOWN_LIGHTS
from tbstar_jax.data_engine.construct.instruct import (
    HINTS,
    InstructConfig,
    as_sent,
    request_of,
)
from tbstar_jax.data_engine.construct.instruct_checks import (
    Draft,
    FineTexts,
    Place,
    TextLimits,
    check_draft,
    check_fine,
    what_is_lost,
)
from tbstar_jax.data_engine.construct.needs import LIGHTS, NEEDED, missing
from tbstar_jax.data_engine.construct.protocol import CannotEdit, EditRequest
from tbstar_jax.data_engine.construct.rules import TASKS, rule_request
from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.tasks import TASK_IDS
from tbstar_jax.vlm.schema import NotValidError
from tests.data_engine.construct.photos import HEIGHT, WIDTH, coffee, photo

LIMITS = TextLimits(max_bytes=200, brands=("acme",))


def box(label, top=1, left=2, bottom=30, right=40):
    return {
        "label": label,
        "top": top,
        "left": left,
        "bottom": bottom,
        "right": right,
    }


def known(*labels, **facts):
    record = photo(auxiliary={"regions": [box(one) for one in labels]}, facts=facts)
    return auxiliary_of(record, HEIGHT, WIDTH)


MUG = {"object_en": "mug", "object_zh": "马克杯"}
RICH = known("mug", "candle", "price tag", "watermark", text="NEW", **MUG)


@pytest.mark.parametrize("task", TASKS)
def test_every_rule_writes_both_languages_and_what_the_task_needs(task):
    for seed in range(10):
        request, facts = rule_request(task, RICH, np.random.default_rng(seed))
        assert request.task == task
        assert missing(task, facts) is None
        assert request.instruction_en[:1].isascii()
        assert any("\u4e00" <= letter <= "\u9fff" for letter in request.instruction_zh)
        values = request.parameters
        match task:
            case "recolor":
                assert values["new_color"] in request.instruction_en
            case "text_replace_en" | "text_replace_zh":
                assert values["text"] == "NEW" != values["new_text"]
                assert values["new_text"].isascii() == (task == "text_replace_en")
                assert values["new_text"] in request.instruction_en
                assert values["new_text"] in request.instruction_zh
                assert [r.label for r in request.regions] == ["price tag"]
            case "object_remove":
                assert [r.label for r in request.regions] == ["candle"]
                assert "candle" in request.instruction_en
                assert "蜡烛" in request.instruction_zh
            case "watermark_remove":
                assert [r.label for r in request.regions] == ["watermark"]
            case "light_shadow":
                assert values["light"] in LIGHTS
            case "bg_scene":
                assert values["background"] in request.instruction_en


@pytest.mark.parametrize(
    ("task", "auxiliary", "reason"),
    [
        ("watermark_remove", known(**MUG), "0 could be"),
        ("text_remove", known("text", **MUG), "needs the fact 'text'"),
        ("text_replace_en", known("text", "badge", text="A"), "2 could be"),
        ("object_remove", known("mug", **MUG), "no box is of a thing"),
        ("object_remove", known("candle", "candle", **MUG), "no box is of a thing"),
        ("object_remove", known("gizmo", **MUG), "no box is of a thing"),
        ("recolor", known("mug", "mug", **MUG), "there are 2 of 'mug'"),
        (
            "text_remove",
            known("text", text="ACME", text_kind_en="watermark", **MUG),
            "needs the fact 'text'",
        ),
        ("material", RICH, "there is no rule"),
    ],
)
def test_a_rule_declines_what_the_information_does_not_support(task, auxiliary, reason):
    with pytest.raises(CannotEdit, match=reason):
        rule_request(task, auxiliary, np.random.default_rng(0))


def test_a_watermark_is_not_called_by_the_text_of_the_label():
    for seed in range(20):
        request, facts = rule_request(
            "watermark_remove", RICH, np.random.default_rng(seed)
        )
        assert "NEW" not in request.instruction_en + request.instruction_zh
        assert facts.text is None
    own = known("watermark", text="ACME", text_kind_en="watermark", **MUG)
    _, facts = rule_request("watermark_remove", own, np.random.default_rng(0))
    assert facts.text == "ACME"


@pytest.mark.parametrize(
    ("sides", "position"),
    [
        ((0, 0, 10, 10), "top left"),
        ((20, 30, 44, 66), "center"),
        ((0, 60, 64, 96), "right"),
        ((63, 95, 64, 96), "bottom right"),
    ],
)
def test_an_edit_is_where_its_box_is(sides, position):
    top, left, bottom, right = sides
    candle = box("candle", top=top, left=left, bottom=bottom, right=right)
    record = photo(auxiliary={"regions": [candle]}, facts={"position": "top"})
    auxiliary = auxiliary_of(record, HEIGHT, WIDTH)
    _, facts = rule_request("object_remove", auxiliary, np.random.default_rng(0))
    assert facts.position == position


def test_labels_are_compared_by_whole_words():
    auxiliary = known("context", "Price tag", "unlabelled jar", "label")
    assert [one.label for one in auxiliary.regions_like("text", "price", "label")] == [
        "Price tag",
        "label",
    ]
    assert auxiliary.num_of("jar") == 1


def test_a_product_without_a_name_is_called_the_product():
    request, _ = rule_request("recolor", known(), np.random.default_rng(0))
    assert "product" in request.instruction_en
    assert "商品" in request.instruction_zh
    assert request.regions == ()


def test_tables_agree_with_each_other():
    assert set(NEEDED) == set(TASK_IDS) - {"layout", "identity"}
    assert set(HINTS) == set(NEEDED)
    assert tuple(LIGHTS) == KNOWN_LIGHTS


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"category": ""}, "visible text"),
        ({"category": "a\nb"}, "visible text"),
        ({"category": "x" * 201}, "201 characters"),
        ({"counts": {"mug": -1}}, "must be 0 to"),
        ({"counts": {"mug": True}}, "must be 0 to"),
        ({"counts": []}, "object"),
        ({"regions": [{"label": "mug"}]}, "a region has"),
        ({"regions": [box("mug", top=1.5)]}, "whole numbers"),
        ({"regions": [box("mug", top=30)]}, "must have pixels"),
        ({"regions": [box("mug", right=97)]}, "96 columns"),
        ({"regions": [box("mug")] * 101}, "at most 100"),
        ({"tasks": ["recolour"]}, "recolor"),
        ({"tasks": "recolor"}, "list"),
        ({"boxes": []}, "no field 'boxes'"),
    ],
)
def test_unreadable_information_is_refused(values, what):
    with pytest.raises(UserError, match=what):
        auxiliary_of(photo(auxiliary=values), HEIGHT, WIDTH)


def draft(**changes):
    empty = dict.fromkeys(field.name for field in dataclasses.fields(Draft))
    values = {
        "is_possible": True,
        "instruction_en": 'change the text "NEW" to "50% OFF" on the red box',
        "instruction_zh": '把红色盒子上的"NEW"改成"50% OFF"',
        "region": Place(top=0, left=0, bottom=500, right=500),
        "object_en": "box",
        "object_zh": "盒子",
        "text": "NEW",
        "new_text": "50% OFF",
    }
    return Draft(**{**empty, **values, **changes})


def test_a_good_draft_passes_and_becomes_a_request():
    good = draft()
    check_draft(good, "text_replace_en", Facts(), LIMITS)
    request, facts = request_of(good, "text_replace_en", known(), HEIGHT, WIDTH)
    assert request.parameters == {
        "object": "box",
        "text": "NEW",
        "new_text": "50% OFF",
    }
    (region,) = request.regions
    assert (region.top, region.left, region.bottom, region.right) == (0, 0, 32, 48)
    assert facts.new_text == "50% OFF"


def test_what_is_known_of_the_product_is_not_said_of_another_thing():
    product = Facts(object_en="mug", color_en="white", material_en="glass")
    other = draft(color_en="red", color_zh="红色").facts(product)
    assert (other.object_en, other.color_en, other.material_en) == ("box", "red", None)
    same = draft(object_en="mug", object_zh="马克杯").facts(product)
    assert (same.color_en, same.material_en) == ("white", "glass")


def test_an_impossible_draft_needs_nothing_else():
    check_draft(
        draft(is_possible=False, instruction_en="", instruction_zh=""),
        "text_replace_en",
        Facts(),
        LIMITS,
    )


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"instruction_en": ""}, "empty"),
        ({"instruction_en": 'change "NEW" to "50% OFF"\nnow'}, "one line"),
        ({"instruction_en": "x " * 101}, "over 200 bytes"),
        ({"instruction_en": '把"NEW"改成"50% OFF"'}, "another language"),
        ({"instruction_zh": 'change "NEW" to "50% OFF" on the red box'}, "another"),
        ({"instruction_zh": '把红色盒子上的"NEW"改成"60% OFF"'}, "quote"),
        ({"instruction_zh": '把红色盒子上的"50% OFF"改成"NEW"'}, "quote"),
        ({"instruction_zh": '把蓝色盒子上的"NEW"改成"50% OFF"'}, "color"),
        ({"instruction_zh": '把左侧红色盒子上的"NEW"改成"50% OFF"'}, "position"),
        ({"instruction_zh": '把两个红色盒子上的"NEW"改成"50% OFF"'}, "number"),
        ({"new_text": None}, "new_text is not named"),
        ({"new_text": "51% OFF"}, "does not quote"),
        ({"region": None}, "box around"),
        ({"new_light": "moonlight"}, "no light"),
        ({"object_en": "a\nb"}, "visible text"),
        ({"object_en": "x" * 201}, "201 characters"),
    ],
)
def test_a_draft_that_fails_a_check_is_refused(changes, what):
    with pytest.raises(NotValidError, match=what):
        check_draft(draft(**changes), "text_replace_en", Facts(), LIMITS)


def test_the_new_text_is_in_the_script_of_the_task():
    with pytest.raises(NotValidError, match="wrong script"):
        check_draft(draft(), "text_replace_zh", Facts(), LIMITS)


@pytest.mark.parametrize(
    ("coarse", "fine", "lost"),
    [
        ("make the mug red", "make the glossy white mug on the left red", None),
        ("make the mug red", "make the glossy white mug green", "colour"),
        ("red mug in blue", "change the mug from blue to red", "colour"),
        ('write "NEW"', 'write "NEW" in the corner', None),
        ('write "NEW"', "write NEW in the corner", "quote"),
        ('write "NEW"', 'write "New" in the corner', "quote"),
        ("remove 2 cups", "remove 2 of the 3 cups", None),
        ("remove 2 cups", "remove the cups", "number"),
        ("remove two cups", "remove 2 white cups", None),
        ("remove the Nike logo", "remove the swoosh logo", "brand"),
        ("remove the acme logo", "remove the logo", "brand"),
        ("move it to the left", "move it to the right", "position"),
        ("把杯子改成红色", "把右侧白色的杯子改成红色", None),
        ("把杯子改成红色", "把红色的杯子改成白色", "colour"),
        ("去掉2个杯子", "去掉杯子", "number"),
    ],
)
def test_a_finer_wording_may_add_but_not_lose(coarse, fine, lost):
    assert what_is_lost(coarse, fine, "", LIMITS.brands) == lost


def test_colours_are_not_exchanged():
    coarse, fine = "make the red mug blue", "change the mug from blue to red"
    assert what_is_lost(coarse, fine, "blue", ()) == "colour"
    assert what_is_lost(coarse, "from red to blue", "blue", ()) is None


def test_fine_texts_are_as_many_as_asked_and_all_different():
    request = EditRequest(
        task="recolor",
        instruction_en="make the mug red",
        instruction_zh="把杯子改成红色",
        regions=(),
        parameters={},
        mask=None,
    )
    good = FineTexts(
        en=("make the white mug red", "white mug in red"),
        zh=("把白杯子改成红色", "白色杯子变红色"),
    )
    check_fine(good, request, 2, LIMITS)
    for changes, what in (
        ({"en": good.en[:1]}, "2 different"),
        ({"en": (good.en[0], good.en[0] + " ")}, "2 different"),
        ({"zh": good.en}, "another language"),
        ({"en": (good.en[0], "white mug")}, "loses a colour"),
    ):
        with pytest.raises(NotValidError, match=what):
            check_fine(dataclasses.replace(good, **changes), request, 2, LIMITS)


@pytest.mark.parametrize(
    "sides", [(0, 0, 0, 10), (5, 5, 4, 10), (-1, 0, 5, 5), (0, 0, 1001, 5)]
)
def test_a_place_lies_in_the_photo(sides):
    with pytest.raises(ValueError, match="0 to 1000"):
        Place(**dict(zip(("top", "left", "bottom", "right"), sides, strict=True)))


def test_a_place_has_pixels_even_in_a_tiny_photo():
    region = Place(top=999, left=0, bottom=1000, right=1).in_pixels("x", 8, 8)
    assert (region.top, region.left, region.bottom, region.right) == (7, 0, 8, 1)
    assert region.fits(8, 8)


def test_images_are_sent_small_and_alike():
    sent = as_sent(coffee(), InstructConfig(max_side=48))
    assert decode_image(sent).shape == (32, 48, 3)
    assert sent == as_sent(coffee(), InstructConfig(max_side=48))
    assert decode_image(as_sent(coffee(), InstructConfig())).shape == (64, 96, 3)


@pytest.mark.parametrize("options", [{"num_styles": 5}, {"jpeg_quality": 0}])
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(UserError, match="must be"):
        InstructConfig(**options)
