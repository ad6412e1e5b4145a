"""Learned columns: scored once per weights, and only compared with their like."""

import csv
import dataclasses
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.run import scoring
from tbstar_jax.evaluation.run.learned_columns import comparable, learned_notes
from tbstar_jax.evaluation.run.measures import measure_by_name, with_variants
from tbstar_jax.evaluation.run.results import Results, summarise, to_csv
from tbstar_jax.evaluation.run.run_folder import Run, read_run, write_run
from tbstar_jax.evaluation.run.scoring import Candidate, key_of, score_all
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tests.support import onnx_files
from tests.support.benchmark_cases import case
from tests.support.learned_files import SIDE, write_weights

CASES = [case(index=index) for index in range(3)]
NAMES = {
    "lpips_keep",
    "lpips_edit",
    "dino_prod",
    "dino_reference",
    "dino_source",
    "clip_i_reference",
    "clip_i_source",
    "clip_t",
    "clip_dir",
}


@pytest.fixture
def config(tmp_path):
    return write_weights(tmp_path / "weights")


@pytest.fixture
def counted(monkeypatch):
    calls = []
    original = scoring._score_case

    def count(case, candidates, *settings):
        calls.append(case.id)
        return original(case, candidates, *settings)

    monkeypatch.setattr(scoring, "_score_case", count)
    return calls


def scored(path, learned, num_workers=1):
    jobs = [
        (
            one,
            [
                Candidate(system=name, languages=("en",), picture=image, output="")
                for name, image in (("ours", one.reference), ("none", None))
            ],
        )
        for one in CASES
    ]
    return score_all(
        jobs,
        path,
        with_reader=False,
        num_workers=num_workers,
        total=6,
        title="test",
        learned=learned,
    )


def ours(records):
    return records["ours", f"{CASES[0].id}/en", 0].metrics


def test_records_have_the_measures_of_the_weights_that_are_there(tmp_path, config):
    path = tmp_path / "records.jsonl"
    plain, full = (ours(scored(path, learned)) for learned in (None, config))
    assert full.keys() - plain.keys() == NAMES
    assert full["lpips_edit"] == 0.0
    assert full["dino_reference"] == pytest.approx(1.0)
    same = {name: full[name] for name in plain}
    np.testing.assert_equal(same, dict(plain))
    # What was not answered has no number, rather than 0.
    for line in path.read_text().splitlines():
        record = json.loads(line)["record"]
        if record["system"] == "none":
            assert not NAMES & set(record["metrics"])


def test_only_other_weights_score_again(tmp_path, config, counted):
    path = tmp_path / "records.jsonl"
    expected = 0

    def run(learned, *, is_again):
        nonlocal expected
        expected += 3 * is_again
        found = scored(path, learned)
        assert len(counted) == expected
        return found

    run(None, is_again=True)
    run(None, is_again=False)
    first = run(config, is_again=True)
    np.testing.assert_equal(ours(run(config, is_again=False)), ours(first))
    named = dataclasses.replace(config.dino, name="the same by another name")
    run(dataclasses.replace(config, dino=named), is_again=False)
    shape = ("n", 3, SIDE // 2, SIDE // 2)
    onnx_files.mean_colour(config.dino.path, shape=shape)
    run(config, is_again=True)
    onnx_files.write_tokenizer(config.clip_text.tokenizer, max_length=70)
    run(config, is_again=True)
    run(dataclasses.replace(config, lpips=None), is_again=True)
    run(None, is_again=True)


def test_a_torn_line_is_computed_again_to_the_same_bytes(tmp_path, config, counted):
    path = tmp_path / "records.jsonl"
    scored(path, config)
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    scored(path, config)
    assert path.read_bytes() == data
    assert len(counted) == 4


def test_processes_open_the_models_and_change_nothing(tmp_path, config):
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    scored(one, config)
    scored(two, config, num_workers=2)
    assert one.read_bytes() == two.read_bytes()
    assert b"lpips_keep" in one.read_bytes()


def test_without_weights_the_key_is_the_one_it_was():
    """Scores of before there were learned columns stay what they are."""
    one = CASES[0]
    picture = Candidate(
        system="ours", languages=("en",), picture=one.reference, output=""
    )
    digest = case_digest(one)
    total = hashlib.sha256(str(one.reference.shape).encode() + one.reference.tobytes())
    total.update(f"{digest} tesseract 5 {scoring.SCORES_VERSION}".encode())
    assert key_of(picture, digest, "tesseract 5") == total.hexdigest()


def a_run(name, learned):
    tools = {"ocr": ""} | ({} if learned is None else {"learned": learned})
    return Run(
        folder=Path(name),
        name=name,
        prompts=(),
        cases=Path(),
        outputs=Path(),
        provenance={
            "tools": tools,
            "system": {},
            "cases_sha256": "",
            "cases_not_as_shipped": [],
        },
    )


def test_columns_of_other_weights_are_left_out_and_it_is_said(tmp_path, config):
    records = list(scored(tmp_path / "r.jsonl", config).values())
    told = config.provenance()
    first = a_run("A", told)
    other = {**told["dino"], "fingerprint": "0" * 64, "name": "DINO v1"}
    second = a_run("B", {**told, "dino": other})

    def names(run, against):
        (row, *_) = comparable({"ours": records}, run, against)["ours"]
        return row.metrics.keys() & NAMES

    dino = {"dino_prod", "dino_reference", "dino_source"}
    assert names(first, first) == NAMES
    assert names(second, first) == NAMES - dino
    assert names(a_run("C", None), first) == NAMES  # it has none: nothing to drop
    assert names(first, a_run("C", None)) == set()
    text = {**told["clip_text"], "fingerprint": "1" * 64}
    assert names(a_run("D", {**told, "clip_text": text}), first) == NAMES - {
        "clip_t",
        "clip_dir",
    }
    assert learned_notes([first, a_run("E", told), a_run("F", None)]) == []
    (note,) = learned_notes([first, second])
    assert note == (
        "learned columns of B are left out, which other weights measured than those of "
        f"A (dino: DINO v1 (00000000), not DINO of colours "
        f"({told['dino']['fingerprint'][:8]}))"
    )
    (note,) = learned_notes([a_run("F", None), first])
    assert "lpips: squares" in note
    assert "not none" in note


def test_headers_and_the_table_file_name_the_weights(tmp_path, config):
    tools = {"ocr": "", "learned": config.provenance()}
    labels = {one.name: one.label for one in with_variants(tools)}
    assert labels["dino_prod"] == "DINO product (DINO of colours)"
    assert labels["clip_t"] == "CLIP-T caption (CLIP of colours)"
    assert labels["lpips_keep"] == "LPIPS kept (squares)"
    assert "rewards doing nothing" in labels["dino_source"]
    assert "rewards doing nothing" in labels["clip_i_source"]
    assert labels["edit"] == "E"
    assert {one.name: one.label for one in with_variants({})}["dino_prod"] == (
        "DINO product"
    )
    rows = [
        row
        for row in scored(tmp_path / "r.jsonl", config).values()
        if row.system == "ours"
    ]
    result = summarise(rows, "system", BootstrapConfig(num_resamples=50))
    written = Results(
        provenance={"tools": tools}, systems=[result], judges=[], notes=[]
    )
    variants = {
        line["measure"]: line["variant"]
        for line in csv.DictReader(io.StringIO(to_csv(written)))
    }
    assert variants["dino_prod"] == "DINO of colours"
    assert variants["edit"] == ""
    # No facts tell the colours of these cases, so no caption was compared.
    assert "clip_t" not in result.measures
    assert measure_by_name("dino_prod").bounds == (-1.0, 1.0)
    assert measure_by_name("lpips_keep").bounds[0] == 0.0


def test_a_run_tells_its_weights_and_a_damaged_one_is_said_to_be(tmp_path, config):
    told = config.provenance()
    run = dataclasses.replace(a_run("A", told), folder=tmp_path)
    write_run(run)
    read = read_run(tmp_path)
    assert read.provenance["tools"]["learned"] == told
    for damaged in ("x", {"dino": {}}, {"dino": 3}):
        write_run(dataclasses.replace(a_run("A", damaged), folder=tmp_path))
        with pytest.raises(UserError, match="is damaged"):
            read_run(tmp_path)
        (tmp_path / "run.json").unlink()
