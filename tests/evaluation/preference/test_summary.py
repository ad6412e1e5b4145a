"""The summary: counts by hand, who was left out, what is noted."""

import json

import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.preference.summary import summarise, summary_json
from tbstar_jax.evaluation.preference.votes import Vote, Votes
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

CONFIG = BootstrapConfig(num_resamples=400)


def one(rater, number, outcome, **changed):
    fields = {
        "rater": rater,
        "item": f"item{number}",
        "kind": "pair",
        "prompt": f"p{number}",
        "case": f"c{number}",
        "task": "recolor",
        "language": "en",
        "first": "ours",
        "second": "theirs",
        "outcome": outcome,
        "is_first_left": number % 2 == 0,
        "milliseconds": 3000,
    }
    return Vote(**{**fields, **changed})


def gathered(*votes, **changed):
    fields = {
        "study": "s",
        "systems": ("ours", "theirs"),
        "votes": votes,
        "num_files": 1,
        "num_repeated": 0,
        "num_items": len({vote.item for vote in votes}),
        "num_unseen": 0,
    }
    return Votes(**{**fields, **changed})


HAND = (
    one("anna", 0, "first"),
    one("anna", 1, "first", task="layout"),
    one("anna", 2, "second"),
    one("anna", 3, "bad", language="zh"),
    one("ben", 0, "first", milliseconds=1000),
    one("ben", 1, "same", task="layout", milliseconds=2000),
    one("ben", 2, "first", milliseconds=9000),
    one("ben", 3, "bad", language="zh", milliseconds=9000),
)


def test_counts_gsb_and_win_rate_by_hand():
    summary = summarise(gathered(*HAND), CONFIG)
    (pair,) = summary.pairs
    found = pair.overall
    assert (pair.first, pair.second) == ("ours", "theirs")
    assert (found.wins, found.ties, found.losses, found.both_bad) == (4, 3, 1, 2)
    assert found.gsb.mean == pytest.approx(3 / 8)
    assert found.win_rate.mean == pytest.approx((4 + 1.5) / 8)
    assert found.both_bad_share.mean == pytest.approx(2 / 8)
    assert (found.gsb.num_prompts, found.gsb.num_cases) == (4, 4)
    assert found.gsb.low <= found.gsb.mean <= found.gsb.high
    assert found.win_rate.low == pytest.approx((1 + found.gsb.low) / 2)
    layout, chinese = pair.tasks["layout"], pair.languages["zh"]
    assert (layout.wins, layout.ties, layout.losses) == (1, 1, 0)
    assert list(pair.tasks) == ["layout", "recolor"]
    assert (chinese.wins, chinese.ties, chinese.both_bad) == (0, 2, 2)
    assert np.isnan(chinese.gsb.low)  # one case says nothing about the spread
    assert summary.ranking is None
    assert summary.num_votes == 8


def test_agreement_is_over_comparisons_and_raters():
    agreement = summarise(gathered(*HAND), CONFIG).agreement
    assert (agreement.num_units, agreement.num_judgements) == (4, 8)
    same = [one(rater, n, ("first", "bad")[n % 2]) for rater in "ab" for n in range(6)]
    assert summarise(gathered(*same), CONFIG).agreement.alpha == 1.0


def test_the_share_of_a_shows_a_position_bias_and_the_note_says_so():
    """A rater who always says A: sides are even, so neither system gains."""
    votes = [one("anna", n, "first" if n % 2 == 0 else "second") for n in range(40)]
    summary = summarise(gathered(*votes), CONFIG)
    assert summary.left_share.mean == summary.raters[0].left_share == 1.0
    assert summary.pairs[0].overall.gsb.mean == 0.0
    assert "Raters chose A in 100%" in " ".join(summary.notes)
    fair = [one("anna", n, "first") for n in range(40)]
    assert summarise(gathered(*fair), CONFIG).left_share.mean == 0.5
    assert "Raters chose A" not in " ".join(summarise(gathered(*fair), CONFIG).notes)


def test_votes_of_a_case_move_together():
    """Both languages and all raters of a case: as wide as one vote per case."""
    rng = np.random.default_rng(0)
    outcomes = rng.choice(["first", "same", "second"], 80, p=[0.5, 0.3, 0.2])
    single = [one("a", n, str(outcome)) for n, outcome in enumerate(outcomes)]
    many = [
        one(rater, n, str(outcome), item=f"{n}{lang}", prompt=f"p{n}{lang}")
        for n, outcome in enumerate(outcomes)
        for rater in "abc"
        for lang in ("en", "zh")
    ]
    first, second = (
        summarise(gathered(*votes), CONFIG).pairs[0].overall.gsb
        for votes in (single, many)
    )
    assert (first.mean, first.low, first.high) == pytest.approx(
        (second.mean, second.low, second.high)
    )
    assert (second.num_prompts, second.num_cases) == (160, 80)


def test_checks_are_judged_and_never_counted_as_votes():
    checks = [
        one("anna", 10, "same", kind="identical", second="ours"),
        one("anna", 11, "bad", kind="identical", second="ours"),
        one("anna", 12, "first", kind="identical", second="ours"),
        one(
            "ben", 13, "first", kind="reference", first="reference", second="unchanged"
        ),
        one("ben", 14, "same", kind="reference", first="reference", second="unchanged"),
    ]
    summary = summarise(gathered(*HAND, *checks), CONFIG)
    assert summary.num_votes == 8
    assert len(summary.pairs) == 1
    found = {r.rater: (r.checks_passed, r.num_checks) for r in summary.raters}
    assert found == {"anna": (2, 3), "ben": (1, 2)}
    assert "Checks of attention passed: anna (2/3), ben (1/2)." in summary.notes
    anna, ben = summary.raters
    assert (anna.median_seconds, ben.median_seconds) == (3.0, 5.5)
    assert (anna.num_votes, anna.both_bad_share) == (4, 0.25)


def test_a_rater_is_left_out_only_by_name_and_in_plain_sight():
    summary = summarise(gathered(*HAND), CONFIG, without=["ben"])
    assert (summary.num_votes, summary.num_left_out) == (4, 4)
    assert [rater.is_counted for rater in summary.raters] == [True, False]
    assert "Not counted: the votes of ben." in summary.notes
    assert summary.pairs[0].overall.gsb.mean == pytest.approx(1 / 4)
    with pytest.raises(UserError, match="no vote is by carl"):
        summarise(gathered(*HAND), CONFIG, without=["carl"])
    with pytest.raises(UserError, match="no vote on a pair"):
        summarise(gathered(*HAND), CONFIG, without=["anna", "ben"])


def test_three_systems_are_ranked():
    votes = [
        one("a", n, outcome, first=first, second=second, item=f"{n}{first}{second}")
        for first, second, better in (
            ("x", "y", "first"),
            ("x", "z", "first"),
            ("y", "z", "first"),
        )
        for n in range(30)
        for outcome in [("second", "same", better, better, better)[n % 5]]
    ]
    summary = summarise(gathered(*votes), CONFIG)
    assert [rated.system for rated in summary.ranking.systems] == ["x", "y", "z"]
    assert len(summary.pairs) == 3
    assert summary.ranking.num_clusters == 30


def test_systems_that_never_met_have_no_ranking_and_a_note():
    apart = [one("a", 0, "first"), one("a", 1, "same", first="x", second="y")]
    summary = summarise(gathered(*apart), CONFIG)
    assert summary.ranking is None
    assert "There is no ranking: systems that were never compared" in summary.notes[-1]


def test_notes_say_how_much_a_study_can_show():
    outcomes = ("first", "second", "first", "same")
    few = [one("a", n, outcomes[n % 4], is_first_left=n < 10) for n in range(20)]
    (note,) = summarise(gathered(*few), CONFIG).notes
    assert note.startswith("ours and theirs on 20 prompts: no difference is shown")
    # (1.960 + 0.842) sqrt(0.75 / 20)
    assert "a GSB of 0.54 would be found in 4 of 5" in note
    clear = [one("a", n, "first" if n % 8 else "second") for n in range(80)]
    assert "they differ" in summarise(gathered(*clear), CONFIG).notes[0]
    unseen = summarise(gathered(*clear, num_items=90, num_unseen=10), CONFIG)
    assert "10 of 90 comparisons have no vote." in unseen.notes


def test_the_result_is_json_and_a_missing_number_is_null():
    summary = summarise(gathered(*HAND), CONFIG)
    stored = json.loads(summary_json(summary))
    pair = stored["pairs"][0]
    assert pair["overall"]["gsb"]["mean"] == 3 / 8
    assert pair["languages"]["zh"]["gsb"]["low"] is None
    assert stored["ranking"] is None
    assert stored["raters"][1]["rater"] == "ben"
    assert summary_json(summary) == summary_json(summarise(gathered(*HAND), CONFIG))
