"""Several answers per prompt, as typed: means, the best beside them, one missing."""

import json
import shutil

import pytest

from experiments import benchmark
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.store import load_cases
from tbstar_jax.input_pipeline.images import encode_png

CHOICE = ("--split=smoke", "--tasks=recolor,bg_white", "--workers=1", "--language=en")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("samples")


@pytest.fixture(scope="module")
def run(root):
    """First samples are the photo, second ones the reference; one is not there."""
    cases = f"--cases={root / 'cases'}"
    benchmark.main(["cases", *CHOICE[:-1], cases])
    outputs = root / "outputs"
    for case in load_cases(root / "cases"):
        path = outputs / f"{case.id}/en.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(encode_png(case.source))
        if case.task == "recolor":
            second = path.with_name("en~1.png")
            second.write_bytes(encode_png(case.reference))
    out = root / "run"
    command = [*CHOICE, cases, f"--outputs={outputs}", f"--out={out}", "--name=ours"]
    benchmark.main([*command, "--samples=2"])
    return command, out


def systems(out):
    content = json.loads((out / "results.json").read_text())
    return {one["name"]: one for one in content["systems"]}


def test_every_answer_is_a_row_for_other_programs(run):
    _, out = run
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    ours = [row for row in rows if row["system"] == "ours"]
    assert [(row["id"], row["sample"], row["status"]) for row in ours] == [
        ("smoke/bg_white/000/en", 0, "ok"),
        ("smoke/bg_white/000/en", 1, "missing"),
        ("smoke/recolor/000/en", 0, "ok"),
        ("smoke/recolor/000/en", 1, "ok"),
    ]
    assert ours[3]["metrics"]["consistency"] > 0.99
    assert {row["system"] for row in rows} >= {"reference", "copy_input"}


def test_the_headline_is_the_mean_and_the_best_stands_beside_it(run):
    _, out = run
    found = systems(out)
    assert list(found)[:2] == ["ours", "ours, best of 2"]
    ours, best = (found[name]["measures"]["consistency"] for name in list(found)[:2])
    # (0 + 1) / 2 of recolor, (0 + missing) / 2 of bg_white.
    assert ours["macro"]["mean"] == pytest.approx(0.25, abs=1e-3)
    assert best["macro"]["mean"] == pytest.approx(0.5, abs=1e-3)
    assert ours["macro"]["num_prompts"] == best["macro"]["num_prompts"] == 2
    assert found["ours"]["statuses"] == {"missing": 1, "ok": 3}
    assert (found["ours"]["num_prompts"], found["ours"]["num_samples"]) == (2, 2)
    assert found["reference"]["statuses"] == {"ok": 2}
    page = (out / "report.html").read_text()
    assert "3 of 4 answers, 2 to each of 2 prompts" in page
    assert "judges, and the table of confused characters, see the first" in page
    board = page[page.index('id="leaderboard"') : page.index('id="scores"')]
    assert board.index(">ours<") < board.index(">ours, best of 2<")
    assert board.index(">ours, best of 2<") < board.index(">reference<")
    assert page.count("best of 2") == board.count("best of 2")


def test_a_run_goes_on_with_another_number_of_samples(run, capsys):
    command, out = run
    before = (out / "records.jsonl").read_bytes()
    benchmark.main([*command, "--samples=2"])
    assert (out / "records.jsonl").read_bytes() == before
    assert "ours: C 0.250" in capsys.readouterr().out
    benchmark.main(command)
    assert (out / "records.jsonl").read_bytes() == before
    assert list(systems(out))[:2] == ["ours", "reference"]
    assert systems(out)["ours"]["measures"]["consistency"]["macro"]["mean"] == 0.0
    benchmark.main([*command, "--samples=2"])


def test_a_run_needs_a_sample(run):
    with pytest.raises(UserError, match="--samples is 0"):
        benchmark.main([*run[0], "--samples=0"])


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("cases_sha256", "0", "are of different cases"),
        ("scores_version", 1, "scored by different definitions"),
    ],
)
def test_an_earlier_run_that_cannot_be_compared_is_refused(
    run, tmp_path, name, value, told
):
    _, out = run
    earlier = shutil.copytree(out, tmp_path / "earlier")
    content = json.loads((earlier / "run.json").read_text())
    content["provenance"][name] = value
    (earlier / "run.json").write_text(json.dumps(content))
    command = ["report", str(out), f"--previous={earlier}", f"--out={tmp_path / 'new'}"]
    with pytest.raises(UserError, match=told):
        benchmark.main(command)
    assert not (tmp_path / "new").exists()
