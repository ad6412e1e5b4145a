"""Score records to means with intervals: what reports, tables and comparisons read."""

import csv
import dataclasses
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from tbstar_jax.evaluation.files import json_text
from tbstar_jax.evaluation.run.measures import MEASURES
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.evaluation.statistics.bootstrap import Slices, slices
from tbstar_jax.evaluation.statistics.paired import language_difference
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig, Interval
from tbstar_jax.evaluation.statistics.sample import Sample, sample_of

VERSION = 1
"""Of `results.json`."""

_COLUMNS = (
    "system",
    "kind",
    "measure",
    "slice",
    "mean",
    "low",
    "high",
    "num_prompts",
    "num_cases",
    "num_left_out",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SystemResult:
    """One system on one split.

    Attributes:
      name: what reports call it.
      kind: `system`, or `anchor` for an answer whose place is known.
      num_prompts: asked.
      statuses: answers by status.
      measures: by name of the measure; only those with a number.
      num_exact: answers left out of a mean because they are identical (PSNR).
      english_minus_chinese: C, paired by case; None without both languages.
      weakest: task to part of E to the number of answers whose lowest part it is, of
        those with E below 0.5: why edits fail.
    """

    name: str
    kind: Literal["system", "anchor"]
    num_prompts: int
    statuses: Mapping[str, int]
    measures: Mapping[str, Slices]
    num_exact: Mapping[str, int]
    english_minus_chinese: Interval | None
    weakest: Mapping[str, Mapping[str, int]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results:
    """All of a run.

    Attributes:
      provenance: see `provenance.py`.
      systems: the system first, then the anchors in their order.
      judges: one object per judge and mode, as `evaluation/judge` summarises them.
      notes: sentences the reader must know: anchors out of order, cases that differ
        from the shipped ones, tools that were absent.
    """

    provenance: Mapping[str, Any]
    systems: Sequence[SystemResult]
    judges: Sequence[Mapping[str, Any]]
    notes: Sequence[str]


def summarise(
    records: Iterable[ScoreRecord],
    kind: Literal["system", "anchor"],
    config: BootstrapConfig,
) -> SystemResult:
    """Averages the answers of one system.

    Args:
      records: at least one, all of one system.
      kind: of the system.
      config: of the intervals.
    """
    rows = list(records)
    measures, num_exact = {}, {}
    for measure in MEASURES:
        sample = sample_of(rows, measure.name)
        if measure.is_infinite_exact:
            is_exact = sample.values == np.inf
            num_exact[measure.name] = int(is_exact.sum())
            values = np.where(is_exact, np.nan, sample.values)
            sample = dataclasses.replace(sample, values=values)
        if not np.isnan(sample.values).all():
            measures[measure.name] = slices(sample, config)
    return SystemResult(
        name=rows[0].system,
        kind=kind,
        num_prompts=len(rows),
        statuses=dict(sorted(Counter(row.status for row in rows).items())),
        measures=measures,
        num_exact=num_exact,
        english_minus_chinese=_language_difference(rows, config),
        weakest=_weakest(rows),
    )


def _language_difference(
    rows: Sequence[ScoreRecord], config: BootstrapConfig
) -> Interval | None:
    sample: Sample = sample_of(rows, "consistency")
    if set(sample.languages) != {"en", "zh"}:
        return None
    return language_difference(sample, config)


def _weakest(rows: Sequence[ScoreRecord]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for row in rows:
        if row.edit < 0.5 and row.edit_parts:
            part = min(row.edit_parts, key=lambda name: (row.edit_parts[name], name))
            found.setdefault(row.task, Counter())[part] += 1
    return {task: dict(found[task].most_common()) for task in sorted(found)}


def to_json(results: Results) -> str:
    """`results.json`: NaN is null, infinity the text "inf"."""
    content = {"version": VERSION, **dataclasses.asdict(results)}
    return json_text(content)


def to_csv(results: Results) -> str:
    """`results.csv`: a line per system, slice and measure."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for system in results.systems:
        for name, sliced in system.measures.items():
            for label, interval in named_slices(sliced):
                numbers = (interval.mean, interval.low, interval.high)
                row = (
                    _cell(system.name),
                    system.kind,
                    name,
                    _cell(label),
                    *("" if math.isnan(number) else repr(number) for number in numbers),
                    interval.num_prompts,
                    interval.num_cases,
                    interval.num_left_out,
                )
                writer.writerow(row)
    return file.getvalue()


def named_slices(sliced: Slices) -> list[tuple[str, Interval]]:
    """Every interval of a measure with the name of its slice."""
    return [
        ("macro", sliced.macro),
        ("micro", sliced.micro),
        *((f"task={task}", one) for task, one in sliced.tasks.items()),
        *((f"language={name}", one) for name, one in sliced.languages.items()),
        *((f"tag {tag}", one) for tag, one in sliced.tags.items()),
    ]


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text
