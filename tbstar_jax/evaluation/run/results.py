"""Score records to means with intervals: what reports, tables and comparisons read."""

import csv
import dataclasses
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from tbstar_jax.evaluation.files import json_text
from tbstar_jax.evaluation.run.measures import MEASURES, Measure, variant_of
from tbstar_jax.evaluation.scores.comparison import CURVE
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.evaluation.statistics.bootstrap import Slices, macro_mean, slices
from tbstar_jax.evaluation.statistics.paired import Comparison, language_difference
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
    "variant",
)


Kind: TypeAlias = Literal["system", "best", "anchor"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SystemResult:
    """One system on one split.

    Attributes:
      name: what reports call it.
      kind: `system`; `best` for the best of each prompt's samples by C, which is
        another quantity and never the headline; or `anchor` for an answer whose place
        is known.
      num_prompts: asked.
      num_samples: answers per prompt that its numbers are of: means over them.
      statuses: answers by status, all samples.
      measures: by name of the measure; only those with a number.
      num_exact: answers left out of a mean because they are identical (PSNR).
      curves: shares of kept pixels within each CIEDE2000 of `comparison.CURVE`, means
        over tasks: `raw`, as answers lie, and `registered`; NaN where nothing is kept.
      english_minus_chinese: C, paired by case; None without both languages.
      weakest: task to part of E to the number of answers whose lowest part it is, of
        those with E below 0.5: why edits fail.
    """

    name: str
    kind: Kind
    num_prompts: int
    num_samples: int
    statuses: Mapping[str, int]
    measures: Mapping[str, Slices]
    num_exact: Mapping[str, int]
    curves: Mapping[str, Sequence[float]]
    english_minus_chinese: Interval | None
    weakest: Mapping[str, Mapping[str, int]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadToHead:
    """Two systems on the same prompts, by one measure.

    Attributes:
      first: name of a system.
      second: of another; differences are the first's minus its.
      measure: name of the measure.
      found: the paired comparison.
    """

    first: str
    second: str
    measure: str
    found: Comparison


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results:
    """All of a run.

    Attributes:
      provenance: see `provenance.py`; of several runs the first one's.
      systems: the systems first, each with its best of N where it has several samples,
        then the anchors in their order.
      judges: one object per judge and mode, as `evaluation/judge` summarises them.
      notes: sentences the reader must know: anchors out of order, cases that differ
        from the shipped ones, tools that were absent.
      runs: provenance of every run by its system, where there are several; else empty.
      head_to_head: paired differences of every two systems, see `head_to_head.py`.
    """

    provenance: Mapping[str, Any]
    systems: Sequence[SystemResult]
    judges: Sequence[Mapping[str, Any]]
    notes: Sequence[str]
    runs: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    head_to_head: Sequence[HeadToHead] = ()

    def provenance_of(self, system: str) -> Mapping[str, Any]:
        """Of the run of a system; of others, such as anchors, the first run's."""
        return self.runs.get(system, self.provenance)


def summarise(
    records: Iterable[ScoreRecord], kind: Kind, config: BootstrapConfig
) -> SystemResult:
    """Averages the answers of one system, first over the samples of each prompt.

    Args:
      records: at least one, all of one system.
      kind: of the system.
      config: of the intervals.
    """
    rows = list(records)
    measures, num_exact = {}, {}
    for measure in MEASURES:
        sample = measured(rows, measure)
        if measure.is_infinite_exact:
            values = (row.metrics.get(measure.name) for row in rows)
            num_exact[measure.name] = sum(value == math.inf for value in values)
        if not np.isnan(sample.values).all():
            measures[measure.name] = slices(sample, config)
    return SystemResult(
        name=rows[0].system,
        kind=kind,
        num_prompts=len({row.prompt for row in rows}),
        num_samples=max(row.sample for row in rows) + 1 if kind != "best" else 1,
        statuses=dict(sorted(Counter(row.status for row in rows).items())),
        measures=measures,
        num_exact=num_exact,
        curves={"raw": _curve(rows, ""), "registered": _curve(rows, "registered_")},
        english_minus_chinese=_language_difference(rows, config),
        weakest=_weakest(rows),
    )


def best_of(records: Iterable[ScoreRecord]) -> list[ScoreRecord]:
    """The best answer to each prompt by C; of equals the earliest sample.

    Returns:
      Records of a system named `<system>, best of <samples>`.
    """
    best: dict[str, ScoreRecord] = {}
    num_samples = 0
    for row in sorted(records, key=lambda row: row.sample):
        num_samples = max(num_samples, row.sample + 1)
        if row.consistency > best.setdefault(row.prompt, row).consistency:
            best[row.prompt] = row
    return [
        dataclasses.replace(row, system=f"{row.system}, best of {num_samples}")
        for row in best.values()
    ]


def measured(records: Iterable[ScoreRecord], measure: Measure) -> Sample:
    """A measure of one system; identical pictures (PSNR of infinity) are left out."""
    rows = list(records)
    if measure.is_infinite_exact:
        left_out = {measure.name: math.nan}
        rows = [
            dataclasses.replace(row, metrics={**row.metrics, **left_out})
            if row.metrics.get(measure.name) == math.inf
            else row
            for row in rows
        ]
    sample = sample_of(rows, measure.name)
    known = sample.values[~np.isnan(sample.values)]
    least, most = measure.bounds
    if len(known):  # rounding, or a similarity below 0
        least, most = min(least, known.min()), max(most, known.max())
    return dataclasses.replace(sample, bounds=(float(least), float(most)))


def _curve(rows: Sequence[ScoreRecord], form: str) -> tuple[float, ...]:
    names = (f"keep_within_{form}{threshold:g}" for threshold in CURVE)
    return tuple(macro_mean(sample_of(rows, name)) for name in names)


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
    tools = results.provenance.get("tools", {})
    variants = {measure.name: variant_of(measure, tools) for measure in MEASURES}
    for system in results.systems:
        for name, sliced in system.measures.items():
            for label, interval in named_slices(sliced):
                numbers = (interval.mean, interval.low, interval.high)
                row = (
                    plain_text(system.name),
                    system.kind,
                    name,
                    plain_text(label),
                    *("" if math.isnan(number) else repr(number) for number in numbers),
                    interval.num_prompts,
                    interval.num_cases,
                    interval.num_left_out,
                    plain_text(variants[name]),
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


def plain_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
