"""Rates, ties, order and false alarms: of scorers that know all, nothing, or pixels."""

import dataclasses
import json
import math

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.audit.audit import run_audit
from tbstar_jax.evaluation.audit.ladders import COPY, DEFECTS, EXACT, FAINT
from tbstar_jax.evaluation.audit.scorers import BaselineScorer, PixelScorer
from tbstar_jax.evaluation.audit.table import (
    left_out_text,
    markdown,
    to_json,
)
from tbstar_jax.evaluation.cases.case import Prompt
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.run.scoring import read_records
from tbstar_jax.evaluation.scores.prompt import score_answer
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tests.evaluation.audit.ladders_of import (
    Given,
    Oracle,
    places,
    square_case,
)

QUICK = BootstrapConfig(num_resamples=200)


def squares():
    return [square_case(index) for index in range(3)]


def audit(tmp_path, *scorers, cases=squares):
    return run_audit(cases, scorers, tmp_path, QUICK)


def planted(result):
    return [row for row in result.rows if row.num_cases]


def test_an_oracle_sees_everything(tmp_path):
    result = audit(tmp_path, Oracle())
    assert (result.columns, result.num_cases) == (("oracle",), 3)
    rows = planted(result)
    assert len(rows) > 20
    for row in rows:
        found = row.detections["oracle"]
        assert (row.num_cases, found.num_pairs) == (3, 3)
        assert (found.rate, found.clear_rate, found.num_ties) == (1, 1, 0)
        assert found.mean_drop > 0
    order = result.order["oracle"]
    assert (order.mean, order.low, order.high) == (1, 1, 1)
    assert (order.num_cases, order.num_left_out) == (3, 0)
    alarm = result.false_alarms["oracle"]
    assert (alarm.num_copies, alarm.num_different, alarm.mean_difference) == (3, 0, 0)
    assert alarm.faint.rate == 0


def test_a_constant_sees_nothing_and_ties_everything(tmp_path):
    result = audit(tmp_path, Given(lambda *_: 5.0))
    for row in planted(result):
        found = row.detections["given"]
        assert (found.rate, found.tie_rate, found.mean_drop) == (0, 1, 0)
    assert result.order["given"].mean == 0


def test_a_reversed_order_is_no_tie(tmp_path):
    result = audit(tmp_path, Given(lambda ladder, step: -places(ladder)[step.name]))
    found = result.detection("given", "shift", "6 px")
    assert (found.rate, found.num_ties) == (0, 0)
    assert found.mean_drop < 0
    assert result.order["given"].mean == 0


def test_a_missing_score_is_neither_seen_nor_missed(tmp_path):
    def some(ladder, step):
        if step.name == "shift 6 px":
            return {0: None, 1: math.nan}.get(ladder.case.index, 0.0)
        return 1.0

    result = audit(tmp_path, Given(some))
    found = result.detection("given", "shift", "6 px")
    assert (found.num_pairs, found.num_missing) == (3, 2)
    assert (found.num_detected, found.rate) == (1, 1.0)
    # Two cases, two pairs each: with exact and with the weaker level.
    assert result.order["given"].num_left_out == 4


def test_a_drop_is_clear_beyond_that_of_an_invisible_change(tmp_path):
    scores = {
        EXACT: 10.0,
        COPY: 10.0,
        FAINT: 9.0,
        "blur 2 px": 9.0,
        "noise 3 levels": 8,
    }
    result = audit(tmp_path, Given(lambda _, step: float(scores.get(step.name, 9.5))))
    for name, level, rates in (
        ("shift", "2 px", (1, 0)),
        ("blur", "2 px", (1, 0)),
        ("noise", "3 levels", (1, 1)),
    ):
        found = result.detection("given", name, level)
        assert (found.rate, found.clear_rate) == rates
    assert result.false_alarms["given"].faint.mean_drop == 1


def test_a_score_of_the_same_pixels_that_moves_is_noise(tmp_path):
    def noisy(ladder, step):
        return 0.5 * ladder.case.index if step.name == COPY else 0.0

    alarm = audit(tmp_path, Given(noisy)).false_alarms["given"]
    assert (alarm.num_copies, alarm.num_different) == (3, 2)
    assert alarm.mean_difference == 0.5


def test_pairs_of_a_case_are_drawn_together(tmp_path):
    """All right in one case, all wrong in another: the interval knows two cases."""

    def one(ladder, step):
        places_of = places(ladder)[step.name]
        return places_of if ladder.case.index == 0 else -places_of

    result = audit(tmp_path, Given(one), cases=lambda: squares()[:2])
    order = result.order["given"]
    assert (order.mean, order.low, order.high) == (0.5, 0, 1)


def test_columns_have_names_of_their_own_and_cases_are_needed(tmp_path):
    with pytest.raises(UserError, match="column 'oracle'"):
        audit(tmp_path, Oracle(), Oracle())
    with pytest.raises(UserError, match="at least one case"):
        audit(tmp_path, Oracle(), cases=list)


def test_baselines_see_what_they_compare_with(tmp_path):
    result = audit(tmp_path, BaselineScorer(), cases=lambda: squares()[:2])
    assert result.columns == ("PSNR source", "SSIM source", "PSNR reference")
    # Not editing is best for whoever compares with the source alone.
    assert result.detection("PSNR source", "no change", "").rate == 0
    assert result.detection("PSNR reference", "no change", "").rate == 1
    assert result.detection("SSIM source", "noise", "12 levels").rate == 1


def test_tables_say_the_same_as_the_result(tmp_path):
    def some(ladder, step):
        if ladder.case.index == 0:
            return None
        return 1.0 if step.name == EXACT or ladder.case.index == 1 else 0.0

    result = audit(tmp_path, Oracle(), Given(some))
    text = markdown(result)
    assert "| detected, % | cases | oracle | given |" in text
    assert "| shift 2 px | 3 | 100.0 | 50.0 1t 1m |" in text
    assert "| lost text all | 0 | n/a | n/a |" in text
    assert "| clearly detected, % | cases | oracle | given |" in text
    assert "lost text all: 3 cases, only one text is kept" in left_out_text(result)
    values = json.loads(to_json(result))
    assert values["order"]["oracle"]["mean"] == 1
    by_name = {(row["defect"], row["level"]): row for row in values["rows"]}
    found = by_name["shift", "2 px"]["detections"]["given"]
    assert (found["rate"], found["tie_rate"], found["num_missing"]) == (0.5, 0.5, 1)
    assert by_name["lost text", "all"]["detections"]["given"]["rate"] is None
    assert len(by_name) == sum(len(defect.levels) for defect in DEFECTS)


STEPS = (
    "shift 2 px",
    "warm cast 12 levels",
    "kept region redone 33 %",
    "lost text 1",
)

TASKS = (
    "bg_white",
    "recolor",
    "watermark_remove",
    "text_remove",
    "text_replace_zh",
    "text_add",
    "outpaint",
)
"""Five of them keep a text."""


@dataclasses.dataclass(frozen=True)
class Consistency:
    """C of some steps; of others there is no score."""

    steps: tuple[str, ...]

    def __call__(self, ladders, folder):
        return {
            "C": {
                (ladder.case.id, step.name): score_answer(
                    Prompt(case=ladder.case, language="en"),
                    step.image,
                    system="",
                    status="ok",
                    reader=None,
                    output="",
                ).consistency
                for ladder in ladders
                for step in ladder.steps
                if step.name in self.steps
            }
        }


def test_our_own_score_sees_what_it_is_for(tmp_path):
    """Cases of the smoke split."""
    result = audit(
        tmp_path,
        Consistency((EXACT, FAINT, *STEPS)),
        cases=lambda: (make_case("smoke", task, 0) for task in TASKS),
    )
    found = {
        f"{row.defect} {row.level}".strip(): row.detections["C"]
        for row in result.rows
        if row.detections["C"].num_missing < row.detections["C"].num_pairs
    }
    assert set(found) == set(STEPS)
    assert [found[step].num_pairs for step in STEPS] == [7, 7, 7, 3]
    assert all(one.rate == 1 for one in found.values())
    # An exact score falls at everything, so at a JPEG that nobody sees, too ...
    assert result.false_alarms["C"].faint.rate > 0.8
    faint = result.false_alarms["C"].faint.mean_drop
    # (fine patterns of 128 px do lose colour by it)
    assert faint < 0.04
    # ... and makes clearly more of these,
    for step in STEPS[:3]:
        assert found[step].clear_rate == 1
    # A lost text is small: by area alone it would cost one or two per cent.
    assert found["lost text 1"].clear_rate == 1
    assert found["lost text 1"].mean_drop > max(0.05, 2 * faint)


def test_scores_are_resumed(tmp_path):
    cases = squares()[:1]
    scorer = PixelScorer(num_workers=1, with_reader=False)
    first = audit(tmp_path, scorer, cases=lambda: cases)
    journal = tmp_path / "scores.jsonl"
    written = journal.read_bytes()
    lines = written.splitlines(keepends=True)
    assert len(lines) == first.num_pictures == len(read_records(journal))
    journal.write_bytes(b"".join(lines[:-2]))
    second = audit(tmp_path, scorer, cases=lambda: cases)
    assert to_json(second) == to_json(first)
    assert sorted(journal.read_bytes().splitlines()) == sorted(written.splitlines())
    assert first.columns == ("C", "E", "P")
    assert first.detection("C", "no change", "").mean_drop == 1
