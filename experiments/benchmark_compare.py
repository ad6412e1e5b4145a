"""The command `compare`: two runs, prompt by prompt."""

import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.parser import Parser
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.files import json_text, write_whole
from tbstar_jax.evaluation.markdown import markdown_table
from tbstar_jax.evaluation.run.judging import judge_samples
from tbstar_jax.evaluation.run.learned_columns import comparable, learned_notes
from tbstar_jax.evaluation.run.measures import with_variants
from tbstar_jax.evaluation.run.results import measured
from tbstar_jax.evaluation.run.run_folder import Run, read_run, same_cases
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.evaluation.statistics.paired import Comparison
from tbstar_jax.evaluation.statistics.paired import compare as compare_samples
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig, Interval
from tbstar_jax.evaluation.statistics.sample import Sample

_JUDGE_TIE = 0.1
"""A hundredth of VIEScore's scale; less than a step of the others."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Pair:
    """One measure of two runs.

    Attributes:
      label: with its unit.
      tie: largest difference that is none.
      is_higher_better: which way is better.
      is_score: whether it is printed of every group; the file has all.
      samples: of the first and of the second run.
    """

    label: str
    tie: float
    is_higher_better: bool
    is_score: bool
    samples: tuple[Sample, Sample]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Line:
    """One measure in one group of prompts."""

    group: str
    pair: _Pair
    found: Comparison


def compare(argv: Sequence[str]) -> None:
    """Compares two runs, prompt by prompt, and prints a Markdown table."""
    parser = Parser(prog="python -m experiments.benchmark compare", allow_abbrev=False)
    add = parser.add_argument
    add("first", type=Path, help="folder of a run")
    add("second", type=Path, help="folder of another run on the same cases")
    add("--by", metavar="NAME", help="a table line per task, language or tag's value")
    add("--out", type=Path, metavar="FILE", help="all of it as .json or .csv")
    options = parser.parse_args(argv)
    if options.out is not None and options.out.suffix not in (".json", ".csv"):
        raise UserError(
            f"--out is {options.out}; name a file that ends in .json or .csv"
        )
    runs = (read_run(options.first), read_run(options.second))
    same_cases(runs)
    rows, notes = _rows(runs)
    groups = _groups(rows[0], options.by)
    lines = [
        _Line(group=group, pair=pair, found=found)
        for group, prompts in groups.items()
        for pair in _pairs(runs, rows, with_texts=not notes)
        if (found := _compared(pair, prompts)) is not None
    ]
    if not lines:
        raise UserError(
            f"{runs[0].folder} and {runs[1].folder} have no prompt in common"
        )
    print(f"{runs[0].name} minus {runs[1].name}, mean over tasks, 95 % interval\n")
    print(_table(lines, by=options.by))
    for note in (*notes, *learned_notes(runs)):
        print(f"\n{note[0].upper()}{note[1:]}.")
    if options.out is not None:
        write_whole(options.out, _file(lines, options.out.suffix).encode())


def _rows(runs: tuple[Run, Run]) -> tuple[list[list[ScoreRecord]], list[str]]:
    """Records of both runs that may be compared, and what was left out."""
    rows = [comparable(run.records(), run, runs[0])[run.name] for run in runs]
    readers = [run.provenance["tools"]["ocr"] or "none" for run in runs]
    if readers[0] == readers[1]:
        return rows, []
    # E of these tasks rests on what was read.
    texts = {
        row.task
        for row in (*rows[0], *rows[1])
        if any(part.endswith("text") for part in row.edit_parts)
    }
    kept = [[row for row in one if row.task not in texts] for one in rows]
    return kept, [
        f"texts were read by different programs ({' and '.join(readers)}): measures of "
        f"texts are left out, and the tasks {', '.join(sorted(texts)) or '(none)'}"
    ]


def _pairs(
    runs: tuple[Run, Run], rows: Sequence[Sequence[ScoreRecord]], *, with_texts: bool
) -> list[_Pair]:
    """Measures, and what the same judge said of both."""
    pairs = []
    for measure in with_variants(runs[0].provenance["tools"]):
        if measure.is_higher_better is None:
            continue
        if measure.kind == "text" and not with_texts:
            continue
        label = f"{measure.label} {measure.unit}".strip()
        if measure.is_infinite_exact:
            label += ", where neither is identical"
        pair = _Pair(
            label=label,
            tie=measure.tie,
            is_higher_better=measure.is_higher_better,
            is_score=measure.kind == "score",
            samples=(measured(rows[0], measure), measured(rows[1], measure)),
        )
        pairs.append(pair)
    first, second = (judge_samples(run) for run in runs)
    return pairs + [
        _Pair(
            label=label,
            tie=_JUDGE_TIE,
            is_higher_better=True,
            is_score=label.startswith("O "),
            samples=(first[label], second[label]),
        )
        for label in first
        if label in second
    ]


def _groups(rows: Sequence[ScoreRecord], by: str | None) -> Mapping[str, set[str]]:
    """Prompts by group: all, or by task, language or the value of a tag."""
    groups: dict[str, set[str]] = {}
    for row in rows:
        names = {"task": row.task, "language": row.language, **row.tags}
        if by is None or by in names:
            group = "" if by is None else names[by]
            groups.setdefault(group, set()).add(row.prompt)
    if rows and not groups:
        tags = sorted(set().union(*(row.tags for row in rows)))
        raise UserError(
            f"--by is {by}, but must be one of task, language, {', '.join(tags)}"
        )
    return dict(sorted(groups.items()))


def _compared(pair: _Pair, prompts: set[str]) -> Comparison | None:
    """None where no prompt has a number of both."""
    first, second = pair.samples
    numbers = dict(zip(second.prompts, second.values, strict=True))
    is_kept = [
        prompt in prompts and not math.isnan(value - numbers.get(prompt, math.nan))
        for prompt, value in zip(first.prompts, first.values, strict=True)
    ]
    if not any(is_kept):
        return None
    return compare_samples(
        first.where(np.array(is_kept)),
        second,
        BootstrapConfig(),
        tolerance=pair.tie,
        higher_is_better=pair.is_higher_better,
    )


def _table(lines: Sequence[_Line], by: str | None) -> str:
    head = ["measure", "difference", "interval", "better", "tie (within)", "worse"]
    head += ["p", "n"]
    if by is None:
        return markdown_table(head, [_cells(line) for line in lines])
    shown = [line for line in lines if line.pair.is_score]
    table = markdown_table([by, *head], [[line.group, *_cells(line)] for line in shown])
    return (
        f"{table}\n\n{len(shown)} comparisons: p is not corrected for their number, so "
        f"about {len(shown) / 20:.1g} would lie below 0.05 by chance."
    )


def _cells(line: _Line) -> list[str]:
    found, tie = line.found, line.pair.tie
    return [
        line.pair.label,
        f"{found.macro.mean:+.3f}",
        _interval_text(found.macro),
        f"{100 * found.wins:.0f} %",
        f"{100 * found.ties:.0f} % ({tie:g})",
        f"{100 * found.losses:.0f} %",
        "< 0.001" if found.p_value < 0.001 else f"{found.p_value:.3f}",
        str(found.num_common),
    ]


def _interval_text(interval: Interval) -> str:
    """`low to high`, or why there is none."""
    if math.isnan(interval.low):
        return "n/a (a task has one case)"
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _file(lines: Sequence[_Line], suffix: str) -> str:
    rows: list[dict[str, Any]] = [
        {
            "group": line.group,
            "measure": line.pair.label,
            "difference": line.found.macro.mean,
            "low": line.found.macro.low,
            "high": line.found.macro.high,
            "better": line.found.wins,
            "tie": line.found.ties,
            "worse": line.found.losses,
            "tie_within": line.pair.tie,
            "p": line.found.p_value,
            "num_prompts": line.found.num_common,
            "num_cases": line.found.macro.num_cases,
        }
        for line in lines
    ]
    if suffix == ".json":
        return json_text(rows)
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: _cell(value) for name, value in row.items()} for row in rows
    )
    return file.getvalue()


def _cell(value: Any) -> Any:
    """Blank where there is no number, as in `results.csv`."""
    return "" if isinstance(value, float) and math.isnan(value) else value
