"""The client against a loopback server that does everything a server can do wrong."""

import concurrent.futures
import gzip
import json
import logging
import subprocess
import sys

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.vlm.client import VlmClient, VlmConfig
from tbstar_jax.vlm.cost import Prices, Usage
from tbstar_jax.vlm.messages import ImagePart, Message
from tbstar_jax.vlm.server import ServerConfig
from tests.support.loopback import Answer, completion, elapsed, serving

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
JPEG = b"\xff\xd8\xff" + b"pixels"
SECRET = "sk-0123456789-secret"
MESSAGES = (
    Message(role="system", parts=("You judge.",)),
    Message(role="user", parts=("How good is this?", ImagePart(data=PNG))),
)


def config(url, cache=None, **options):
    server = {
        "connect_timeout_s": 1.0,
        "reply_timeout_s": 5.0,
        "max_reply_bytes": 100_000,
        "num_retries": 2,
        "first_wait_s": 0.01,
        "max_wait_s": 3.0,
        "max_concurrency": 4,
        "requests_per_minute": 60_000.0,
    }
    server |= {k: v for k, v in options.items() if k in ServerConfig.__annotations__}
    return VlmConfig(
        server=ServerConfig(base_url=url, **server),
        model="judge",
        prices=Prices(input_per_million=2.0, output_per_million=10.0, currency="USD"),
        cache=cache,
        **{k: v for k, v in options.items() if k not in server},
    )


def ask(url, seed=0, **options):
    return VlmClient(config(url, **options)).ask(MESSAGES, seed, None)


def test_an_answer_comes_with_its_tokens_and_model():
    with serving(Answer(body=completion("Good."))) as (url, _server):
        reply = ask(url)
    assert (reply.status, reply.text) == ("ok", "Good.")
    assert reply.usage == Usage(input_tokens=100, output_tokens=10)
    assert (reply.model, reply.num_requests) == ("judge-2026-11-01", 1)
    assert not reply.is_from_cache


def test_the_request_is_a_chat_completion_with_images_as_data_urls():
    with serving(Answer(body=completion("Good."))) as (url, server):
        ask(url, seed=7)
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.json() == {
        "model": "judge",
        "max_tokens": 1024,
        "temperature": 0.0,
        "seed": 7,
        "messages": [
            {"role": "system", "content": "You judge."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "How good is this?"},
                    {
                        "type": "image_url",
                        "image_url": {
                            "url": "data:image/png;base64,iVBORw0KGgpwaXhlbHM="
                        },
                    },
                ],
            },
        ],
    }
    assert "authorization" not in request.headers


def test_reasoning_models_are_asked_in_their_own_words():
    options = {"max_tokens_field": "max_completion_tokens", "temperature": None}
    with serving(Answer(body=completion("Good."))) as (url, server):
        ask(url, **options)
    sent = server.requests[0].json()
    assert sent["max_completion_tokens"] == 1024
    assert not {"max_tokens", "temperature"} & sent.keys()


@pytest.mark.parametrize(
    ("structured", "expected"),
    [
        ("prompt", None),
        ("object", {"type": "json_object"}),
        (
            "schema",
            {
                "type": "json_schema",
                "json_schema": {
                    "name": "answer",
                    "strict": True,
                    "schema": {"type": "object"},
                },
            },
        ),
    ],
)
def test_json_is_asked_for_as_the_server_supports_it(structured, expected):
    with serving(Answer(body=completion("{}"))) as (url, server):
        client = VlmClient(config(url, structured=structured))
        client.ask(MESSAGES, 0, {"type": "object"})
    assert server.requests[0].json().get("response_format") == expected


@pytest.mark.parametrize(
    ("answer", "status", "num_requests"),
    [
        (Answer(status=429), "rate_limited", 3),
        (Answer(status=500), "http_error", 3),
        (Answer(status=503), "http_error", 3),
        (Answer(status=401), "http_error", 1),
        (Answer(status=404), "http_error", 1),
        (Answer(status=400, body=b'{"error": {"code": 7}}'), "bad_request", 1),
        (Answer(status=413), "bad_request", 1),
        (
            Answer(status=400, body=b'{"error": {"code": "content_filter"}}'),
            "filtered",
            1,
        ),
        (Answer(body=completion("", finish="content_filter")), "filtered", 1),
        (Answer(body=completion(None, refusal="I cannot.")), "refused", 1),
        (Answer(body=completion('{"score": 1', finish="length")), "truncated", 1),
        (Answer(body=completion(None)), "unparsed", 1),
        (Answer(body=completion(" \n")), "unparsed", 1),
        (Answer(body=completion("Good.")[:-9]), "http_error", 1),
        (Answer(body=b""), "http_error", 1),
        (Answer(body=b"<html>busy</html>"), "http_error", 1),
        (Answer(body=b"[]"), "http_error", 1),
        (Answer(body=b'{"choices": []}'), "http_error", 1),
        (Answer(body=b'{"choices": {"0": 1}}'), "http_error", 1),
        (Answer(body=b'{"choices": [7]}'), "http_error", 1),
        (Answer(body=b'{"choices": [{"message": "hi"}]}'), "http_error", 1),
        (Answer(body=b'{"choices": [{"message": {"content": 3}}]}'), "unparsed", 1),
        (Answer(body=b'{"usage": NaN, "choices": []}'), "http_error", 1),
        (Answer(body=b"[" * 90_000), "http_error", 1),
        (Answer(body=b'{"a":' * 15_000 + b"1" + b"}" * 15_000), "http_error", 1),
        (Answer(body=b'{"a": ' + b"9" * 9_000 + b"}"), "http_error", 1),
        (Answer(body=b'"\xff\xfe\xfa"'), "http_error", 1),
        (Answer(body=b" " * 100_001), "http_error", 1),
        (Answer(body=b"x", declared=10**15), "http_error", 1),
        (Answer(body=completion("x" * 100_000), declared=-1), "http_error", 1),
        (Answer(body=completion("Good."), declared=100_000), "http_error", 3),
        (
            Answer(
                body=gzip.compress(b" " * 10**7), headers={"Content-Encoding": "gzip"}
            ),
            "http_error",
            1,
        ),
    ],
)
def test_every_failure_has_its_status_and_its_number_of_requests(
    answer, status, num_requests
):
    with serving(answer) as (url, server):
        reply = ask(url)
    assert reply.status == status
    assert reply.num_requests == len(server.requests) == num_requests
    assert status == "truncated" or status == "refused" or reply.text == ""


def test_odd_counts_of_tokens_are_not_believed():
    body = json.loads(completion("Good."))
    body["usage"] = {"prompt_tokens": "100", "completion_tokens": -3}
    with serving(Answer(body=json.dumps(body).encode())) as (url, _):
        assert ask(url).usage == Usage(input_tokens=0, output_tokens=0)


def test_a_text_in_parts_is_joined():
    parts = [{"type": "text", "text": "Go"}, {"type": "x"}, {"text": "od."}]
    with serving(Answer(body=completion(parts))) as (url, _):
        assert ask(url).text == "Good."


def test_a_failure_that_passes_leaves_no_trace_in_the_answer():
    def answer(_, index):
        return Answer(status=500) if index < 2 else Answer(body=completion("Good."))

    with serving(answer) as (url, _server):
        reply = ask(url)
    assert (reply.status, reply.num_requests) == ("ok", 3)


def test_the_wait_a_server_asks_for_is_kept():
    def answer(_, index):
        limited = Answer(status=429, headers={"Retry-After": "1"})
        return limited if index == 0 else Answer(body=completion("Good."))

    with serving(answer) as (url, _server):
        seconds, reply = elapsed(lambda: ask(url))
    assert reply.status == "ok"
    assert seconds >= 1.0


def test_a_server_that_asks_for_a_day_is_not_asked_again():
    answer = Answer(status=429, headers={"Retry-After": "86400"})
    with serving(answer) as (url, server):
        seconds, reply = elapsed(lambda: ask(url))
    assert reply.status == "rate_limited"
    assert len(server.requests) == 1
    assert seconds < 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=completion("Good."), wait_s=30.0),
        # Each byte in time, the whole never.
        Answer(body=completion("Good."), wait_s=0.05, part_bytes=1),
    ],
)
def test_a_hanging_server_and_a_dripping_one_both_time_out(answer):
    with serving(answer) as (url, server):
        seconds, reply = elapsed(lambda: ask(url, reply_timeout_s=0.3, num_retries=1))
    assert reply.status == "timeout"
    assert len(server.requests) == 2
    assert 0.6 <= seconds < 3


def test_nobody_listening_is_an_http_error():
    with serving(Answer()) as (url, _):
        pass
    reply = ask(url)
    assert (reply.status, reply.num_requests) == ("http_error", 3)


def test_a_redirect_is_not_followed(monkeypatch):
    monkeypatch.setenv("TEST_KEY", SECRET)
    with (
        serving(Answer(body=completion("Stolen."))) as (other, thief),
        serving(Answer(status=307, headers={"Location": other})) as (url, server),
    ):
        reply = ask(url, api_key_env="TEST_KEY")
    assert reply.status == "http_error"
    assert len(server.requests) == 1
    assert thief.requests == []


def test_the_key_is_sent_and_nowhere_else(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("TEST_KEY", SECRET)
    caplog.set_level(logging.DEBUG)

    def answer(_, index):
        echo = f"your key is {SECRET}"
        if index == 0:
            return Answer(status=401, body=echo.encode())
        return Answer(body=completion(echo))

    with serving(answer) as (url, server):
        made = config(url, cache=tmp_path, api_key_env="TEST_KEY")
        client = VlmClient(made)
        replies = [client.ask(MESSAGES, seed, None) for seed in range(2)]
    assert [reply.status for reply in replies] == ["http_error", "ok"]
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == [f"Bearer {SECRET}"] * 2
    stored = [path.read_text() for path in tmp_path.rglob("*.json")]
    assert len(stored) == 1
    seen = repr(replies) + repr(made) + caplog.text + "".join(stored)
    assert SECRET not in seen


@pytest.mark.parametrize("value", ["", "two words", "line\nbreak", "schlüssel"])
def test_a_missing_or_odd_key_is_refused_without_showing_it(monkeypatch, value):
    monkeypatch.setenv("TEST_KEY", value)
    with pytest.raises(UserError, match="TEST_KEY") as caught:
        VlmClient(config("http://127.0.0.1:9/v1", api_key_env="TEST_KEY"))
    assert not value or value not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://host/v1",
        "host/v1",
        "http://",
        "http://user:word@host/v1",
        "http://host:99999/v1",
        "http://host/v1\r\nX: y",
        "http://host/ v1",
        "http://host/v1?key=word",
    ],
)
def test_only_plain_web_addresses_are_accepted(url):
    with pytest.raises(UserError, match="base URL") as caught:
        config(url)
    assert "word" not in str(caught.value).replace("password", "")


def test_no_more_requests_are_in_flight_than_allowed():
    with serving(Answer(body=completion("Good."), wait_s=0.05)) as (url, server):
        client = VlmClient(config(url, max_concurrency=3))
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            seeds = range(12)
            replies = list(pool.map(lambda s: client.ask(MESSAGES, s, None), seeds))
    assert {reply.status for reply in replies} == {"ok"}
    assert len(server.requests) == 12
    assert server.most_at_once == 3


def test_requests_start_no_faster_than_allowed():
    with serving(Answer(body=completion("Good."))) as (url, server):
        client = VlmClient(
            config(url, max_concurrency=1, requests_per_minute=60 / 0.15)
        )
        seconds, _ = elapsed(
            lambda: [client.ask(MESSAGES, seed, None) for seed in range(4)]
        )
    assert len(server.requests) == 4
    assert seconds >= 3 * 0.15


def test_a_cached_question_sends_no_request_and_costs_nothing(tmp_path):
    with serving(Answer(body=completion("Good."))) as (url, server):
        client = VlmClient(config(url, cache=tmp_path))
        first = client.ask(MESSAGES, 0, None)
        second = client.ask(MESSAGES, 0, None)
    assert len(server.requests) == 1
    assert (first.is_from_cache, second.is_from_cache) == (False, True)
    assert (second.text, second.usage) == (first.text, first.usage)
    totals = client.totals
    assert (totals.num_requests, totals.num_from_cache) == (1, 1)
    assert totals.usage == Usage(input_tokens=100, output_tokens=10)
    assert totals.cost == pytest.approx((100 * 2 + 10 * 10) / 1e6)
    assert str(client) == (
        "judge: 1 requests, 1 answers from the cache, 100 tokens read, 10 written, "
        "0.0003 USD"
    )


def test_another_seed_image_text_or_model_is_another_question(tmp_path):
    other_image = (
        MESSAGES[0],
        Message(role="user", parts=(MESSAGES[1].parts[0], ImagePart(data=JPEG))),
    )
    other_text = (MESSAGES[0], Message(role="user", parts=("?", ImagePart(data=PNG))))
    with serving(Answer(body=completion("Good."))) as (url, server):
        client = VlmClient(config(url, cache=tmp_path))
        client.ask(MESSAGES, 0, None)
        client.ask(MESSAGES, 1, None)
        client.ask(other_image, 0, None)
        client.ask(other_text, 0, None)
        warm = VlmClient(config(url, cache=tmp_path, temperature=0.5))
        warm.ask(MESSAGES, 0, None)
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("answer", "is_asked_again"),
    [
        (Answer(body=completion(None, refusal="I cannot.")), False),
        (Answer(body=completion("", finish="content_filter")), False),
        (Answer(body=completion("Go", finish="length")), False),
        (Answer(status=500), True),
        (Answer(status=429), True),
        (Answer(status=400), True),
        (Answer(body=b"{"), True),
    ],
)
def test_only_what_is_about_the_question_is_cached(tmp_path, answer, is_asked_again):
    with serving(answer) as (url, server):
        client = VlmClient(config(url, cache=tmp_path, num_retries=0))
        statuses = [client.ask(MESSAGES, 0, None).status for _ in range(2)]
    assert statuses[0] == statuses[1]
    assert len(server.requests) == (2 if is_asked_again else 1)


def test_replay_answers_from_the_cache_alone_and_needs_no_key(tmp_path, monkeypatch):
    monkeypatch.delenv("TEST_KEY", raising=False)
    with serving(Answer(body=completion("Good."))) as (url, server):
        VlmClient(config(url, cache=tmp_path)).ask(MESSAGES, 0, None)
        replay = VlmClient(
            config(url, cache=tmp_path, replay_only=True, api_key_env="TEST_KEY")
        )
        assert replay.ask(MESSAGES, 0, None).text == "Good."
        missing = replay.ask(MESSAGES, 1, None)
    assert (missing.status, missing.num_requests) == ("not_cached", 0)
    assert not missing.is_from_cache
    assert len(server.requests) == 1
    with pytest.raises(UserError, match="replay_only"):
        config(url, replay_only=True)


_OTHER_PROCESS = """
import sys
from pathlib import Path
sys.path.insert(0, "")
from tests.vlm.test_client import MESSAGES, VlmClient, config
reply = VlmClient(config(sys.argv[1], cache=Path(sys.argv[2]))).ask(MESSAGES, 0, None)
print(reply.text, reply.num_requests)
"""


def test_two_processes_share_the_cache(tmp_path):
    def answer(_, index):
        return Answer(body=completion(f"Answer {index}."))

    with serving(answer) as (url, server):
        outputs = [
            subprocess.run(
                [sys.executable, "-c", _OTHER_PROCESS, url, str(tmp_path)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for _ in range(2)
        ]
        here = VlmClient(config(url, cache=tmp_path)).ask(MESSAGES, 0, None)
    assert outputs == ["Answer 0. 1\n", "Answer 0. 0\n"]
    assert (here.text, here.num_requests) == ("Answer 0.", 0)
    assert len(server.requests) == 1


def test_without_a_seed_sent_seeds_are_samples_of_one_question(tmp_path):
    with serving(Answer(body=completion("Good."))) as (url, server):
        client = VlmClient(config(url, cache=tmp_path, sends_seed=False))
        replies = [client.ask(MESSAGES, seed, None) for seed in (0, 1, 0)]
    assert len(server.requests) == 2
    assert all("seed" not in request.json() for request in server.requests)
    assert [reply.is_from_cache for reply in replies] == [False, False, True]


def test_a_reply_names_its_question_in_the_cache(tmp_path):
    with serving(Answer(body=completion("Good."))) as (url, _):
        client = VlmClient(config(url, cache=tmp_path))
        first, second = client.ask(MESSAGES, 0, None), client.ask(MESSAGES, 0, None)
    (stored,) = tmp_path.rglob("*.json")
    assert first.key == second.key == stored.stem
