"""Pairs before a judge and before people, and audits, by the benchmark's commands."""

import json
import re
import shutil

import pytest

from experiments import benchmark
from experiments.benchmark_report import write_table
from experiments.benchmark_shown import show
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.preference.study import read_key
from tbstar_jax.evaluation.report.content import Table
from tests.experiments.judged_runs import judge_file, made_runs
from tests.support.loopback import Answer, completion, serving


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(scope="module")
def runs(root):
    return made_runs(root)


def test_runs_of_one_name_are_not_compared(runs, tmp_path):
    flag = judge_file(tmp_path / "judge.yaml", "https://h/v1", mode="pairwise")
    with pytest.raises(UserError, match="named good, good"):
        benchmark.main(
            ["judge", str(runs["good"]), flag, "--against", str(runs["good"])]
        )


def choosing(choose):
    """Answers `pairwise` with the first or second picture, as `choose` has it."""

    def answer(request, _):
        schema = request.json()["response_format"]["json_schema"]["schema"]
        choices = schema["properties"]
        name = next(name for name in choices if "enum" in choices[name])
        fields = {other: "because" for other in choices}
        urls = [
            part["image_url"]["url"]
            for part in request.json()["messages"][-1]["content"]
            if part["type"] == "image_url"
        ]
        value = choices[name]["enum"][choose(urls)]
        return Answer(body=completion(json.dumps({**fields, name: value})))

    return answer


def test_pairs_are_judged_in_both_orders(runs, tmp_path, capsys):
    """The judge always prefers the first picture: a tie, and said to be one."""
    with serving(choosing(lambda urls: 0)) as (url, server):
        flag = judge_file(tmp_path / "judge.yaml", url, mode="pairwise")
        benchmark.main(
            ["judge", str(runs["good"]), flag, "--against", str(runs["lazy"])]
        )
        assert len(server.requests) == 4
        with pytest.raises(UserError, match="--against goes with the mode pairwise"):
            benchmark.main(["judge", str(runs["good"]), flag])
    told = capsys.readouterr().out
    assert "in 2 the two orders disagreed" in told
    scores = re.findall(r"^(good|lazy): (\d+) \(n/a to n/a\), Davidson", told, re.M)
    assert dict(scores) == {"good": "1000", "lazy": "1000"}
    assert "| good against lazy | all | 2 | 0 | 2 | 2 | 0 | 0 | 0.000 |" in told
    assert "cost n/a (no prices" in told


def test_wins_gsb_tokens_and_cost_of_pairs_stand_in_the_report(runs, tmp_path, capsys):
    """The judge prefers whatever is not the photo."""
    (runs["good"] / "report.html").unlink()
    prices = {"input_per_million": 2e6, "output_per_million": 1e6, "currency": "EUR"}
    settings = {"mode": "pairwise", "prices": prices, "model": "pairs"}
    judged = ["judge", str(runs["good"]), "--against", str(runs["lazy"])]
    with serving(choosing(lambda urls: int(urls[1] == urls[0]))) as (url, _):
        flag = judge_file(tmp_path / "judge.yaml", url, **settings)
        benchmark.main([*judged, flag])
    told = capsys.readouterr().out
    for label, num in (("all", 2), ("recolor", 1), ("English", 1), ("Chinese", 1)):
        if label == "recolor":
            num = 2
        row = f"| good against lazy | {label} | {num} | {num} | 0 | 0 | 0 | 0 | 1.000 |"
        assert row in told
    found = re.search(
        r"took (\d+) tokens on average.* all 2 .* cost ([\d.]+) EUR", told
    )
    tokens, cost = float(found[1]), float(found[2])
    assert 2 * tokens < cost < 4 * tokens  # a token costs 1 or 2, and there are 2 pairs
    # The report is written anew, by the command itself.
    assert told.rstrip().endswith("report.html shows it")
    page = (runs["good"] / "report.html").read_text()
    assert "Edits in pairs, judged by pairs, pairwise" in page
    assert "wins" in page.partition("Edits in pairs")[2]
    assert f"took {tokens:.0f} tokens" in page
    # The server is down: what was judged is told again.
    benchmark.main([*judged, flag])
    assert "| good against lazy | all | 2 | 2 |" in capsys.readouterr().out


def test_pairs_in_one_order_and_without_a_verdict_are_told(runs, tmp_path, capsys):
    reply = choosing(lambda urls: 0)

    def answer(request, index):
        refusal = Answer(body=completion("I cannot judge this."))
        return reply(request, index) if index == 0 else refusal

    settings = {"mode": "pairwise", "both_orders": False, "concurrency": 1}
    with serving(answer) as (url, _):
        flag = judge_file(tmp_path / "judge.yaml", url, **settings)
        benchmark.main(
            ["judge", str(runs["lazy"]), flag, "--against", str(runs["good"])]
        )
    told = capsys.readouterr().out
    assert "| lazy against good | all | 2 | 1 | 0 | n/a | 0 | 1 | 1.000 |" in told
    assert "50.0 % of the pairs have a verdict (without: 1 refused)" in told
    assert "each was asked in one order" in told


def test_a_judge_of_pairs_that_is_down_leaves_nothing(runs, tmp_path):
    with serving(Answer()) as (url, _):
        pass
    flag = judge_file(tmp_path / "judge.yaml", url, mode="pairwise")
    before = sorted(runs["lazy"].iterdir())
    with pytest.raises(UserError, match="judge cannot be asked: nothing answers at"):
        benchmark.main(
            ["judge", str(runs["lazy"]), flag, "--against", str(runs["good"])]
        )
    assert sorted(runs["lazy"].iterdir()) == before


def test_a_report_of_several_runs_has_the_tables_of_its_runs(runs, tmp_path):
    (table, own) = (Table(title=one, columns=["a"], rows=[[1]]) for one in ("Of", "In"))
    write_table(runs["lazy"] / "pairwise_table.json", table)
    merged = ["report", str(runs["good"]), str(runs["lazy"]), f"--out={tmp_path}"]
    (runs["good"] / "pairwise_table.json").unlink(missing_ok=True)
    benchmark.main(merged)
    page = (tmp_path / "report.html").read_text()
    assert "<caption><span>Of</span>" in page
    # One that was made for this report goes first.
    write_table(tmp_path / "pairwise_table.json", own)
    benchmark.main(merged)
    page = (tmp_path / "report.html").read_text()
    assert "<caption><span>In</span>" in page
    assert "<caption><span>Of</span>" not in page
    (runs["lazy"] / "pairwise_table.json").unlink()


def test_a_report_of_several_runs_is_not_replaced_by_one_of_one(
    runs, root, tmp_path, capsys
):
    folder = shutil.copytree(runs["good"], root / "merged")
    benchmark.main(["report", str(folder), str(runs["lazy"])])
    before = (folder / "report.html").read_bytes()
    table = Table(title="Told", columns=["a"], rows=[[1]])
    assert "other runs in it, too (lazy)" in show(folder, "pairwise", table)
    assert (folder / "report.html").read_bytes() == before
    assert "report RUN ... --out=" in show(tmp_path, "pairwise", table)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["pairwise_table.json"]
    (folder / "records.jsonl").unlink()
    (folder / "results.json").unlink()
    told = show(folder, "pairwise", table)
    assert re.search("the report is as it was: 2 of 2 .* have no score", told)


def test_people_compare_the_runs(runs, tmp_path, capsys):
    page, key = tmp_path / "page", tmp_path / "key.json"
    places = [f"--out={page}", f"--key={key}", "--seed=7", "--checks=0"]
    compared = [str(runs["good"]), str(runs["lazy"])]
    benchmark.main(["preference", "page", *compared, *places])
    assert "2 comparisons" in capsys.readouterr().out
    shown = (page / "index.html").read_text()
    assert "good" not in re.sub(r"<[^>]+>", "", shown).split()
    secret = read_key(key)
    votes = {
        "format": "tbstar-preference-votes",
        "version": 1,
        "study": secret.study,
        "rater": "ann",
        "interface": "en",
        "votes": [
            {
                "item": item.id,
                "left": item.first.id,
                "right": item.second.id,
                "choice": "left",
                "place": place,
                "milliseconds": 2_000,
                "at": 1_790_000_000_000,
            }
            for place, item in enumerate(secret.items)
        ],
    }
    (runs["good"] / "report.html").unlink()
    file = tmp_path / "ann.json"
    file.write_text(json.dumps(votes))
    benchmark.main(
        ["preference", "count", str(file), f"--key={key}", f"--out={runs['good']}"]
    )
    told = capsys.readouterr().out
    assert "| good against lazy | all | 2 | 2 | 0 | 0 | 0 | 1.000 |" in told
    assert told.rstrip().endswith("report.html shows it")
    assert "User preference" in (runs["good"] / "report.html").read_text()


def test_the_power_of_a_study_is_told(capsys):
    benchmark.main(["preference", "power"])
    assert "| 200 | 0.1" in capsys.readouterr().out
    with pytest.raises(UserError, match="tie"):
        benchmark.main(["preference", "power", "--ties=1.5"])


def test_defects_are_planted_and_noticed(runs, root, tmp_path, capsys):
    options = ["--split=smoke", "--tasks=recolor", "--workers=1", "--limit=1"]
    places = [f"--cases={root / 'cases'}", f"--out={tmp_path}", f"--run={runs['good']}"]
    benchmark.main(["audit", *options, *places])
    told = capsys.readouterr().out
    assert "| shift 6 px | 1 | 100.0 |" in told
    assert json.loads((tmp_path / "audit.json").read_text())["num_cases"] == 1
    page = (runs["good"] / "report.html").read_text()
    assert "share of planted defects that a score notices" in page


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"mode": "pairwise"}, "mode is pairwise, which gives no picture a score"),
        ({"api_key_env": "NO_SUCH_KEY"}, "NO_SUCH_KEY"),
        ({}, "the judge cannot be asked: nothing answers at"),
        ({"cache": "replies"}, "the judge cannot be asked: nothing answers at"),
    ],
)
def test_an_audit_misses_its_judge_before_anything_is_made(
    tmp_path, monkeypatch, settings, sentence
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with serving(Answer()) as (url, _):
        pass  # nobody listens there any more
    flag = judge_file(tmp_path / "j.yaml", url, **settings)
    with pytest.raises(UserError, match=sentence):
        benchmark.main(["audit", "--split=smoke", "--tasks=recolor", flag])
    assert [one.name for one in tmp_path.iterdir()] == ["j.yaml"]


def test_an_audit_for_the_report_of_no_run_is_refused_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="holds no benchmark run"):
        benchmark.main(["audit", "--split=smoke", "--run=nowhere"])
    assert list(tmp_path.iterdir()) == []
