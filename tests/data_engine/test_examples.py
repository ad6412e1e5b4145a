import collections
import json

import numpy as np
import pytest

from tbstar_jax.data_engine.captions import captions
from tbstar_jax.data_engine.examples import make_record
from tbstar_jax.data_engine.instructions import (
    CHINESE,
    ENGLISH,
    MAX_BYTES,
    instructions,
)
from tbstar_jax.data_engine.render.sampling import Needs, generator, sample_scene
from tbstar_jax.data_engine.templates import EDIT_TASKS, sample_edit
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, decode_mask
from tbstar_jax.tasks import TASK_IDS

ALL_TASKS = (*EDIT_TASKS, "identity")


@pytest.mark.parametrize("task", ALL_TASKS)
def test_instructions_are_short_and_in_both_languages(task):
    for index in range(150):
        before, after = sample_edit(
            generator("tests", 1, index, "scene"), task, (64, 64)
        )
        english, chinese = instructions(task, before, after)
        assert len(english) >= 4
        assert len(chinese) >= 4
        assert len(set(english)) == len(english)
        for text in (*english, *chinese):
            assert 0 < len(text.encode()) <= MAX_BYTES
            assert "  " not in text
            assert "{" not in text
        assert all(text.isascii() for text in english)
        assert not any(text.isascii() for text in chinese)


def test_every_phrase_names_what_it_changes():
    before, after = sample_edit(generator("tests", 1, 3, "s"), "recolor", (64, 64))
    english, chinese = instructions("recolor", before, after)
    assert all(after.color.name_en in text for text in english)
    assert all(after.color.name_zh in text for text in chinese)
    named = [
        before.family.name_en in text or before.color.name_en in text
        for text in english
    ]
    assert all(named)


def test_a_task_without_grammar_is_refused():
    before, after = sample_edit(generator("tests", 1, 3, "s"), "recolor", (64, 64))
    with pytest.raises(UserError, match="no instruction grammar for task 'outpaint'"):
        instructions("outpaint", before, after)


def test_both_languages_have_the_same_tasks():
    assert set(ENGLISH) == set(CHINESE) == set(ALL_TASKS)


def test_captions_name_everything_in_the_picture():
    for index in range(300):
        scene = sample_scene(generator("tests", 2, index, "s"), (64, 64), Needs())
        english, chinese = captions(scene)
        for text in (*english, *chinese):
            assert len(text.encode()) <= MAX_BYTES
        for text in english:
            assert f"{scene.color.name_en} {scene.family.name_en}" in text
            assert (scene.label is None) == ("label" not in text)
            assert (scene.watermark is None) == ("watermark" not in text)
            assert scene.prop is None or scene.prop.kind.name_en in text
        for text in chinese:
            assert f"{scene.color.name_zh}{scene.family.name_zh}" in text
            assert (scene.watermark is None) == ("水印" not in text)


def test_no_scene_is_in_two_sets():
    counts = {"base": 60, "stage1": 60, "stage2": 60, "heldout": 20}
    digests = {
        name: {make_record(name, 0, index, (32, 32)).scene for index in range(count)}
        for name, count in counts.items()
    }
    assert {name: len(found) for name, found in digests.items()} == counts
    assert len(set().union(*digests.values())) == sum(counts.values())


def test_tasks_are_balanced_and_a_few_examples_change_nothing():
    tasks = collections.Counter(
        make_record("stage1", 0, index, (32, 32)).task for index in range(42)
    )
    assert tasks == {**dict.fromkeys(EDIT_TASKS, 8), "identity": 2}


def test_the_held_out_set_has_equal_shares_of_the_five_tasks():
    tasks = collections.Counter(
        make_record("heldout", 0, index, (32, 32)).task for index in range(15)
    )
    assert tasks == dict.fromkeys(EDIT_TASKS, 3)


def test_a_record_holds_one_size_and_an_exact_mask():
    sizes = collections.Counter()
    for index in range(16):
        record = make_record("stage2", 0, index)
        source = decode_image(record.source_images[0])
        target = decode_image(record.target_image)
        mask = decode_mask(record.change_mask)
        sizes[mask.shape] += 1
        assert np.array_equal(np.any(source != target, axis=2), mask == 255)
    assert set(sizes) == {(128, 128), (144, 112)}


def test_a_base_record_pairs_the_caption_with_another_rendering():
    for index in range(30):
        record = make_record("base", 0, index, (64, 64))
        assert record.task in TASK_IDS
        assert len(record.source_images) == 1
        assert record.source_images[0] != record.target_image
        assert record.instructions_en
        assert record.instructions_zh


def test_provenance_is_plain_json_and_names_licence_and_seed():
    provenance = make_record("stage1", 5, 2, (32, 32)).provenance
    assert json.loads(json.dumps(provenance)) == provenance
    assert provenance["licence"] == "Apache-2.0"
    assert (provenance["space"], provenance["seed"], provenance["index"]) == (
        *("stage1", 5, 2),
    )


def test_the_same_example_is_the_same_record():
    assert make_record("stage1", 0, 7, (64, 64)) == make_record(
        "stage1", 0, 7, (64, 64)
    )
