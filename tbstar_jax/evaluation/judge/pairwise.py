"""Two edits of one photo compared, in both orders.

A judge that names the same edit in both orders has decided; one that does not has been
swayed by the order: that is a tie, and counted as inconsistent.
"""

import dataclasses
from collections.abc import Iterable
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.item import Item, content_of
from tbstar_jax.evaluation.judge.judge import Judge, outcome_of
from tbstar_jax.evaluation.judge.judgement import (
    UNSETTLED,
    JudgementStatus,
    Vote,
    cost_of,
)
from tbstar_jax.evaluation.judge.questions import pair_question
from tbstar_jax.vlm.cache import request_key

Choice: TypeAlias = Literal["a", "b", "tie"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two pictures for one prompt, compared.

    Attributes:
      system_a: who made one.
      system_b: who made the other.
      prompt: what both were asked.
      case: of the prompt.
      task: likewise.
      language: likewise.
      judge: SHA-256 of all that decides the verdict.
      model: the judge, as the server names it, else as it was asked for.
      content: SHA-256 of request and pictures.
      status: `ok`, or the first that is not; `missing` where a picture is.
      detail: what was wrong.
      votes: one question per order: first a before b, then b before a.
      verdict: None unless ok.
      is_consistent: whether both orders agree; None unless ok and asked in both.
      cost: of all replies, as first paid; None where prices are not known.
      currency: of the cost; None without one.
    """

    system_a: str
    system_b: str
    prompt: str
    case: str
    task: str
    language: str
    judge: str
    model: str
    content: str
    status: JudgementStatus
    detail: str
    votes: tuple[Vote, ...]
    verdict: Choice | None
    is_consistent: bool | None
    cost: float | None
    currency: str | None = None

    @property
    def key(self) -> str:
        """Names what was compared, and by whom."""
        return comparison_key(self.system_a, self.system_b, self.prompt, self.judge)

    @property
    def tokens(self) -> int:
        """Of all questions and replies."""
        asked = (one for vote in self.votes for one in vote.asked)
        return sum(one.input_tokens + one.output_tokens for one in asked)

    @property
    def is_settled(self) -> bool:
        """Whether comparing again would change nothing."""
        return self.status not in UNSETTLED


def comparison_key(system_a: str, system_b: str, prompt: str, judge: str) -> str:
    """`Comparison.key`."""
    return request_key(
        {"systems": [system_a, system_b], "prompt": prompt, "judge": judge}
    )


def compare(
    judge: Judge,
    item: Item,
    system_a: str,
    answer_a: UInt8[np.ndarray, "h w 3"] | None,
    system_b: str,
    answer_b: UInt8[np.ndarray, "_ _ 3"] | None,
) -> Comparison:
    """Compares two edits, with `votes` questions in each order.

    With several votes, an order's choice is the one that gets more of them, else a tie.

    Raises:
      UserError: the judge's mode is another.
    """
    if judge.config.mode != "pairwise":
        raise UserError(
            f"the judge's mode is {judge.config.mode}; comparing needs pairwise"
        )
    votes: tuple[Vote, ...] = ()
    status: JudgementStatus = "missing"
    detail = "a picture is missing"
    verdict, is_consistent = None, None
    if answer_a is not None and answer_b is not None:
        pairs = [(answer_a, answer_b), (answer_b, answer_a)]
        questions = [
            pair_question(item, first, second, judge.rubric, judge.settings)
            for first, second in pairs[: 2 if judge.config.both_orders else 1]
        ]
        votes = tuple(
            Vote(asked=tuple(judge.ask(question, vote) for question in questions))
            for vote in range(judge.config.votes)
        )
        status, detail = outcome_of(votes)
    if status == "ok":
        verdict, is_consistent = _verdict(votes)
    asked = tuple(one for vote in votes for one in vote.asked)
    served = [one.model for one in asked if one.model]
    return Comparison(
        system_a=system_a,
        system_b=system_b,
        prompt=item.prompt,
        case=item.case,
        task=item.task,
        language=item.language,
        judge=judge.fingerprint,
        model=served[0] if served else judge.config.model,
        content=content_of(item, (answer_a, answer_b)),
        status=status,
        detail=detail,
        votes=votes,
        verdict=verdict,
        is_consistent=is_consistent,
        cost=cost_of(asked, judge.config.prices),
        currency=judge.config.prices.currency if judge.config.prices else None,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tally:
    """What many comparisons of two systems come to.

    Attributes:
      num_a: pairs that the first system won.
      num_b: that the second won.
      num_tie: ties, inconsistent ones included.
      num_inconsistent: pairs whose orders disagreed.
      num_failed: pairs without a verdict.
    """

    num_a: int
    num_b: int
    num_tie: int
    num_inconsistent: int
    num_failed: int

    @property
    def coverage(self) -> float:
        """Share of pairs that have a verdict, in [0, 1]; 0 without any pair."""
        num_ok = self.num_a + self.num_b + self.num_tie
        return num_ok / max(1, num_ok + self.num_failed)


def tally(comparisons: Iterable[Comparison]) -> Tally:
    """Counts the verdicts on one pair of systems."""
    found = list(comparisons)
    verdicts = [one.verdict for one in found]
    return Tally(
        num_a=verdicts.count("a"),
        num_b=verdicts.count("b"),
        num_tie=verdicts.count("tie"),
        num_inconsistent=sum(one.is_consistent is False for one in found),
        num_failed=verdicts.count(None),
    )


def _verdict(votes: tuple[Vote, ...]) -> tuple[Choice, bool | None]:
    """The verdict, and whether the orders agree."""
    # [order][vote]: the share of the first edit shown.
    by_order = [
        [one.scores[0] for one in orders]
        for orders in zip(*(vote.asked for vote in votes), strict=True)
    ]
    first = _choice(by_order[0])
    if len(by_order) == 1:
        return first, None
    swapped = _choice([1 - share for share in by_order[1]])
    return (first if first == swapped else "tie"), first == swapped


def _choice(shares_of_a: list[float]) -> Choice:
    mean = sum(shares_of_a) / len(shares_of_a)
    return "a" if mean > 0.5 else "b" if mean < 0.5 else "tie"
