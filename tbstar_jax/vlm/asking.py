"""Asks until an answer can be read and is acceptable; an answer is never made up."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from tbstar_jax.vlm.client import VlmClient
from tbstar_jax.vlm.cost import NO_USAGE, Usage
from tbstar_jax.vlm.json_reply import object_in
from tbstar_jax.vlm.messages import Message
from tbstar_jax.vlm.reply import Reply, Status, one_line
from tbstar_jax.vlm.schema import NotValidError, read_as, schema_of
from tbstar_jax.vlm.strict_json import NotJsonError

_Value = TypeVar("_Value")

_ASKED_AGAIN = ("unparsed", "out_of_range", "truncated")


class NotAnAnswerError(ValueError):
    """A text that is no answer to what was asked.

    Attributes:
      status: `unparsed`, `out_of_range` or `refused`.
    """

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer(Generic[_Value]):
    """What asking for a dataclass came to.

    Attributes:
      value: the answer; None unless the status is `ok`.
      status: of the last reply; `unparsed` when its JSON could not be read,
        `out_of_range` when it could but was not acceptable.
      detail: what was wrong with it.
      statuses: of all replies, in order.
      usage: tokens of all replies.
      model: as the server names it.
      replies: all of them, in order.
    """

    value: _Value | None
    status: Status
    detail: str
    statuses: tuple[Status, ...]
    usage: Usage
    model: str
    replies: tuple[Reply, ...]

    @property
    def is_transient(self) -> bool:
        """Whether the server, not the question, is why there is no answer."""
        return Reply(status=self.status).is_transient


def ask_for(
    client: VlmClient,
    cls: type[_Value],
    messages: Sequence[Message],
    *,
    check: Callable[[_Value], None],
    seed: int,
    num_asks: int,
) -> Answer[_Value]:
    """Asks for a JSON object of a dataclass's form.

    Args:
      client: whom to ask.
      cls: the dataclass (see `schema`).
      messages: the question; they say which JSON is wanted.
      check: raises `NotValidError` for an answer that is not acceptable.
      seed: of the first question; the i-th again, from 0, has `seed + i`.
      num_asks: how often at most, at least 1. Only answers that cannot be read, are
        not acceptable or were cut off are asked for again.
    """

    def read(text: str) -> _Value:
        try:
            value = read_as(cls, object_in(text))
        except (NotJsonError, NotValidError) as error:
            raise NotAnAnswerError("unparsed", str(error)) from error
        try:
            check(value)
        except NotValidError as error:
            raise NotAnAnswerError("out_of_range", str(error)) from error
        return value

    return ask_until_read(
        client, read, messages, schema=schema_of(cls), seed=seed, num_asks=num_asks
    )


def ask_until_read(
    client: VlmClient,
    read: Callable[[str], _Value],
    messages: Sequence[Message],
    *,
    schema: Mapping[str, Any] | None,
    seed: int,
    num_asks: int,
) -> Answer[_Value]:
    """Asks for a text that can be read.

    Args:
      client: whom to ask.
      read: raises `NotAnAnswerError` for a text that is no answer.
      messages: the question.
      schema: JSON schema of the answer; None for free text.
      seed: as for `ask_for`.
      num_asks: likewise.
    """
    assert num_asks >= 1
    replies: tuple[Reply, ...] = ()
    statuses: tuple[Status, ...] = ()
    usage = NO_USAGE
    value = None
    for index in range(num_asks):
        reply = client.ask(messages, seed + index, schema)
        status, detail = reply.status, reply.detail
        if status == "ok":
            try:
                value = read(reply.text)
            except NotAnAnswerError as error:
                status, detail = error.status, str(error)
        replies += (reply,)
        statuses += (status,)
        usage += reply.usage
        if status not in _ASKED_AGAIN:
            break
    return Answer(
        value=value,
        status=status,
        detail=one_line(detail),
        statuses=statuses,
        usage=usage,
        model=reply.model,
        replies=replies,
    )
