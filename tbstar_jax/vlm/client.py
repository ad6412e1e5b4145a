"""Asks a vision-language model over the OpenAI-compatible chat-completions protocol."""

import dataclasses
import json
import logging
import math
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tbstar_jax.errors import UserError
from tbstar_jax.vlm.cache import ReplyCache, request_key
from tbstar_jax.vlm.cost import CostCounter, Prices, Totals
from tbstar_jax.vlm.messages import Message
from tbstar_jax.vlm.reply import Reply, read_answer, reply_from_stored
from tbstar_jax.vlm.server import Server, ServerConfig

_PATH = "/chat/completions"

_OF_THE_CALLER = (401, 403, 408, 425, 429)
"""Client errors that say nothing about what is asked."""

_FORMAT_WORDS = re.compile(
    r"response.?format|json.?(?:schema|object|mode)|structured|guided|grammar",
    re.IGNORECASE,
)
_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VlmConfig:
    """Which model is asked, where and how.

    Attributes:
      server: the endpoint. It is no part of the cache's key.
      model: as the server names it; a dated snapshot where there is one.
      prices: what its tokens cost.
      max_output_tokens: longest answer.
      max_tokens_field: what the server calls that limit; reasoning models accept only
        the longer name.
      temperature: 0 for the likeliest answer; None leaves it to the server, where a
        model accepts no other.
      sends_seed: whether the server is told the seed; without it, a seed only tells
        samples of one question apart in the cache.
      structured: how JSON is asked for: `schema` and `object` by the protocol's
        response formats, `prompt` by words alone; and so for the rest of the process
        where the server is found to accept a question only without the format.
      cache: directory of the replies; None keeps none.
      replay_only: answers come from the cache alone; no request is ever sent.
    """

    server: ServerConfig
    model: str
    prices: Prices
    max_output_tokens: int = 1024
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: float | None = 0.0
    sends_seed: bool = True
    structured: Literal["schema", "object", "prompt"] = "prompt"
    cache: Path | None = None
    replay_only: bool = False

    def __post_init__(self) -> None:
        if self.replay_only and self.cache is None:
            raise UserError("replay_only needs the directory of the replies in cache")
        if self.max_output_tokens < 1:
            raise UserError(
                f"max_output_tokens is {self.max_output_tokens}, but must be >= 1"
            )
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            raise UserError(f"temperature is {self.temperature}, but must be >= 0")

    def identity(self) -> dict[str, Any]:
        """What of this decides the answers: for a fingerprint."""
        return {
            "model": self.model,
            "max_output_tokens": self.max_output_tokens,
            "temperature": self.temperature,
            "sends_seed": self.sends_seed,
            "structured": self.structured,
        }


class VlmClient:
    """One model, asked from many threads; opened once per process."""

    def __init__(self, config: VlmConfig, *, must_be_up: bool = False) -> None:
        """Reads the key, unless only the cache is asked.

        Args:
          config: whom to ask.
          must_be_up: see `Server`.

        Raises:
          UserError: the key's environment variable is empty.
        """
        self.config = config
        self._server = None
        if not config.replay_only:
            self._server = Server(config.server, must_be_up=must_be_up)
        self._cache = ReplyCache(config.cache) if config.cache else None
        self._counter = CostCounter(config.prices)
        self._lock = threading.Lock()
        self._format: Literal["unknown", "accepted", "unsupported"] = "unknown"

    @property
    def unreachable(self) -> str | None:
        """As `Server.unreachable`."""
        return None if self._server is None else self._server.unreachable

    @property
    def lacks_response_format(self) -> bool:
        """Whether the server was found not to support `structured` as configured."""
        return self._format == "unsupported"

    def forgo_response_format(self) -> None:
        """Asks in words alone from now on, as is known of the server."""
        self._format = "unsupported"

    @property
    def totals(self) -> Totals:
        """Requests, tokens and money so far."""
        return self._counter.totals

    def __str__(self) -> str:
        """The model and the totals in one line, for a log."""
        return f"{self.config.model}: {self._counter}"

    def ask(
        self,
        messages: Sequence[Message],
        seed: int,
        schema: Mapping[str, Any] | None,
    ) -> Reply:
        """Asks once.

        Args:
          messages: the chat so far.
          seed: another seed is another question, for the cache and for servers that
            know seeds.
          schema: JSON schema of the answer; None for free text.

        Returns:
          A reply of any status; what a server does never raises.
        """
        wanted = None if schema is None else self._response_format(schema)
        if wanted is None or self._format == "unsupported":
            return self._ask(messages, seed, None)[0]
        reply, status = self._ask(messages, seed, wanted)
        if reply.status == "not_cached" and self._server is None:
            # Its server may have been asked without.
            return self._ask(messages, seed, None)[0]
        if status == 200:
            self._found_accepted()
        if not self._is_suspect(reply, status):
            return reply
        plain, plain_status = self._ask(messages, seed, None)
        if plain_status != 200 and not plain.is_from_cache:
            return reply  # of the format this says nothing
        self._found_unsupported(reply)
        return dataclasses.replace(
            plain, num_requests=plain.num_requests + reply.num_requests
        )

    def _is_suspect(self, reply: Reply, status: int | None) -> bool:
        """Whether the server may have minded the response format."""
        if status is None or not 400 <= status < 500 or status in _OF_THE_CALLER:
            return False
        if _FORMAT_WORDS.search(reply.detail):
            return True
        return reply.status == "bad_request" and self._format == "unknown"

    def _found_accepted(self) -> None:
        with self._lock:
            if self._format == "unknown":
                self._format = "accepted"

    def _found_unsupported(self, reply: Reply) -> None:
        with self._lock:
            if self._format == "unsupported":
                return
            self._format = "unsupported"
        _LOG.warning(
            "%s: the server rejects structured output (%s): %s is asked for JSON in "
            "words alone, and replies are read tolerantly",
            self.config.server.base_url,
            reply.detail,
            self.config.model,
        )

    def _ask(
        self,
        messages: Sequence[Message],
        seed: int,
        response_format: Mapping[str, Any] | None,
    ) -> tuple[Reply, int | None]:
        """Asks once; with the HTTP status, None where nothing came over the network."""
        parameters = self._parameters(response_format)
        if self.config.sends_seed:
            parameters["seed"] = seed
        question = {
            **parameters,
            "messages": [message.to_key() for message in messages],
        }
        if not self.config.sends_seed:
            question["sample"] = seed
        reply, status = self._answered(question, parameters, messages)
        return dataclasses.replace(reply, key=request_key(question)), status

    def _answered(
        self,
        question: Mapping[str, Any],
        parameters: Mapping[str, Any],
        messages: Sequence[Message],
    ) -> tuple[Reply, int | None]:
        """From the cache, else from the server."""
        stored = self._stored(question)
        if stored is not None:
            self._counter.add_from_cache()
            return stored, None
        if self._server is None:
            return Reply(status="not_cached", detail="the cache holds no answer"), None
        body = {**parameters, "messages": [message.to_wire() for message in messages]}
        answered = self._server.ask(
            _PATH,
            json.dumps(body, ensure_ascii=True).encode(),
            {"Content-Type": "application/json", "Accept": "application/json"},
        )
        reply = read_answer(answered)
        self._counter.add_reply(reply.num_requests, reply.usage)
        status = None if answered.reply is None else answered.reply.status
        return self._kept(question, reply), status

    def _stored(self, question: Mapping[str, Any]) -> Reply | None:
        stored = self._cache.get(question) if self._cache else None
        return reply_from_stored(stored) if stored is not None else None

    def _kept(self, question: Mapping[str, Any], reply: Reply) -> Reply:
        """The reply after it was cached: the first answer, if another came first."""
        if self._cache is None or not reply.may_be_cached:
            return reply
        first = reply_from_stored(self._cache.put(question, reply.to_stored()))
        assert first is not None, "the cache holds what a client wrote"
        return dataclasses.replace(first, num_requests=reply.num_requests)

    def _parameters(self, response_format: Mapping[str, Any] | None) -> dict[str, Any]:
        parameters: dict[str, Any] = {
            "model": self.config.model,
            self.config.max_tokens_field: self.config.max_output_tokens,
        }
        if self.config.temperature is not None:
            parameters["temperature"] = self.config.temperature
        if response_format is not None:
            parameters["response_format"] = response_format
        return parameters

    def _response_format(self, schema: Mapping[str, Any]) -> dict[str, Any] | None:
        """How a JSON answer is asked for; None: by words alone."""
        if self.config.structured == "object":
            return {"type": "json_object"}
        if self.config.structured == "prompt":
            return None
        return {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": dict(schema)},
        }
