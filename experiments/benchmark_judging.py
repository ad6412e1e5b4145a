"""The command `judge`: a finished run judged, again, or against others."""

import argparse
import datetime
from collections.abc import Sequence
from pathlib import Path

from data.parser import Parser
from experiments.benchmark_canary import check_judge
from experiments.benchmark_pairs import pairwise_table
from experiments.benchmark_report import report_runs
from experiments.benchmark_settings import parse_beside_judge
from experiments.benchmark_shown import print_table, show
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.agreement import Difference
from tbstar_jax.evaluation.judge.config import JudgeConfig, read_judge
from tbstar_jax.evaluation.markdown import markdown_table
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
    options = parse_beside_judge(parser, argv)
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
        print(judged_report(run.folder, config, options.judge))
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


def judged_report(folder: Path, config: JudgeConfig, file: Path) -> str:
    """Judges a run and writes its report, also where the judge fails.

    Args:
      folder: of the run.
      config: the judge.
      file: that it was read from.

    Returns:
      The headlines.

    Raises:
      UserError: see `judge_run` and `report_runs`; where only the judge failed, it says
        that the report is there, and how to go on.
    """
    try:
        judge_run(read_run(folder), config, check_judge)
    except UserError as error:
        report_runs([folder], folder)
        raise UserError(
            f"{error}; the scores and {folder / 'report.html'} are written, and "
            f"`{_COMMAND} judge {folder} --judge={file}` goes on with the judge"
        ) from error
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
    bootstrap = BootstrapConfig()
    comparisons = compare_runs(runs, config)
    ranking, _ = ranked(comparisons, bootstrap)
    table = pairwise_table(comparisons, ranking, config, bootstrap)
    print_table(table)
    print(f"\n{show(runs[0].folder, 'pairwise', table)}")
