"""Who writes the request of an edit: rules, or a vision-language model."""

import dataclasses
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tbstar_jax.array_types import UInt8
from tbstar_jax.data_engine.construct.auxiliary import Auxiliary
from tbstar_jax.data_engine.construct.instruct import (
    InstructConfig,
    ask_for_fine_texts,
    ask_for_request,
    request_of,
)
from tbstar_jax.data_engine.construct.instruct_checks import Draft, FineTexts
from tbstar_jax.data_engine.construct.protocol import CannotEdit, EditRequest
from tbstar_jax.data_engine.construct.rules import rule_request
from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.errors import UserError
from tbstar_jax.vlm.asking import Answer
from tbstar_jax.vlm.client import VlmClient


@dataclasses.dataclass(frozen=True, kw_only=True)
class Written:
    """A request before it is fulfilled.

    Attributes:
      request: for the expert.
      facts: what it states.
      answer: the model's; None where a rule wrote it.
    """

    request: EditRequest
    facts: Facts
    answer: Answer[Draft] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fine:
    """A request after it was fulfilled.

    Attributes:
      en: finer wordings in English; none by rule, or where the model failed.
      zh: the same in Chinese.
      status: `ok`, or why the model gave none.
      vlm: what asking came to and cost; None by rule.
    """

    en: tuple[str, ...]
    zh: tuple[str, ...]
    status: str
    vlm: dict[str, Any] | None

    def notes(self) -> dict[str, Any]:
        """What a record notes of it."""
        return {} if self.vlm is None else {"vlm": self.vlm}


@runtime_checkable
class Writer(Protocol):
    """Writes requests; thread-safe."""

    def write(
        self,
        photo: UInt8[np.ndarray, "h w 3"],
        task: str,
        auxiliary: Auxiliary,
        rng: np.random.Generator,
    ) -> Written:
        """Writes the request, or raises `CannotEdit`: this photo has none."""

    def rewrite(
        self,
        photo: UInt8[np.ndarray, "h w 3"],
        edited: UInt8[np.ndarray, "h w 3"],
        written: Written,
        rng: np.random.Generator,
    ) -> Fine:
        """Says the request finely from both images."""


class RuleWriter:
    """Rules alone."""

    def write(
        self,
        photo: UInt8[np.ndarray, "h w 3"],
        task: str,
        auxiliary: Auxiliary,
        rng: np.random.Generator,
    ) -> Written:
        """Writes what the auxiliary information supports."""
        request, facts = rule_request(task, auxiliary, rng)
        return Written(request=request, facts=facts, answer=None)

    def rewrite(
        self,
        photo: UInt8[np.ndarray, "h w 3"],
        edited: UInt8[np.ndarray, "h w 3"],
        written: Written,
        rng: np.random.Generator,
    ) -> Fine:
        """Leaves the request as it is: rules do not see images."""
        return Fine(en=(), zh=(), status="ok", vlm=None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelWriter:
    """A vision-language model, its answers checked.

    Attributes:
      client: the model.
      config: how it is asked.
    """

    client: VlmClient
    config: InstructConfig

    def write(
        self,
        photo: UInt8[np.ndarray, "h w 3"],
        task: str,
        auxiliary: Auxiliary,
        rng: np.random.Generator,
    ) -> Written:
        """Asks for a request of this task.

        Raises:
          CannotEdit: the model says that the photo does not allow it, declines, or
            gives no acceptable answer.
          UserError: the server gives none at all.
        """
        answer = ask_for_request(
            self.client, photo, task, auxiliary, self.config, _seed(rng)
        )
        self._require_server(answer)
        draft = answer.value
        if draft is None:
            raise CannotEdit(f"the model's answer is {answer.status}: {answer.detail}")
        if not draft.is_possible:
            raise CannotEdit("the model says that the photo does not allow it")
        height, width = photo.shape[:2]
        request, facts = request_of(draft, task, auxiliary, height, width)
        return Written(request=request, facts=facts, answer=answer)

    def rewrite(
        self,
        photo: UInt8[np.ndarray, "h w 3"],
        edited: UInt8[np.ndarray, "h w 3"],
        written: Written,
        rng: np.random.Generator,
    ) -> Fine:
        """Asks for the finer wording.

        Raises:
          UserError: the server gives no answer at all.
        """
        assert written.answer is not None
        answer = ask_for_fine_texts(
            self.client,
            photo,
            edited,
            written.request,
            written.facts.brands,
            self.config,
            _seed(rng),
        )
        self._require_server(answer)
        texts = answer.value or FineTexts(en=(), zh=())
        usage = written.answer.usage + answer.usage
        prices = self.client.config.prices
        return Fine(
            en=texts.en,
            zh=texts.zh,
            status=answer.status,
            # As first paid: a record must not depend on what was in the cache.
            vlm={
                "model": self.client.config.model,
                "served_model": answer.model,
                "request_statuses": list(written.answer.statuses),
                "fine_statuses": list(answer.statuses),
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cost": prices.cost(usage),
                "currency": prices.currency,
            },
        )

    def _require_server(self, answer: Answer[Any]) -> None:
        if answer.is_transient:
            raise UserError(
                f"the vision-language model {self.client.config.model!r} gives no "
                f"answer ({answer.status}: {answer.detail}); check the server and run "
                "again: what it has answered is read from the cache"
            )


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
