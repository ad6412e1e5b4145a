"""Inversion: pictures swap, words turn around, and nothing is guessed."""

import dataclasses

import numpy as np
import pytest

from tbstar_jax.data_engine.augment.inverse_facts import Inverse, inverse_of
from tbstar_jax.data_engine.augment.invert import Invert, invert
from tbstar_jax.data_engine.facts import Facts, facts_of, with_facts
from tbstar_jax.data_engine.stage import Reject
from tests.support.rendered_pairs import (
    EDITS,
    is_exact,
    rendered,
    scene_with_everything,
)

MAX_BYTES = 94


def pair(task, index=0):
    return rendered(scene_with_everything(index, watermark=True), task, index)


@pytest.mark.parametrize("task", EDITS)
def test_an_inverse_has_the_pictures_swapped_and_is_exact(task):
    record = pair(task)
    inverse = invert(record, MAX_BYTES)
    assert inverse.source_images == (record.target_image,)
    assert inverse.target_image == record.source_images[0]
    assert is_exact(inverse)
    assert inverse.key == f"{record.key}-inverse"
    assert inverse.scene == record.scene
    assert inverse.provenance["transform"] == "inverse"
    assert inverse.provenance["parents"] == [record.key]
    assert inverse.provenance["licence"] == "Apache-2.0"


@pytest.mark.parametrize("task", EDITS)
def test_the_inverse_of_the_inverse_is_the_pair(task):
    record = pair(task)
    twice = invert(invert(record, MAX_BYTES), MAX_BYTES)
    assert twice.source_images == record.source_images
    assert twice.target_image == record.target_image
    assert twice.change_mask == record.change_mask
    assert twice.task == record.task
    assert twice.instructions_en == record.instructions_en
    assert twice.instructions_zh == record.instructions_zh
    assert facts_of(twice) == facts_of(record)


def asked(task, **facts):
    """The inverse's task and words of a pair with these facts."""
    record = with_facts(pair("recolor"), Facts(**facts))
    inverse = invert(dataclasses.replace(record, task=task), MAX_BYTES)
    return inverse and (inverse.task, inverse.instructions_en, inverse.instructions_zh)


def test_a_removed_object_is_added():
    task, english, chinese = asked(
        "object_remove",
        object_en="ball",
        object_zh="小球",
        color_en="red",
        color_zh="红色",
        position="left",
    )
    assert task == "object_add"
    assert "put a red ball on the left" in english
    assert "在左侧放一个红色小球" in chinese
    assert len(english) == len(set(english)) >= 5


def test_an_old_colour_comes_back():
    task, english, chinese = asked(
        "recolor", object_en="mug", color_en="red", new_color_en="blue"
    )
    assert task == "recolor"
    assert "change the mug from blue to red" in english
    assert chinese == ("蓝色变红色",)


def test_a_text_is_written_back_under_the_task_of_its_language():
    task, english, _ = asked("text_replace_en", text="新品", new_text="SALE")
    assert task == "text_replace_zh"
    assert 'change the text "SALE" to "新品"' in english
    task, _, chinese = asked("text_replace_zh", text="$9", new_text="新品")
    assert task == "text_replace_en"
    assert "把文字“新品”改成“$9”" in chinese


def test_a_background_comes_back_only_if_it_has_a_name():
    assert asked("bg_white", object_en="mug", object_zh="马克杯") is None
    task, english, _ = asked("bg_white", background_en="wooden table")
    assert task == "bg_scene"
    assert "change the background to a wooden table" in english
    task, english, _ = asked(
        "bg_scene", background_en="white background", new_background_en="wooden table"
    )
    assert task == "bg_white"
    assert "change the background to pure white" in english


def test_texts_and_watermarks_come_and_go():
    task, english, _ = asked("watermark_remove", text="COPY")
    assert task == "text_add"
    assert 'add the watermark "COPY" to the photo' in english
    assert asked("text_remove", text="SALE")[0] == "text_add"
    assert asked("text_add", new_text="SALE")[0] == "text_remove"
    mark = asked("text_add", new_text="SALE", text_kind_en="watermark")
    assert mark[0] == "watermark_remove"


def test_a_move_goes_back_and_a_change_of_size_too():
    _, english, chinese = asked(
        "move", object_en="mug", object_zh="马克杯", direction="left"
    )
    assert "move the mug to the right" in english
    assert "把马克杯向右移动" in chinese
    _, english, _ = asked("layout", object_en="mug", new_size="larger")
    assert "make the mug smaller" in english
    _, english, _ = asked("layout", object_en="mug", count=1, new_count=3)
    assert "show 1 x mug instead of 3" in english


def test_where_only_some_of_several_go_every_request_says_how_many():
    _, english, chinese = asked(
        "object_remove", object_en="ball", object_zh="小球", count=3, new_count=1
    )
    assert english
    assert all("3" in text for text in english if "x 3" not in text)
    assert "把小球由1个增加到3个" in chinese


@pytest.mark.parametrize(
    "task",
    [
        *("recolor", "material", "object_add", "object_remove", "object_replace"),
        *("text_remove", "text_add", "text_replace_en", "watermark_remove"),
        *("bg_white", "bg_scene", "light_shadow", "layout", "move"),
        *("identity", "outpaint", "repair_zoom"),
    ],
)
def test_without_facts_nothing_is_inverted(task):
    assert asked(task) is None


def test_what_no_task_undoes_is_not_inverted_even_with_words():
    for task in ("outpaint", "repair_zoom", "identity"):
        assert inverse_of(task, Facts(object_en="mug")) is None


def test_an_unchanged_colour_stays_with_its_object():
    facts = Facts(object_en="mug", color_en="red", text="A", new_text="B")
    expected = Facts(object_en="mug", color_en="red", text="B", new_text="A")
    found = inverse_of("text_replace_en", facts)
    assert found == Inverse(task="text_replace_en", facts=expected)


def test_an_inverse_request_that_came_along_is_taken():
    record = rendered(scene_with_everything(0), "recolor", with_facts=False)
    assert invert(record, MAX_BYTES) is None
    notes = {**record.provenance, "inverse_en": "give it its old colour back"}
    record = dataclasses.replace(record, provenance=notes)
    inverse = invert(record, MAX_BYTES)
    assert inverse.instructions_en == ("give it its old colour back",)
    assert inverse.instructions_zh == ()
    assert inverse.task == "recolor"
    assert "facts" not in inverse.provenance


def run(record):
    with Invert(max_bytes=MAX_BYTES).open() as transform:
        return list(transform(record, np.random.default_rng(0)))


def test_the_method_yields_the_record_itself_first():
    record = pair("object_remove")
    first, second = run(record)
    assert first is record
    assert second == invert(record, MAX_BYTES)


def test_scores_and_chains_are_not_inherited():
    record = pair("object_remove")
    notes = {"scores": {"shift": 0.1}, "status": "kept", "chain_id": "c", "turn": 1}
    record = dataclasses.replace(record, provenance=record.provenance | notes)
    _, inverse = run(record)
    assert not inverse.provenance.keys() & notes.keys()


def test_a_rejected_pair_is_not_inverted():
    record = pair("object_remove")
    notes = record.provenance | {"status": "rejected:shift"}
    record = dataclasses.replace(record, provenance=notes)
    assert run(record) == [record]


def test_unreadable_notes_are_named_and_the_record_is_kept():
    record = pair("object_remove")
    for notes, reason in (
        ({"facts": {"count": "many"}}, "count is 'many'"),
        ({"inverse_en": 7}, "inverse_en of record"),
    ):
        broken = dataclasses.replace(record, provenance=notes)
        first, reject = run(broken)
        assert first is broken
        assert isinstance(reject, Reject)
        assert reason in reject.reason
