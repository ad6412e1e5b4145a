"""Collecting end to end: a folder of photos becomes a deduplicated set on disk."""

import dataclasses
import json

import pytest
from PIL import Image
from skimage import data

from tbstar_jax.data_engine.collect.collect_stage import CollectStage
from tbstar_jax.data_engine.collect.dedup import dedup_of
from tbstar_jax.data_engine.collect.field_map import parse_field_map
from tbstar_jax.data_engine.collect.quality import Quality
from tbstar_jax.data_engine.collect.source import SourceSpec
from tbstar_jax.data_engine.engine.embedded import EmbeddedEngine
from tbstar_jax.data_engine.engine.method_stage import MethodStage
from tbstar_jax.data_engine.engine.run import run_stage
from tbstar_jax.data_engine.store.index import read_index
from tbstar_jax.input_pipeline.records import RecordSource
from tests.support import foreign_sets as sets

ENGINE = EmbeddedEngine(workers=1)


def run(stage, out):
    return run_stage(stage, out, "photos", "train", engine=ENGINE, show_progress=False)


@pytest.fixture
def photos(tmp_path):
    coffee = Image.fromarray(data.coffee()).resize((96, 64))
    cat = Image.fromarray(data.cat()).resize((96, 64))
    files = {
        "a/coffee.png": sets.encoded(coffee),
        "b/coffee.png": sets.encoded(coffee),
        "b/small.jpg": sets.encoded(coffee.resize((72, 48)), "JPEG", quality=80),
        "c/cat.png": sets.encoded(cat),
        "c/half.png": sets.encoded(cat)[:900],
    }
    sets.write_files(tmp_path / "in", files)
    return SourceSpec(path=str(tmp_path / "in"), format="folder", licence="own")


def test_photos_are_collected_scored_and_deduplicated(tmp_path, photos):
    report = run(CollectStage(sources=(photos,), rows_per_unit=2), tmp_path / "raw")
    assert (report.num_records, report.num_rejects) == (4, 1)
    (line,) = (tmp_path / "raw" / "rejects.jsonl").read_text().splitlines()
    assert json.loads(line)["row"] == "c/half.png"
    collected = MethodStage(
        method=Quality(), directory=tmp_path / "raw", split="train", seed=0
    )
    run(collected, tmp_path / "scored")
    scored = RecordSource(tmp_path / "scored", "train", "photos")
    records = (scored[k] for k in range(len(scored)))
    method = dedup_of(records, tmp_path / "hashes.npz")
    stage = dataclasses.replace(collected, method=method, directory=tmp_path / "scored")
    run(stage, tmp_path / "kept")
    index = read_index(tmp_path / "kept").to_pydict()
    assert index["status"] == [
        "kept",
        "rejected:duplicate",
        "rejected:duplicate",
        "kept",
    ]
    assert index["rows"] == [64, 64, 48, 64]
    assert index["score.columns"] == [96.0, 96.0, 72.0, 96.0]
    assert index["licence"] == ["own"] * 4
    first, second, third, fourth = index["scene"]
    assert first == second == third != fourth


def test_a_row_repeated_in_another_shard_does_not_end_the_run(tmp_path):
    row = {"a": "a.png", "b": "b.png", "say": "make it red"}
    sets.write_files(tmp_path / "in", {"a.png": sets.png(1), "b.png": sets.png(2)})
    sets.write_jsonl(tmp_path / "in" / "m.jsonl", [row, row, row])
    fields = parse_field_map("source=a,target=b,instruction=say")
    source = SourceSpec(path=str(tmp_path / "in"), format="jsonl", fields=fields)
    report = run(CollectStage(sources=(source,), rows_per_unit=2), tmp_path / "raw")
    assert report.num_records == 3
