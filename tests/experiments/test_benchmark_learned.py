"""The benchmark with learned columns, as typed, by weights that can be done by hand."""

import csv
import dataclasses
import json
import re
import shutil

import pytest

from experiments import benchmark
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.store import load_cases
from tbstar_jax.input_pipeline.images import encode_png
from tests.support import onnx_files
from tests.support.learned_files import SIDE, write_settings, write_weights

TASK = "recolor"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("learned")


@pytest.fixture(scope="module")
def options(root):
    """Outputs that are right in English and the unchanged photo in Chinese."""
    shared = ["--split=smoke", f"--tasks={TASK}", "--workers=1"]
    shared.append(f"--cases={root / 'cases'}")
    benchmark.main(["cases", *shared])
    for case in load_cases(root / "cases"):
        for language, picture in (("en", case.reference), ("zh", case.source)):
            path = root / "outputs" / f"{case.id}/{language}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_png(picture))
    return [*shared, f"--outputs={root / 'outputs'}"]


@pytest.fixture(scope="module")
def settings(root):
    config = write_weights(root / "weights")
    # Words that are no colours are grey, so that every caption has a vector.
    onnx_files.sum_of_words(config.clip_text.path, onnx_files.COLOURS)
    return write_settings(root / "learned.yaml", config)


@pytest.fixture(scope="module")
def ours(root, options, settings):
    """Scored without weights first, then with them."""
    out = root / "ours"
    command = [*options, f"--out={out}", "--name=ours"]
    benchmark.main(command)
    plain = (out / "records.jsonl").read_bytes()
    page = (out / "report.html").read_text()
    benchmark.main([*command, f"--learned={settings}"])
    return out, plain, page


def records(out, system="ours"):
    """The last of every prompt."""
    lines = (out / "records.jsonl").read_text().splitlines()
    rows = [json.loads(line)["record"] for line in lines]
    return {row["prompt"]: row["metrics"] for row in rows if row["system"] == system}


def table(out):
    with (out / "results.csv").open() as file:
        return {
            (row["system"], row["measure"]): row
            for row in csv.DictReader(file)
            if row["slice"] == "macro"
        }


def test_the_columns_are_there_for_system_and_anchors(ours):
    out, _, _ = ours
    rows = table(out)
    assert rows["ours", "lpips_keep"]["variant"] == "squares"
    assert rows["ours", "dino_prod"]["variant"] == "DINO of colours"
    assert rows["ours", "edit"]["variant"] == ""
    assert float(rows["copy_input", "lpips_keep"]["mean"]) == 0.0
    assert float(rows["copy_input", "dino_source"]["mean"]) == pytest.approx(1.0)
    assert float(rows["reference", "lpips_edit"]["mean"]) == 0.0
    assert float(rows["reference_jpeg75", "lpips_keep"]["mean"]) > 0.0
    assert float(rows["reference", "clip_i_reference"]["mean"]) == pytest.approx(1.0)
    # One answer of each pair is right and one does nothing.
    assert float(rows["ours", "dino_reference"]["mean"]) == pytest.approx(
        (1.0 + float(rows["copy_input", "dino_reference"]["mean"])) / 2, abs=1e-6
    )
    found = records(out)
    assert found["smoke/recolor/000/en"]["dino_prod"] == pytest.approx(1.0)
    assert found["smoke/recolor/000/zh"]["dino_prod"] < 1.0
    assert found["smoke/recolor/000/en"]["clip_t"] is not None
    assert found["smoke/recolor/000/zh"]["clip_dir"] is None


def test_the_report_names_weights_and_what_they_reward(ours):
    out, _, plain_page = ours
    page = (out / "report.html").read_text()
    assert "DINO product (DINO of colours)" in page
    assert "DINO photo, rewards doing nothing (DINO of colours)" in page
    assert "copy_input is then the best there is" in page
    learned = json.loads((out / "run.json").read_text())["provenance"]["tools"]
    assert learned["learned"]["dino"]["sha256"] in page
    assert "DINO product" not in plain_page
    assert "no weights of learned metrics were given (--learned)" in plain_page


def test_only_the_learned_measures_are_new(ours):
    out, plain, _ = ours
    data = (out / "records.jsonl").read_bytes()
    assert data.startswith(plain)
    before = {
        (row["system"], row["prompt"]): row["metrics"]
        for row in (json.loads(line)["record"] for line in plain.splitlines())
    }
    for prompt, metrics in records(out).items():
        old = before["ours", prompt]
        assert {name: metrics[name] for name in old} == old
        assert len(metrics) == len(old) + 9


def test_a_killed_run_goes_on_to_the_same_bytes(ours, options, settings, root):
    out, plain, _ = ours
    again = root / "again"
    shutil.copytree(out, again)
    data = (out / "records.jsonl").read_bytes()
    cut = len(plain) + (len(data) - len(plain)) // 2
    (again / "records.jsonl").write_bytes(data[:cut])  # killed in a line
    command = [*options, f"--out={again}", "--name=ours", f"--learned={settings}"]
    benchmark.main(command)
    assert (again / "records.jsonl").read_bytes() == data


def test_other_weights_stand_in_no_common_column(ours, options, settings, root, capsys):
    out, _, _ = ours
    config = write_weights(root / "others")
    onnx_files.mean_colour(config.dino.path, shape=("n", 3, SIDE // 2, SIDE // 2))
    dino = dataclasses.replace(config.dino, name="smaller DINO")
    others = write_settings(
        root / "others.yaml", dataclasses.replace(config, dino=dino)
    )
    theirs = root / "theirs"
    command = [*options, f"--out={theirs}", "--name=theirs", f"--learned={others}"]
    benchmark.main(command)
    capsys.readouterr()
    benchmark.main(["report", str(out), str(theirs), f"--out={root / 'both'}"])
    told = capsys.readouterr().out
    assert "note: learned columns of theirs are left out" in told
    assert "smaller DINO" in told
    rows = table(root / "both")
    assert ("ours", "dino_prod") in rows
    assert ("theirs", "dino_prod") not in rows
    assert ("theirs", "lpips_keep") in rows
    benchmark.main(["compare", str(out), str(theirs)])
    told = capsys.readouterr().out
    assert "Learned columns of theirs are left out" in told
    assert "| LPIPS kept (squares) |" in told
    assert "DINO" not in told.partition("Learned columns")[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "there is no file"),
        ("dyno: {}", "has no setting 'dyno'"),
        (
            "dino: {name: D, path: gone.onnx, normalisation: clip}",
            "there is no ONNX file gone.onnx",
        ),
        (
            "dino: {name: D, path: learned.yaml, normalisation: clip}",
            "learned.yaml is no ONNX file",
        ),
    ],
)
def test_wrong_settings_end_a_run_before_anything_is_made(
    text, sentence, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "learned.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape(sentence)):
        benchmark.main(["--split=smoke", "--learned=learned.yaml"])
    assert [path.name for path in tmp_path.iterdir()] == (
        [] if text is None else ["learned.yaml"]
    )
