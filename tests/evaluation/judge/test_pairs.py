"""Comparisons summed up: counts by hand, what has no verdict, what it cost."""

import dataclasses
import math

import pytest

from tbstar_jax.evaluation.judge.judgement import Vote
from tbstar_jax.evaluation.judge.pairs import failures, spent, summarise_pairs
from tbstar_jax.evaluation.judge.pairwise import Comparison
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tests.evaluation.judge.judged import judgement

CONFIG = BootstrapConfig(num_resamples=400)


def compared(number, verdict, **fields):
    """A comparison on a case of its own; both orders asked, 220 tokens, 0.5."""
    votes = (Vote(asked=judgement(5.0).asked),)
    status = "ok" if verdict else "unparsed"
    return Comparison(
        **{
            "system_a": "ours",
            "system_b": "theirs",
            "prompt": f"c{number}/en",
            "case": f"c{number}",
            "task": "recolor",
            "language": "en",
            "judge": "j",
            "model": "judge",
            "content": str(number),
            "status": status,
            "detail": "",
            "votes": votes,
            "verdict": verdict,
            "is_consistent": None if verdict is None else True,
            "cost": 0.5,
            "currency": "USD",
            **fields,
        }
    )


HAND = (
    compared(0, "a"),
    compared(1, "a", task="layout"),
    compared(2, "b"),
    compared(3, "tie", language="zh", is_consistent=False),
    compared(4, "a", task="layout", language="zh"),
    compared(5, None, status="missing", votes=(), cost=None),
    compared(6, None),
)


def test_wins_ties_losses_and_gsb_by_hand():
    (pair,) = summarise_pairs(HAND, CONFIG)
    assert (pair.first, pair.second) == ("ours", "theirs")
    counted = pair.overall.counted
    assert (counted.num_a, counted.num_tie, counted.num_b) == (3, 1, 1)
    assert (counted.num_inconsistent, counted.num_failed) == (1, 2)
    # A pair without a verdict is in no denominator.
    assert pair.overall.gsb.mean == pytest.approx((3 - 1) / (3 + 1 + 1))
    assert pair.overall.win_rate.mean == pytest.approx((3 + 1 / 2) / 5)
    assert (pair.overall.gsb.num_prompts, pair.overall.gsb.num_cases) == (5, 5)
    assert -1 <= pair.overall.gsb.low < pair.overall.gsb.mean < pair.overall.gsb.high
    assert {name: one.counted.num_a for name, one in pair.tasks.items()} == {
        "layout": 2,
        "recolor": 1,
    }
    assert pair.tasks["layout"].gsb.mean == 1
    assert {name: one.gsb.mean for name, one in pair.languages.items()} == {
        "en": pytest.approx(1 / 3),
        "zh": pytest.approx(1 / 2),
    }


def test_the_interval_is_by_case():
    """Both languages of a case are one draw: one case says nothing of its spread."""
    same = [compared(0, one, prompt=f"c0/{one}") for one in ("a", "b", "a")]
    (pair,) = summarise_pairs(same, CONFIG)
    assert pair.overall.gsb.mean == pytest.approx(1 / 3)
    assert math.isnan(pair.overall.gsb.low)


def test_every_two_systems_have_a_row_and_no_verdict_is_no_number():
    other = dataclasses.replace(compared(0, None), system_b="others")
    first, second = summarise_pairs([*HAND, other], CONFIG)
    assert (first.second, second.second) == ("theirs", "others")
    assert math.isnan(second.overall.gsb.mean)
    assert second.overall.counted.coverage == 0
    assert failures([*HAND, other]) == {"missing": 1, "unparsed": 2}


def test_tokens_and_cost_are_of_what_was_asked():
    found = spent(HAND)
    assert (found.num_asked, found.tokens) == (6, 220)
    assert (found.cost, found.currency) == (3.0, "USD")
    unpriced = spent([*HAND, compared(7, "a", cost=None, currency=None)])
    assert (unpriced.num_asked, unpriced.cost, unpriced.currency) == (7, None, None)
    mixed = spent([*HAND, compared(7, "a", currency="EUR")])
    assert mixed.cost is None
    nothing = spent(HAND[5:6])
    assert (nothing.num_asked, nothing.tokens, nothing.cost) == (0, None, None)
