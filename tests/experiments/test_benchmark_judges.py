"""Judges by the benchmark's commands, on one smoke case."""

import datetime
import json
import re

import pytest

from experiments import benchmark
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.run.run_folder import read_run
from tbstar_jax.input_pipeline.images import decode_image, encode_png
from tests.evaluation.public import copies
from tests.experiments.judged_runs import CASE, judge_file, made_runs, strict
from tests.support.loopback import Answer, completion, serving


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(scope="module")
def runs(root):
    return made_runs(root)


def test_a_judges_score_stands_in_the_report(runs, tmp_path, capsys):
    with serving(strict()) as (url, server):
        cache = str(tmp_path / "cache")
        flag = judge_file(tmp_path / "judge.yaml", url, cache=cache, concurrency=1)
        benchmark.main(["judge", str(runs["good"]), flag])
        told = capsys.readouterr().out
        assert "good: strict (own rubric) 7." in told
        assert "coverage 100.0 % (2 of 2), judge judge-2026-11-01" in told
        # Quality is judged without the instruction: once for both languages.
        asked = len(server.requests)
        assert asked == 3
        benchmark.main(["judge", str(runs["good"]), flag])
        assert len(server.requests) == asked
    page = (runs["good"] / "report.html").read_text()
    assert "judge-2026-11-01" in page
    assert "strict (own rubric)" in page
    (asked,) = json.loads((runs["good"] / "results.json").read_text())["provenance"][
        "judges"
    ].values()
    assert (asked["model"], asked["endpoint"]) == ("judge-2026-11-01", url)
    assert len(asked["rubric_sha256"]) == 64
    # The server is down: what was asked is replayed, and says the same.
    judged = (runs["good"] / "judgements.jsonl").read_bytes()
    (runs["good"] / "judgements.jsonl").unlink()
    again = judge_file(tmp_path / "replay.yaml", url, cache=cache, replay=True)
    benchmark.main(["judge", str(runs["good"]), again])
    assert "good: strict (own rubric) 7." in capsys.readouterr().out
    assert judged


def test_what_was_said_of_another_picture_is_no_score(runs, tmp_path, capsys):
    with serving(strict()) as (url, _):
        flag = judge_file(tmp_path / "judge.yaml", url, concurrency=1)
        benchmark.main(["judge", str(runs["good"]), flag])
    picture = read_run(runs["good"]).outputs / CASE / "en.png"
    judged = picture.read_bytes()
    picture.write_bytes(encode_png(255 - decode_image(judged)))
    capsys.readouterr()
    benchmark.main(["report", str(runs["good"])])
    told = capsys.readouterr().out
    picture.write_bytes(judged)
    assert "coverage 50.0 % (1 of 2), judge judge-2026-11-01" in told
    assert "(2 of 2)" not in told
    assert "judgements of good are left out: its pictures have changed" in told
    benchmark.main(["report", str(runs["good"])])
    assert "(2 of 2)" in capsys.readouterr().out


def test_a_mock_stands_in_the_report_and_in_no_leaderboard(runs, tmp_path, capsys):
    benchmark.main(["report", str(runs["lazy"]), f"--out={tmp_path}", "--mock"])
    assert "lazy: MOCK mock, in the form of strict 0.00" in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text()
    assert "MOCK: no model looked at these pictures" in page
    leaderboard = page.partition('id="leaderboard"')[2].partition("</section>")[0]
    assert "consistency" in leaderboard
    assert "mock" not in leaderboard.lower()
    assert not (runs["lazy"] / "judges.json").exists()


def test_a_folder_is_no_label(runs, tmp_path):
    flag = judge_file(tmp_path / "judge.yaml", "https://h/v1")
    with pytest.raises(UserError, match="a folder, not a label; name the run first"):
        benchmark.main(["judge", flag, "--again", str(runs["good"])])


@pytest.mark.parametrize(
    ("command", "label"),
    [
        (["judge", "--again=2026-12-01"], "2026-12-01"),
        (["rejudge", "--again=2026-12-02"], "2026-12-02"),
        (["rejudge"], datetime.datetime.now(datetime.UTC).date().isoformat()),
    ],
)
def test_judging_again_says_what_moved(runs, tmp_path, capsys, command, label):
    (runs["lazy"] / "judgements.jsonl").unlink(missing_ok=True)
    with serving(strict()) as (url, _):
        flag = judge_file(tmp_path / "judge.yaml", url, concurrency=1)
        benchmark.main(["judge", str(runs["lazy"]), flag])
    with serving(strict((6, 9), (6, 9))) as (url, _):
        flag = judge_file(tmp_path / "judge.yaml", url, concurrency=1)
        capsys.readouterr()
        name, *options = command
        benchmark.main([name, str(runs["lazy"]), flag, *options])
    told = capsys.readouterr().out
    assert "2 pictures were judged both times" in told
    shift = float(re.search(r"\| overall .*\| ([+-][\d.]+) \|", told)[1])
    assert shift < -1
    assert (runs["lazy"] / f"judgements-{label}.jsonl").exists()


def test_a_judge_that_fails_has_no_score(runs, tmp_path, capsys):
    with serving(Answer(body=completion("I cannot judge this."))) as (url, _):
        flag = judge_file(tmp_path / "judge.yaml", url, model="refuser")
        benchmark.main(["judge", str(runs["good"]), flag])
    told = capsys.readouterr().out
    assert (
        "strict (own rubric) n/a (missing as lowest: 0.00), coverage 0.0 % (0 of 2)"
        in told
    )


def test_a_judge_that_is_down_is_no_result(runs, tmp_path):
    with serving(Answer(status=503)) as (url, _):
        flag = judge_file(tmp_path / "judge.yaml", url, model="down")
        with pytest.raises(UserError, match="down answered none of 2 requests"):
            benchmark.main(["judge", str(runs["lazy"]), flag])


def test_exact_scores_are_reported_whatever_the_judge_does(runs, root, tmp_path):
    report = runs["lazy"] / "report.html"
    report.unlink()
    options = ["--split=smoke", "--tasks=recolor", "--workers=1", "--name=lazy"]
    places = [f"--cases={root / 'cases'}", f"--outputs={root / 'outputs/lazy'}"]
    with serving(Answer(status=503)) as (url, _):
        flag = judge_file(tmp_path / "judge.yaml", url, model="down")
        with pytest.raises(UserError, match="down answered none of 2 requests") as said:
            benchmark.main([*options, *places, f"--out={runs['lazy']}", flag])
    assert report.exists()
    assert f"the scores and {report} are written" in str(said.value)
    assert f"`python -m experiments.benchmark judge {runs['lazy']} {flag}`" in str(
        said.value
    )


def test_a_setting_of_the_judges_file_is_no_option(runs, tmp_path):
    flag = judge_file(tmp_path / "judge.yaml", "https://h/v1")
    for command in (["judge", str(runs["good"])], ["audit"], ["--split=smoke"]):
        with pytest.raises(UserError, match="bug_compatible is a line of the judge's"):
            benchmark.main([*command, flag, "--bug-compatible"])
        with pytest.raises(UserError, match="unrecognized arguments: --bugs"):
            benchmark.main([*command, flag, "--bugs"])


def test_a_judge_without_its_key_is_missed_before_anything_is_made(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    flag = judge_file(tmp_path / "j.yaml", "https://h/v1", api_key_env="NO_SUCH_KEY")
    with pytest.raises(UserError, match="NO_SUCH_KEY"):
        benchmark.main(["--split=smoke", flag])
    assert not (tmp_path / "runs").exists()


def test_a_judge_that_sees_no_order_judges_nothing(runs, tmp_path):
    record = tmp_path / "canary.json"
    with serving(strict((5, 5), (5, 5))) as (url, server):
        flag = judge_file(
            tmp_path / "judge.yaml",
            url,
            model="blind",
            canary=True,
            canary_record=str(record),
        )
        with pytest.raises(UserError, match="nothing was judged: the judge does not"):
            benchmark.main(["judge", str(runs["lazy"]), flag])
        assert len(server.requests) == 2 * 48
    assert not record.exists()
    record.write_text("{}")
    with pytest.raises(UserError, match="holds no canary"):
        benchmark.main(["canary", flag])
    assert all(one.model != "blind" for one in read_run(runs["lazy"]).judgements())


def test_a_judge_without_a_canary_is_said_to_be_so(runs, tmp_path, capsys):
    with serving(strict()) as (url, _):
        flag = judge_file(tmp_path / "judge.yaml", url, model="unwatched")
        benchmark.main(["judge", str(runs["lazy"]), flag])
    page = (runs["lazy"] / "report.html").read_text()
    assert "switched off in the judge" in page


def test_two_judges_of_a_run_are_compared(runs, tmp_path, capsys):
    flags = []
    with serving(strict()) as (url, _):
        for name in ("one", "two"):
            flag = judge_file(tmp_path / f"{name}.yaml", url, model=name, concurrency=1)
            benchmark.main(["judge", str(runs["lazy"]), flag])
            flags.append(flag)
    capsys.readouterr()
    second = flags[1].removeprefix("--judge=")
    benchmark.main(["judge", str(runs["lazy"]), flags[0], f"--diff={second}"])
    told = capsys.readouterr().out
    assert "2 pictures were judged both times (0 only the first, 0 only" in told
    assert "| overall | 1.000 | 1.000 |" in told
    with pytest.raises(UserError, match="choose one"):
        benchmark.main(
            ["judge", str(runs["lazy"]), flags[0], f"--diff={second}", "--again=x"]
        )


def test_a_public_suite_is_judged_after_a_canary(runs, tmp_path):
    copy = copies.imgedit(tmp_path / "copy", {"1": "add"})
    outputs = tmp_path / "mine"
    copies.save(outputs / "1.png", copies.picture(99))
    command = ["public", "score", "imgedit", str(copy), f"--outputs={outputs}"]
    command.append(f"--out={tmp_path / 'out'}")
    record = str(tmp_path / "canary.json")
    same = "Compliance: 3\nSeamlessness: 3\nIntegrity: 3"
    with serving(Answer(body=completion(same))) as (url, server):
        settings = {"mode": "imgedit", "canary_record": record, "canary": True}
        flag = judge_file(tmp_path / "judge.yaml", url, **settings)
        with pytest.raises(UserError, match="nothing was judged: the judge does not"):
            benchmark.main([*command, flag])
        assert len(server.requests) == 48
        flag = judge_file(tmp_path / "judge.yaml", url, mode="imgedit")
        benchmark.main([*command, flag])
        assert len(server.requests) == 49
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["coverage"] == 1
    assert "switched off" in report["notes"][0]
