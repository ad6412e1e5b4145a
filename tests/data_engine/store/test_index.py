"""The side index: what it says, how decisions change it, what it refuses."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tbstar_jax.data_engine.store.index import (
    index_line,
    index_table,
    merge_indices,
    read_index,
    replace_statuses,
    score_columns,
    write_index,
)
from tbstar_jax.errors import UserError
from tests.data_engine.store.samples import make_pair, write_indexed
from tests.input_pipeline.samples import make_record


def table_of(*records):
    return index_table([index_line(record) for record in records])


def test_a_line_says_what_a_record_is():
    record = make_pair(
        3,
        instructions_zh=(),
        provenance={"transform": "inverse", "scores": {"judge": 4, "shift": 0.25}},
    )
    assert index_line(record) == {
        "key": "record-3",
        "task": "recolor",
        "method": "template",
        "transform": "inverse",
        "status": "kept",
        "made_status": "kept",
        "licence": "CC0-1.0",
        "origin": "here",
        "scene": "scene-3",
        "rows": 32,
        "columns": 32,
        "bucket": "2x2+2x2",
        "is_lossless": True,
        "has_mask": True,
        "num_sources": 1,
        "has_en": True,
        "has_zh": False,
        "instruction_bytes": 13,
        "score.judge": 4.0,
        "score.shift": 0.25,
    }


def test_the_bucket_counts_tokens_of_target_and_sources():
    wide = make_record(1, (17, 48), num_sources=2)
    assert index_line(wide)["bucket"] == "2x3+2x3+2x3"
    photo = dataclasses.replace(
        wide, target_image=b"", instructions_en=(), instructions_zh=()
    )
    line = index_line(photo)
    assert (line["bucket"], line["rows"], line["columns"]) == ("2x3+2x3", 17, 48)


def test_merging_numbers_through_and_unites_scores():
    first = table_of(make_pair(0, provenance={"scores": {"a": 1}}), make_pair(1))
    second = table_of(make_pair(2, provenance={"scores": {"b": 2}}))
    merged = merge_indices([first, second])
    assert merged["key"].to_pylist() == ["record-0", "record-1", "record-2"]
    assert merged["shard"].to_pylist() == [0, 0, 1]
    assert merged["row"].to_pylist() == [0, 1, 2]
    assert merged["score.a"].to_pylist() == [1.0, None, None]
    assert merged["score.b"].to_pylist() == [None, None, 2.0]
    columns = score_columns(merged)
    np.testing.assert_array_equal(columns["a"], [1.0, np.nan, np.nan])
    assert list(columns) == ["a", "b"]


def test_a_key_of_two_shards_is_named():
    with pytest.raises(UserError, match=r"'record-1' is used by 2 .* shards \[0, 1\]"):
        merge_indices(
            [table_of(make_pair(0), make_pair(1)), table_of(make_pair(1), make_pair(2))]
        )


def test_decisions_change_the_index_and_no_shard(tmp_path):
    directory = write_indexed(tmp_path / "set", [make_pair(k) for k in range(3)])
    before = {
        path.name: path.read_bytes()
        for path in directory.iterdir()
        if path.name != "index.parquet"
    }
    replace_statuses(directory, {"record-1": "rejected:shift"})
    table = replace_statuses(directory, {"record-2": "flagged:warped"})
    assert table.equals(read_index(directory))
    expected = ["kept", "rejected:shift", "flagged:warped"]
    assert table["status"].to_pylist() == expected
    assert table["made_status"].to_pylist() == ["kept"] * 3
    after = {path.name: path.read_bytes() for path in directory.iterdir()}
    assert after.pop("index.parquet")
    assert after == before


def test_an_index_of_before_mixtures_had_a_limit_opens(tmp_path):
    directory = write_indexed(tmp_path / "set", [make_pair(0, instructions_zh=("改",))])
    table = read_index(directory)
    assert table["instruction_bytes"].to_pylist() == [len("please edit 0")]
    write_index(directory, table.drop_columns(["instruction_bytes"]))
    assert read_index(directory)["instruction_bytes"].to_pylist() == [None]


def test_a_decision_on_nobody_or_in_other_words_is_refused(tmp_path):
    directory = write_indexed(tmp_path / "set", [make_pair(0)])
    with pytest.raises(UserError, match="has no record 'record-9'"):
        replace_statuses(directory, {"record-9": "kept"})
    for status in ("rejected", "bad:rule", "rejected:Two Words"):
        with pytest.raises(UserError, match="use kept, flagged:<rule>"):
            replace_statuses(directory, {"record-0": status})
    assert read_index(directory)["status"].to_pylist() == ["kept"]


@pytest.mark.parametrize("score", ["much", float("inf"), None])
def test_a_score_is_a_finite_number(score):
    with pytest.raises(UserError, match="score 'a' of record 'record-0'"):
        index_line(make_pair(0, provenance={"scores": {"a": score}}))


def test_a_missing_damaged_or_foreign_index_is_named(tmp_path):
    with pytest.raises(UserError, match=r"has no index\.parquet"):
        read_index(tmp_path)
    (tmp_path / "index.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(UserError, match="is damaged"):
        read_index(tmp_path)
    pq.write_table(pa.table({"key": ["a"]}), tmp_path / "index.parquet")
    with pytest.raises(UserError, match="other columns"):
        read_index(tmp_path)
    wrong = table_of(make_pair(0)).append_column("score.a", pa.array(["high"]))
    write_index(tmp_path, wrong)
    with pytest.raises(UserError, match="other columns"):
        read_index(tmp_path)
