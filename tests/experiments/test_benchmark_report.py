"""`report`, as typed: several runs in one, pictures that are gone, an earlier run."""

import csv
import json
import shutil

import numpy as np
import pytest

from experiments import benchmark
from tbstar_jax.evaluation.cases.store import load_cases
from tbstar_jax.evaluation.text.reader import find_reader
from tbstar_jax.input_pipeline.images import encode_png

TASKS = "recolor,text_replace_en"
CHOICE = ("--split=smoke", f"--tasks={TASKS}", "--workers=1", "--language=en")
PROMPTS = [f"smoke/{task}/000/en" for task in TASKS.split(",")]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two systems' runs: of the references, and of the references darkened."""
    root = tmp_path_factory.mktemp("report")
    cases = f"--cases={root / 'cases'}"
    benchmark.main(["cases", *CHOICE[:-1], cases])
    for name, darker in (("good", 0), ("dark", 20)):
        for case in load_cases(root / "cases"):
            path = root / name / f"{case.id}/en.png"
            path.parent.mkdir(parents=True)
            dark = np.maximum(case.reference, darker) - np.uint8(darker)
            path.write_bytes(encode_png(dark))
        options = [f"--outputs={root / name}", f"--out={root / 'runs' / name}"]
        benchmark.main([*CHOICE, cases, *options, f"--name={name}"])
    return root


@pytest.fixture(scope="module")
def runs(root):
    return [root / "runs" / name for name in ("good", "dark")]


@pytest.fixture(scope="module")
def both(root, runs):
    """One report of both."""
    benchmark.main(["report", *map(str, runs), f"--out={root / 'both'}"])
    return root / "both"


def results(out):
    return json.loads((out / "results.json").read_text())


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_report_of_two_runs_keeps_what_is_known_of_both(runs, both):
    found = results(both)
    for run in runs:
        told = json.loads((run / "run.json").read_text())["provenance"]
        assert told.pop("case_digests").keys() == {one[:-3] for one in PROMPTS}
        assert found["runs"][run.name] == {**told, "judges": {}}
        assert f"--name={run.name}" in found["runs"][run.name]["command"]
    assert found["provenance"] == found["runs"]["good"]
    page = (both / "report.html").read_text()
    assert "<title>Benchmark: good, dark on smoke</title>" in page
    assert "case_digests" not in page
    single = results(runs[0])
    assert (single["runs"], single["head_to_head"]) == ({}, [])
    assert single["provenance"] == found["runs"]["good"]


def test_two_systems_are_compared_as_compare_does(runs, both, tmp_path):
    out = tmp_path / "compared.json"
    benchmark.main(["compare", *map(str, runs), f"--out={out}"])
    compared = {row["measure"]: row for row in json.loads(out.read_text())}
    with (both / "head_to_head.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["first"], row["second"]) for row in rows] == [("good", "dark")] * 3
    for label, row in zip("CEP", rows, strict=True):
        for name in ("difference", "better", "tie", "worse", "p"):
            assert float(row[name]) == compared[label][name], (label, name)
    assert float(rows[2]["difference"]) > 0.05
    assert results(both)["head_to_head"][2]["measure"] == "preservation"
    assert 'id="head-to-head"' in (both / "report.html").read_text()


def test_a_report_elsewhere_has_the_records_of_all_runs(runs, both):
    found = lines(both / "records.jsonl")
    own = [one for run in runs for one in lines(run / "records.jsonl")]
    assert all(one in own for one in found)
    assert [(one["system"], one["id"]) for one in lines(both / "rows.jsonl")] == [
        (one["record"]["system"], one["record"]["prompt"]) for one in found
    ]
    systems = {one["record"]["system"] for one in found}
    assert {"good", "dark", "copy_input"} <= systems


def test_an_earlier_run_of_another_name_is_compared(runs, both, tmp_path):
    out = shutil.copytree(both, tmp_path / "out")
    good, dark = map(str, runs)
    benchmark.main(["report", good, f"--previous={dark}", f"--out={out}"])
    page = (out / "report.html").read_text()
    assert "good (before: dark)" in page
    assert "No mean of" not in page
    # Nothing is left of the report of two systems.
    assert not (out / "head_to_head.csv").exists()
    assert {one["record"]["system"] for one in lines(out / "records.jsonl")} == {
        one["system"] for one in lines(runs[0] / "rows.jsonl")
    }


def test_pictures_that_are_gone_or_spoilt_do_not_stop_a_report(root, tmp_path, capsys):
    tree = shutil.copytree(root, tmp_path / "tree")
    run, pictures = tree / "runs/good", tree / "good"
    before, journal = results(run)["systems"], (run / "records.jsonl").read_bytes()
    assert (run / "headline.png").exists()
    (pictures / f"{PROMPTS[0]}.png").rename(tree / "elsewhere.png")
    (pictures / f"{PROMPTS[1]}.png").write_bytes(b"no picture")
    benchmark.main(["report", str(run)])
    told = capsys.readouterr().out
    assert f"1 of the 2 pictures of good were taken away from {pictures}" in told
    assert "there is no headline.png: " in told
    assert not (run / "headline.png").exists()
    page = (run / "report.html").read_text()
    assert f"the picture of {PROMPTS[0]} was taken away since" in page
    assert "1 of the 2 pictures of good were taken away" in page
    assert results(run)["systems"] == before
    assert (run / "records.jsonl").read_bytes() == journal
    if find_reader() is not None:
        assert "confused characters lacks 1 answers" in told
