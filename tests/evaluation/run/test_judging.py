"""A run before a judge: drift, replaced pictures, other programs' numbers, pairs."""

import dataclasses
import json
import os
import shutil
import time

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.folder import find_output
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.cases.store import write_cases
from tbstar_jax.evaluation.judge.canary import CanaryResult
from tbstar_jax.evaluation.run.judged_content import contents_now
from tbstar_jax.evaluation.run.judging import (
    canary_failures,
    judge_difference,
    judge_run,
    judge_samples,
    judge_summaries,
    judgements_now,
)
from tbstar_jax.evaluation.run.run_folder import Run
from tbstar_jax.input_pipeline.images import encode_png
from tests.evaluation.judge.judged import VIE, answering, config
from tests.support.loopback import Answer, completion, serving

CASE = "smoke/recolor/000"
PROMPTS = (f"{CASE}/en", f"{CASE}/zh")
GOOD = CanaryResult(
    outcome="first",
    detail="the first record",
    date="2026-11-26",
    mean=5.0,
    since=None,
    shift=None,
    by_rank=(2.0, 5.0, 8.0),
    num_rungs=48,
    num_asked=48,
)
MOVED = dataclasses.replace(
    GOOD, outcome="moved", detail="the judge has drifted", since="2026-11-01", shift=1.0
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("judging")
    case = make_case("smoke", "recolor", 0)
    write_cases([case], root / "cases")
    for prompt, image in zip(PROMPTS, (case.reference, case.source), strict=True):
        path = root / f"run/outputs/{prompt}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(image))
    return root


@pytest.fixture
def run(made, tmp_path):
    root = shutil.copytree(made, tmp_path / "root")
    return run_in(root / "run")


def run_in(folder, name="ours"):
    return Run(
        folder=folder,
        name=name,
        prompts=PROMPTS,
        cases=folder.parent / "cases",
        outputs=folder / "outputs",
        provenance={},
    )


class Checking:
    """Says this, and counts how often it was asked."""

    def __init__(self, result=GOOD):
        self.result = result
        self.num_asked = 0

    def __call__(self, config):
        self.num_asked += 1
        return self.result


def judge(url, **fields):
    return config(url, mode="vie-2024", concurrency=1, **fields)


def judges_of(run):
    (entry,) = json.loads((run.folder / "judges.json").read_text()).values()
    return entry


def expected(run):
    return dict.fromkeys(run.prompts, "recolor")


def summary_of(run):
    (found,) = judge_summaries([run], judgements_now(run)[0], expected(run))
    return found


def test_a_judge_that_has_drifted_judges_nothing_and_it_is_written_down(run):
    with answering(VIE) as (url, server):
        with pytest.raises(UserError, match=r"nothing was judged: .* drifted; .*off"):
            judge_run(run, judge(url), Checking(MOVED))
        assert server.requests == []
    assert not (run.folder / "judgements.jsonl").exists()
    (told,) = canary_failures(run)
    assert "has judged nothing of ours since 2026-11-26" in told
    assert told.endswith("its canary failed: the judge has drifted")
    assert judges_of(run)["canary"]["outcome"] == "moved"
    assert judgements_now(run) == ([], 0)


def test_a_run_without_pictures_asks_no_canary(run):
    shutil.rmtree(run.outputs / "smoke")
    check = Checking()
    with answering(VIE) as (url, server):
        with pytest.raises(UserError, match="picture of none of the 2 prompts"):
            judge_run(run, judge(url), check)
        assert (check.num_asked, server.requests) == (0, [])


def test_the_canary_is_asked_before_pictures_and_only_where_there_are_any(run):
    check = Checking()
    with answering(VIE) as (url, _):
        judge_run(run, judge(url), check)
        assert summary_of(run).canary == GOOD
        # All is judged: nobody is asked, and what the canary said stays.
        judge_run(run, judge(url), check)
        assert check.num_asked == 1
        picture = run.outputs / f"{PROMPTS[0]}.png"
        shutil.copy(run.outputs / f"{PROMPTS[1]}.png", picture)
        off = CanaryResult(outcome="off", detail="switched off", date="2026-11-27")
        judge_run(run, judge(url), Checking(off))
    assert summary_of(run).canary.outcome == "off"
    assert judges_of(run)["canary"]["date"] == "2026-11-27"


def test_a_judge_that_is_not_there_is_missed_before_the_canary(run, tmp_path):
    with serving(Answer()) as (url, _):
        pass
    checking = Checking()
    with pytest.raises(UserError, match=rf"nothing answers at {url} .* base_url"):
        judge_run(run, config(url), checking)
    assert checking.num_asked == 0
    assert not run.judgements()
    # With replies at hand nobody need be there.
    with answering(VIE) as (url, _):
        cached = config(url, mode="vie-2024", cache=tmp_path / "replies")
        judge_run(run, cached, Checking())
    (run.folder / "judgements.jsonl").unlink()
    judge_run(run, cached, Checking())
    assert {one.status for one in run.judgements()} == {"ok"}


def test_a_server_without_structured_output_judges_and_it_is_written_down(run, caplog):
    asked = []

    def answer(request, _):
        asked.append("response_format" in request.json())
        if asked[-1]:
            return Answer(status=400, body=b"response_format is not supported")
        text = '{"reason": "so", "success": 8, "restraint": 9}'
        if "naturalness" in request.body.decode():
            text = '{"reason": "so", "naturalness": 7, "cleanness": 9}'
        return Answer(body=completion(text))

    with serving(answer) as (url, _):
        judge_run(run, config(url, mode="strict", concurrency=1), Checking())
    assert asked == [True] + [False] * 4
    assert {one.status for one in run.judgements()} == {"ok"}
    (told,) = run.judges().values()
    assert told["structured"] == "unsupported by the server"
    assert summary_of(run).is_unstructured
    assert told["settings"]["structured"] == "schema"
    assert len(caplog.messages) == 1


def test_what_the_canary_found_of_the_server_is_known_to_the_judge(run, caplog):
    found = dataclasses.replace(GOOD, unstructured=True)
    with serving(Answer(status=500)) as (url, server), pytest.raises(UserError):
        judge_run(run, config(url, mode="strict"), Checking(found))
    assert not any("response_format" in one.json() for one in server.requests)
    (told,) = run.judges().values()
    assert told["structured"] == "unsupported by the server"
    assert caplog.messages == []


def test_what_a_proxy_answered_is_asked_again_by_the_next_run(run):
    page = Answer(body=b"<html>come back later</html>")
    with answering(VIE, VIE, page, page, VIE) as (url, server):
        judge_run(run, judge(url), Checking())
        assert summary_of(run).statuses == {"ok": 1, "http_error": 1}
        num_before = len(server.requests)
        judge_run(run, judge(url), Checking())
        assert len(server.requests) > num_before
    assert summary_of(run).statuses == {"ok": 2}


def test_another_programs_number_stands_beside_ours_when_asked_for(run):
    with answering(VIE, VIE, "No.") as (url, _):
        judge_run(run, judge(url), Checking())
        assert summary_of(run).reference is None
        judge_run(run, judge(url, bug_compatible=True), Checking())
    found = summary_of(run)
    assert found.dropped.macro == 8
    assert found.reference.kinds == {"scored": 1, "guessed": 1}
    assert (found.reference.lowest, found.reference.highest) == (4, 9)
    assert 4 < found.reference.expected < 9


def now(run, read):
    """The contents; what had to be decoded for them is put into `read`."""

    def content(prompt):
        read.append(prompt)
        path = find_output(run.outputs, prompt)
        return "" if path is None else str(hash(path.read_bytes()))

    answers = {prompt: find_output(run.outputs, prompt) for prompt in PROMPTS}
    return contents_now(run.folder, run.cases, answers, content)


def test_only_changed_pictures_are_decoded_again(run):
    read = []
    found = now(run, read)
    assert read == list(PROMPTS)
    assert now(run, read) == found
    # The same bytes at another time are the same picture.
    first, second = (run.outputs / f"{prompt}.png" for prompt in PROMPTS)
    os.utime(first, ns=(1, 1))
    assert now(run, read) == found
    assert read == list(PROMPTS)
    before = first.read_bytes()
    first.write_bytes(second.read_bytes())
    assert now(run, read) == {**found, PROMPTS[0]: found[PROMPTS[1]]}
    assert read[2:] == [PROMPTS[0]]
    first.write_bytes(before)
    assert now(run, read) == found
    first.unlink()
    assert now(run, read)[PROMPTS[0]] == ""
    assert read[4:] == [PROMPTS[0]]


def test_a_picture_changed_at_once_and_at_the_same_time_is_noticed(run):
    read = []
    first = run.outputs / f"{PROMPTS[0]}.png"
    small, other = (bytes([k]) * 8 for k in (1, 2))
    at = time.time_ns()
    first.write_bytes(small)
    os.utime(first, ns=(at, at))
    found = now(run, read)
    first.write_bytes(other)
    os.utime(first, ns=(at, at))
    assert now(run, read)[PROMPTS[0]] != found[PROMPTS[0]]


def test_changed_cases_and_a_damaged_memory_are_read_anew(run):
    read = []
    found = now(run, read)
    for damage in (b"{", b"[]", b'{"a": 1}', b"\xff"):
        (run.folder / "judged_content.json").write_bytes(damage)
        assert now(run, read) == found
    assert len(read) == 2 * 5
    with (run.cases / "cases.jsonl").open("a") as file:
        file.write(" ")
    assert now(run, read) == found
    assert len(read) == 2 * 6


def test_what_was_said_of_a_replaced_picture_or_request_is_left_out(run):
    with answering(VIE) as (url, _):
        judge_run(run, judge(url), Checking())
    first, second = (run.outputs / f"{prompt}.png" for prompt in PROMPTS)
    assert [one.status for one in judgements_now(run)[0]] == ["ok", "ok"]
    shutil.copy(second, first)
    kept, num_stale = judgements_now(run)
    assert ([one.prompt for one in kept], num_stale) == ([PROMPTS[1]], 1)
    lines = (run.cases / "cases.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    for one in told:
        one["instruction"] += " Please."
    (run.cases / "cases.jsonl").write_text("".join(json.dumps(x) + "\n" for x in told))
    assert judgements_now(run) == ([], 2)


def test_scores_of_two_runs_have_one_label_per_judge_and_score(run, tmp_path):
    other = run_in(shutil.copytree(run.folder, run.folder.parent / "two"), "theirs")
    with answering("[8, 9]", "[7, 9]", "hm") as (url, _):
        judge_run(run, judge(url), Checking())
    with answering("[6, 9]", "[6, 9]", "[4, 9]") as (url, _):
        judge_run(other, judge(url), Checking())
    ours, theirs = judge_samples(run), judge_samples(other)
    assert list(ours) == list(theirs)
    assert [label.partition(" ")[0] for label in ours] == ["O", "SC", "PQ"]
    assert next(iter(ours)).startswith("O (judge: vie-2024 (own rubric), ")
    overall, semantic, quality = ours.values()
    # Only what was judged ok.
    assert overall.prompts == PROMPTS[:1]
    assert (semantic.values.tolist(), quality.values.tolist()) == ([8], [7])
    assert next(iter(theirs.values())).prompts == PROMPTS
    assert (overall.cases, overall.tasks, overall.languages) == (
        (CASE,),
        ("recolor",),
        ("en",),
    )


def test_two_judges_of_one_run_are_compared_without_asking(run):
    with answering(VIE) as (url, server):
        first = judge(url)
        judge_run(run, first, Checking())
        second = judge(url, model="other")
        with pytest.raises(UserError, match=r"no judgements of other .* judge it"):
            judge_difference(run, first, second)
        judge_run(run, second, Checking())
        num_asked = len(server.requests)
        found = judge_difference(run, first, second)
        with pytest.raises(UserError, match="no common scale"):
            judge_difference(run, first, config(url, mode="imgedit"))
        assert len(server.requests) == num_asked
    assert (found.num_both, found.scores["overall"].exact) == (2, 1)
