"""One picture judged by a server on the loopback, in every mode."""

import base64
import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.vlm.cost import Prices
from tests.evaluation.judge.judged import (
    VIE,
    answering,
    config,
    item,
    picture,
    sent,
    strict_answer,
)
from tests.evaluation.judge.test_parse import REPLIES
from tests.support.loopback import Answer, completion, serving


def judged(url, one=None, answer=None, **fields):
    picture_ = picture(200) if answer is None else answer
    return Judge(config(url, **fields)).judge("ours", one or item(), picture_)


def test_vie_2024_asks_as_the_reference_program_does():
    with answering(VIE, '{"score": [5, 10], "reasoning": "hm"}') as (url, server):
        found = judged(url, mode="vie-2024")
    assert (found.status, found.sc, found.pq) == ("ok", (8, 9), (5, 10))
    assert (found.semantic, found.quality, found.overall) == (8, 5, 40**0.5)
    assert found.reasons == ("fine", "hm")
    assert (found.input_tokens, found.output_tokens, found.cost) == (200, 20, None)
    semantic, quality = server.requests
    for request in server.requests:
        body = request.json()
        assert body["max_tokens"] == 1400
        assert not {"temperature", "seed", "response_format"} & body.keys()
        assert [message["role"] for message in body["messages"]] == ["user"]
    text, *images = sent(semantic)
    assert images == ["image/jpeg", "image/jpeg"]
    assert r'"make the \"mug\" {red}"' in text
    text, *images = sent(quality)
    assert images == ["image/jpeg"]
    assert "mug" not in text
    # The edit is the second picture of the one and the only one of the other.
    first, second = (
        request.json()["messages"][0]["content"][-1] for request in server.requests
    )
    assert first == second


def decoded(request, at):
    url = request.json()["messages"][-1]["content"][at]["image_url"]["url"]
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def test_gedit_resizes_the_edit_to_the_source_whatever_its_shape():
    with answering(VIE) as (url, server):
        judged(url, answer=picture(200, 30, 5), mode="gedit-gpt")
    assert decoded(server.requests[0], -1).size == (8, 6)


def test_vie_2024_does_not():
    with answering(VIE) as (url, server):
        judged(url, answer=picture(200, 30, 5), mode="vie-2024")
    assert decoded(server.requests[0], -1).size == (5, 30)


def test_jpeg_is_of_pillows_default_quality():
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    with answering(VIE) as (url, server):
        judged(url, answer=noise, mode="vie-2024")
    expected = Image.open(io.BytesIO(buffer.getvalue()))
    assert np.array_equal(decoded(server.requests[0], -1), expected)


def test_gedit_qwen_sends_images_first_as_png_greedily():
    with answering(VIE) as (url, server):
        judged(url, mode="gedit-qwen")
    assert sent(server.requests[0])[:2] == ["image/png", "image/png"]
    assert sent(server.requests[1])[0] == "image/png"
    for request in server.requests:
        body = request.json()
        assert (body["max_tokens"], body["seed"], body["temperature"]) == (512, 42, 0.0)


def test_imgedit_takes_three_marks_by_name():
    reply = "Fine.\nIntegrity: 3\nCompliance: 2\nSeamlessness: 5"
    with answering(reply) as (url, server):
        found = judged(url, mode="imgedit")
    assert found.status == "ok"
    assert found.votes[0].scores("imgedit") == (2, 5, 3)
    assert found.overall == pytest.approx(10 / 3)
    assert found.exceeds_cap
    assert (found.semantic, found.sc) == (None, ())
    text, *images = sent(server.requests[0])
    assert images == ["image/png", "image/png"]
    assert "Compliance: 1 to 5" in text


def test_a_checklist_counts_right_answers():
    with answering('{"answers": ["yes", "yes"]}') as (url, server):
        found = judged(url, mode="checklist")
    assert found.votes[0].scores("checklist") == (1, 0)
    assert found.overall == 0.5
    assert "1. Is the mug red?\n2. Is the price gone?" in sent(server.requests[0])[0]


def test_a_checklist_needs_an_answer_to_every_question_and_questions():
    with answering('{"answers": ["yes"]}') as (url, _):
        assert judged(url, mode="checklist", re_asks=0).status == "unparsed"
        with pytest.raises(UserError, match="no questions"):
            judged(url, one=item(checks=()), mode="checklist")


def test_strict_asks_for_json_by_schema_with_the_reason_first():
    with serving(lambda r, _: Answer(body=completion(strict_answer(r)))) as (
        url,
        server,
    ):
        found = judged(url)
    assert (found.sc, found.pq, found.overall) == ((8, 6), (9, 9), 54**0.5)
    for request, names in zip(
        server.requests,
        [["reason", "success", "restraint"], ["reason", "naturalness", "cleanness"]],
        strict=True,
    ):
        asked = request.json()["response_format"]["json_schema"]["schema"]
        assert asked["required"] == names
        assert request.json()["messages"][0]["role"] == "system"


def test_strict_asks_again_at_the_next_seed_and_then_says_unparsed():
    with answering("eight") as (url, server):
        found = judged(url, seed=5)
    assert (found.status, found.overall, found.sc) == ("unparsed", None, ())
    semantic = found.votes[0].asked[0]
    assert semantic.statuses == ("unparsed",) * 4
    assert [request.json()["seed"] for request in server.requests] == [
        5,
        6,
        7,
        8,
    ] * 2
    assert len(set(semantic.keys)) == 4


def test_one_broken_answer_does_not_replace_a_good_one():
    with answering(VIE, "hm", VIE) as (url, server):
        found = judged(url, mode="vie-2024")
    assert found.status == "ok"
    assert [one.statuses for one in found.votes[0].asked] == [
        ("ok",),
        ("unparsed", "ok"),
    ]
    assert len(server.requests) == 3


def test_votes_are_averaged_and_their_range_is_kept():
    replies = [f'{{"score": [{score}, 10]}}' for score in (4, 4, 4, 9)]
    with answering(*replies) as (url, server):
        found = judged(
            url, mode="vie-2024", votes=2, sampling="pinned", seed=3, re_asks=1
        )
    # min(4, 10) min(4, 10) -> 4; min(4, 10) min(9, 10) -> 6.
    assert (found.overall, found.overall_range) == (5, 2)
    assert (found.semantic, found.quality) == (4, 6.5)
    assert (found.sc, found.pq) == ((4, 10), (6.5, 10))
    assert [request.json()["seed"] for request in server.requests] == [3, 3, 5, 5]


@pytest.mark.parametrize(
    "text", ["As an AI, I cannot evaluate images.", "很遗憾，我不能评价这张图片。"]
)
def test_a_refusal_is_asked_once_per_question(text):
    with answering(text) as (url, server):
        found = judged(url, mode="strict", re_asks=3)
    assert (found.status, len(server.requests)) == ("refused", 2)


@pytest.mark.parametrize("row", REPLIES, ids=[row[0] for row in REPLIES])
def test_no_reply_of_the_table_becomes_a_score_it_is_not(row):
    _, text, status, scores = row
    with answering(text) as (url, server):
        found = judged(url, mode="vie-2024")
    assert found.status == status
    assert found.sc == (scores or ())
    assert (found.overall is None) == (status != "ok")
    # At most one more question each; a refusal is not asked again.
    assert len(server.requests) == (4 if status in ("unparsed", "out_of_range") else 2)


@pytest.mark.parametrize(
    ("answer", "status", "is_settled"),
    [
        (Answer(status=429), "rate_limited", False),
        (Answer(status=500), "http_error", False),
        (Answer(status=401), "http_error", False),
        (Answer(status=400), "bad_request", False),
        (Answer(body=completion(VIE), wait_s=9.0), "timeout", False),
        (
            Answer(status=400, body=b'{"error": {"code": "content_policy_violation"}}'),
            "filtered",
            True,
        ),
        (Answer(body=completion("", finish="content_filter")), "filtered", True),
        (Answer(body=completion(None, refusal="No.")), "refused", True),
        (Answer(body=completion(VIE, finish="length")), "truncated", True),
        (Answer(body=b"<html>"), "http_error", False),
        (Answer(body=b"{}"), "http_error", False),
        (Answer(body=b'{"choices": []}'), "http_error", False),
        (Answer(body=completion("")), "unparsed", True),
        (Answer(body=completion("\ud83d")), "unparsed", True),
        (Answer(body=completion(VIE), declared=10**6), "http_error", False),
    ],
)
def test_what_a_server_does_wrong_is_a_status_and_never_a_score(
    answer, status, is_settled
):
    with answering(answer) as (url, _):
        found = judged(url, mode="vie-2024", timeout=0.3)
    assert (found.status, found.is_settled) == (status, is_settled)
    assert (found.overall, found.semantic, found.quality) == (None, None, None)
    assert found.detail


def test_nobody_is_asked_about_a_missing_picture():
    with answering(VIE) as (url, server):
        found = Judge(config(url, mode="vie-2024")).judge("ours", item(), None)
    assert (found.status, found.overall, found.votes) == ("missing", None, ())
    assert found.is_settled
    assert server.requests == []


def test_cost_is_counted_by_the_prices():
    prices = Prices(input_per_million=2.0, output_per_million=10.0, currency="USD")
    with answering(VIE) as (url, _):
        judge = Judge(config(url, mode="vie-2024", prices=prices))
        found = judge.judge("ours", item(), picture(200))
    assert found.cost == pytest.approx(2 * (100 * 2 + 10 * 10) / 1e6)
    assert judge.totals.cost == found.cost
    assert found.currency == "USD"


def test_a_replay_without_a_server_gives_the_same_judgement(tmp_path):
    with answering(VIE, "hm", "[3, 10]") as (url, server):
        first = judged(url, mode="vie-2024", cache=tmp_path)
    replayed = judged(url, mode="vie-2024", cache=tmp_path, replay=True)
    assert replayed == first
    assert len(server.requests) == 3
    assert [one.num_cached for one in first.asked] == [0, 0]
    assert [one.num_cached for one in replayed.asked] == [1, 2]
    other = judged(url, answer=picture(9), mode="vie-2024", cache=tmp_path, replay=True)
    assert (other.status, other.is_settled) == ("not_cached", False)


def test_pairwise_is_not_for_one_picture():
    with pytest.raises(UserError, match="two pictures"):
        judged("http://127.0.0.1:9/v1", mode="pairwise")


def test_judges_differ_by_all_that_decides_scores_and_nothing_else():
    base = config("http://127.0.0.1:9/v1")
    same = dataclasses.replace(
        base, base_url="http://127.0.0.1:8/v1", retries=7, concurrency=1, rpm=1.0
    )
    assert same.fingerprint() == base.fingerprint()
    others = [
        dataclasses.replace(base, **change)
        for change in (
            {"model": "other"},
            {"mode": "vie-2024"},
            {"votes": 2},
            {"seed": 1},
            {"temperature": 1.0},
            {"max_tokens": 9},
            {"order": "images_first"},
        )
    ]
    names = {one.fingerprint() for one in [base, *others]}
    assert len(names) == 8


def test_raw_replies_are_stored_as_any_journal_can_hold_them():
    with answering("hm\0 \ud83d", VIE) as (url, _):
        found = judged(url, mode="vie-2024", concurrency=1)
    semantic, quality = found.asked
    assert semantic.replies == ("hm\ufffd \ufffd", VIE)
    assert quality.replies == (VIE,)
    json.dumps(dataclasses.asdict(found), ensure_ascii=False).encode()
    with answering("x" * 30_000) as (url, _):
        found = judged(url, mode="gedit-qwen")
    assert [len(one.replies[0]) for one in found.asked] == [20_000, 20_000]
