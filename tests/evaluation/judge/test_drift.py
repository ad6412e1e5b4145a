"""Judges compared with each other and with themselves at another date."""

import dataclasses

import pytest
from scipy import stats

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.agreement import agreement, difference
from tbstar_jax.evaluation.judge.canary import (
    Canary,
    CanaryScore,
    Rung,
    check_canary,
    read_canary,
    run_canary,
    write_canary,
)
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.rejudge import rejudge
from tbstar_jax.evaluation.judge.run import judge_all
from tests.evaluation.judge.judged import (
    VIE,
    answering,
    config,
    item,
    judgement,
    picture,
)
from tests.evaluation.judge.test_run import work


def test_agreement_by_hand():
    found = agreement([1.0, 5.0, 6.0, 9.0], [1.0, 4.0, 8.0, 9.5])
    assert (found.num, found.exact, found.within_one) == (4, 0.25, 0.75)
    assert (found.mean_shift, found.mean_distance) == (0.375, 0.875)
    assert found.spearman == pytest.approx(1)


def test_rank_correlation_is_scipys_and_absent_for_constant_scores():
    first, second = [1.0, 2.0, 2.0, 5.0, 4.0], [3.0, 1.0, 2.0, 2.0, 5.0]
    found = agreement(first, second)
    assert found.spearman == pytest.approx(stats.spearmanr(first, second).statistic)
    assert agreement([7.0, 7.0], [1.0, 2.0]).spearman is None
    assert agreement([7.0], [7.0]).spearman is None


def failed(prompt):
    return judgement(
        None, prompt, status="refused", semantic=None, quality=None, votes=()
    )


def test_judges_are_compared_on_what_both_have_judged():
    found = difference(
        [judgement(8.0, "a"), judgement(6.0, "b"), judgement(1.0, "c"), failed("d")],
        [judgement(7.0, "b"), judgement(9.0, "a"), judgement(1.0, "d"), failed("c")],
    )
    assert (found.num_both, found.num_first, found.num_second) == (2, 1, 1)
    assert set(found.scores) == {"overall", "semantic", "quality"}
    assert found.scores["overall"].mean_shift == 1
    assert found.scores["overall"].within_one == 1


def test_judges_of_other_pictures_cannot_be_compared():
    with pytest.raises(UserError, match="not the one that was judged"):
        difference([judgement(8.0, "a")], [judgement(8.0, "a", content="x")])
    with pytest.raises(UserError, match="no picture in common"):
        difference([judgement(8.0, "a")], [judgement(8.0, "b")])
    with pytest.raises(UserError, match="two judgements"):
        difference([judgement(8.0, "a")] * 2, [judgement(8.0, "a")])


def rejudged(url, tmp_path, by_prompt, label, name, **fields):
    judge = config(url, mode="vie-2024", cache=tmp_path / "cache", **fields)
    return rejudge(
        judge,
        tmp_path / "first.jsonl",
        lambda one: by_prompt[one.prompt],
        tmp_path / name,
        label,
    )


def test_the_same_pictures_are_judged_anew_at_another_date_and_replayed(tmp_path):
    by_prompt = {one.item.prompt: one for one in work(3)}
    with answering(VIE) as (url, _):
        first = judge_all(
            Judge(config(url, mode="vie-2024", cache=tmp_path / "cache")),
            work(3),
            tmp_path / "first.jsonl",
        )
    later = '{"score": [7, 9], "reasoning": "hm"}'
    with answering(later) as (url, server):
        second, found = rejudged(url, tmp_path, by_prompt, "2026-12-01", "b.jsonl")
    assert len(server.requests) == 6
    assert [one.content for one in second] == [one.content for one in first]
    assert found.scores["semantic"].mean_shift == -1
    # The server is gone: the same label repeats that run, another finds nothing.
    again, _ = rejudged(url, tmp_path, by_prompt, "2026-12-01", "c.jsonl", replay=True)
    assert again == second
    with pytest.raises(UserError, match="no picture in common"):
        rejudged(url, tmp_path, by_prompt, "2027-01-01", "d.jsonl", replay=True)


def test_of_several_earlier_judges_only_the_same_one_is_compared_with(tmp_path):
    by_prompt = {one.item.prompt: one for one in work(2)}
    with answering(VIE) as (url, _):
        for model in ("judge", "other"):
            asked = Judge(config(url, mode="vie-2024", model=model))
            judge_all(asked, work(2), tmp_path / "first.jsonl")
        second, found = rejudged(url, tmp_path, by_prompt, "2026-12-01", "b.jsonl")
        assert (len(second), found.num_both) == (2, 2)
        with pytest.raises(UserError, match="of 2 judges, none of which is this one"):
            rejudged(url, tmp_path, by_prompt, "x", "c.jsonl", model="third")


def test_a_picture_that_is_no_longer_there_is_not_judged_in_its_place(tmp_path):
    with answering(VIE) as (url, server):
        judge_all(
            Judge(config(url, mode="vie-2024")), work(1), tmp_path / "first.jsonl"
        )
        others = {one.item.prompt: one for one in work(1, level=3)}
        with pytest.raises(UserError, match="not what was judged before"):
            rejudged(url, tmp_path, others, "2026-12-01", "b.jsonl")
        with pytest.raises(UserError, match="names no folder"):
            rejudged(url, tmp_path, others, "../up", "b.jsonl")
    assert len(server.requests) == 2


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
                    prompt=f"ladder/{k}",
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
        judge = config(url, mode="vie-2024", cache=tmp_path)
        first = run_canary(judge, ladder, 3, "2026-11-26")
        second = run_canary(judge, ladder, 3, "2026-11-27")
    assert len(server.requests) == 12
    assert list(tmp_path.iterdir()) == []
    assert first.by_rank() == {0: 2, 1: 5, 2: 9}
    assert first.scores == second.scores
    assert (first.model, first.scale) == ("judge-2026-11-01", 10)
    check_canary(None, first)
    check_canary(first, second)


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
    with pytest.raises(UserError, match=r"1 of 3 rungs.*ladder/1 \(refused\)"):
        check_canary(None, canary(2.0, None, 8.0))
    with pytest.raises(UserError, match="different judges"):
        check_canary(dataclasses.replace(good, judge="k"), good)
    with pytest.raises(UserError, match="not those of the record"):
        check_canary(canary(2.0, 5.0, 8.0, 2.0), good)
    with pytest.raises(UserError, match="0 of 0"):
        check_canary(None, canary())
