"""Asking again, at another seed, until an answer is acceptable: or saying why not."""

import dataclasses

import pytest

from tbstar_jax.vlm.asking import NotAnAnswerError, ask_for, ask_until_read
from tbstar_jax.vlm.client import VlmClient, VlmConfig
from tbstar_jax.vlm.cost import Prices, Usage
from tbstar_jax.vlm.messages import Message
from tbstar_jax.vlm.schema import NotValidError
from tbstar_jax.vlm.server import ServerConfig
from tests.support.loopback import Answer, completion, serving


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    score: int


def in_range(value):
    if not 0 <= value.score <= 10:
        raise NotValidError(f"score is {value.score}")


def asked(bodies, num_asks=4):
    """Asks a server that answers with these bodies, the last one for ever."""

    def answer(_, index):
        body = bodies[min(index, len(bodies) - 1)]
        return body if isinstance(body, Answer) else Answer(body=body)

    with serving(answer) as (url, server):
        config = VlmConfig(
            server=ServerConfig(base_url=url, num_retries=0),
            model="judge",
            prices=Prices(
                input_per_million=0.0, output_per_million=0.0, currency="USD"
            ),
        )
        found = ask_for(
            VlmClient(config),
            Score,
            (Message(role="user", parts=("Score?",)),),
            check=in_range,
            seed=40,
            num_asks=num_asks,
        )
    return found, [request.json()["seed"] for request in server.requests]


def test_an_acceptable_answer_ends_it():
    answer, seeds = asked([completion('{"score": 7}')])
    assert answer.value == Score(score=7)
    assert (answer.status, answer.statuses, seeds) == ("ok", ("ok",), [40])


def test_it_asks_again_at_the_next_seed_and_sums_the_tokens():
    answer, seeds = asked(
        [
            completion("seven"),
            completion('{"score": 11}'),
            completion('{"sco', finish="length"),
            completion('{"score": 7}'),
        ]
    )
    assert answer.value == Score(score=7)
    assert answer.statuses == ("unparsed", "out_of_range", "truncated", "ok")
    assert seeds == [40, 41, 42, 43]
    assert answer.usage == Usage(input_tokens=400, output_tokens=40)


@pytest.mark.parametrize(
    ("body", "status", "num_asks"),
    [
        (completion("seven"), "unparsed", 3),
        (completion('{"score": "7"}'), "unparsed", 3),
        (completion('{"score": 11}'), "out_of_range", 3),
        (completion("{}", finish="length"), "truncated", 3),
        (completion(None, refusal="no"), "refused", 1),
        (Answer(status=429), "rate_limited", 1),
        (Answer(status=500), "http_error", 1),
    ],
)
def test_it_never_makes_an_answer_up(body, status, num_asks):
    answer, seeds = asked([body], num_asks=3)
    assert answer.value is None
    assert answer.status == status
    assert len(seeds) == num_asks
    assert answer.is_transient == (status in ("rate_limited", "http_error"))


def test_free_text_is_asked_for_until_it_can_be_read():
    def read(text):
        if not text.isdigit():
            raise NotAnAnswerError("refused" if text == "no" else "unparsed", text)
        return int(text)

    with serving(
        lambda _, index: Answer(body=completion(["hm", "7", "no"][min(index, 2)]))
    ) as (url, server):
        client = VlmClient(
            VlmConfig(
                server=ServerConfig(base_url=url),
                model="judge",
                prices=Prices(
                    input_per_million=0.0, output_per_million=0.0, currency="USD"
                ),
            )
        )
        messages = (Message(role="user", parts=("Score?",)),)
        answers = [
            ask_until_read(client, read, messages, schema=None, seed=0, num_asks=3)
            for _ in range(2)
        ]
    assert [answer.value for answer in answers] == [7, None]
    assert [answer.statuses for answer in answers] == [("unparsed", "ok"), ("refused",)]
    assert [reply.text for reply in answers[0].replies] == ["hm", "7"]
    assert len(server.requests) == 3
