"""Every picture is scored once, whoever is killed and however many processes score."""

import dataclasses
import json

import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.run import scoring
from tbstar_jax.evaluation.run.scoring import Candidate, read_records, score_all
from tbstar_jax.input_pipeline.images import encode_png
from tests.support.benchmark_cases import case

CASES = [case(index=index) for index in range(3)]


def candidate(picture, system="ours", languages=("en",)):
    return Candidate(system=system, languages=languages, picture=picture, output="")


def references():
    return [(one, [candidate(one.reference)]) for one in CASES]


def scored(jobs, path, num_workers=1):
    return score_all(
        jobs,
        path,
        with_reader=False,
        num_workers=num_workers,
        total=len(jobs),
        title="test",
    )


@pytest.fixture
def counted(monkeypatch):
    calls = []
    original = scoring._score_case

    def count(case, candidates, *settings):
        calls.extend((case.id, one.system) for one in candidates)
        return original(case, candidates, *settings)

    monkeypatch.setattr(scoring, "_score_case", count)
    return calls


def test_references_and_copies_get_the_ends_of_the_scale(tmp_path):
    both = ("en", "zh")
    jobs = [
        (
            one,
            [
                candidate(one.reference, "reference", both),
                candidate(one.source, "copy", both),
            ],
        )
        for one in CASES
    ]
    records = scored(jobs, tmp_path / "records.jsonl")
    assert len(records) == 12
    for (system, prompt, _), record in records.items():
        assert (record.system, record.prompt) == (system, prompt)
        assert prompt.endswith(record.language)
        assert record.edit == (1.0 if system == "reference" else 0.0)
        assert record.preservation == 1.0


def test_what_is_missing_or_broken_has_no_score(tmp_path):
    good, broken = tmp_path / "good.png", tmp_path / "broken.png"
    good.write_bytes(encode_png(CASES[0].reference))
    broken.write_bytes(b"no picture")
    pictures = [good, broken, None, tmp_path / "gone.png", np.zeros((32, 64, 3), "u1")]
    jobs = [
        (CASES[0], [candidate(picture, str(number))])
        for number, picture in enumerate(pictures)
    ]
    records = scored(jobs, tmp_path / "records.jsonl")
    statuses = [record.status for record in records.values()]
    assert statuses == ["ok", "decode_error", "missing", "decode_error", "wrong_size"]
    assert [record.consistency for record in records.values()][1:4] == [0.0, 0.0, 0.0]


def test_a_second_run_computes_nothing(tmp_path, counted):
    path = tmp_path / "records.jsonl"
    first = scored(references(), path)
    before = path.read_bytes()
    assert scored(references(), path) == first
    assert len(counted) == 3
    assert path.read_bytes() == before


def test_a_changed_picture_is_scored_again_and_counts(tmp_path, counted):
    path = tmp_path / "records.jsonl"
    scored(references(), path)
    jobs = [(CASES[0], [candidate(CASES[0].source)]), *references()[1:]]
    records = scored(jobs, path)
    assert len(counted) == 4
    assert records["ours", f"{CASES[0].id}/en", 0].edit == 0.0
    assert len(path.read_text().splitlines()) == 4
    last = read_records(path)
    assert len(last) == 3
    assert last["ours", f"{CASES[0].id}/en", 0][1].edit == 0.0


def test_a_torn_line_is_computed_again(tmp_path, counted):
    path = tmp_path / "records.jsonl"
    whole = scored(references(), path)
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    assert scored(references(), path) == whole
    assert path.read_bytes() == data
    assert len(counted) == 4


def test_a_kill_between_two_languages_writes_no_line_twice(tmp_path):
    jobs = [(one, [candidate(one.reference, languages=("en", "zh"))]) for one in CASES]
    path = tmp_path / "records.jsonl"
    records = scored(jobs, path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 6
    path.write_bytes(b"".join(lines[:3]))
    assert scored(jobs, path) == records
    assert path.read_bytes() == whole


def test_processes_change_nothing(tmp_path):
    scored(references(), tmp_path / "one.jsonl")
    scored(references(), tmp_path / "two.jsonl", num_workers=2)
    one, two = (tmp_path / f"{name}.jsonl" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("line", [{"key": "k"}, {"key": "k", "record": {"system": 1}}])
def test_a_foreign_line_is_named(tmp_path, line):
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(UserError, match="line 1"):
        scored(references(), path)


def test_samples_are_scored_apart_and_an_old_journal_holds_the_first(tmp_path, counted):
    path = tmp_path / "records.jsonl"
    scored(references(), path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        del line["record"]["sample"]  # as before there were several
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    counted.clear()
    second = [
        (one, [*given, dataclasses.replace(candidate(one.source), sample=1)])
        for one, given in references()
    ]
    found = scored(second, path)
    assert len(counted) == len(CASES)
    assert sorted(found) == sorted(read_records(path))
    for one in CASES:
        ids = [("ours", f"{one.id}/en", sample) for sample in (0, 1)]
        assert [found[id].edit for id in ids] == [1.0, 0.0]
        assert [found[id].sample for id in ids] == [0, 1]
