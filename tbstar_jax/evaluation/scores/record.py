"""What is stored of one scored answer: a line of `records.jsonl`."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from tbstar_jax.errors import UserError

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
      sample: which of several answers to the prompt, from 0.

    Raises:
      ValueError: a score or a part that is no number in [0, 1], or an empty size.
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
    sample: int = 0

    def __post_init__(self) -> None:
        """Checks what would otherwise be found when the journal is read."""
        scores = {name: getattr(self, name) for name in _SCORES}
        for name, value in {**scores, **self.edit_parts}.items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name} of {self.prompt} is {value}, not in [0, 1]")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"the answer to {self.prompt} has the size {self.size}")

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values; an infinite metric as "inf", NaN as null."""
        values = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }
        size = None if self.size is None else list(self.size)
        metrics = {name: _stored(value) for name, value in self.metrics.items()}
        texts = {"tags": dict(self.tags), "edit_parts": dict(self.edit_parts)}
        return values | texts | {"size": size, "metrics": metrics}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ScoreRecord":
        """Reads what `to_json` wrote, also before there were several samples.

        Raises:
          UserError: a field is missing, unknown, or holds what it may not.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        values = {"sample": 0, **values}
        if set(values) != names:
            wrong = sorted(str(name) for name in names ^ set(values))
            state = "lacks" if wrong[0] in names else "has the unknown field"
            raise UserError(f"a score record {state} {wrong[0][:40]!r}")
        texts = {name: _text(name, values[name]) for name in _TEXTS}
        if texts["status"] not in get_args(AnswerStatus):
            raise _wrong("status", texts["status"])
        scores = {name: _share(name, values[name]) for name in _SCORES}
        tags = _object("tags", values["tags"])
        parts = _object("edit_parts", values["edit_parts"])
        metrics = _object("metrics", values["metrics"])
        fields: dict[str, Any] = {
            **texts,
            **scores,
            "tags": {key: _text("tags", value) for key, value in tags.items()},
            "edit_parts": {key: _share(key, value) for key, value in parts.items()},
            "metrics": {key: _metric(key, value) for key, value in metrics.items()},
            "size": _size(values["size"]),
            "sample": _index(values["sample"]),
        }
        return cls(**fields)


_TEXTS = ("system", "prompt", "case", "task", "language", "status", "output")
_SCORES = ("edit", "preservation", "consistency")
_INFINITE = {"inf": math.inf, "-inf": -math.inf}


def _stored(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def _wrong(name: str, value: object) -> UserError:
    return UserError(f"field {name[:40]!r} of a score record is {repr(value)[:60]}")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value)
    return value


def _object(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _wrong(name, value)
    return value


def _share(name: str, value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:  # type: ignore[operator]
        raise _wrong(name, value)
    return float(value)  # type: ignore[arg-type]


def _metric(name: str, value: object) -> float:
    if value is None:
        return math.nan
    if isinstance(value, str) and value in _INFINITE:
        return _INFINITE[value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an integer of hundreds of digits
            raise _wrong(name, value) from None
        if math.isfinite(number):
            return number
    raise _wrong(name, value)


def _index(value: object) -> int:
    if type(value) is not int or value < 0:
        raise _wrong("sample", value)
    return value


def _size(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise _wrong("size", value)
    if not all(type(side) is int and side >= 1 for side in value):
        raise _wrong("size", value)
    return value[0], value[1]
