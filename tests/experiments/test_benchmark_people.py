"""The table of a preference study: what was counted, and how ties count."""

import pytest

from experiments.benchmark_people import preference_table
from tbstar_jax.evaluation.preference.summary import summarise
from tbstar_jax.evaluation.preference.votes import Vote, Votes
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

OUTCOMES = ("first", "first", "second", "same", "bad", "bad", "bad", "first")


@pytest.fixture(scope="module")
def table():
    """Eight cases; the odd ones are Chinese, the first four layouts."""
    votes = tuple(
        Vote(
            rater="anna",
            item=f"item{number}",
            kind="pair",
            prompt=f"p{number}",
            case=f"c{number}",
            task="layout" if number < 4 else "recolor",
            language="zh" if number % 2 else "en",
            first="ours",
            second="theirs",
            outcome=outcome,
            is_first_left=True,
            milliseconds=1000,
        )
        for number, outcome in enumerate(OUTCOMES)
    )
    given = Votes(
        study="s",
        systems=("ours", "theirs"),
        votes=votes,
        num_files=1,
        num_repeated=0,
        num_items=len(votes),
        num_unseen=0,
    )
    return preference_table(summarise(given, BootstrapConfig(num_resamples=200)))


def rows_of(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_wins_ties_and_losses_are_told_and_both_bad_among_the_ties(table):
    found = rows_of(table)[0]
    assert (found["pair"], found["of"]) == ("ours against theirs", "all")
    counts = ("votes", "wins", "ties", "both bad, of the ties", "losses")
    assert [found[name] for name in counts] == [8, 3, 4, 3, 1]
    assert found["GSB"] == pytest.approx(2 / 8)
    assert found["win rate"] == pytest.approx((3 + 4 / 2) / 8)


def test_the_win_rate_has_an_interval(table):
    found = rows_of(table)[0]
    assert 0 <= found["win rate, low"] < found["win rate"] < found["win rate, high"]
    assert found["win rate, low"] == pytest.approx((1 + found["GSB, low"]) / 2)


def test_every_task_and_language_has_a_row(table):
    found = {row["of"]: row for row in rows_of(table)}
    assert list(found) == ["all", "layout", "recolor", "English", "Chinese"]
    assert (found["layout"]["wins"], found["layout"]["ties"]) == (2, 1)
    assert (found["Chinese"]["wins"], found["Chinese"]["both bad, of the ties"]) == (
        2,
        1,
    )


def test_it_says_how_ties_count(table):
    told = table.notes[0]
    assert "none is dropped or forced" in told
    assert "half a win" in told
    assert "alpha n/a (n/a to n/a)" in table.notes[1]  # of one rater
