"""A system's numbers: coverage, bounds, and the means of each mode."""

import dataclasses
import statistics

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.judgement import Vote
from tbstar_jax.evaluation.judge.mock import MODEL, mock_judgement
from tbstar_jax.evaluation.judge.summary import summarise
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tests.evaluation.judge.judged import judgement

EXPECTED = {"a/1/en": "a", "a/2/en": "a", "a/3/en": "a", "b/1/en": "b"}


def failed(prompt, status, task="a"):
    return judgement(
        None,
        prompt,
        task,
        status=status,
        semantic=None,
        quality=None,
        overall_range=None,
        votes=(),
    )


def test_means_are_over_tasks_and_every_failure_shows_in_coverage_and_bounds():
    (found,) = summarise(
        [
            judgement(8.0, "a/1/en"),
            failed("a/2/en", "refused"),
            judgement(5.0, "b/1/en", "b"),
        ],
        EXPECTED,
    )
    assert found.statuses == {"ok": 2, "refused": 1, "not_judged": 1}
    assert (found.num_covered, found.coverage) == (2, 0.5)
    assert found.dropped.macro == 6.5
    assert found.dropped.by_task == {"a": 8, "b": 5}
    assert found.lower.macro == pytest.approx((8 / 3 + 5) / 2)
    assert found.lower.micro == pytest.approx(13 / 4)
    assert (found.semantic, found.quality) == (6.5, 6.5)
    assert (found.tokens, found.cost) == (220, 1.5)
    assert found.headline() == (
        "ours: strict (own rubric) 6.50 (missing as lowest: 3.83), coverage 50.0 % "
        "(2 of 4), judge judge"
    )


def test_a_picture_the_system_did_not_give_is_its_own_zero():
    (found,) = summarise(
        [
            judgement(8.0, "a/1/en"),
            failed("a/2/en", "missing"),
            judgement(6.0, "a/3/en"),
            judgement(5.0, "b/1/en", "b"),
        ],
        EXPECTED,
    )
    assert found.coverage == 1
    assert found.dropped == found.lower
    assert found.dropped.by_task == {"a": pytest.approx(14 / 3), "b": 5}


def test_nothing_judged_has_no_score_but_a_headline_that_says_so():
    (found,) = summarise([failed("a/1/en", "filtered")], EXPECTED)
    assert found.dropped is None
    assert found.semantic is None
    assert found.headline() == (
        "ours: strict (own rubric) n/a (missing as lowest: 0.00), coverage 0.0 % (0 of "
        "4), judge n/a"
    )


def test_there_is_no_number_without_coverage():
    with pytest.raises(UserError, match="no coverage"):
        summarise([judgement(8.0)], {})
    with pytest.raises(UserError, match="not of this split"):
        summarise([judgement(8.0, "c/1/en")], EXPECTED)
    with pytest.raises(UserError, match="judged twice"):
        summarise([judgement(8.0), judgement(7.0)], EXPECTED)


def test_systems_and_judges_are_summed_up_apart():
    found = summarise(
        [
            judgement(8.0),
            judgement(4.0, system="theirs"),
            judgement(6.0, judge="k", cost=None),
        ],
        EXPECTED,
    )
    assert [(one.system, one.judge, one.dropped.macro) for one in found] == [
        ("ours", "j", 8),
        ("theirs", "j", 4),
        ("ours", "k", 6),
    ]
    assert found[2].cost is None


def test_a_judge_that_changed_its_name_shows():
    (found,) = summarise(
        [judgement(8.0), judgement(8.0, "a/2/en", model="judge-2")], EXPECTED
    )
    assert found.models == ("judge", "judge-2")


def marks(prompt, task, *three):
    one = judgement(statistics.fmean(three), prompt, task, mode="imgedit")
    asked = dataclasses.replace(
        one.votes[0].asked[0], part="imgedit", scores=tuple(map(float, three))
    )
    return dataclasses.replace(
        one, votes=(Vote(asked=(asked,)),), semantic=None, quality=None
    )


def test_imgedit_rounds_as_its_scripts_do_and_starts_at_one():
    (found,) = summarise(
        [
            marks("a/1/en", "a", 4, 4, 5),
            marks("a/2/en", "a", 4, 5, 5),
            marks("b/1/en", "b", 2, 1, 1),
        ],
        EXPECTED,
    )
    # round((4.33 + 4.67) / 2, 2), and 1.33.
    assert found.dropped.by_task == {"a": 4.5, "b": 1.33}
    assert found.dropped.macro == pytest.approx(2.915)
    assert found.dropped.micro == pytest.approx((4.33 + 4.67 + 1.33) / 3)
    assert found.lower.by_task["a"] == round((4.33 + 4.67 + 1) / 3, 2)
    assert found.num_above_cap == 2
    assert found.semantic is None


def score(**fields):
    return ScoreRecord(
        **{
            "system": "ours",
            "prompt": "a/1/en",
            "case": "a/1",
            "task": "a",
            "language": "en",
            "tags": {},
            "status": "ok",
            "size": (8, 8),
            "edit": 0.64,
            "preservation": 0.81,
            "consistency": 0.72,
            "edit_parts": {},
            "metrics": {},
            "output": "a.png",
            **fields,
        }
    )


def test_the_mock_computes_from_pixels_and_says_it_is_no_judge():
    found = mock_judgement(score())
    assert found.sc == pytest.approx((6.4, 8.1))
    assert found.pq == pytest.approx((8.1, 8.1))
    assert found.overall == pytest.approx(7.2)
    assert found.is_mock
    assert found.model == MODEL == "mock (not a judge)"
    (summed,) = summarise([found], {"a/1/en": "a"})
    assert summed.is_mock
    assert "MOCK" in summed.headline()
    assert "not a judge" in summed.headline()


def test_the_mock_gives_nothing_for_the_unchanged_photo_or_a_missing_one():
    assert mock_judgement(score(edit=0.0)).overall == 0
    missing = mock_judgement(score(status="decode_error"))
    assert (missing.status, missing.overall, missing.votes) == ("missing", None, ())
    assert mock_judgement(score(status="wrong_size")).status == "ok"


def test_success_and_restraint_stand_apart_and_perfection_is_rare():
    """SC of a judgement here is (score, 10), PQ likewise."""
    (found,) = summarise(
        [
            judgement(10.0, "a/1/en"),
            judgement(4.0, "a/2/en"),
            failed("a/3/en", "missing"),
            judgement(10.0, "b/1/en", "b"),
        ],
        EXPECTED,
    )
    assert found.success == pytest.approx((7 + 10) / 2)
    assert found.restraint == 10
    assert found.perfect == pytest.approx((1 / 3 + 1) / 2)
    (found,) = summarise([failed("a/1/en", "refused")], {"a/1/en": "a"})
    assert (found.success, found.restraint, found.perfect) == (None, None, None)


def test_a_cost_has_one_currency():
    def cost_of(*currencies):
        made = [
            judgement(8.0, prompt, prompt[0], currency=currency)
            for prompt, currency in zip(EXPECTED, currencies, strict=False)
        ]
        (found,) = summarise(made, EXPECTED)
        return found.cost, found.currency

    assert cost_of("USD", "USD") == (1.0, "USD")
    assert cost_of("USD", "CNY") == (None, None)
    assert cost_of(None, None) == (1.0, None)  # judged before it was recorded
