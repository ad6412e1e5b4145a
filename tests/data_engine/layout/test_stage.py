import dataclasses
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from tbstar_jax.data_engine.facts import facts_of
from tbstar_jax.data_engine.layout.edits import CARD_TASKS
from tbstar_jax.data_engine.layout.stage import LayoutStage, make_card_record
from tbstar_jax.data_engine.stage import Stage
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, decode_mask
from tbstar_jax.input_pipeline.records import RecordSource, write_records

STAGE = LayoutStage(
    num_records=40, records_per_unit=17, seed=3, sizes=((64, 64), (64, 96))
)

DIGEST_PROGRAM = """
import hashlib, sys
from tbstar_jax.data_engine.layout.stage import LayoutStage
stage = LayoutStage(
    num_records=40, records_per_unit=17, seed=3, sizes=((64, 64), (64, 96))
)
with stage.open() as worker:
    records = list(worker(stage.units()[1]))
print(hashlib.sha256(repr(records).encode()).hexdigest(), stage.fingerprint)
"""


@pytest.fixture(scope="module")
def records():
    with STAGE.open() as worker:
        return [record for unit in STAGE.units() for record in worker(unit)]


def test_units_are_the_ranges_of_indices(records):
    assert isinstance(STAGE, Stage)
    units = STAGE.units()
    assert [unit.payload for unit in units] == [(0, 17), (17, 34), (34, 40)]
    assert sorted(unit.name for unit in units) == [unit.name for unit in units]
    assert len({unit.digest for unit in units}) == 3
    assert [record.provenance["index"] for record in records] == list(range(40))
    assert len({record.key for record in records}) == 40


def test_records_are_complete_and_exact_after_decoding(records):
    assert {record.task for record in records} == set(CARD_TASKS)
    assert {record.image_sizes()[0] for record in records} == {(64, 64), (64, 96)}
    for record in records:
        (source,) = record.source_images
        before, after = decode_image(source), decode_image(record.target_image)
        differs = np.any(before != after, axis=2)
        assert np.array_equal(decode_mask(record.change_mask) == 255, differs)
        assert len(record.instructions_en) >= 4
        assert len(record.instructions_zh) >= 4
        notes = record.provenance
        assert notes["method"] == "template"
        assert notes["licence"] == "Apache-2.0"
        assert (notes["transform"] == "identity") == (record.task == "identity")
        assert (notes["source_card"] == notes["target_card"]) == (
            record.task in ("identity", "outpaint")
        )
        assert ("photo_box" in notes) == (record.task == "outpaint")
        facts_of(record)


def test_a_record_depends_on_seed_and_index_alone(records):
    larger = dataclasses.replace(STAGE, num_records=1000, records_per_unit=1000)
    assert larger.fingerprint == STAGE.fingerprint
    assert make_card_record(larger, 21) == records[21]
    other = dataclasses.replace(STAGE, seed=4)
    assert other.fingerprint != STAGE.fingerprint
    assert make_card_record(other, 21).target_image != records[21].target_image


def test_another_process_with_another_hash_seed_makes_the_same_bytes(records):
    expected = hashlib.sha256(repr(records[17:34]).encode()).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run(
        [sys.executable, "-c", DIGEST_PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [expected, STAGE.fingerprint]


def test_records_can_be_written_and_read(records, tmp_path):
    assert write_records(tmp_path / "cards", "cards", "train", records[:5], 3) == 5
    source = RecordSource(tmp_path / "cards", "train")
    assert [source[index] for index in range(5)] == records[:5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_records": 0}, "num_records is 0"),
        ({"sizes": ()}, "sizes are empty"),
        ({"sizes": ((32, 64),)}, "64x32 pixels cannot be drawn"),
        ({"sizes": ((64, 300),)}, "300x64 pixels cannot be drawn"),
        ({"tasks": ("material",)}, "tasks name 'material'"),
        ({"tasks": ()}, "tasks name nothing"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        LayoutStage(**({"num_records": 1} | settings))
