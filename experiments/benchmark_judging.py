"""The command `judge`: a finished run judged, again, or against others."""

import argparse
import datetime
import math
from collections.abc import Sequence
from pathlib import Path

from data.parser import Parser
from experiments.benchmark_canary import check_judge
from experiments.benchmark_report import TABLES, report_runs, write_table
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.agreement import Difference
from tbstar_jax.evaluation.judge.config import JudgeConfig, read_judge
from tbstar_jax.evaluation.markdown import markdown_table
from tbstar_jax.evaluation.report.content import Table
from tbstar_jax.evaluation.run.judging import (
    compare_runs,
    judge_again,
    judge_difference,
    judge_run,
    ranked,
)
from tbstar_jax.evaluation.run.run_folder import Run, read_run, same_cases
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

_COMMAND = "python -m experiments.benchmark"


def judge(argv: Sequence[str]) -> None:
    """Judges a finished run, or judges it again to see what moved."""
    parser = Parser(
        prog=f"{_COMMAND} judge",
        description="Judges a finished run; `rejudge RUN` is `judge RUN --again`.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("run", type=Path, help="folder of a run")
    add("--judge", type=Path, required=True, metavar="FILE", help="judge.yaml")
    add(
        "--again",
        nargs="?",
        const=datetime.datetime.now(datetime.UTC).date().isoformat(),
        type=_label,
        metavar="LABEL",
        help="judge again under this label (default: today's date), and compare",
    )
    add("--against", nargs="+", type=Path, default=[], metavar="RUN", help="in pairs")
    add(
        "--diff", type=Path, metavar="FILE", help="another judge of it, to compare with"
    )
    options = parser.parse_args(argv)
    run, config = read_run(options.run), read_judge(options.judge)
    if (config.mode == "pairwise") != bool(options.against):
        raise UserError(
            f"the judge's mode is {config.mode}; --against goes with the mode "
            "pairwise, and only with it"
        )
    chosen = [bool(options.against), options.again is not None, bool(options.diff)]
    if sum(chosen) > 1:
        raise UserError(
            "--against, --again and --diff are different things to do; choose one"
        )
    if options.against:
        _compare([run, *map(read_run, options.against)], config)
        return
    if options.diff is not None:
        _print_difference(judge_difference(run, config, read_judge(options.diff)))
        return
    if options.again is None:
        print(judged_report(run.folder, config))
        return
    _print_difference(judge_again(run, config, options.again))


def _label(text: str) -> str:
    """What judgements made again are called."""
    if Path(text).is_dir():
        raise argparse.ArgumentTypeError(
            f"{text} is a folder, not a label; name the run first, or write "
            "--again=LABEL"
        )
    return text


def rejudge(argv: Sequence[str]) -> None:
    """`judge --again`, under the name that it is looked for by."""
    is_given = any(one.partition("=")[0] == "--again" for one in argv)
    judge([*argv, *(() if is_given else ("--again",))])


def judged_report(folder: Path, config: JudgeConfig) -> str:
    """Judges a run and writes its report, also where the judge fails.

    Returns:
      The headlines.

    Raises:
      UserError: see `judge_run` and `report_runs`.
    """
    try:
        judge_run(read_run(folder), config, check_judge)
    except UserError:
        report_runs([folder], folder)
        raise
    return report_runs([folder], folder)


def _print_difference(moved: Difference) -> None:
    """How the second scores differ from the first."""
    print(
        f"{moved.num_both} pictures were judged both times ({moved.num_first} only the "
        f"first, {moved.num_second} only the second)"
    )
    rows = [
        [
            name,
            f"{agreed.exact:.3f}",
            f"{agreed.within_one:.3f}",
            "n/a" if agreed.spearman is None else f"{agreed.spearman:.3f}",
            f"{agreed.mean_shift:+.3f}",
        ]
        for name, agreed in moved.scores.items()
    ]
    head = ["score", "equal", "within 1", "Spearman", "mean shift"]
    print(markdown_table(head, rows))


def _compare(runs: Sequence[Run], config: JudgeConfig) -> None:
    same_cases(runs)
    ranking, counted = ranked(compare_runs(runs, config), BootstrapConfig())
    head = ["system", "score (Davidson)", "low", "high", "verdicts"]
    rows: list[list[str | int | float]] = [
        [one.system, *map(_whole, (one.score, one.low, one.high)), one.num_votes]
        for one in ranking.systems
    ]
    note = (
        f"{100 * counted.coverage:.1f} % of the pairs have a verdict; in "
        f"{counted.num_inconsistent} the two orders disagreed, which counts as a tie"
    )
    print(markdown_table(head, [[str(cell) for cell in row] for row in rows]))
    print(f"\n{note}")
    table = Table(
        title=f"Edits in pairs, judged by {config.label()}",
        columns=head,
        rows=rows,
        notes=[note],
    )
    write_table(runs[0].folder / TABLES["pairwise"], table)


def _whole(number: float) -> str:
    """Without decimals; a single case says nothing about its spread."""
    return "n/a" if math.isnan(number) else f"{number:.0f}"
