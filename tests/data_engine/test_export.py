"""What is exported is read back by the importers, byte for byte."""

import csv
import dataclasses
import json

import pytest

from tbstar_jax.data_engine.collect.presets import preset_source
from tbstar_jax.data_engine.export import export_records
from tbstar_jax.errors import UserError
from tests.input_pipeline.samples import make_record
from tests.support import foreign_sets as sets

RECORDS = [
    dataclasses.replace(make_record(k), instructions_en=(f'edit "{k}",\nplease',))
    for k in range(3)
]
SEVERAL = [*RECORDS, make_record(7, num_sources=3)]


def read_back(preset, path):
    records, rejects = sets.collect(preset_source(preset, str(path)))
    assert rejects == []
    return records


@pytest.mark.parametrize(
    ("layout", "preset", "records"),
    [
        ("diffsynth", "diffsynth-jsonl", SEVERAL),
        ("diffsynth-csv", "diffsynth", RECORDS),
        ("musubi", "musubi", SEVERAL),
        ("musubi", "musubi-folder", RECORDS),
        ("diffusers", "diffusers", SEVERAL),
        ("ai-toolkit", "ai-toolkit", SEVERAL),
    ],
)
def test_a_layout_is_read_back(tmp_path, layout, preset, records):
    records = [
        dataclasses.replace(records[0], source_images=(sets.jpeg(1),)),
        *records[1:],
    ]
    num = export_records(iter(records), tmp_path / "out", layout)
    assert num == len(records)
    assert not (tmp_path / "out.partial").exists()
    for read, record in zip(read_back(preset, tmp_path / "out"), records, strict=True):
        assert read.source_images == record.source_images
        assert read.target_image == record.target_image
        # Line breaks of a request are spaces to an importer.
        assert read.instructions_en == (" ".join(record.instructions_en[0].split()),)


def test_the_tables_are_what_the_trainers_read(tmp_path):
    record = make_record(7, num_sources=2)
    export_records([record], tmp_path / "d", "diffsynth")
    assert json.loads((tmp_path / "d" / "metadata.jsonl").read_text()) == {
        "prompt": "edit 7",
        "image": "images/00000000.png",
        "edit_image": ["images/00000000_source0.png", "images/00000000_source1.png"],
    }
    export_records([record], tmp_path / "m", "musubi")
    assert json.loads((tmp_path / "m" / "dataset.jsonl").read_text()) == {
        "image_path": "images/00000000.png",
        "caption": "edit 7",
        "control_path_0": "controls/00000000.png",
        "control_path_1": "controls/00000000_source1.png",
    }
    export_records([record], tmp_path / "f", "diffusers")
    assert json.loads((tmp_path / "f" / "metadata.jsonl").read_text()) == {
        "edit_prompt": "edit 7",
        "edited_image_file_name": "images/00000000.png",
        "original_image_file_name": "images/00000000_source0.png",
        "reference_images_file_names": ["images/00000000_source1.png"],
    }
    export_records(RECORDS, tmp_path / "c", "diffsynth-csv")
    with (tmp_path / "c" / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["prompt"] for row in rows] == [r.instructions_en[0] for r in RECORDS]
    export_records([record], tmp_path / "a", "ai-toolkit")
    names = sorted(
        str(p.relative_to(tmp_path / "a")) for p in (tmp_path / "a").rglob("*.*")
    )
    assert names == [
        "control/00000000.png",
        "control_2/00000000.png",
        "target/00000000.png",
        "target/00000000.txt",
    ]


def test_the_language_is_chosen_and_replaced_where_it_lacks(tmp_path):
    only_english = dataclasses.replace(RECORDS[1], instructions_zh=())
    export_records([RECORDS[0], only_english], tmp_path / "a", "ai-toolkit", "zh")
    captions = [
        (tmp_path / "a" / "target" / f"{k:08d}.txt").read_text() for k in range(2)
    ]
    assert captions == ["编辑0", only_english.instructions_en[0]]


@pytest.mark.parametrize(
    ("records", "layout", "message"),
    [
        ([], "musubi", "no record"),
        ([dataclasses.replace(RECORDS[0], target_image=b"")], "musubi", "without edit"),
        ([*RECORDS, make_record(7, num_sources=2)], "diffsynth-csv", "exactly one"),
    ],
)
def test_what_does_not_fit_leaves_nothing(tmp_path, records, layout, message):
    with pytest.raises(UserError, match=message):
        export_records(records, tmp_path / "out", layout)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_directory_is_not_touched(tmp_path):
    (tmp_path / "x").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        export_records(RECORDS, tmp_path, "musubi")
    assert (tmp_path / "x").read_text() == "mine"
