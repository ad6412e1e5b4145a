"""Asks until an answer can be read and is acceptable; an answer is never made up."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from tbstar_jax.vlm.client import VlmClient
from tbstar_jax.vlm.cost import NO_USAGE, Usage
from tbstar_jax.vlm.json_reply import object_in
from tbstar_jax.vlm.messages import Message
from tbstar_jax.vlm.reply import Reply, Status, one_line
from tbstar_jax.vlm.schema import NotValidError, read_as, schema_of
from tbstar_jax.vlm.strict_json import NotJsonError

_Value = TypeVar("_Value")

_ASKED_AGAIN = ("unparsed", "out_of_range", "truncated")


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
    """

    value: _Value | None
    status: Status
    detail: str
    statuses: tuple[Status, ...]
    usage: Usage
    model: str

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
    assert num_asks >= 1
    statuses: tuple[Status, ...] = ()
    usage = NO_USAGE
    for index in range(num_asks):
        reply = client.ask(messages, seed + index, schema_of(cls))
        answer = _read(reply, cls, check)
        statuses += answer.statuses
        usage += answer.usage
        if answer.status not in _ASKED_AGAIN:
            break
    return dataclasses.replace(answer, statuses=statuses, usage=usage)


def _read(
    reply: Reply, cls: type[_Value], check: Callable[[_Value], None]
) -> Answer[_Value]:
    value, status, detail = None, reply.status, reply.detail
    if status == "ok":
        try:
            value = read_as(cls, object_in(reply.text))
            check(value)
        except NotJsonError as error:
            status, detail = "unparsed", str(error)
        except NotValidError as error:
            status = "unparsed" if value is None else "out_of_range"
            detail = str(error)
    return Answer(
        value=value if status == "ok" else None,
        status=status,
        detail=one_line(detail),
        statuses=(status,),
        usage=reply.usage,
        model=reply.model,
    )
