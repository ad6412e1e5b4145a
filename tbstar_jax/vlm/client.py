"""Asks a vision-language model over the OpenAI-compatible chat-completions protocol."""

import dataclasses
import json
import math
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
      structured: how JSON is asked for: `schema` and `object` where the server
        supports the protocol's response formats, `prompt` by words alone.
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

    def __init__(self, config: VlmConfig) -> None:
        """Reads the key, unless only the cache is asked.

        Raises:
          UserError: the key's environment variable is empty.
        """
        self.config = config
        self._server = None if config.replay_only else Server(config.server)
        self._cache = ReplyCache(config.cache) if config.cache else None
        self._counter = CostCounter(config.prices)

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
        parameters = self._parameters(schema)
        if self.config.sends_seed:
            parameters["seed"] = seed
        question = {
            **parameters,
            "messages": [message.to_key() for message in messages],
        }
        if not self.config.sends_seed:
            question["sample"] = seed
        reply = self._answered(question, parameters, messages)
        return dataclasses.replace(reply, key=request_key(question))

    def _answered(
        self,
        question: Mapping[str, Any],
        parameters: Mapping[str, Any],
        messages: Sequence[Message],
    ) -> Reply:
        """From the cache, else from the server."""
        stored = self._stored(question)
        if stored is not None:
            self._counter.add_from_cache()
            return stored
        if self._server is None:
            return Reply(status="not_cached", detail="the cache holds no answer")
        body = {**parameters, "messages": [message.to_wire() for message in messages]}
        answered = self._server.ask(
            _PATH,
            json.dumps(body, ensure_ascii=True).encode(),
            {"Content-Type": "application/json", "Accept": "application/json"},
        )
        reply = read_answer(answered)
        self._counter.add_reply(reply.num_requests, reply.usage)
        return self._kept(question, reply)

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

    def _parameters(self, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        parameters: dict[str, Any] = {
            "model": self.config.model,
            self.config.max_tokens_field: self.config.max_output_tokens,
        }
        if self.config.temperature is not None:
            parameters["temperature"] = self.config.temperature
        if schema is not None and self.config.structured == "object":
            parameters["response_format"] = {"type": "json_object"}
        if schema is not None and self.config.structured == "schema":
            parameters["response_format"] = {
                "type": "json_schema",
                "json_schema": {
                    "name": "answer",
                    "strict": True,
                    "schema": dict(schema),
                },
            }
        return parameters
