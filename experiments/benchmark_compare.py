"""The command `compare`: two runs, prompt by prompt."""

import dataclasses
import math
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
from tbstar_jax.evaluation.run.run_folder import Run, common_cases, read_run
from tbstar_jax.evaluation.statistics.paired import Comparison
from tbstar_jax.evaluation.statistics.paired import compare as compare_samples
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Line:
    """One measure in one group of prompts."""

    group: str
    pair: MeasurePair
    found: Comparison


def compare(argv: Sequence[str]) -> None:
    """Compares two runs, prompt by prompt, and prints a Markdown table."""
    options = parse_two_runs("compare", "folder of another run on the same cases", argv)
    runs = (read_run(options.first), read_run(options.second))
    two = _on_common_cases(runs)
    pairs = measure_pairs(two, "where neither is identical")
    lines = [
        _Line(group=group, pair=pair, found=found)
        for group, prompts in prompt_groups(two.rows[0], options.by).items()
        for pair in pairs
        if (found := _compared(pair, prompts)) is not None
    ]
    if not lines:
        raise UserError(
            f"{runs[0].folder} and {runs[1].folder} have no prompt in common"
        )
    print(f"{runs[0].name} minus {runs[1].name}, mean over tasks, 95 % interval\n")
    print(_table(lines, by=options.by))
    print_notes(two.notes)
    if options.out is not None:
        write_rows([_row(line) for line in lines], options.out)


def _on_common_cases(runs: tuple[Run, Run]) -> TwoRuns:
    """Records of the cases that both runs are of, and how many are left out."""
    common = common_cases(*runs)
    two = side_by_side(runs)
    first, second = ([r for r in rows if r.case in common] for rows in two.rows)
    left_out = [len({r.case for r in rows} - common) for rows in two.rows]
    notes = two.notes
    if any(left_out):
        note = (
            f"cases that only one of the runs is of are left out: {left_out[0]} of "
            f"{runs[0].name}, {left_out[1]} of {runs[1].name}; {len(common)} are in "
            "both"
        )
        notes = (note, *notes)
    return dataclasses.replace(two, rows=(first, second), notes=notes)


def _compared(pair: MeasurePair, prompts: set[str]) -> Comparison | None:
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
    shown = [line for line in lines if by is None or line.pair.is_score]
    table = group_table(head, [(line.group, _cells(line)) for line in shown], by)
    if by is None:
        return table
    return (
        f"{table}\n\n{len(shown)} comparisons: p is not corrected for their number, so "
        f"about {rounded_count(len(shown) / 20)} would lie below 0.05 by chance."
    )


def _cells(line: _Line) -> list[str]:
    found, tie = line.found, line.pair.tie
    return [
        line.pair.label,
        f"{found.macro.mean:+.3f}",
        interval_text(found.macro.low, found.macro.high),
        f"{100 * found.wins:.0f} %",
        f"{100 * found.ties:.0f} % ({tie:g})",
        f"{100 * found.losses:.0f} %",
        "< 0.001" if found.p_value < 0.001 else f"{found.p_value:.3f}",
        str(found.num_common),
    ]


def _row(line: _Line) -> dict[str, Any]:
    """What the file has of a line."""
    return {
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
