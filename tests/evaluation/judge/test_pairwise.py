"""Two pictures compared in both orders."""

import json

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.pairwise import Tally, compare, tally
from tbstar_jax.evaluation.judge.run import Work, compare_all
from tests.evaluation.judge.judged import VIE, answering, config, item, picture


def says(winner):
    return json.dumps({"reason": "so", "winner": winner})


def compared(url, answer_b=None, **fields):
    judge = Judge(config(url, **{"mode": "pairwise", **fields}))
    b = picture(99) if answer_b is None else answer_b
    return compare(judge, item(), "ours", picture(200), "theirs", b)


@pytest.mark.parametrize(
    ("first", "second", "verdict", "is_consistent"),
    [
        ("first", "second", "a", True),
        ("second", "first", "b", True),
        ("tie", "tie", "tie", True),
        ("first", "first", "tie", False),
        ("second", "second", "tie", False),
        ("first", "tie", "tie", False),
        ("tie", "first", "tie", False),
    ],
)
def test_orders_that_disagree_are_a_tie_and_counted(
    first, second, verdict, is_consistent
):
    with answering(says(first), says(second)) as (url, _):
        found = compared(url)
    assert (found.status, found.verdict) == ("ok", verdict)
    assert found.is_consistent is is_consistent


def test_the_second_order_shows_the_same_pictures_exchanged():
    with answering(says("tie")) as (url, server):
        compared(url)
    images = [
        [
            part["image_url"]["url"]
            for part in request.json()["messages"][-1]["content"]
            if part["type"] == "image_url"
        ]
        for request in server.requests
    ]
    assert len(images) == 2
    source, a, b = images[0]
    assert images[1] == [source, b, a]
    assert len({source, a, b}) == 3


def test_with_one_order_nothing_is_known_of_consistency():
    with answering(says("first")) as (url, server):
        found = compared(url, both_orders=False)
    assert (found.verdict, found.is_consistent) == ("a", None)
    assert len(server.requests) == 1


def test_votes_in_each_order_are_counted_first():
    # a, b then a, b then tie, b: a leads in the first order, a in the second.
    replies = ["first", "second", "first", "second", "tie", "first"]
    with answering(*map(says, replies)) as (url, _):
        found = compared(url, votes=3)
    assert (found.verdict, found.is_consistent) == ("a", True)


@pytest.mark.parametrize("reply", [says("both"), "the first", VIE, "{}"])
def test_an_unreadable_verdict_is_none(reply):
    with answering(reply) as (url, server):
        found = compared(url)
    assert (found.status, found.verdict) == ("unparsed", None)
    assert found.is_consistent is None
    assert len(server.requests) == 8


def test_comparisons_are_resumed_and_missing_pictures_not_asked_about(tmp_path):
    path = tmp_path / "comparisons.jsonl"
    work = [
        (
            Work(system="ours", item=item(), answer=picture(200)),
            Work(system="theirs", item=item(), answer=picture(99)),
        ),
        (
            Work(system="ours", item=item("mini/recolor/001/en"), answer=None),
            Work(system="theirs", item=item("mini/recolor/001/en"), answer=picture(99)),
        ),
    ]
    with answering(says("first"), says("second")) as (url, server):
        judge = Judge(config(url, mode="pairwise", concurrency=1))
        first = compare_all(judge, work, path)
        again = compare_all(judge, work, path)
    assert [one.status for one in first] == ["ok", "missing"]
    assert again == first
    assert len(server.requests) == 2
    assert len(path.read_text().splitlines()) == 2


def test_verdicts_are_counted_inconsistent_ones_as_ties():
    found = []
    for replies in [("first", "second"), ("second", "first"), ("first", "first")]:
        with answering(*map(says, replies)) as (url, _):
            found.append(compared(url))
    with answering("hm") as (url, _):
        found.append(compared(url, re_asks=0))
    counted = tally(found)
    assert counted == Tally(
        num_a=1, num_b=1, num_tie=1, num_inconsistent=1, num_failed=1
    )
    assert counted.coverage == 0.75
    assert tally([]).coverage == 0


def test_a_judge_of_another_mode_does_not_compare():
    with pytest.raises(UserError, match="needs pairwise"):
        compared("http://127.0.0.1:9/v1", mode="strict")
