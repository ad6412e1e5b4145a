"""Judges compared with each other and with themselves at another date."""

import pytest
from scipy import stats

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.agreement import agreement, difference
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.rejudge import rejudge
from tbstar_jax.evaluation.judge.run import judge_all
from tests.evaluation.judge.judged import (
    VIE,
    answering,
    config,
    judgement,
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
