"""What a server lacks: structured output, or itself."""

import itertools
import logging
import socket

import pytest

from tbstar_jax.vlm.client import VlmClient
from tbstar_jax.vlm.server import MAX_REFUSALS
from tests.support.loopback import Answer, completion, elapsed, serving
from tests.vlm.test_client import MESSAGES, config

SCHEMA = {"type": "object"}
NAMED = Answer(
    status=400, body=b'{"error": {"message": "response_format is not supported"}}'
)


def unless_plain(rejection):
    """A server that rejects every request with a response format."""

    def answer(request, _):
        if "response_format" in request.json():
            return rejection
        return Answer(body=completion('{"plain": 1}'))

    return answer


def client_of(url, **options):
    return VlmClient(config(url, **{"structured": "schema", **options}))


def formats(server):
    """Which requests had a response format."""
    return ["response_format" in request.json() for request in server.requests]


@pytest.mark.parametrize(
    "rejection",
    [
        NAMED,
        Answer(status=422, body=b'{"detail": "json_schema: extra fields"}'),
        Answer(status=404, body=b"no response_format here"),
        Answer(status=400, body=b"bad request"),
    ],
)
@pytest.mark.parametrize("structured", ["schema", "object"])
def test_a_server_without_structured_output_is_asked_without(
    rejection, structured, caplog
):
    with serving(unless_plain(rejection)) as (url, server):
        client = client_of(url, structured=structured)
        with caplog.at_level(logging.WARNING):
            replies = [client.ask(MESSAGES, seed, SCHEMA) for seed in range(3)]
    assert [(one.status, one.text) for one in replies] == [("ok", '{"plain": 1}')] * 3
    assert formats(server) == [True, False, False, False]
    assert [one.num_requests for one in replies] == [2, 1, 1]
    assert client.lacks_response_format
    (told,) = caplog.messages
    assert "rejects structured output" in told


def test_a_server_with_structured_output_keeps_it(caplog):
    def answer(_, index):
        return Answer(status=413) if index == 1 else Answer(body=completion("{}"))

    with serving(answer) as (url, server):
        client = client_of(url)
        replies = [client.ask(MESSAGES, seed, SCHEMA) for seed in range(3)]
    assert [one.status for one in replies] == ["ok", "bad_request", "ok"]
    assert formats(server) == [True, True, True]
    assert not client.lacks_response_format
    assert caplog.messages == []


def test_what_is_rejected_either_way_is_not_blamed_on_the_format():
    rejections = itertools.repeat(Answer(status=400, body=b"too many images"))
    with serving(lambda *_: next(rejections)) as (url, server):
        client = client_of(url)
        replies = [client.ask(MESSAGES, seed, SCHEMA) for seed in range(3)]
    assert [one.status for one in replies] == ["bad_request"] * 3
    # It may yet be minded in the next question: none was answered with it.
    assert formats(server) == [True, False] * 3
    assert not client.lacks_response_format


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_key_a_limit_and_a_crash_say_nothing_of_the_format(status):
    body = b"response_format"
    with serving(unless_plain(Answer(status=status, body=body))) as (url, server):
        client = client_of(url, num_retries=0)
        assert client.ask(MESSAGES, 0, SCHEMA).status in ("http_error", "rate_limited")
    assert formats(server) == [True]


def test_free_text_has_no_format_to_be_rejected():
    with serving(NAMED) as (url, server):
        client = client_of(url)
        assert client.ask(MESSAGES, 0, None).status == "bad_request"
    assert formats(server) == [False]


def test_the_cache_tells_structured_answers_from_plain_ones(tmp_path):
    def structured(request, _):
        assert "response_format" in request.json()
        return Answer(body=completion('{"structured": 1}'))

    with serving(unless_plain(NAMED)) as (url, _):
        plain = client_of(url, cache=tmp_path).ask(MESSAGES, 0, SCHEMA)
    replayed = client_of(url, cache=tmp_path, replay_only=True)
    assert replayed.ask(MESSAGES, 0, SCHEMA).text == '{"plain": 1}'
    assert replayed.ask(MESSAGES, 1, SCHEMA).status == "not_cached"
    with serving(structured) as (url, server):
        better = client_of(url, cache=tmp_path).ask(MESSAGES, 0, SCHEMA)
    assert len(server.requests) == 1
    assert better.text == '{"structured": 1}'
    assert better.key != plain.key
    assert replayed.ask(MESSAGES, 0, SCHEMA).text == '{"structured": 1}'


@pytest.fixture
def nowhere():
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def test_a_server_that_must_be_up_is_given_up_at_once(nowhere):
    options = {"num_retries": 5, "first_wait_s": 30.0, "max_wait_s": 60.0}
    client = VlmClient(config(nowhere, **options), must_be_up=True)
    seconds, replies = elapsed(
        lambda: [client.ask(MESSAGES, seed, None) for seed in range(MAX_REFUSALS + 2)]
    )
    assert seconds < 5
    assert [one.num_requests for one in replies] == [1] * MAX_REFUSALS + [0, 0]
    assert {one.status for one in replies} == {"http_error"}
    assert f"nothing answers at {nowhere} (connection refused" in client.unreachable


def test_one_that_may_start_late_is_waited_for(nowhere):
    client = VlmClient(config(nowhere, num_retries=2))
    replies = [client.ask(MESSAGES, seed, None) for seed in range(MAX_REFUSALS + 1)]
    assert {one.num_requests for one in replies} == {3}
    assert client.unreachable is None


def test_a_server_that_dies_is_waited_for():
    with serving(Answer(body=completion("Good."))) as (url, _):
        client = VlmClient(config(url, num_retries=2), must_be_up=True)
        assert client.ask(MESSAGES, 0, None).status == "ok"
    replies = [client.ask(MESSAGES, seed, None) for seed in range(MAX_REFUSALS + 1)]
    assert [one.num_requests for one in replies] == [3] * (MAX_REFUSALS + 1)
    assert client.unreachable is None
