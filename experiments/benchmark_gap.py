"""The command `gap`: one system on two splits, such as `test` and `fresh`.

A system that has seen the cases of `test`, or cases made to resemble them, is better on
them than on cases that were drawn after it was made.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.benchmark_two_runs import (
    MeasurePair,
    TwoRuns,
    group_table,
    interval_text,
    measure_pairs,
    parse_two_runs,
    print_notes,
    prompt_groups,
    rounded_count,
    side_by_side,
    write_rows,
)
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.run.run_folder import (
    Run,
    read_run,
    split_name,
    two_splits,
)
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tbstar_jax.evaluation.statistics.sample import Sample
from tbstar_jax.evaluation.statistics.unpaired import Gap, macro_gap, micro_gap

_ALIKE = ("test", "fresh")
"""Splits that differ in nothing but the seed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Line:
    """One measure in one group of prompts."""

    group: str
    pair: MeasurePair
    samples: tuple[Sample, Sample]
    found: Gap


def gap(argv: Sequence[str]) -> None:
    """Prints how far a system's scores differ between two splits."""
    second = "folder of a run of the same system on another split"
    options = parse_two_runs("gap", second, argv)
    runs = (read_run(options.first), read_run(options.second))
    two_splits(*runs)
    two = _of_both(side_by_side(runs))
    groups, group_notes = _groups(two, options.by)
    pairs = measure_pairs(two, "of answers that are not identical")
    lines = [
        line
        for group, prompts in groups.items()
        for pair in pairs
        if (line := _line(group, pair, prompts)) is not None
    ]
    if not lines:
        raise UserError(
            f"{runs[0].folder} and {runs[1].folder} have no task in common that both "
            "have a number for; run both on the same tasks"
        )
    shown = [line for line in lines if options.by is None or line.pair.is_score]
    names = [split_name(run) for run in runs]
    print(
        f"{runs[0].name}: {names[0]} minus {names[1]}, mean over tasks, 95 % interval\n"
    )
    print(_table(shown, names, by=options.by))
    print(
        "\nWhere an interval holds 0, nothing tells the two splits apart; where that "
        "of C, E or P leaves out 0, the system may have seen cases of the split that "
        "it is better on."
    )
    print_notes([*_notes(runs, shown, by=options.by), *two.notes, *group_notes])
    if options.out is not None:
        write_rows([_row(line) for line in lines], options.out)


def _of_both(two: TwoRuns) -> TwoRuns:
    """Records of the tasks and languages that both runs have.

    Raises:
      UserError: there are none.
    """
    first, second = two.rows
    notes = []
    for name in ("task", "language"):
        own = [{getattr(row, name) for row in rows} for rows in (first, second)]
        both = own[0] & own[1]
        if not both:
            raise UserError(
                f"{two.runs[0].folder} and {two.runs[1].folder} have no {name} in "
                f"common; run both on the same {name}s"
            )
        if one_sided := sorted(own[0] ^ own[1]):
            notes.append(
                f"{name}s that only one of the runs has are left out: "
                f"{', '.join(one_sided)}"
            )
        first, second = (
            [row for row in rows if getattr(row, name) in both]
            for rows in (first, second)
        )
    return dataclasses.replace(two, rows=(first, second), notes=(*two.notes, *notes))


def _groups(
    two: TwoRuns, by: str | None
) -> tuple[dict[str, tuple[set[str], set[str]]], list[str]]:
    """Prompts of both runs by group, and which groups only one has."""
    first, second = (prompt_groups(rows, by) for rows in two.rows)
    groups = {name: (first[name], second[name]) for name in first if name in second}
    one_sided = sorted(first.keys() ^ second.keys())
    note = f"of {by}, only one of the runs has {', '.join(one_sided)}"
    return groups, [note] if one_sided else []


def _line(
    group: str, pair: MeasurePair, prompts: tuple[set[str], set[str]]
) -> _Line | None:
    """None where no task has a number of both."""
    first, second = (
        sample.where(np.array([prompt in kept for prompt in sample.prompts], bool))
        for sample, kept in zip(pair.samples, prompts, strict=True)
    )
    found = macro_gap(first, second, BootstrapConfig())
    if found is None:
        return None
    return _Line(group=group, pair=pair, samples=(first, second), found=found)


def _table(lines: Sequence[_Line], names: Sequence[str], by: str | None) -> str:
    head = ["measure", *names, "difference", "interval", "cases"]
    table = group_table(head, [(line.group, _cells(line)) for line in lines], by)
    if by is None:
        return table
    return (
        f"{table}\n\n{len(lines)} differences: intervals are not widened for their "
        f"number, so about {rounded_count(len(lines) / 20)} would leave out 0 by "
        "chance."
    )


def _cells(line: _Line) -> list[str]:
    found = line.found
    return [
        line.pair.label,
        f"{found.means[0]:.3f}",
        f"{found.means[1]:.3f}",
        f"{found.mean:+.3f}",
        interval_text(found.low, found.high),
        f"{found.num_cases[0]} and {found.num_cases[1]}",
    ]


def _notes(runs: tuple[Run, Run], lines: Sequence[_Line], by: str | None) -> list[str]:
    """What else the reader must know of the lines."""
    notes = []
    splits = {str(run.provenance.get("split")) for run in runs}
    if not splits <= {*_ALIKE}:
        notes.append(
            f"only {' and '.join(_ALIKE)} are drawn alike: other splits differ in size "
            "or difficulty, and so do their scores"
        )
    told = [
        f"{line.pair.label}{f' ({line.group})' if by else ''}: "
        f"{', '.join(line.found.tasks_left_out)}"
        for line in lines
        if line.found.tasks_left_out
    ]
    if told:
        notes.append(
            "tasks are left out where only one of the runs has a number for them "
            f"({'; '.join(told)})"
        )
    return notes


def _row(line: _Line) -> dict[str, Any]:
    """What the file has of a line."""
    found = line.found
    micro = micro_gap(*line.samples, BootstrapConfig())
    assert micro is not None  # of the same tasks
    return {
        "group": line.group,
        "measure": line.pair.label,
        "first": found.means[0],
        "second": found.means[1],
        "difference": found.mean,
        "low": found.low,
        "high": found.high,
        "micro_difference": micro.mean,
        "micro_low": micro.low,
        "micro_high": micro.high,
        "num_prompts_first": found.num_prompts[0],
        "num_prompts_second": found.num_prompts[1],
        "num_cases_first": found.num_cases[0],
        "num_cases_second": found.num_cases[1],
        "tasks_left_out": " ".join(found.tasks_left_out),
    }
