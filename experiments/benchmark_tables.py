"""Commands of the benchmark that need neither a model nor a judge."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from data.parser import Parser
from experiments.benchmark_flags import add_case_options, case_flags
from experiments.benchmark_report import report_runs
from experiments.benchmark_run import open_cases
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, GROUND_TRUTH
from tbstar_jax.evaluation.cases.photo_cases import PHOTO_TASKS
from tbstar_jax.evaluation.cases.splits import SPLITS
from tbstar_jax.evaluation.judge.modes import Mode
from tbstar_jax.evaluation.markdown import markdown_table
from tbstar_jax.evaluation.run.measures import MEASURES, Measure
from tbstar_jax.evaluation.run.run_folder import read_run, same_cases
from tbstar_jax.evaluation.statistics.paired import Comparison
from tbstar_jax.evaluation.statistics.paired import compare as compare_samples
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig, Interval
from tbstar_jax.evaluation.statistics.sample import sample_of
from tbstar_jax.tasks import task_by_id

_COMMAND = "python -m experiments.benchmark"
_TIE = 0.01
"""Difference below which two numbers are a tie, in the unit of their measure."""


def list_all(argv: Sequence[str]) -> None:
    """Prints tasks, splits, measures and modes of judges."""
    Parser(prog=f"{_COMMAND} list", allow_abbrev=False).parse_args(argv)
    print("tasks (what the reference proves; p: also on your own photos)")
    for id in BENCHMARK_TASKS:
        task = task_by_id(id)
        mark = "p" if id in PHOTO_TASKS else " "
        print(f"  {mark} {id:<17}{GROUND_TRUTH[id]:<12}{task.name_en}, {task.name_zh}")
    print("\nsplits (cases, each asked in English and Chinese; longer side)")
    for name, plan in SPLITS.items():
        count = plan.num_per_task * len(BENCHMARK_TASKS)
        print(f"    {name:<8}{count:>5}{plan.pixels:>6} px")
    print("\nmeasures (arrow: which way is better)")
    for measure in MEASURES:
        arrow = {True: "up", False: "down", None: "-"}[measure.is_higher_better]
        print(
            f"    {measure.name:<22}{arrow:<6}{measure.label} {measure.unit}".rstrip()
        )
    print(f"\nmodes of judges\n    {', '.join(get_args(Mode))}")


def cases(argv: Sequence[str]) -> None:
    """Writes the cases of a split for other systems to answer."""
    parser = Parser(
        prog=f"{_COMMAND} cases",
        description="Writes cases.jsonl (a line per prompt: id, instruction, photo), "
        "and pictures. Answer <id> by the file <id>.png in a folder of yours, "
        f"then: {_COMMAND} --outputs=FOLDER --cases=DIR. With --samples=N further "
        "answers are <id>~1.png, <id>~2.png, ...",
        allow_abbrev=False,
    )
    add_case_options(parser)
    folder = open_cases(case_flags(parser.parse_args(argv)))
    print(f"{len(folder.ids)} cases, twice as many prompts, in {folder.folder}")


def report(argv: Sequence[str]) -> None:
    """Puts several runs on the same cases into one report."""
    parser = Parser(prog=f"{_COMMAND} report", allow_abbrev=False)
    add = parser.add_argument
    add("runs", nargs="+", type=Path, help="folders of runs; the first is shown")
    add("--out", type=Path, help="where to write (default: the first run's folder)")
    add("--previous", type=Path, help="an earlier run of the first system")
    add(
        "--mock",
        action="store_true",
        help="show what a judge adds, by numbers that no judge gave, labelled so",
    )
    options = parser.parse_args(argv)
    out = options.out or options.runs[0]
    mock = options.mock
    print(report_runs(options.runs, out, options.previous, with_mock=mock))


def compare(argv: Sequence[str]) -> None:
    """Compares two runs, prompt by prompt, and prints a Markdown table."""
    parser = Parser(prog=f"{_COMMAND} compare", allow_abbrev=False)
    add = parser.add_argument
    add("first", type=Path, help="folder of a run")
    add("second", type=Path, help="folder of another run on the same cases")
    options = parser.parse_args(argv)
    runs = [read_run(options.first), read_run(options.second)]
    same_cases(runs)
    rows = [run.records()[run.name] for run in runs]
    print(f"{runs[0].name} minus {runs[1].name}, mean over tasks, 95 % interval\n")
    table = []
    for measure in MEASURES:
        # PSNR is infinite where pictures are identical, and has no difference then.
        if measure.is_higher_better is None or measure.is_infinite_exact:
            continue
        samples = [sample_of(one, measure.name) for one in rows]
        both = set(samples[0].prompts) & set(samples[1].prompts)
        if not both or any(np.isnan(one.values).all() for one in samples):
            continue
        found = compare_samples(
            samples[0],
            samples[1],
            BootstrapConfig(),
            tolerance=_TIE,
            higher_is_better=measure.is_higher_better,
        )
        table.append(_row(measure, found))
    head = ["measure", "difference", "interval", "better", "tie", "worse", "p", "n"]
    print(markdown_table(head, table))
    if runs[0].provenance["tools"] != runs[1].provenance["tools"]:
        print("\nTexts were read by different programs: text tasks are not comparable.")


def _row(measure: Measure, found: Comparison) -> list[str]:
    return [
        f"{measure.label} {measure.unit}".strip(),
        f"{found.macro.mean:+.3f}",
        interval_text(found.macro),
        f"{100 * found.wins:.0f} %",
        f"{100 * found.ties:.0f} %",
        f"{100 * found.losses:.0f} %",
        f"{found.p_value:.3f}",
        str(found.num_common),
    ]


def interval_text(interval: Interval) -> str:
    """`low to high`, or why there is none."""
    if math.isnan(interval.low):
        return "n/a (a task has one case)"
    return f"{interval.low:.3f} to {interval.high:.3f}"
