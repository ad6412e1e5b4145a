"""What a report says of its cases and of texts that were not read."""

import dataclasses
import math

import pytest

from experiments.benchmark_notes import (
    answer_notes,
    aspect_notes,
    case_notes,
    unread_notes,
)
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.cases.manifest import explain
from tbstar_jax.evaluation.cases.store import write_cases
from tbstar_jax.evaluation.scores.record import ScoreRecord


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """Returns a function: a split to a folder of one case that says to be of it."""
    case = make_case("smoke", "bg_white", 0)

    def folder(split):
        place = tmp_path_factory.mktemp(split)
        named = dataclasses.replace(case, split=split, id=f"{split}/bg_white/000")
        write_cases([named], place)
        return CaseFolder(place, None)

    return folder


@pytest.mark.parametrize("split", ["smoke", "test", "photo"])
def test_nothing_is_said_of_cases_as_they_were_shipped(folder_of, split):
    assert case_notes(folder_of(split), []) == []


def test_cases_not_as_shipped_are_counted_with_the_versions_that_made_them(folder_of):
    cases = folder_of("smoke")
    (note,) = case_notes(cases, cases.ids)
    assert note.startswith("1 of the 1 cases differ from the shipped ones")
    assert explain("smoke", cases.drawn_with) in note


def record(text_read):
    metrics = {} if text_read is None else {"text_read": text_read}
    return ScoreRecord(
        system="ours",
        prompt="smoke/bg_white/000/en",
        case="smoke/bg_white/000",
        task="bg_white",
        language="en",
        tags={},
        status="missing" if text_read is None else "ok",
        size=None if text_read is None else (128, 128),
        edit=0.0,
        preservation=0.0,
        consistency=0.0,
        edit_parts={},
        metrics=metrics,
        output="",
    )


def test_answers_with_texts_that_were_not_read_are_counted():
    read = [record(share) for share in (1.0, math.nan, None)]
    assert unread_notes({"ours": read, "reference": read}) == []
    (note,) = unread_notes(
        {
            "ours": [*read, record(0.5), record(0.0)],
            "reference": read,
            "copy_input": [record(0.75)],
        }
    )
    assert "failed on texts of 3 answers (ours 2, copy_input 1)" in note


def test_answers_of_another_aspect_ratio_are_counted():
    fine = record(1.0)
    wide = dataclasses.replace(fine, metrics={"consistency_crop": 0.5})
    assert aspect_notes({"reference": [fine]}) == []
    (note,) = aspect_notes({"ours": [fine, wide, wide], "reference": [fine]})
    assert note.startswith("2 answers of ours have another aspect ratio")
    assert note.endswith("mean C is 0.000, cropped instead 0.500")


def test_answers_that_count_as_zero_are_told_with_a_reason(tmp_path):
    fine = record(1.0)
    assert answer_notes("ours", [fine], tmp_path) == []
    missing = record(None)
    (note,) = answer_notes("ours", [fine, missing], tmp_path)
    assert note.startswith("1 of 2 answers of ours are missing or cannot be decoded")
    assert note.endswith("all other measures leave them out")
    broken = dataclasses.replace(missing, status="decode_error")
    path = tmp_path / "smoke/bg_white/000/en.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no picture")
    (note,) = answer_notes("ours", [missing, broken], tmp_path)
    assert f"(e.g. {path} " in note
