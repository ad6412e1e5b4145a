"""What is stored of one scored answer: a line of `records.jsonl`."""

import dataclasses
from collections.abc import Mapping
from typing import Literal, TypeAlias

AnswerStatus: TypeAlias = Literal["ok", "missing", "wrong_size", "decode_error"]
"""`wrong_size` is scored all the same, resized by the recorded rule; the other two have
nothing to score and count as zero."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreRecord:
    """One answer of one system.

    Attributes:
      system: who answered.
      prompt: id of the prompt, `<split>/<task>/<index>/<language>`.
      case: id of the case: prompts of one case move together in statistics.
      task: its task.
      language: of the instruction, `en` or `zh`.
      tags: of the case.
      status: whether there was a picture to score.
      size: rows and columns of the answer; None where it could not be read.
      edit: E in [0, 1]: 0 for the unchanged photo, 1 for the reference.
      preservation: P in [0, 1].
      consistency: C = sqrt(E P), in [0, 1].
      edit_parts: what E is made of, each in [0, 1].
      metrics: raw measures by name, in their units; NaN where one does not apply or
        needs a tool that is absent (stored as null). inf is stored as the text "inf".
      output: path of the picture, relative to the run's folder; empty without one.
    """

    system: str
    prompt: str
    case: str
    task: str
    language: str
    tags: Mapping[str, str]
    status: AnswerStatus
    size: tuple[int, int] | None
    edit: float
    preservation: float
    consistency: float
    edit_parts: Mapping[str, float]
    metrics: Mapping[str, float]
    output: str
