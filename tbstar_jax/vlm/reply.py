"""What came back from a vision-language model, with a status for all that can happen.

    ok            a text
    truncated     a text that hit the limit of tokens; it is kept but not an answer
    refused       the model declined
    filtered      the service's content filter stopped the question or the answer
    unparsed      an empty answer, or one that nobody can read
    out_of_range  an answer that can be read but is not acceptable
    bad_request   the server does not accept this question (400, 413, 415, 422)
    rate_limited  still 429 after the retries
    timeout       no full reply in time, after the retries
    http_error    any other HTTP status (redirects too), no usable reply, or one of
                  status 200 that is no chat completion, e.g. a proxy's page
    not_cached    only the cache may be asked, and it holds no answer

The first four are final: the same question gets the same again, so they are cached. The
last four say nothing about the question, and `is_transient` of them is true.
"""

import dataclasses
from typing import Any, Literal, get_args

from tbstar_jax.vlm.cost import NO_USAGE, Usage
from tbstar_jax.vlm.exchange import HttpReply
from tbstar_jax.vlm.server import Answered
from tbstar_jax.vlm.strict_json import NotJsonError, read_json

Status = Literal[
    "ok",
    "truncated",
    "refused",
    "filtered",
    "unparsed",
    "out_of_range",
    "bad_request",
    "rate_limited",
    "timeout",
    "http_error",
    "not_cached",
]

_TRANSIENT = ("rate_limited", "timeout", "http_error", "not_cached")
_CACHED = ("ok", "truncated", "refused", "filtered")
_REJECTED = (400, 413, 415, 422)
_FILTER_CODES = (
    "content_filter",
    "content_policy_violation",
    "moderation_blocked",
    "data_inspection_failed",
)
_MAX_DETAIL = 300
_MAX_TOKENS = 10**9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reply:
    """One reply.

    Attributes:
      status: see the module.
      text: what the model said; empty unless `ok`, `truncated` or `refused`.
      detail: one line about what went wrong; never holds the key.
      model: the model as the server names it; empty where it does not.
      usage: tokens, as counted when the reply was made, cached or not.
      num_requests: sent for this reply; 0 when it came from the cache.
      key: SHA-256 that names the question in the cache.
    """

    status: Status
    text: str = ""
    detail: str = ""
    model: str = ""
    usage: Usage = NO_USAGE
    num_requests: int = 0
    key: str = ""

    @property
    def is_from_cache(self) -> bool:
        """Whether no request was sent for it."""
        return self.num_requests == 0 and self.status != "not_cached"

    @property
    def is_transient(self) -> bool:
        """Whether it says nothing about the question, only about the server."""
        return self.status in _TRANSIENT

    @property
    def may_be_cached(self) -> bool:
        """Whether the same question deserves no other request."""
        return self.status in _CACHED

    def to_stored(self) -> dict[str, Any]:
        """What the cache holds."""
        return {
            "status": self.status,
            "text": self.text,
            "detail": self.detail,
            "model": self.model,
            "input_tokens": self.usage.input_tokens,
            "output_tokens": self.usage.output_tokens,
        }


def reply_from_stored(stored: dict[str, Any]) -> Reply | None:
    """Reads `to_stored`'s result; None where somebody changed it."""
    texts = [stored.get(name) for name in ("text", "detail", "model")]
    if stored.get("status") not in get_args(Status):
        return None
    if not all(isinstance(text, str) for text in texts):
        return None
    return Reply(
        status=stored["status"],
        text=stored["text"],
        detail=stored["detail"],
        model=stored["model"],
        usage=Usage(
            input_tokens=_count(stored.get("input_tokens")),
            output_tokens=_count(stored.get("output_tokens")),
        ),
    )


def read_answer(answered: Answered) -> Reply:
    """Reads what a chat-completions endpoint answered.

    Args:
      answered: the server's last word.
    """
    if answered.reply is None:
        assert answered.error is not None
        reply = Reply(
            status="timeout" if answered.error.kind == "timeout" else "http_error",
            detail=one_line(str(answered.error)),
        )
    elif answered.reply.status == 200:
        reply = _read_completion(answered.reply.body)
    else:
        reply = _read_error(answered.reply)
    return dataclasses.replace(reply, num_requests=answered.num_requests)


def _read_error(reply: HttpReply) -> Reply:
    excerpt = reply.body[: 4 * _MAX_DETAIL].decode("utf-8", "replace")
    detail = one_line(f"HTTP {reply.status}: {excerpt}")
    if reply.status == 429:
        return Reply(status="rate_limited", detail=detail)
    if reply.status not in _REJECTED:
        return Reply(status="http_error", detail=detail)
    is_filtered = _error_code(reply.body) in _FILTER_CODES
    return Reply(status="filtered" if is_filtered else "bad_request", detail=detail)


def _error_code(body: bytes) -> str:
    try:
        value = read_json(body)
    except NotJsonError:
        return ""
    error = value.get("error") if isinstance(value, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else ""


def _read_completion(body: bytes) -> Reply:
    try:
        value = read_json(body)
    except NotJsonError as error:
        return Reply(status="http_error", detail=one_line(f"no completion: {error}"))
    choice = _first_choice(value)
    message = choice.get("message") if choice else None
    if choice is None or not isinstance(message, dict):
        return Reply(
            status="http_error", detail="the reply has no choice with a message"
        )
    reply = Reply(
        status="ok",
        text=_text(message.get("content")),
        model=_short_text(value.get("model")),
        usage=_usage(value.get("usage")),
    )
    finish = choice.get("finish_reason")
    refusal = message.get("refusal")
    if finish == "content_filter":
        return dataclasses.replace(reply, status="filtered", text="")
    if isinstance(refusal, str) and refusal.strip():
        return dataclasses.replace(reply, status="refused", text=refusal)
    if finish == "length":
        return dataclasses.replace(reply, status="truncated")
    if not reply.text.strip():
        return dataclasses.replace(
            reply, status="unparsed", text="", detail="the reply is empty"
        )
    return reply


def _first_choice(value: Any) -> dict[str, Any] | None:
    choices = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(choices, list) or not choices:
        return None
    return choices[0] if isinstance(choices[0], dict) else None


def _text(content: Any) -> str:
    """A message's text: itself, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _usage(value: Any) -> Usage:
    usage = value if isinstance(value, dict) else {}
    return Usage(
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
    )


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= _MAX_TOKENS else 0


def _short_text(value: Any) -> str:
    return one_line(value) if isinstance(value, str) else ""


def one_line(text: str) -> str:
    """A text as one short printable line."""
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    return " ".join(words)[:_MAX_DETAIL]
