"""A score record survives its journal; a damaged line is told, not guessed."""

import dataclasses
import json
import math

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.scores.record import ScoreRecord

RECORD = ScoreRecord(
    system="ours",
    prompt="mini/recolor/003/zh",
    case="mini/recolor/003",
    task="recolor",
    language="zh",
    tags={"family": "mug"},
    status="wrong_size",
    size=(96, 128),
    edit=0.25,
    preservation=1.0,
    consistency=0.5,
    edit_parts={"color": 0.2, "structure": 1.0},
    metrics={"psnr_keep": math.inf, "drift_l": -1.5, "low": -math.inf},
    output="mini/recolor/003/zh.png",
    sample=2,
)


def stored(**changes):
    return json.loads(json.dumps(RECORD.to_json(), allow_nan=False)) | changes


def test_a_record_is_read_as_it_was_written():
    assert ScoreRecord.from_json(stored()) == RECORD


def test_a_record_of_before_there_were_samples_is_the_first():
    values = stored()
    del values["sample"]
    assert ScoreRecord.from_json(values) == dataclasses.replace(RECORD, sample=0)


def test_infinity_is_a_word_and_nan_is_null():
    values = stored(metrics={"a": "inf", "b": "-inf", "c": None, "d": 2})
    metrics = ScoreRecord.from_json(values).metrics
    assert metrics["a"] == math.inf
    assert metrics["b"] == -math.inf
    assert math.isnan(metrics["c"])
    assert metrics["d"] == 2.0
    assert RECORD.to_json()["metrics"] == {
        "psnr_keep": "inf",
        "drift_l": -1.5,
        "low": "-inf",
    }
    undefined = ScoreRecord.from_json(values).to_json()["metrics"]
    assert undefined["c"] is None


def test_an_answer_without_a_picture_has_no_size():
    assert ScoreRecord.from_json(stored(size=None)).size is None


@pytest.mark.parametrize(
    "changes",
    [
        {"edit": 1.5},
        {"sample": -1},
        {"sample": True},
        {"sample": "0"},
        {"edit": True},
        {"edit": "0.5"},
        {"consistency": math.nan},
        {"edit_parts": {"color": -0.1}},
        {"edit_parts": [0.1]},
        {"metrics": {"psnr_keep": "Infinity"}},
        {"metrics": {"psnr_keep": 10**400}},
        {"metrics": {"psnr_keep": math.nan}},
        {"metrics": {"psnr_keep": False}},
        {"status": "fine"},
        {"size": [0, 4]},
        {"size": [4.0, 4]},
        {"size": "4x4"},
        {"tags": {"family": 3}},
        {"system": None},
        {"surprise": 1},
    ],
)
def test_a_damaged_record_is_refused(changes):
    with pytest.raises(UserError, match="score record"):
        ScoreRecord.from_json(stored(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"edit": 1.0001},
        {"preservation": -0.1},
        {"consistency": math.nan},
        {"edit_parts": {"color": 1.5}},
        {"edit_parts": {"color": 0.5, "structure": math.nan}},
        {"size": (0, 4)},
    ],
)
def test_a_record_out_of_range_is_never_made(changes):
    with pytest.raises(ValueError, match="mini/recolor/003/zh"):
        dataclasses.replace(RECORD, **changes)


def test_a_missing_field_is_named():
    values = stored()
    del values["prompt"]
    with pytest.raises(UserError, match="lacks 'prompt'"):
        ScoreRecord.from_json(values)
