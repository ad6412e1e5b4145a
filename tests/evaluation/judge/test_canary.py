"""Fixed edits of known order by which a judge that drifts is found out."""

import dataclasses

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.canary import (
    Canary,
    CanaryScore,
    Rung,
    canary_of_run,
    check_canary,
    compare_canaries,
    read_canary,
    run_canary,
    write_canary,
)
from tests.evaluation.judge.judged import answering, config, item, picture
from tests.support.loopback import Answer


def ladder(num):
    """Brighter is better."""
    return [
        Rung(
            item=item(f"ladder/{k // 3}/{k % 3}"),
            answer=picture(80 * (k % 3)),
            rank=k % 3,
        )
        for k in range(num)
    ]


def canary(*scores, **fields):
    return Canary(
        **{
            "judge": "j",
            "model": "m",
            "date": "2026-11-26",
            "scale": 10.0,
            "scores": tuple(
                CanaryScore(
                    prompt=f"ladder/{k // 3}/{k % 3}",
                    rank=k % 3,
                    content=str(k),
                    status="ok" if score is not None else "refused",
                    overall=score,
                )
                for k, score in enumerate(scores)
            ),
            **fields,
        }
    )


def test_the_canary_asks_the_judge_itself_and_not_the_cache(tmp_path):
    scores = ["[2, 2]", "[9, 9]"]
    replies = [scores[0], scores[0], "[5, 5]", "[5, 5]", scores[1], scores[1]]
    with answering(*replies, *replies) as (url, server):
        judge = config(url, mode="vie-2024", cache=tmp_path, concurrency=1)
        first = run_canary(judge, ladder, 3, "2026-11-26")
        second = run_canary(judge, ladder, 3, "2026-11-27")
    assert len(server.requests) == 12
    assert list(tmp_path.iterdir()) == []
    assert [one.overall for one in first.scores] == [2, 5, 9]
    assert first.scores == second.scores
    assert (first.model, first.scale) == ("judge-2026-11-01", 10)
    assert check_canary(None, first).by_rank == (2, 5, 9)
    assert check_canary(first, second).shift == 0


def test_a_replayed_judge_has_no_canary(tmp_path):
    judge = config("http://127.0.0.1:9/v1", cache=tmp_path, replay=True)
    with pytest.raises(UserError, match="cannot run with replay"):
        run_canary(judge, ladder, 3, "today")


def test_a_canary_is_stored_and_read_back(tmp_path):
    path = tmp_path / "canary" / "judge.json"
    assert read_canary(path) is None
    write_canary(canary(2.0, None, 8.0), path)
    assert read_canary(path) == canary(2.0, None, 8.0)
    path.write_text("{}")
    with pytest.raises(UserError, match="holds no canary"):
        read_canary(path)


def test_a_mean_that_moves_by_more_than_three_tenths_fails():
    before = canary(2.0, 5.0, 8.0)
    check_canary(before, canary(2.3, 5.3, 8.3))
    check_canary(before, canary(1.7, 4.7, 7.7))
    with pytest.raises(UserError, match=r"drifted: the canary's mean is 5\.33"):
        check_canary(before, canary(2.0, 5.0, 9.0))
    with pytest.raises(UserError, match="drifted"):
        check_canary(before, canary(1.6, 4.6, 7.6))


def test_an_order_that_breaks_fails_even_where_the_mean_stays():
    with pytest.raises(UserError, match="rank 1 scores 1"):
        check_canary(canary(2.0, 5.0, 8.0), canary(2.0, 1.0, 12.0))
    with pytest.raises(UserError, match="does not see"):
        check_canary(None, canary(5.0, 5.0, 5.0))
    with pytest.raises(UserError, match="does not see"):
        check_canary(None, canary(8.0, 5.0, 2.0))


def test_what_cannot_be_compared_fails_too():
    good = canary(2.0, 5.0, 8.0)
    with pytest.raises(UserError, match=r"1 of 3 rungs.*ladder/0/1 \(refused\)"):
        check_canary(None, canary(2.0, None, 8.0))
    with pytest.raises(UserError, match="different judges"):
        check_canary(dataclasses.replace(good, judge="k"), good)
    with pytest.raises(UserError, match="not those of the record"):
        check_canary(canary(2.0, 5.0, 8.0, 2.0), good)
    with pytest.raises(UserError, match="0 of 0"):
        check_canary(None, canary())


def test_what_a_good_canary_says_stands_in_the_report():
    before, now = canary(2.0, 5.0, 8.0), canary(2.25, 5.25, 8.25, date="2026-12-01")
    first = compare_canaries(None, before)
    assert (first.outcome, first.mean, first.since, first.shift) == (
        "first",
        5.0,
        None,
        None,
    )
    later = compare_canaries(before, now)
    assert (later.outcome, later.mean, later.shift) == ("unmoved", 5.25, 0.25)
    assert (later.date, later.since) == ("2026-12-01", "2026-11-26")
    assert later.by_rank == (2.25, 5.25, 8.25)
    assert (later.num_rungs, later.num_asked) == (3, 3)
    moved = compare_canaries(before, canary(3.0, 6.0, 9.0))
    assert (moved.outcome, moved.is_good, moved.shift) == ("moved", False, 1.0)
    assert compare_canaries(None, canary(5.0, 4.0, 6.0)).outcome == "order"


def test_a_ladder_with_a_rung_that_has_no_score_is_left_out_of_both():
    before = canary(2.0, 5.0, 8.0, 0.0, 0.0, 10.0)
    now = canary(2.1, 5.1, 8.1, None, 9.0, 10.0)
    found = compare_canaries(before, now)
    assert (found.outcome, found.num_rungs, found.num_asked) == ("unmoved", 3, 6)
    assert found.shift == pytest.approx(0.1)
    assert compare_canaries(now, before).shift == pytest.approx(-0.1)
    # More than half of the ladders must remain.
    for scores in ((None, 1.0, 1.0, 1.0, 1.0, None), (None, 5.0, 8.0) * 2):
        failed = compare_canaries(before, canary(*scores))
        assert (failed.outcome, failed.mean, failed.shift) == ("failed", None, None)
        assert "rungs without a score" in failed.detail
    assert compare_canaries(canary(None, 5.0, 8.0), canary(2.0, 5.0, 8.0)).outcome == (
        "failed"
    )


def says(*scores):
    """The replies to both questions about three rungs."""
    return [f"[{score}, {score}]" for score in scores for _ in ("sc", "pq")]


def of_run(url, date, path):
    judge = config(url, mode="vie-2024", concurrency=1)
    return canary_of_run(judge, ladder, 3, date, path)


def test_the_first_run_records_and_later_ones_compare(tmp_path):
    record = tmp_path / "canary" / "judge.json"
    with answering(*says(2, 5, 9), *says(2, 5, 8), *says(3, 6, 9)) as (url, server):
        first = of_run(url, "2026-11-26", record)
        assert (first.outcome, len(server.requests)) == ("first", 6)
        assert read_canary(record).date == "2026-11-26"
        # Another run of that day asks nothing more.
        same = of_run(url, "2026-11-26", record)
        assert (same.outcome, same.shift, len(server.requests)) == ("unmoved", 0, 6)
        drifted = of_run(url, "2026-11-27", record)
        assert (drifted.outcome, len(server.requests)) == ("moved", 12)
        assert drifted.shift == pytest.approx(-1 / 3)
        # Compared with the record, not with the day before.
        assert of_run(url, "2026-11-28", record).shift == pytest.approx(2 / 3)
    assert read_canary(record).date == "2026-11-26"


def test_a_judge_without_order_makes_no_record(tmp_path):
    record = tmp_path / "judge.json"
    with answering(*says(5, 2, 9)) as (url, _):
        assert of_run(url, "2026-11-26", record).outcome == "order"
    assert not record.exists()


def test_rungs_that_a_server_did_not_answer_are_asked_again_that_day(tmp_path):
    record = tmp_path / "judge.json"
    with answering(*says(2, 5), Answer(body=b"<html>busy</html>")) as (url, _):
        assert of_run(url, "2026-11-26", record).outcome == "failed"
    assert not record.exists()
    with answering(*says(9)) as (url, server):
        assert of_run(url, "2026-11-26", record).outcome == "first"
        assert len(server.requests) == 2
