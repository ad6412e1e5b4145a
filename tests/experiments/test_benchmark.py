"""The benchmark's commands, as typed, on three smoke cases."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from experiments import benchmark
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.manifest import read_manifest
from tbstar_jax.evaluation.cases.store import load_cases
from tbstar_jax.evaluation.text.reader import find_reader
from tbstar_jax.inference.pipeline import SHIPPED_WEIGHTS
from tbstar_jax.input_pipeline.images import decode_image, encode_png

TASKS = ("recolor", "text_replace_zh", "outpaint")
CASES = [f"smoke/{task}/000" for task in TASKS]
PROMPTS = [f"{case}/{language}" for case in CASES for language in ("en", "zh")]
TOO_LONG = "smoke/text_replace_zh/000"
ANSWERED = [prompt for prompt in PROMPTS if not prompt.startswith(TOO_LONG)]
CHOICE = ("--split=smoke", f"--tasks={','.join(TASKS)}", "--workers=1")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmark")


@pytest.fixture(scope="module")
def chosen(root):
    """The options that choose the cases, and the cases, drawn by the command."""
    options = [*CHOICE, f"--cases={root / 'cases'}"]
    benchmark.main(["cases", *options])
    return options


@pytest.fixture(scope="module")
def cases(chosen, root):
    return {case.id: case for case in load_cases(root / "cases")}


@pytest.fixture(scope="module")
def ours(chosen, root):
    """A run of the shipped weights, two steps per edit."""
    out = root / "ours"
    benchmark.main([*chosen, f"--out={out}", "--name=ours", "--steps=2"])
    return out


@pytest.fixture(scope="module")
def theirs(chosen, cases, root):
    """Another system: the references, one missing, one broken, one too small."""
    outputs = root / "outputs"
    for prompt in PROMPTS:
        path = outputs / f"{prompt}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(cases[prompt.rpartition("/")[0]].reference))
    (outputs / f"{PROMPTS[0]}.png").unlink()
    (outputs / f"{PROMPTS[1]}.png").write_bytes(b"no picture")
    small = np.ascontiguousarray(cases[CASES[1]].reference[::2, ::2])
    (outputs / f"{PROMPTS[2]}.png").write_bytes(encode_png(small))
    out = root / "theirs"
    benchmark.main([*chosen, f"--outputs={outputs}", f"--out={out}", "--name=theirs"])
    return out


def system(out, name):
    content = json.loads((out / "results.json").read_text())
    (found,) = [one for one in content["systems"] if one["name"] == name]
    return found


def macro(out, name, measure="consistency"):
    return system(out, name)["measures"][measure]["macro"]["mean"]


def records(out):
    lines = (out / "records.jsonl").read_text().splitlines()
    return [json.loads(line)["record"] for line in lines]


def test_a_run_leaves_pictures_scores_and_a_report(ours, cases):
    for prompt in ANSWERED:
        picture = decode_image((ours / "outputs" / f"{prompt}.png").read_bytes())
        assert picture.shape == cases[prompt.rpartition("/")[0]].source.shape
    # The tiny conditioner takes 94 bytes, and says so; a benchmark does not shorten.
    ledger = (ours / "outputs/unanswered.jsonl").read_text().splitlines()
    refused = [json.loads(line) for line in ledger]
    assert {one["prompt"] for one in refused} == {*PROMPTS} - {*ANSWERED}
    assert all("at most 94" in one["reason"] for one in refused)
    assert system(ours, "ours")["num_prompts"] == len(PROMPTS)
    assert 0 <= macro(ours, "ours") <= 1
    page = (ours / "report.html").read_text()
    assert "Benchmark: ours on smoke" in page
    assert f"{macro(ours, 'ours'):.3f}" in page
    provenance = json.loads((ours / "run.json").read_text())["provenance"]
    assert provenance["system"]["num_steps"] == "2"
    assert provenance["num_cases"] == len(CASES)
    assert provenance["device"].startswith("cpu")
    shown = json.loads((ours / "results.json").read_text())["provenance"]
    assert shown["wall_time"] == provenance["wall_time"]
    took = provenance["wall_time"]
    assert took["num_edits"] == len(ANSWERED)
    assert took["seconds"] > took["seconds_per_edit"] > 0
    settings = provenance["settings"]
    assert settings["num_steps"] == 2
    assert {"sampler", "guidance", "seed", "preserve", "modules", "resize"} <= {
        *settings
    }
    assert provenance["cases_not_as_shipped"] == []
    with (ours / "results.csv").open() as file:
        assert {"ours", "reference", "copy_input"} <= {
            row["system"] for row in csv.DictReader(file)
        }


def test_anchors_keep_their_order(ours):
    assert macro(ours, "reference") >= 0.99
    assert macro(ours, "copy_input") == 0.0
    assert macro(ours, "copy_input", "preservation") == 1.0
    middle = [macro(ours, f"reference_{name}") for name in ("jpeg75", "vae")]
    assert all(0 < one < 1 for one in middle)
    assert macro(ours, "wrong_sample") < min(middle)
    notes = json.loads((ours / "results.json").read_text())["notes"]
    assert not [note for note in notes if "out of order" in note]
    # Pixels of smoke are checked, and a reader reads every text of a reference.
    assert not [note for note in notes if "manifest" in note]
    reads = {
        record["prompt"]: record["metrics"]["text_read"]
        for record in records(ours)
        if record["system"] == "reference"
    }
    reader = find_reader()
    if reader is None:
        assert reads[f"{CASES[1]}/zh"] is None
    elif "chi_sim" in reader.languages:
        assert reads[f"{CASES[1]}/zh"] == 1


def test_the_photo_of_an_outpainting_is_kept(ours, cases):
    case = cases["smoke/outpaint/000"]
    edited = decode_image((ours / "outputs" / f"{case.id}/zh.png").read_bytes())
    rows, columns = case.photo_box.slices
    assert np.array_equal(edited[rows, columns], case.photo)


def test_a_second_run_makes_nothing_again(ours, chosen, capsys):
    before = (ours / "records.jsonl").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in ours.rglob("*.png")}
    pictures = [path for path in times if "outputs" in path.parts]
    benchmark.main([*chosen, f"--out={ours}", "--name=ours", "--steps=2"])
    assert (ours / "records.jsonl").read_bytes() == before
    assert all(path.stat().st_mtime_ns == times[path] for path in pictures)
    assert "ours: C " in capsys.readouterr().out


def test_a_folder_of_another_run_is_refused(ours, chosen):
    with pytest.raises(UserError, match="holds another run"):
        benchmark.main([*chosen, f"--out={ours}", "--name=ours", "--steps=3"])


def test_another_systems_folder_is_scored_with_every_status(theirs):
    statuses = {
        record["prompt"]: record["status"]
        for record in records(theirs)
        if record["system"] == "theirs"
    }
    expected = ["missing", "decode_error", "wrong_size", "ok", "ok", "ok"]
    assert [statuses[prompt] for prompt in PROMPTS] == expected
    assert macro(theirs, "theirs", "edit") < 1
    assert system(theirs, "theirs")["measures"]["edit"]["tasks"]["recolor"]["mean"] == 0
    assert (
        system(theirs, "theirs")["measures"]["consistency"]["tasks"]["outpaint"]["mean"]
        >= 0.99
    )
    assert "Read this first" in (theirs / "report.html").read_text()


def test_references_go_through_an_autoencoder_that_is_named(theirs, chosen, root):
    assert "--vae=DIR" in (theirs / "report.html").read_text()
    out = shutil.copytree(theirs, root / "encoded")
    again = [*chosen, f"--outputs={root / 'outputs'}", f"--out={out}"]
    beside = root / "outputs" / "run.json"
    beside.write_text('{"system": "theirs 2", "device": "TPU v5e"}')
    try:
        benchmark.main([*again, "--name=theirs", f"--vae={SHIPPED_WEIGHTS}"])
    finally:
        beside.unlink()
    assert 0 < macro(out, "reference_vae") < 1
    assert "--vae=DIR" not in (out / "report.html").read_text()
    told = json.loads((out / "run.json").read_text())["provenance"]
    assert told["autoencoder"]["directory"] == str(SHIPPED_WEIGHTS)
    assert (told["device"], told["wall_time"]) == ("TPU v5e", None)
    assert told["settings"] == {"system": "theirs 2", "device": "TPU v5e"}
    assert told["fit"].startswith("an answer of another size is stretched")
    before = json.loads((theirs / "run.json").read_text())["provenance"]
    assert (before["settings"], before["device"]) == ({}, "")
    area = macro(theirs, "theirs", "consistency_area")
    rows = [row for row in records(theirs) if row["system"] == "theirs"]
    tasks = {row["task"] for row in rows}
    expected = [
        np.mean(
            [row["metrics"]["consistency_area"] for row in rows if row["task"] == t]
        )
        for t in tasks
    ]  # answers that are missing count as zero
    assert area == pytest.approx(np.mean(expected))


def test_runs_are_compared_and_put_into_one_report(ours, theirs, root, capsys):
    benchmark.main(["compare", str(theirs), str(ours)])
    table = capsys.readouterr().out
    difference = float(re.search(r"\| C \| ([+-][\d.]+)", table)[1])
    assert difference == pytest.approx(
        macro(theirs, "theirs") - macro(ours, "ours"), abs=2e-3
    )
    benchmark.main(["report", str(ours), str(theirs), f"--out={root / 'both'}"])
    names = [
        one["name"]
        for one in json.loads((root / "both/results.json").read_text())["systems"]
    ]
    assert names[:2] == ["ours", "theirs"]
    assert names.count("copy_input") == 1
    with pytest.raises(UserError, match="two of the runs are named"):
        benchmark.main(["report", str(ours), str(ours)])


def test_a_killed_run_goes_on_without_duplicates(theirs, chosen, root):
    out = root / "killed"
    command = [sys.executable, "-m", "experiments.benchmark", *chosen]
    command += [f"--outputs={root / 'outputs'}", f"--out={out}", "--name=theirs"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    journal = out / "records.jsonl"
    end = time.monotonic() + 120
    while not journal.exists() or journal.read_bytes().count(b"\n") < 2:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "results.json").exists()
    benchmark.main(
        [*chosen, f"--outputs={root / 'outputs'}", f"--out={out}", "--name=theirs"]
    )
    assert journal.read_bytes() == (theirs / "records.jsonl").read_bytes()


def test_long_instructions_can_be_left_out_and_it_is_said(theirs, chosen, root, capsys):
    out = root / "short"
    options = [f"--outputs={root / 'outputs'}", f"--out={out}", "--name=short"]
    benchmark.main([*chosen, *options, "--max-instruction-bytes=94"])
    told = capsys.readouterr().out
    count = json.loads((out / "run.json").read_text())["provenance"]["num_not_asked"]
    assert count > 0
    assert f"note: {count} prompts were not asked" in told
    assert len(json.loads((out / "run.json").read_text())["prompts"]) == 6 - count
    with pytest.raises(UserError, match="were asked different prompts"):
        benchmark.main(["report", str(out), str(root / "theirs")])


def test_cases_that_are_there_are_not_drawn_again(chosen, root):
    index = root / "cases/cases.jsonl"
    before = index.stat().st_mtime_ns, index.read_bytes()
    picture = root / f"cases/pictures/{CASES[0]}/reference.png"
    drawn = picture.stat().st_mtime_ns
    benchmark.main(["cases", *chosen])
    assert index.read_bytes() == before[1]
    assert picture.stat().st_mtime_ns == drawn


def test_list_names_everything(capsys):
    benchmark.main(["list"])
    told = capsys.readouterr().out
    for word in ("text_replace_zh", "中文改字", "fresh", "keep_within_2", "vie-2024"):
        assert word in told
    dev, test = (
        read_manifest(split)["slices"]["contrast"] for split in ("dev", "test")
    )
    rows = [line.split()[-3:] for line in told.splitlines()]
    for value in ("low", "middle", "high"):
        assert [value, str(dev[value]), str(test[value])] in rows
    (row,) = [line.split() for line in told.splitlines() if "l2_reference" in line]
    assert row == ["l2_reference", "down", "0.0001", "L2", "reference"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--split=fresh"], "--seed go together"),
        (["--seed=3"], "--seed go together"),
        (["--tasks=recolour"], "did you mean 'recolor'"),
        (["--outputs=x", "--steps=2"], "--steps has no effect without --checkpoint"),
        (["--protocol=json"], "--protocol has no effect without --endpoint"),
        (["--outputs=x", "--noise-seed=2"], "--noise-seed has no effect"),
        (["--vae=x"], "--vae has no effect without --outputs or --endpoint"),
        (["--endpoint=http://127.0.0.1:1"], "--endpoint needs --model"),
        (["--workers=0"], "--workers is 0"),
        (["--split=fresh", "--seed=-1"], "--seed is -1"),
        (["--split=photo"], "--split=photo needs --photos"),
        (["--split=huge"], "invalid choice"),
        (["--outputs=x", "--endpoint=http://h"], "not allowed with"),
        (["judge", "nowhere", "--judge=j.yaml"], "holds no benchmark run"),
        (["preference"], "page, count or power"),
        (["public", "list"], "export, score or page"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(
    options, sentence, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=re.escape(sentence)):
        benchmark.main(options)
    assert not list(tmp_path.iterdir())


def test_a_folder_without_outputs_is_said_to_be(chosen, root, tmp_path):
    shutil.copytree(root / "cases", tmp_path / "cases")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/shot.png").write_bytes(b"")
    with pytest.raises(UserError, match="none of the 6 prompts"):
        benchmark.main(
            [*chosen, f"--outputs={tmp_path / 'empty'}", f"--out={tmp_path / 'run'}"]
        )
