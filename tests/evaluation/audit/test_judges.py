"""Judges behind a name: the loopback knows every picture, refuses one, is noisy."""

import base64
import collections
import functools
import hashlib
import itertools
import json

import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.audit.audit import run_audit
from tbstar_jax.evaluation.audit.canary import (
    CANARY_TASKS,
    NUM_RUNGS,
    RANKS,
    canary_ladder,
)
from tbstar_jax.evaluation.audit.ladders import EXACT
from tbstar_jax.evaluation.audit.scorers import JudgeScorer
from tbstar_jax.evaluation.audit.table import to_json
from tbstar_jax.evaluation.cases.case import Prompt
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.judge.canary import Ladder, check_canary, run_canary
from tbstar_jax.evaluation.judge.modes import SETTINGS
from tbstar_jax.evaluation.judge.pictures import as_sent
from tbstar_jax.evaluation.scores.prompt import score_answer
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tests.evaluation.audit.ladders_of import places, square_case, square_ladder
from tests.evaluation.judge.judged import config
from tests.support.loopback import Answer, completion, serving

QUICK = BootstrapConfig(num_resamples=100)
REFUSED = "blur 2 px"


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def marks(num_cases):
    """What the loopback thinks of every picture, by its file's digest."""
    known = {}
    for index in range(num_cases):
        ladder = square_ladder(index)
        best = max(places(ladder).values())
        for step in ladder.steps:
            key = digest_of(as_sent(step.image, SETTINGS["vie-2024"]))
            score = 10 * places(ladder)[step.name] / best
            known[key] = None if step.name == REFUSED else score
    return known


class Knowing:
    """Answers VIEScore's questions; says half a point less of a picture seen again.

    Quality is always 10 to it, so O follows SC alone.
    """

    def __init__(self, num_cases):
        self.known = marks(num_cases)
        self.asked = collections.Counter()

    def __call__(self, request, index):
        parts = request.json()["messages"][-1]["content"]
        urls = [part["image_url"]["url"] for part in parts if part["type"] != "text"]
        key = digest_of(base64.b64decode(urls[-1].partition(",")[2]))
        score = self.known[key]
        if score is None:
            return Answer(body=completion("I cannot help with that."))
        is_semantic = len(urls) == 2  # photo and edit
        self.asked[key, is_semantic] += 1
        lower = 0.5 * (self.asked[key, is_semantic] - 1)
        value = max(0.0, score - lower) if is_semantic else 10
        said = {"score": [value, 10], "reasoning": "so"}
        return Answer(body=completion(json.dumps(said)))


def scorer(url, **fields):
    return JudgeScorer(
        name="judge",
        config=config(url, mode="vie-2024", re_asks=0, **fields),
        language="en",
    )


def audit(url, folder, num_cases, **fields):
    cases = [square_case(index) for index in range(num_cases)]
    return run_audit(lambda: cases, [scorer(url, **fields)], folder, QUICK)


def test_a_judge_is_measured_and_resumed(tmp_path):
    with serving(Knowing(2)) as (url, server):
        first = audit(url, tmp_path, 1, cache=tmp_path / "cache")
        num_first = len(server.requests)
        both = audit(url, tmp_path, 2, cache=tmp_path / "cache")
        num_both = len(server.requests)
        again = audit(url, tmp_path, 2, cache=tmp_path / "cache")
        assert len(server.requests) == num_both
    assert num_both == 2 * num_first
    assert to_json(again) == to_json(both)
    assert both.columns == ("judge SC", "judge PQ", "judge O")
    assert (first.num_cases, both.num_cases) == (1, 2)
    for row in both.rows:
        semantic, quality, overall = (row.detections[name] for name in both.columns)
        if f"{row.defect} {row.level}" == REFUSED:
            assert semantic.num_missing == quality.num_missing == row.num_cases == 2
            continue
        if row.num_cases:
            assert semantic.rate == overall.rate == 1
            assert (quality.rate, quality.tie_rate) == (0, 1)
    assert both.order["judge SC"].mean == 1
    assert both.order["judge SC"].num_left_out == 2 * 2
    assert both.order["judge PQ"].mean == 0


def test_a_judge_that_says_another_thing_of_the_same_pixels_is_found_out(tmp_path):
    with serving(Knowing(1)) as (url, _):
        result = audit(url, tmp_path, 1, cache=tmp_path / "cache")
    alarm = result.false_alarms["judge SC"]
    assert (alarm.num_copies, alarm.num_different) == (1, 1)
    assert alarm.mean_difference == 0.5
    assert result.false_alarms["judge PQ"].num_different == 0


def test_a_replay_says_nothing_of_noise(tmp_path):
    cache = tmp_path / "cache"
    with serving(Knowing(1)) as (url, server):
        first = audit(url, tmp_path / "a", 1, cache=cache)
        asked = len(server.requests)
        second = audit(url, tmp_path / "b", 1, cache=cache, replay=True)
        assert len(server.requests) == asked
    assert second.rows == first.rows
    assert second.order["judge O"].mean == first.order["judge O"].mean == 1
    assert second.false_alarms["judge SC"].num_copies == 0


def test_a_judge_needs_a_name_that_a_file_can_have():
    for name in ("", "../up", "a b"):
        with pytest.raises(UserError, match="cannot be called"):
            JudgeScorer(
                name=name, config=config("http://127.0.0.1:9/v1"), language="en"
            )


def test_a_judge_of_pairs_scores_no_picture():
    with pytest.raises(UserError, match="mode is pairwise, which gives no picture"):
        JudgeScorer(
            name="j",
            config=config("http://127.0.0.1:9/v1", mode="pairwise"),
            language="en",
        )


def test_only_an_audit_that_was_judged_before_needs_no_server(tmp_path):
    with serving(Answer()) as (url, _):
        scorer(url).require_ready(tmp_path)
    journal = tmp_path / "judge-again.jsonl"
    for content in (None, ""):
        if content is not None:
            journal.write_text(content)
        with pytest.raises(UserError, match="nothing answers at"):
            scorer(url, cache=tmp_path / "cache").require_ready(tmp_path)
    scorer(url, replay=True, cache=tmp_path / "cache").require_ready(tmp_path)
    journal.write_text("{}\n")
    scorer(url).require_ready(tmp_path)


@functools.cache
def first_rungs():
    return canary_ladder(8)


def test_the_canary_has_48_edits_in_four_ranks():
    assert isinstance(canary_ladder, Ladder)
    assert (len(CANARY_TASKS), len(RANKS), NUM_RUNGS) == (12, 4, 48)
    rungs = first_rungs()
    assert [rung.rank for rung in rungs] == [0, 1, 2, 3] * 2
    assert [rung.item.language for rung in rungs] == ["en"] * 4 + ["zh"] * 4
    assert len({rung.item.prompt for rung in rungs}) == 8
    assert {rung.answer.shape for rung in rungs} == {(256, 256, 3)}
    for rung, same in itertools.zip_longest(rungs[:4], canary_ladder(4)):
        assert rung.item.prompt == same.item.prompt
        np.testing.assert_array_equal(rung.answer, same.answer)
    np.testing.assert_array_equal(rungs[0].answer, rungs[0].item.source)
    for num in (3, 49):
        with pytest.raises(UserError, match="4 to 48"):
            canary_ladder(num)


def test_our_own_score_sees_the_canarys_order():
    means = {}
    case = make_case("mini", CANARY_TASKS[0], 0)
    for rung in first_rungs()[:4]:
        record = score_answer(
            Prompt(case=case, language="en"),
            rung.answer,
            system="",
            status="ok",
            reader=None,
            output="",
        )
        means[rung.rank] = record.consistency
    assert means[0] < means[1] < means[2] < means[3] == 1


def test_the_canary_runs_and_passes_with_a_judge_that_knows(tmp_path):
    ranks = {
        digest_of(as_sent(rung.answer, SETTINGS["vie-2024"])): 3.0 * rung.rank
        for rung in first_rungs()[:4]
    }
    judge = Knowing(0)
    judge.known = ranks
    with serving(judge) as (url, _):
        canary = run_canary(
            config(url, mode="vie-2024"), canary_ladder, 4, date="2026-11-26"
        )
    check_canary(None, canary)
    assert [one.prompt.rpartition("/")[2] for one in canary.scores] == list(RANKS)
    assert RANKS[-1] == EXACT
