import dataclasses
import pickle  # noqa: TID251, what workers are sent by

import numpy as np
import pytest

from tbstar_jax.data_engine.facts import Facts, facts_of
from tbstar_jax.data_engine.render.sampling import generator
from tbstar_jax.data_engine.studio import words
from tbstar_jax.data_engine.studio.edits import EDIT_TASKS, sample_edit
from tbstar_jax.data_engine.studio.grammar import instructions
from tbstar_jax.data_engine.studio.scene import scene_digest
from tbstar_jax.data_engine.studio.stage import StudioStage
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, decode_mask
from tbstar_jax.input_pipeline.records import RecordSource, write_records

STAGE = StudioStage(
    num_records=15, records_per_unit=4, sizes=((48, 48), (56, 40)), supersampling=1
)


def made(stage):
    with stage.open() as work:
        return [record for unit in stage.units() for record in work(unit)]


@pytest.fixture(scope="module")
def records():
    return made(STAGE)


def test_every_task_becomes_a_complete_record(records):
    assert [record.task for record in records] == list(EDIT_TASKS)
    assert len({record.key for record in records}) == 15
    for record in records:
        assert record.image_sizes()[0] in STAGE.sizes
        source, target = (
            decode_image(data)
            for data in (record.source_images[0], record.target_image)
        )
        mask = decode_mask(record.change_mask) == 255
        assert np.array_equal(mask, np.any(source != target, axis=2))
        assert mask.any() == (record.task != "identity")
        assert record.provenance["method"] == "template"
        assert len(record.scene) == 64


def test_records_can_be_written_and_read(records, tmp_path):
    write_records(tmp_path / "set", "studio", "train", records, 8)
    assert RecordSource(tmp_path / "set", "train")[3] == records[3]


def test_a_record_depends_on_settings_seed_and_index_alone(records):
    other = dataclasses.replace(STAGE, records_per_unit=3, num_records=5)
    assert made(pickle.loads(pickle.dumps(other))) == records[:5]
    assert other.fingerprint == STAGE.fingerprint
    reseeded = dataclasses.replace(STAGE, seed=1, num_records=1)
    assert made(reseeded)[0].source_images != records[0].source_images
    assert reseeded.fingerprint != STAGE.fingerprint


def test_units_cover_the_indices_once():
    units = STAGE.units()
    assert [unit.payload for unit in units] == [(0, 4), (4, 8), (8, 12), (12, 15)]
    assert [unit.name for unit in units] == sorted(unit.name for unit in units)
    assert len({unit.digest for unit in units}) == 4


@pytest.mark.parametrize("task", EDIT_TASKS)
def test_instructions_in_both_languages_say_what_changes(task):
    for index in range(25):
        edit = sample_edit(generator("tests", 3, index, task), task, (48, 48))
        english, chinese = instructions(task, edit.facts, "个")
        for texts in (english, chinese):
            assert len(set(texts)) == len(texts) >= 4
            assert not any("None" in text or "{" in text for text in texts)
            assert not any("  " in text for text in texts)
            if edit.facts.new_text:
                assert all(edit.facts.new_text in text for text in texts)
        assert (
            all(text.isascii() for text in english)
            or edit.facts.text
            or (edit.facts.new_text)
        )
        if edit.facts.new_color_en and task == "recolor":
            assert all(edit.facts.new_color_en in text for text in english)
            assert all(edit.facts.new_color_zh in text for text in chinese)


def test_several_of_a_product_are_named_in_the_plural():
    for noun, plural in (("watch", "watches"), ("box", "boxes"), ("can", "cans")):
        rows = words.row(1, "") | words.row(3, "new_")
        facts = Facts(object_en=noun, object_zh="手表", count=1, new_count=3, **rows)
        english, chinese = instructions("layout", facts, "块")
        assert f"Change the photo from 1 {noun} to 3 {plural}." in english
        assert "让图中有3块手表。" in chinese


def test_facts_and_texts_are_noted(records):
    for record in records:
        facts = facts_of(record)
        assert facts.object_en
        assert facts.object_zh
        for note in record.provenance["text_boxes"]:
            top, left, bottom, right = note["box"]
            rows, columns = record.image_sizes()[0]
            assert 0 <= top < bottom <= rows
            assert 0 <= left < right <= columns
    by_task = {record.task: record for record in records}
    replaced = by_task["text_replace_en"]
    says = [(one["image"], one["text"]) for one in replaced.provenance["text_boxes"]]
    facts = facts_of(replaced)
    assert says == [("source", facts.text), ("target", facts.new_text)]
    noted = by_task["text_add"].provenance["text_boxes"]
    assert [one["image"] for one in noted] == ["target"]


def test_the_scene_names_the_source(records):
    record = records[2]
    assert record.scene == record.provenance["source_scene"]
    assert record.scene != record.provenance["target_scene"]
    assert records[-1].provenance["target_scene"] == records[-1].scene
    edit = sample_edit(generator("tests", 3, 0, "x"), "recolor", (48, 48))
    assert scene_digest(edit.before) != scene_digest(edit.after)


def test_settings_are_checked():
    with pytest.raises(UserError, match="num_records is 0"):
        StudioStage(num_records=0)
    with pytest.raises(UserError, match="outpaint"):
        StudioStage(num_records=1, tasks=("outpaint",))
    with pytest.raises(UserError, match="draw larger images"):
        made(StudioStage(num_records=1, sizes=((3, 3),), tasks=("move",)))


def test_an_instruction_is_as_short_as_is_asked_for(records):
    short = made(dataclasses.replace(STAGE, max_instruction_bytes=60))
    for record, free in zip(short, records, strict=True):
        assert record.target_image == free.target_image
        for name in ("instructions_en", "instructions_zh"):
            fitting = {text for text in getattr(free, name) if len(text.encode()) <= 60}
            assert set(getattr(record, name)) == fitting
    longest = max(len(t.encode()) for one in records for t in one.instructions_en)
    assert longest > 60
    with pytest.raises(UserError, match="no phrasing is as short as"):
        made(dataclasses.replace(STAGE, max_instruction_bytes=20, num_records=1))
