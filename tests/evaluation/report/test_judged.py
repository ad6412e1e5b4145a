"""The table of judges: costs, canaries, and numbers that are nobody's score."""

import dataclasses

import pytest

from tbstar_jax.evaluation.judge.canary import CanaryResult
from tbstar_jax.evaluation.judge.quirks import ReferenceNumber
from tbstar_jax.evaluation.report.judged import canary_text, judge_table
from tests.evaluation.report.contents import content, judged
from tests.evaluation.report.pages import Page
from tests.evaluation.report.test_report import html_of

CANARY = CanaryResult(
    outcome="unmoved",
    detail="the judge is as it was",
    date="2026-12-01",
    mean=5.25,
    since="2026-11-26",
    shift=-0.125,
    by_rank=(1.0, 4.0, 6.0, 10.0),
    num_rungs=44,
    num_asked=48,
)
REFERENCE = ReferenceNumber(
    expected=6.5,
    lowest=6.25,
    highest=7.25,
    kinds={"scored": 15, "guessed": 3},
    num_partial=0,
)


def row(**fields):
    """The table's row of a judge, by its heads."""
    (one,) = judged()[1]
    page = Page(str(judge_table([dataclasses.replace(one, **fields)])))
    heads, cells = next(iter(page.cells.values()))
    return dict(zip(heads, cells, strict=True))


def test_a_cost_has_its_currency_or_is_not_known():
    assert row(cost=1.5, currency="CNY")["cost"] == "1.5000 CNY"
    assert row(cost=None, currency=None)["cost"] == "n/a"
    assert row(cost=1.5, currency=None)["cost"] == "1.5000 (currency not recorded)"


def test_imgedits_two_means_both_stand():
    (one,) = judged()[1]
    means = dataclasses.replace(one.dropped, macro=3.25, micro=3.5)
    found = row(dropped=means)
    assert (found["score"], found["over answers"]) == ("3.25", "3.50")
    assert row(dropped=None)["over answers"] == "n/a"


def test_both_halves_of_sc_and_perfection_have_columns():
    found = row(success=6.0, restraint=9.5, perfect=0.125)
    assert (found["SC: success"], found["SC: restraint"]) == ("6.00", "9.50")
    assert found["all marks best"] == "12.5 %"
    assert row(perfect=None)["all marks best"] == "n/a"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            CANARY,
            "mean 5.25 on 2026-12-01, -0.12 since 2026-11-26; worst to best 1.00 4.00 "
            "6.00 10.00 (44 of 48 rungs)",
        ),
        (
            dataclasses.replace(CANARY, outcome="first", since=None, shift=None),
            "mean 5.25 on 2026-12-01, first record; worst to best 1.00 4.00 6.00 10.00 "
            "(44 of 48 rungs)",
        ),
        (
            CanaryResult(
                outcome="off",
                detail="switched off in the judge's file",
                date="2026-12-01",
            ),
            "off (2026-12-01): switched off in the judge's file",
        ),
        (None, "not recorded"),
    ],
)
def test_what_the_canary_said(found, text):
    assert canary_text(found) == text
    assert row(canary=found)["canary"] == text


def test_a_server_that_refuses_schemas_is_named():
    assert "schema" not in row()["statuses"]
    assert row(is_unstructured=True)["statuses"].endswith(
        "; the server refused schemas"
    )


def test_a_bad_canary_is_loud():
    moved = dataclasses.replace(CANARY, outcome="moved", shift=1.0)
    assert canary_text(moved).startswith("MOVED: mean 5.25")
    broken = dataclasses.replace(CANARY, outcome="order")
    assert canary_text(broken).startswith("ORDER BROKEN: ")
    assert "not in order" in canary_text(broken)


def test_another_programs_number_is_labelled_and_in_no_leaderboard():
    made, (one,) = judged()
    assert "BUG-COMPATIBLE" not in str(judge_table([one]))
    told = dataclasses.replace(one, reference=REFERENCE)
    page = Page(html_of(content(judges=[told], judgements=made)))
    caption = next(one for one in page.cells if one.startswith("BUG-COMPATIBLE"))
    heads, cells = page.cells[caption]
    found = dict(zip(heads, cells, strict=True))
    assert (found["expected"], found["lowest"], found["highest"]) == (
        "6.50",
        "6.25",
        "7.25",
    )
    assert (found["our score"], found["answers"]) == ("7.00", "15 scored, 3 guessed")
    others = [rows for name, rows in page.cells.items() if name != caption]
    assert all(
        "6.50" not in cell for rows in others for cells in rows for cell in cells
    )


def test_a_program_that_would_not_end_has_no_number():
    (one,) = judged()[1]
    unknown = dataclasses.replace(REFERENCE, expected=None, kinds={"loops": 18})
    told = dataclasses.replace(one, mode="imgedit", reference=unknown)
    cells = list(Page(str(judge_table([told]))).cells.values())[1][1]
    assert cells[2] == "n/a"
    assert cells[-1] == "18 loops; 0 with other than three marks"
