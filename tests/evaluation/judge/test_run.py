"""Many judged, interrupted, resumed: nothing is asked or written twice."""

import json
import socket
import time

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.config import JudgeConfig
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.quirks import reference_outcome
from tbstar_jax.evaluation.judge.run import (
    GIVE_UP_AFTER,
    Work,
    judge_all,
    read_records,
)
from tests.evaluation.judge.judged import VIE, answering, config, item, picture
from tests.support.loopback import Answer, completion, serving


def work(num, level=100, system="ours"):
    return [
        Work(
            system=system,
            item=item(f"mini/recolor/{k:03d}/en"),
            answer=picture((level + k) % 256),
        )
        for k in range(num)
    ]


def run(url, path, jobs, **fields):
    return judge_all(Judge(config(url, **{"mode": "vie-2024", **fields})), jobs, path)


def prompts_in(path):
    return sorted(json.loads(line)["prompt"] for line in path.read_text().splitlines())


def test_all_are_judged_in_their_order_and_read_back_the_same(tmp_path):
    path = tmp_path / "judgements.jsonl"
    with answering(Answer(body=completion(VIE), wait_s=0.05)) as (url, server):
        found = run(url, path, work(12), concurrency=4)
    assert [one.prompt for one in found] == [one.item.prompt for one in work(12)]
    assert server.most_at_once == 4
    assert {one.key: one for one in found} == read_records(path, Judgement)


def test_a_second_run_asks_nothing_and_writes_nothing(tmp_path):
    path = tmp_path / "judgements.jsonl"
    with answering(VIE) as (url, server):
        first = run(url, path, work(3))
        written = path.read_bytes()
        second = run(url, path, work(5))
        third = run(url, path, work(5))
    assert second[:3] == first
    assert third == second
    assert len(server.requests) == 2 * 5
    assert path.read_bytes().startswith(written)
    assert prompts_in(path) == [one.item.prompt for one in work(5)]


def test_a_torn_last_line_is_judged_again_and_no_other(tmp_path):
    path = tmp_path / "judgements.jsonl"
    with answering(VIE) as (url, server):
        first = run(url, path, work(3), concurrency=1)
        path.write_bytes(path.read_bytes()[:-30])
        assert len(read_records(path, Judgement)) == 2
        second = run(url, path, work(3), concurrency=1)
    assert second == first
    assert len(server.requests) == 2 * 4
    assert prompts_in(path) == [one.item.prompt for one in work(3)]


def test_a_run_that_dies_keeps_what_was_answered(tmp_path):
    path = tmp_path / "judgements.jsonl"

    def dying():
        yield from work(4)
        raise KeyboardInterrupt

    with answering(VIE) as (url, server):
        with pytest.raises(KeyboardInterrupt):
            run(url, path, dying(), concurrency=1)
        kept = len(path.read_text().splitlines())
        run(url, path, work(6), concurrency=1)
    assert kept >= 3
    assert len(server.requests) == 2 * 6
    assert prompts_in(path) == [one.item.prompt for one in work(6)]


def test_what_the_server_did_not_answer_is_asked_again_and_stands_apart(tmp_path):
    path = tmp_path / "judgements.jsonl"
    apart = tmp_path / "judgements.unsettled.jsonl"

    def flaky(_, index):
        # The second picture's first question fails in the first run.
        return Answer(status=503) if index == 2 else Answer(body=completion(VIE))

    with serving(flaky) as (url, server):
        first = run(url, path, work(3), concurrency=1)
        assert [one.status for one in first] == ["ok", "http_error", "ok"]
        assert prompts_in(apart) == ["mini/recolor/001/en"]
        assert [one.status for one in read_records(path, Judgement).values()].count(
            "ok"
        ) == 2
        # A run over another system leaves it alone.
        run(url, path, work(1, system="theirs"), concurrency=1)
        assert prompts_in(apart) == ["mini/recolor/001/en"]
        second = run(url, path, work(3), concurrency=1)
    assert [one.status for one in second] == ["ok"] * 3
    assert apart.read_text() == ""
    assert len(server.requests) == 6 + 2 + 2
    assert len(read_records(path, Judgement)) == 4


def test_a_picture_that_has_changed_is_judged_again(tmp_path):
    path = tmp_path / "judgements.jsonl"
    with answering(VIE) as (url, server):
        run(url, path, work(2))
        (changed,) = run(url, path, work(1, level=101))
        assert len(server.requests) == 6
    records = read_records(path, Judgement)
    assert len(records) == 2
    assert records[changed.key] == changed


def test_another_judge_has_judgements_of_its_own(tmp_path):
    path = tmp_path / "judgements.jsonl"
    with answering(VIE) as (url, server):
        run(url, path, work(2))
        run(url, path, work(2), model="other")
    assert len(server.requests) == 8
    assert len(read_records(path, Judgement)) == 4


def test_a_dead_server_stops_the_run_early(tmp_path):
    path = tmp_path / "judgements.jsonl"
    with answering(Answer(status=401, body=b"no such key")) as (url, server):
        with pytest.raises(UserError, match=r"16 times in a row.*HTTP 401"):
            run(url, path, work(200), concurrency=1)
    assert len(server.requests) <= 2 * (GIVE_UP_AFTER + 2)
    assert path.read_text() == ""


@pytest.mark.parametrize("options", [{}, {"retries": 0, "rpm": 60.0}])
def test_a_judge_that_was_never_there_ends_the_run_in_seconds(tmp_path, options):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        judge = Judge(JudgeConfig(base_url=url, model="judge", **options))
        begin = time.monotonic()
        with pytest.raises(UserError, match=rf"nothing answers at {url} \(connection"):
            judge_all(judge, work(40), tmp_path / "judgements.jsonl")
    assert time.monotonic() - begin < 10
    assert judge.totals.num_requests <= 4 * judge.config.concurrency


def test_a_judge_that_dies_meanwhile_is_waited_for(tmp_path):
    path = tmp_path / "judgements.jsonl"
    with answering(VIE) as (url, _):
        judge = Judge(config(url, mode="vie-2024", retries=1))
        judge_all(judge, work(1), path)
    found = judge_all(judge, work(3), path)
    assert [one.status for one in found] == ["ok", "http_error", "http_error"]
    assert judge.unreachable is None


def test_a_replay_that_finds_nothing_says_so_of_every_picture(tmp_path):
    path = tmp_path / "judgements.jsonl"
    found = run(
        "http://127.0.0.1:9/v1", path, work(40), cache=tmp_path / "none", replay=True
    )
    assert {one.status for one in found} == {"not_cached"}


def test_a_replay_of_a_run_is_the_run(tmp_path):
    with answering(VIE, "hm", '{"score": [2, 3]}', "[7, 7]") as (url, _):
        first = run(url, tmp_path / "a.jsonl", work(6), cache=tmp_path / "cache")
    second = run(
        url, tmp_path / "b.jsonl", work(6), cache=tmp_path / "cache", replay=True
    )
    assert second == first


def test_only_one_process_writes(tmp_path):
    path = tmp_path / "judgements.jsonl"
    with answering(VIE) as (url, _):

        def nested():
            with pytest.raises(UserError, match="another process"):
                run(url, path, work(1))
            yield from work(1)

        assert len(run(url, path, nested())) == 1


def test_a_foreign_line_is_refused_with_its_place(tmp_path):
    path = tmp_path / "judgements.jsonl"
    path.write_text('{"system": "ours"}\n')
    with pytest.raises(UserError, match=r"judgements\.jsonl.*line 1"):
        read_records(path, Judgement)


def test_the_key_is_written_nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "sk-secret-0123")
    path = tmp_path / "out" / "judgements.jsonl"
    with answering("your key is sk-secret-0123 [8, 9]") as (url, _):
        found = run(url, path, work(1), api_key_env="TEST_KEY", cache=tmp_path / "c")
    assert found[0].status == "ok"
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert len(files) >= 3
    assert all("sk-secret" not in one.read_text() for one in files)


def test_a_journal_of_before_replies_and_currencies_were_stored_is_read(tmp_path):
    path = tmp_path / "judgements.jsonl"
    with answering(VIE) as (url, _):
        (now,) = run(url, path, work(1))
    line = json.loads(path.read_text())
    del line["currency"]
    for asked in line["votes"][0]["asked"]:
        del asked["replies"]
    path.write_text(json.dumps(line) + "\n")
    (found,) = read_records(path, Judgement).values()
    assert (found.overall, found.key, found.currency) == (now.overall, now.key, None)
    assert {one.replies for one in found.asked} == {None}
    assert reference_outcome(found).kind == "unknown"
    assert reference_outcome(now).kind == "scored"
