"""One picture judged, in any mode but `pairwise`."""

import hashlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge import viescore
from tbstar_jax.evaluation.judge.config import JudgeConfig
from tbstar_jax.evaluation.judge.item import Item, content_of
from tbstar_jax.evaluation.judge.judgement import (
    Asked,
    Judgement,
    JudgementStatus,
    Vote,
    asked_of,
    cost_of,
)
from tbstar_jax.evaluation.judge.modes import VIE_MODES
from tbstar_jax.evaluation.judge.questions import Question, questions_of
from tbstar_jax.vlm.asking import ask_until_read
from tbstar_jax.vlm.client import VlmClient
from tbstar_jax.vlm.cost import Totals
from tbstar_jax.vlm.exchange import ExchangeError, require_listener


class Judge:
    """A judge, asked from many threads; opened once per process."""

    def __init__(self, config: JudgeConfig) -> None:
        """Reads the key and the words of the questions.

        Raises:
          UserError: the key's environment variable is empty, or words are missing.
        """
        self.config = config
        self.settings = config.settings()
        self.rubric = config.rubric()
        self.fingerprint = config.fingerprint()
        self.label = config.label()
        self._client = VlmClient(config.vlm(), must_be_up=True)

    def __str__(self) -> str:
        """Model, requests, tokens and cost so far, for a log."""
        return str(self._client)

    @property
    def totals(self) -> Totals:
        """Requests, tokens and money so far."""
        return self._client.totals

    @property
    def unreachable(self) -> str | None:
        """One sentence where no connection to the server was ever made (`Server`)."""
        return self._client.unreachable

    def require_there(self, journal: Path | None = None) -> None:
        """Checks that somebody listens, where the server will surely be asked.

        Args:
          journal: which may hold all that is wanted, if it holds anything.

        Raises:
          UserError: nobody does.
        """
        is_kept = (
            journal is not None and journal.exists() and journal.stat().st_size > 0
        )
        if self.config.replay or self.config.cache is not None or is_kept:
            return
        server = self.config.vlm().server
        try:
            require_listener(server.base_url, server.connect_timeout_s)
        except ExchangeError as error:
            raise UserError(
                f"the judge cannot be asked: nothing answers at {server.base_url} "
                f"({error}); start the server, or correct base_url in the judge's file"
            ) from error

    @property
    def is_unstructured(self) -> bool:
        """Whether the server was found to support no structured output."""
        return self._client.lacks_response_format

    def forgo_structure(self) -> None:
        """Asks without structured output from now on, as is known of the server."""
        self._client.forgo_response_format()

    def judge(
        self, system: str, item: Item, answer: UInt8[np.ndarray, "h w 3"] | None
    ) -> Judgement:
        """Judges an edit; whatever the server does, the result says so.

        Args:
          system: who made it.
          item: the request.
          answer: the edit; None where there is none: then nobody is asked.

        Raises:
          UserError: the mode is `pairwise`, or cannot judge this item.
        """
        if self.config.mode == "pairwise":
            raise UserError("mode pairwise judges two pictures: use its own command")
        votes: tuple[Vote, ...] = ()
        status: JudgementStatus = "missing"
        detail = "there is no picture"
        if answer is not None:
            questions = questions_of(
                self.config.mode, item, answer, self.rubric, self.settings
            )
            votes = tuple(
                Vote(asked=tuple(self.ask(one, vote) for one in questions))
                for vote in range(self.config.votes)
            )
            status, detail = outcome_of(votes)
        return self._judgement(system, item, answer, votes, status, detail)

    def ask(self, question: Question, vote: int) -> Asked:
        """Asks a question until its answer can be read.

        Args:
          question: what is asked.
          vote: from 0; each has seeds of its own.
        """
        num_asks = self.settings.re_asks + 1
        answer = ask_until_read(
            self._client,
            question.read,
            question.messages,
            schema=question.schema,
            seed=self.settings.seed + vote * num_asks,
            num_asks=num_asks,
        )
        text = answer.replies[-1].text
        # Half a surrogate pair is no UTF-8, and a reply may hold one.
        sha256 = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        return asked_of(question, answer, sha256)

    def _judgement(
        self,
        system: str,
        item: Item,
        answer: UInt8[np.ndarray, "h w 3"] | None,
        votes: tuple[Vote, ...],
        status: JudgementStatus,
        detail: str,
    ) -> Judgement:
        overall = [vote.overall(self.config.mode) for vote in votes]
        scores = [score for score in overall if score is not None]
        is_ok = status == "ok"
        is_vie = is_ok and self.config.mode in VIE_MODES
        asked = tuple(one for vote in votes for one in vote.asked)
        served = [one.model for one in asked if one.model]
        return Judgement(
            system=system,
            prompt=item.prompt,
            case=item.case,
            task=item.task,
            language=item.language,
            mode=self.config.mode,
            label=self.label,
            judge=self.fingerprint,
            model=served[0] if served else self.config.model,
            is_mock=False,
            content=content_of(item, (answer,)),
            status=status,
            detail=detail,
            votes=votes,
            overall=_mean(scores) if is_ok else None,
            semantic=_mean_reduced(votes, "sc") if is_vie else None,
            quality=_mean_reduced(votes, "pq") if is_vie else None,
            overall_range=max(scores) - min(scores) if is_ok else None,
            cost=cost_of(asked, self.config.prices),
            currency=self.config.prices.currency if self.config.prices else None,
        )


def outcome_of(votes: tuple[Vote, ...]) -> tuple[JudgementStatus, str]:
    """Status and detail of the first question that was not answered; else `ok`."""
    for vote in votes:
        for one in vote.asked:
            if one.status != "ok":
                return one.status, f"{one.part}: {one.detail}"
    return "ok", ""


def _mean_reduced(votes: tuple[Vote, ...], part: str) -> float:
    lists = [one.scores for vote in votes for one in vote.asked if one.part == part]
    return _mean([viescore.reduced(scores) for scores in lists])


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
