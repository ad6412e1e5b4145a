"""What the commands on two runs share: options, measures of both, groups, files."""

import argparse
import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.parser import Parser
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.files import json_text, write_whole
from tbstar_jax.evaluation.markdown import markdown_table
from tbstar_jax.evaluation.run.judging import judge_samples
from tbstar_jax.evaluation.run.learned_columns import comparable, learned_notes
from tbstar_jax.evaluation.run.measures import with_variants
from tbstar_jax.evaluation.run.results import measured
from tbstar_jax.evaluation.run.run_folder import Run
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.evaluation.statistics.sample import Sample

_JUDGE_TIE = 0.1
"""A hundredth of VIEScore's scale; less than a step of the others."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasurePair:
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
class TwoRuns:
    """Two runs and what of them may stand side by side.

    Attributes:
      runs: the first and the second.
      rows: records of each system.
      reads_alike: whether one program read the texts of both.
      notes: what was left out, as sentences without a period.
    """

    runs: tuple[Run, Run]
    rows: tuple[list[ScoreRecord], list[ScoreRecord]]
    reads_alike: bool
    notes: tuple[str, ...]


def parse_two_runs(
    command: str, second: str, argv: Sequence[str]
) -> argparse.Namespace:
    """Reads the command line of a command on two runs.

    Args:
      command: its name.
      second: what the second run is, for the help.
      argv: after the name.

    Returns:
      `first`, `second`: paths; `by`: text or None; `out`: path or None.

    Raises:
      UserError: `--out` names a file of another kind, or both runs are one folder.
    """
    parser = Parser(
        prog=f"python -m experiments.benchmark {command}", allow_abbrev=False
    )
    add = parser.add_argument
    add("first", type=Path, help="folder of a run")
    add("second", type=Path, help=second)
    add("--by", metavar="NAME", help="a table line per task, language or tag's value")
    add("--out", type=Path, metavar="FILE", help="all of it as .json or .csv")
    options = parser.parse_args(argv)
    if options.out is not None and options.out.suffix not in (".json", ".csv"):
        raise UserError(
            f"--out is {options.out}; name a file that ends in .json or .csv"
        )
    if options.first.resolve() == options.second.resolve():
        raise UserError(
            f"{options.first} and {options.second} are one folder, and a run differs "
            f"in nothing from itself; name two runs to `{command}`"
        )
    return options


def side_by_side(runs: tuple[Run, Run]) -> TwoRuns:
    """Records of both runs without what other programs or weights measured.

    Raises:
      UserError: see `Run.records`.
    """
    first, second = (comparable(run.records(), run, runs[0])[run.name] for run in runs)
    two = read_alike(runs, (first, second))
    return dataclasses.replace(two, notes=(*two.notes, *learned_notes(runs)))


def read_alike(
    runs: tuple[Run, Run], rows: tuple[list[ScoreRecord], list[ScoreRecord]]
) -> TwoRuns:
    """Records without the tasks that rest on what different programs read."""
    first, second = rows
    readers = [run.provenance["tools"]["ocr"] or "none" for run in runs]
    if readers[0] == readers[1]:
        return TwoRuns(runs=runs, rows=rows, reads_alike=True, notes=())
    # E of these tasks rests on what was read.
    texts = {
        row.task
        for row in (*first, *second)
        if any(part.endswith("text") for part in row.edit_parts)
    }
    note = (
        f"texts were read by different programs ({' and '.join(readers)}): measures of "
        f"texts are left out, and the tasks {', '.join(sorted(texts)) or '(none)'}"
    )
    return TwoRuns(
        runs=runs,
        rows=(
            [row for row in first if row.task not in texts],
            [row for row in second if row.task not in texts],
        ),
        reads_alike=False,
        notes=(note,),
    )


def measure_pairs(two: TwoRuns, exact_note: str) -> list[MeasurePair]:
    """Measures that have a better side, and what the same judge said of both.

    Args:
      two: the runs.
      exact_note: follows measures that are infinite, and left out, of exact answers.
    """
    pairs = []
    for measure in with_variants(two.runs[0].provenance["tools"]):
        if measure.is_higher_better is None:
            continue
        if measure.kind == "text" and not two.reads_alike:
            continue
        label = f"{measure.label} {measure.unit}".strip()
        if measure.is_infinite_exact:
            label += f", {exact_note}"
        first, second = (measured(rows, measure) for rows in two.rows)
        pair = MeasurePair(
            label=label,
            tie=measure.tie,
            is_higher_better=measure.is_higher_better,
            is_score=measure.kind == "score",
            samples=(first, second),
        )
        pairs.append(pair)
    first_judged, second_judged = (judge_samples(run) for run in two.runs)
    return pairs + [
        MeasurePair(
            label=label,
            tie=_JUDGE_TIE,
            is_higher_better=True,
            is_score=label.startswith("O "),
            samples=(first_judged[label], second_judged[label]),
        )
        for label in first_judged
        if label in second_judged
    ]


def prompt_groups(
    rows: Sequence[ScoreRecord], by: str | None
) -> Mapping[str, set[str]]:
    """Prompts by group: all, or by task, language or the value of a tag.

    Raises:
      UserError: there is no such tag.
    """
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


def group_table(
    head: Sequence[str], lines: Sequence[tuple[str, Sequence[str]]], by: str | None
) -> str:
    """A Markdown table.

    Args:
      head: of the cells.
      lines: group and cells of each.
      by: what the groups are; None: there is one, which is not named.
    """
    if by is None:
        return markdown_table(list(head), [list(cells) for _, cells in lines])
    return markdown_table([by, *head], [[group, *cells] for group, cells in lines])


def interval_text(low: float, high: float) -> str:
    """`low to high`, or why there is none."""
    if math.isnan(low):
        return "n/a (a task has one case)"
    return f"{low:.3f} to {high:.3f}"


def print_notes(notes: Sequence[str]) -> None:
    """Prints each as a paragraph."""
    for note in notes:
        print(f"\n{note[0].upper()}{note[1:]}.")


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes rows of the same names, at least one, as the file's ending says."""
    if path.suffix == ".json":
        write_whole(path, json_text(list(rows)).encode())
        return
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: _cell(value) for name, value in row.items()} for row in rows
    )
    write_whole(path, file.getvalue().encode())


def _cell(value: Any) -> Any:
    """Blank where there is no number, as in `results.csv`."""
    return "" if isinstance(value, float) and math.isnan(value) else value


def rounded_count(count: float) -> str:
    """An expected number, to one digit below ten: `0.3`, `4`, `12`."""
    return f"{count:.0f}" if count >= 9.5 else f"{count:.1g}"
