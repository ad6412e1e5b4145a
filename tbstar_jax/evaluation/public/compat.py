"""The arithmetic of each suite: marks of single answers to its published numbers.

GEdit-Bench   SC, PQ and O = sqrt(SC PQ) per answer; means per task; their mean over the
              tasks, of all requests of a language and of the flagged intersection
              (calculate_statistics.py).
ImgEdit       mean of three marks, two decimals; mean per type, two decimals. Its
              scripts stop there; most published totals are the mean over types, the
              others neither that nor the mean over answers: both are given.
UGE           mean of the marks, two decimals (Benchmark/UGE/get_average_score.py).
Kwai          geometric mean of four marks, mean per task, mean over tasks, four
              decimals each (evaluate.py, summarize.py).
TextEdit      mean over the answers of "Virtual", and of "Real"
              (classic_metrics_eval.py).
PaintBench    mean per task, mean over tasks; what is missing counts 0
              (docs/metric.md, src/eval.py).

Where a suite's program leaves out what is missing or could not be judged, so does the
number that compares to it; `lower` stands beside it, with the lowest mark for these.
"""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.public.gedit import INTERSECTION
from tbstar_jax.evaluation.public.textedit import group_of

Published: TypeAlias = Literal["macro", "micro", "lower"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mark:
    """What came of one item.

    Attributes:
      id: of the item.
      task: likewise.
      language: likewise.
      flags: likewise.
      status: `ok`; `missing` or `unreadable` answers; `bad_photo`; else as the judge's.
      values: by measure; empty unless ok.
    """

    id: str
    task: str
    language: Language
    flags: frozenset[str]
    status: str
    values: Mapping[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measure:
    """A measure and how it is averaged.

    Attributes:
      name: in the marks' values.
      lowest: what a missing answer gets in `lower`; None where there is no lowest.
      digits: a task's mean is rounded to so many decimals; None leaves it.
    """

    name: str
    lowest: float | None
    digits: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """Means of one measure; None where nothing has it.

    Attributes:
      name: of the measure.
      macro: over tasks, of the mean over a task's marks.
      micro: over marks.
      lower: macro, with the lowest mark for every item without one; None where the
        measure has no lowest.
      by_task: tasks with a mark.
    """

    name: str
    macro: float | None
    micro: float | None
    lower: float | None
    by_task: Mapping[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sheet:
    """One of a suite's tables.

    Attributes:
      name: e.g. `en, full`.
      published: which of the means the suite publishes.
      num_expected: items.
      num_marked: items with a mark.
      expected: items by task.
      marked: items with a mark, by task.
      columns: one per measure.
    """

    name: str
    published: Published
    num_expected: int
    num_marked: int
    expected: Mapping[str, int]
    marked: Mapping[str, int]
    columns: tuple[Column, ...]


_GEDIT = tuple(Measure(name=name, lowest=0.0) for name in ("SC", "PQ", "O"))
_IMGEDIT = (Measure(name="mark", lowest=1.0, digits=2),)
_KWAI = (Measure(name="mark", lowest=1.0, digits=4),)


def kwai_case(marks: Sequence[float]) -> float:
    """An item's mark of Kwai E-com Bench, in [1, 5]: the geometric mean of its four."""
    return round(math.prod(marks) ** (1 / len(marks)), 4)


def gedit_sheets(marks: Sequence[Mark]) -> tuple[Sheet, ...]:
    """Per language: all requests, and those flagged `intersection`, never mixed."""
    sheets = []
    for language in dict.fromkeys(mark.language for mark in marks):
        full = [mark for mark in marks if mark.language == language]
        both = [mark for mark in full if INTERSECTION in mark.flags]
        sheets.append(sheet_of(f"{language}, full", full, _GEDIT, "macro"))
        if both:
            sheets.append(sheet_of(f"{language}, intersection", both, _GEDIT, "macro"))
    return tuple(sheets)


def imgedit_sheets(marks: Sequence[Mark]) -> tuple[Sheet, ...]:
    """Means per type, macro and micro; the marks have two decimals."""
    return (sheet_of("basic", marks, _IMGEDIT, "macro"),)


def uge_sheets(marks: Sequence[Mark]) -> tuple[Sheet, ...]:
    """The mean mark, two decimals."""
    return (sheet_of("uge", marks, _IMGEDIT, "macro"),)


def kwai_sheets(marks: Sequence[Mark]) -> tuple[Sheet, ...]:
    """Means per task and over tasks, four decimals."""
    sheet = sheet_of("ecom", marks, _KWAI, "macro")
    rounded = tuple(
        dataclasses.replace(
            column, macro=None if column.macro is None else round(column.macro, 4)
        )
        for column in sheet.columns
    )
    return (dataclasses.replace(sheet, columns=rounded),)


def textedit_sheets(
    marks: Sequence[Mark], measures: Sequence[Measure]
) -> tuple[Sheet, ...]:
    """Means over the answers of `Virtual` and of `Real`."""
    groups: dict[str, list[Mark]] = {}
    for mark in marks:
        groups.setdefault(group_of(mark.task), []).append(mark)
    return tuple(sheet_of(name, one, measures, "micro") for name, one in groups.items())


def paintbench_sheets(
    marks: Sequence[Mark], measures: Sequence[Measure]
) -> tuple[Sheet, ...]:
    """Means over tasks, 0 for what is missing."""
    return (sheet_of("pixels", marks, measures, "lower"),)


def sheet_of(
    name: str, marks: Sequence[Mark], measures: Sequence[Measure], published: Published
) -> Sheet:
    """Averages marks.

    Args:
      name: of the table.
      marks: at least one.
      measures: columns.
      published: which mean the suite publishes.
    """
    expected: dict[str, int] = {}
    marked: dict[str, int] = {}
    for mark in marks:
        expected[mark.task] = expected.get(mark.task, 0) + 1
        marked[mark.task] = marked.get(mark.task, 0) + (mark.status == "ok")
    return Sheet(
        name=name,
        published=published,
        num_expected=len(marks),
        num_marked=sum(marked.values()),
        expected=expected,
        marked=marked,
        columns=tuple(_column(marks, measure) for measure in measures),
    )


def _column(marks: Sequence[Mark], measure: Measure) -> Column:
    known = _by_task(marks, measure.name, None)
    means = _means(known, measure.digits)
    lower = None
    if measure.lowest is not None:
        filled = _by_task(marks, measure.name, measure.lowest)
        lower = statistics.fmean(_means(filled, measure.digits).values())
    values = [value for one in known.values() for value in one]
    return Column(
        name=measure.name,
        macro=statistics.fmean(means.values()) if means else None,
        micro=statistics.fmean(values) if values else None,
        lower=lower,
        by_task=means,
    )


def _by_task(
    marks: Sequence[Mark], name: str, lowest: float | None
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for mark in marks:
        value = mark.values.get(name, lowest)
        if value is not None:
            found.setdefault(mark.task, []).append(value)
    return found


def _means(
    by_task: Mapping[str, Sequence[float]], digits: int | None
) -> dict[str, float]:
    means = {task: statistics.fmean(values) for task, values in by_task.items()}
    if digits is None:
        return means
    return {task: round(mean, digits) for task, mean in means.items()}
