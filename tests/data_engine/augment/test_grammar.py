"""The grammar: every task in both languages and four manners, and no empty slot."""

import dataclasses
import string

import pytest

from tbstar_jax.data_engine.augment.paraphrase.checks import problem
from tbstar_jax.data_engine.augment.paraphrase.counterparts import (
    COLOR_NAMES,
    with_counterparts,
)
from tbstar_jax.data_engine.augment.paraphrase.grammar_en import ENGLISH
from tbstar_jax.data_engine.augment.paraphrase.grammar_zh import CHINESE
from tbstar_jax.data_engine.augment.paraphrase.lexicon import color_ids
from tbstar_jax.data_engine.augment.paraphrase.slots import (
    phrases,
    quoted,
    slot_names,
)
from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.instructions import MAX_BYTES
from tbstar_jax.data_engine.language import language_of
from tbstar_jax.data_engine.studio.settings import SETTINGS
from tbstar_jax.errors import UserError
from tbstar_jax.tasks import TASK_IDS

STYLES = {"request", "note", "label", "polite"}
FACTS = Facts(
    object_en="mug",
    object_zh="马克杯",
    color_en="red",
    color_zh="红色",
    new_color_en="orange",
    new_color_zh="橙色",
    material_en="glass",
    material_zh="玻璃",
    new_material_en="metal",
    new_material_zh="金属",
    new_object_en="ashtray",
    new_object_zh="烟灰缸",
    other_object_en="lamp",
    other_object_zh="台灯",
    background_en="wooden table",
    background_zh="木桌",
    new_background_en="marble counter",
    new_background_zh="大理石台面",
    light_en="soft light",
    light_zh="柔光",
    new_light_en="warm light",
    new_light_zh="暖光",
    layout_en="a single row",
    layout_zh="一排",
    new_layout_en="a circle",
    new_layout_zh="一圈",
    defect_en="scratch",
    defect_zh="划痕",
    text_kind_en="label",
    text_kind_zh="标签",
    text="SALE",
    new_text="NEW",
    position="left",
    new_position="top right",
    direction="left",
    new_size="larger",
)
GENERIC = {"bg_white", "watermark_remove", "outpaint", "identity"}
"""Tasks that can be asked for without naming anything."""


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("task", TASK_IDS)
def test_every_task_has_eight_phrasings_in_four_manners(task, language):
    found = phrases(task, FACTS, language)
    texts = [one.text for one in found]
    assert len(set(texts)) == len(texts) >= 8
    assert {one.style for one in found} == STYLES
    for text in texts:
        assert len(text.encode()) <= MAX_BYTES
        assert not set("{}") & set(text)
        assert "None" not in text
        assert language_of(text) == language


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("task", TASK_IDS)
def test_without_facts_only_what_needs_no_name_is_said(task, language):
    assert bool(phrases(task, Facts(), language)) == (task in GENERIC)


def test_the_grammars_have_the_same_tasks_and_only_known_slots():
    shared = set(TASK_IDS) - {"text_replace_zh"}
    assert ENGLISH.keys() == CHINESE.keys() == shared
    known = (
        FACTS,
        dataclasses.replace(FACTS, count=2, new_count=5),
        dataclasses.replace(
            FACTS,
            **{"light_en": "soft shadow", "new_light_en": "no shadow"},
            **{"light_zh": "柔和阴影", "new_light_zh": "无阴影"},
        ),
    )
    for language, grammar in (("en", ENGLISH), ("zh", CHINESE)):
        for task, styles in grammar.items():
            templates = [one for group in styles.values() for one in group]
            reached = {
                p.text for facts in known for p in phrases(task, facts, language)
            }
            # No slot is misspelt: every phrase is filled by one of these facts.
            assert len(reached) == len(templates)


def test_shadows_and_described_layouts_have_phrases_of_their_own():
    shadow = Facts(object_en="can", light_en="no shadow", new_light_en="soft shadow")
    found = {one.text for one in phrases("light_shadow", shadow, "en")}
    assert "show the can with soft shadow" in found
    assert not any("light" in text for text in found)
    described = Facts(object_en="badge", new_layout_en="badge left, logo right")
    found = {one.text for one in phrases("layout", described, "en")}
    assert "please rearrange it like this: badge left, logo right" in found
    assert not any("arrange the badge in" in text for text in found)
    named = Facts(object_en="cup", new_layout_en="the cup left and the ball right")
    found = {one.text for one in phrases("layout", named, "en")}
    assert found
    assert not any("arrange the cup in" in text for text in found)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_watermark_is_always_called_one(language):
    kind = {"text_kind_en": "watermark", "text_kind_zh": "水印"}
    facts = dataclasses.replace(FACTS, **kind)
    found = phrases("text_add", facts, language)
    assert len(found) >= 5
    word = "watermark" if language == "en" else "水印"
    assert all(word in one.text for one in found)


def test_some_phrases_read_as_expected():
    english = {one.text for one in phrases("object_replace", FACTS, "en")}
    chinese = {one.text for one in phrases("object_replace", FACTS, "zh")}
    assert "replace the red mug with an orange ashtray" in english
    assert "把红色马克杯换成橙色烟灰缸" in chinese
    english = {one.text for one in phrases("layout", FACTS, "en")}
    assert "arrange the mug in a circle" in english
    english = {one.text for one in phrases("text_add", FACTS, "en")}
    assert 'put a label saying "NEW" on the left' in english


def test_a_missing_name_in_one_language_silences_only_that_one():
    facts = Facts(object_en="mug", new_object_en="bowl", new_object_zh="碗")
    assert phrases("object_replace", facts, "en")
    assert not phrases("object_replace", facts, "zh")


def test_colours_and_the_like_are_known_in_both_languages():
    facts = Facts(color_en="Red", new_color_zh="蓝色", material_zh="玻璃")
    whole = dataclasses.replace(
        facts, color_zh="红色", new_color_en="blue", material_en="glass"
    )
    assert with_counterparts(facts) == whole
    assert "红色变蓝色" in {one.text for one in phrases("recolor", facts, "zh")}
    # What is said already stays, and what no table has is not made up.
    said = Facts(color_en="red", color_zh="朱红色", material_en="unobtainium")
    assert with_counterparts(said) == said


@pytest.mark.parametrize(("english", "chinese"), COLOR_NAMES.items())
def test_colour_names_pass_the_checks_as_translations(english, chinese):
    assert problem(f"in {english}", f"换成{chinese}") is None
    assert color_ids(english) == color_ids(chinese) != []


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: one.name_en)
def test_backdrops_of_the_studio_are_known_in_both_languages(setting):
    whole = Facts(background_en=setting.name_en, background_zh=setting.name_zh)
    for said in (
        Facts(background_en=setting.name_en),
        Facts(background_zh=setting.name_zh),
    ):
        assert with_counterparts(said) == whole


def test_a_move_within_a_part_of_the_picture_is_told_by_its_direction():
    facts = Facts(
        object_en="mug", position="center", new_position="center", direction="left"
    )
    found = {one.text for one in phrases("move", facts, "en")}
    assert "move the mug to the left" in found
    assert not any("center" in text for text in found)


def test_quotes_inside_a_text_choose_the_other_quotation_marks():
    assert quoted("NEW", "en") == '"NEW"'
    assert quoted('5" pipe', "en") == '“5" pipe”'
    assert quoted("新品", "zh") == "“新品”"
    assert quoted("“新”品", "zh") == '"“新”品"'


def test_braces_in_facts_are_text():
    found = phrases("text_remove", Facts(text="{object}{0.__class__}"), "en")
    assert 'remove the text "{object}{0.__class__}"' in {one.text for one in found}


def test_slots_of_a_phrase_are_read_from_it():
    template = "make the {thing} {new_color}"
    assert slot_names(template) == {"thing", "new_color"}
    assert string.Formatter().format(template, thing="mug", new_color="red")


def test_an_unknown_task_is_refused():
    with pytest.raises(UserError, match="unknown task 'recolour'"):
        phrases("recolour", FACTS, "en")
