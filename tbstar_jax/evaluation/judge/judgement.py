"""What is stored of one judged picture: a line of `judgements.jsonl`."""

import dataclasses
from typing import Literal, TypeAlias

from tbstar_jax.evaluation.judge import viescore
from tbstar_jax.evaluation.judge.modes import SCALES, VIE_MODES, Mode
from tbstar_jax.evaluation.judge.questions import Question, Read
from tbstar_jax.evaluation.judge.quirk_parsers import MAX_CHARACTERS
from tbstar_jax.evaluation.judge.rubrics import Part
from tbstar_jax.vlm.asking import Answer
from tbstar_jax.vlm.cache import request_key
from tbstar_jax.vlm.cost import Prices
from tbstar_jax.vlm.reply import Status

JudgementStatus: TypeAlias = Literal[Status, "missing"]
"""Those of a reply, and `missing`: the system gave no picture, so nobody was asked."""

UNSETTLED: tuple[JudgementStatus, ...] = (
    "rate_limited",
    "timeout",
    "http_error",
    "not_cached",
    "bad_request",
)
"""Statuses that another run may mend: they say nothing about the picture."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """One question and what came of it.

    Attributes:
      part: which.
      status: of the last reply.
      detail: what was wrong with it.
      scores: as `questions.Read`; empty unless ok.
      reason: the model's.
      statuses: of all replies.
      keys: SHA-256 of what was asked, by reply: they name the replies in the cache.
      replies: texts of all replies, at most `MAX_CHARACTERS` of each; None in journals
        of before they were stored.
      reply_sha256: of the last reply's text.
      model: as the server names it.
      input_tokens: of all replies, as first counted, cached or not.
      output_tokens: likewise.
      num_cached: replies that came from the cache; no part of equality.
    """

    part: Part
    status: Status
    detail: str
    scores: tuple[float, ...]
    reason: str
    statuses: tuple[Status, ...]
    keys: tuple[str, ...]
    reply_sha256: str
    model: str
    input_tokens: int
    output_tokens: int
    num_cached: int = dataclasses.field(compare=False)
    replies: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vote:
    """A mode's questions, asked once.

    Attributes:
      asked: one per question.
    """

    asked: tuple[Asked, ...]

    def scores(self, part: Part) -> tuple[float, ...]:
        """Scores of a question; empty where it was not answered, or not asked."""
        return next((one.scores for one in self.asked if one.part == part), ())

    def overall(self, mode: Mode) -> float | None:
        """The mode's score; None unless every question was answered.

        O in [0, 10] of the VIEScore modes, the mean mark in [1, 5] of `imgedit`, the
        share of right answers in [0, 1] of `checklist`.
        """
        if any(one.status != "ok" for one in self.asked):
            return None
        if mode in VIE_MODES:
            return viescore.overall(self.scores("sc"), self.scores("pq"))
        (only,) = self.asked
        return sum(only.scores) / len(only.scores)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judgement:
    """One picture of one system, judged.

    Attributes:
      system: who made it.
      prompt: what it was asked.
      case: of the prompt.
      task: likewise.
      language: likewise.
      mode: how it was judged.
      label: what its numbers are called (`JudgeConfig.label`): mode, whose words, and
        what is not as the mode has it.
      judge: SHA-256 of all that decides the scores (`JudgeConfig.fingerprint`).
      model: the judge, as the server names it, else as it was asked for.
      is_mock: no judge was asked; never part of a leaderboard.
      content: SHA-256 of request and pictures.
      status: `ok`, or the first that is not.
      detail: what was wrong.
      votes: all questions.
      overall: mean over votes of the mode's score (see `Vote`); None unless ok.
      semantic: SC: mean over votes of the smallest score; None unless ok, or where the
        mode has none.
      quality: PQ, likewise.
      overall_range: largest minus smallest score of the votes; 0 with one vote.
      cost: of all replies, as first paid; None where prices are not known.
      currency: of the cost; None without one.
    """

    system: str
    prompt: str
    case: str
    task: str
    language: str
    mode: Mode
    label: str
    judge: str
    model: str
    is_mock: bool
    content: str
    status: JudgementStatus
    detail: str
    votes: tuple[Vote, ...]
    overall: float | None
    semantic: float | None
    quality: float | None
    overall_range: float | None
    cost: float | None
    currency: str | None = None

    @property
    def key(self) -> str:
        """Names what was judged, and by whom; a later line replaces an earlier one."""
        return judgement_key(self.system, self.prompt, self.judge)

    @property
    def is_settled(self) -> bool:
        """Whether judging again would change nothing."""
        return self.status not in UNSETTLED

    @property
    def sc(self) -> tuple[float, ...]:
        """Semantic scores, each the mean over votes; empty unless ok."""
        return self._mean_scores("sc")

    @property
    def pq(self) -> tuple[float, ...]:
        """Perceptual scores, likewise."""
        return self._mean_scores("pq")

    @property
    def reasons(self) -> tuple[str, ...]:
        """What the model said, by vote and question."""
        return tuple(one.reason for one in self.asked if one.reason)

    @property
    def asked(self) -> tuple[Asked, ...]:
        """All questions of all votes."""
        return tuple(one for vote in self.votes for one in vote.asked)

    @property
    def input_tokens(self) -> int:
        """Of all replies."""
        return sum(one.input_tokens for one in self.asked)

    @property
    def output_tokens(self) -> int:
        """Of all replies."""
        return sum(one.output_tokens for one in self.asked)

    @property
    def is_perfect(self) -> bool:
        """Whether every score of every vote is the best there is; False unless ok."""
        if self.status != "ok" or not self.votes:
            return False
        best = SCALES[self.mode][1]
        return all(score == best for one in self.asked for score in one.scores)

    @property
    def exceeds_cap(self) -> bool:
        """Whether a mark of ImgEdit's is above the first one."""
        marks = [vote.scores("imgedit") for vote in self.votes]
        return any(viescore.exceeds_cap(three) for three in marks if three)

    def _mean_scores(self, part: Part) -> tuple[float, ...]:
        lists = [vote.scores(part) for vote in self.votes]
        if self.status != "ok" or not all(lists):
            return ()
        return tuple(sum(each) / len(each) for each in zip(*lists, strict=True))


def judgement_key(system: str, prompt: str, judge: str) -> str:
    """`Judgement.key`: the judge's fingerprint holds the mode."""
    return request_key({"system": system, "prompt": prompt, "judge": judge})


def asked_of(question: Question, answer: Answer[Read], text_sha256: str) -> Asked:
    """What is stored of a question.

    Args:
      question: that was asked.
      answer: what came of it.
      text_sha256: of the last reply's text.
    """
    return Asked(
        part=question.part,
        status=answer.status,
        detail=answer.detail,
        scores=answer.value.scores if answer.value else (),
        reason=answer.value.reason if answer.value else "",
        statuses=answer.statuses,
        keys=tuple(reply.key for reply in answer.replies),
        reply_sha256=text_sha256,
        model=answer.model,
        input_tokens=answer.usage.input_tokens,
        output_tokens=answer.usage.output_tokens,
        num_cached=sum(reply.is_from_cache for reply in answer.replies),
        replies=tuple(_storable(reply.text) for reply in answer.replies),
    )


def _storable(text: str) -> str:
    """A reply as UTF-8 can hold it: without halves of surrogate pairs, and NUL."""
    cut = text[:MAX_CHARACTERS].replace("\0", "\ufffd")
    return cut.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def cost_of(asked: tuple[Asked, ...], prices: Prices | None) -> float | None:
    """Price of all replies; None where prices are not known."""
    if prices is None:
        return None
    return (
        sum(one.input_tokens for one in asked) * prices.input_per_million
        + sum(one.output_tokens for one in asked) * prices.output_per_million
    ) / 1e6
