"""Commands about judges: judge a run, check for drift, audit."""

import datetime
import re
from collections.abc import Sequence
from pathlib import Path

from data.parser import Parser
from experiments.benchmark_flags import RUNS, add_case_options, case_flags
from experiments.benchmark_report import TABLES, report_runs, write_table
from experiments.benchmark_run import open_cases
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.audit.audit import AuditResult, run_audit
from tbstar_jax.evaluation.audit.canary import canary_ladder
from tbstar_jax.evaluation.audit.scorers import (
    BaselineScorer,
    JudgeScorer,
    PixelScorer,
    Scorer,
)
from tbstar_jax.evaluation.audit.table import left_out_text, markdown, to_json
from tbstar_jax.evaluation.judge.canary import (
    check_canary,
    read_canary,
    run_canary,
    write_canary,
)
from tbstar_jax.evaluation.judge.config import JudgeConfig, read_judge
from tbstar_jax.evaluation.report.content import Table
from tbstar_jax.evaluation.run.judging import (
    compare_runs,
    judge_again,
    judge_run,
    ranked,
)
from tbstar_jax.evaluation.run.run_folder import Run, read_run, same_cases
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

_COMMAND = "python -m experiments.benchmark"
NUM_RUNGS = 48


def judge(argv: Sequence[str]) -> None:
    """Judges a finished run, or judges it again to see what moved."""
    parser = Parser(prog=f"{_COMMAND} judge", allow_abbrev=False)
    add = parser.add_argument
    add("run", type=Path, help="folder of a run")
    add("--judge", type=Path, required=True, metavar="FILE", help="judge.yaml")
    add("--again", metavar="LABEL", help="judge again, e.g. a date, and compare")
    add("--against", nargs="+", type=Path, default=[], metavar="RUN", help="in pairs")
    options = parser.parse_args(argv)
    run, config = read_run(options.run), read_judge(options.judge)
    if (config.mode == "pairwise") != bool(options.against):
        raise UserError(
            f"the judge's mode is {config.mode}; --against goes with the mode "
            "pairwise, and only with it"
        )
    if options.against:
        _compare([run, *map(read_run, options.against)], config)
        return
    if options.again is None:
        judge_run(run, config)
        print(report_runs([run.folder], run.folder))
        return
    moved = judge_again(run, config, options.again)
    print(f"{moved.num_both} pictures were judged both times")
    print("| score | equal | within 1 | Spearman | mean shift |")
    print("|---|--:|--:|--:|--:|")
    for name, agreed in moved.scores.items():
        spearman = "n/a" if agreed.spearman is None else f"{agreed.spearman:.3f}"
        print(
            f"| {name} | {agreed.exact:.3f} | {agreed.within_one:.3f} | "
            f"{spearman} | {agreed.mean_shift:+.3f} |"
        )


def _compare(runs: Sequence[Run], config: JudgeConfig) -> None:
    same_cases(runs)
    ranking, counted = ranked(compare_runs(runs, config), BootstrapConfig())
    print(
        "| system | score (Davidson) | low | high | verdicts |\n|---|--:|--:|--:|--:|"
    )
    for one in ranking.systems:
        print(
            f"| {one.system} | {one.score:.0f} | {one.low:.0f} | {one.high:.0f} | "
            f"{one.num_votes} |"
        )
    print(
        f"\n{100 * counted.coverage:.1f} % of the pairs have a verdict; in "
        f"{counted.num_inconsistent} the two orders disagreed, which counts as a tie"
    )


def canary(argv: Sequence[str]) -> None:
    """Judges fixed pictures of known order; fails where the judge has drifted."""
    parser = Parser(prog=f"{_COMMAND} canary", allow_abbrev=False)
    add = parser.add_argument
    add("--judge", type=Path, required=True, metavar="FILE", help="judge.yaml")
    add("--record", type=Path, required=True, help="of the first time; made if absent")
    options = parser.parse_args(argv)
    previous = read_canary(options.record)
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    current = run_canary(read_judge(options.judge), canary_ladder, NUM_RUNGS, date)
    check_canary(previous, current)
    if previous is None:
        write_canary(current, options.record)
        print(f"the mean of {NUM_RUNGS} rungs is {current.mean:.2f}; {options.record}")
        return
    print(
        f"the judge is as it was on {previous.date}: mean {current.mean:.2f}, then "
        f"{previous.mean:.2f}"
    )


def audit(argv: Sequence[str]) -> None:
    """Plants defects in right edits and counts which of them a scorer notices."""
    parser = Parser(
        prog=f"{_COMMAND} audit",
        description="Audits this project's scores and, with --judge, a judge.",
        allow_abbrev=False,
    )
    add_case_options(parser)
    add = parser.add_argument
    add("--judge", type=Path, metavar="FILE", help="judge.yaml")
    add("--out", type=Path, help="folder (default: runs/benchmark/audit)")
    add("--run", type=Path, help="a run whose report shall show the result")
    options = parser.parse_args(argv)
    flags = case_flags(options)
    out = options.out or RUNS / "audit"
    cases = open_cases(flags)
    scorers: list[Scorer] = [
        PixelScorer(num_workers=flags.workers, with_reader=True),
        BaselineScorer(),
    ]
    if options.judge is not None:
        config = read_judge(options.judge)
        name = re.sub(r"[^\w.-]", "-", f"{config.model}-{config.mode}")
        for language in flags.languages:
            scorers.append(
                JudgeScorer(name=f"{name}-{language}", config=config, language=language)
            )
    result = run_audit(cases.__iter__, scorers, out, BootstrapConfig())
    (out / "audit.json").write_text(to_json(result), encoding="utf-8")
    print(markdown(result))
    print(left_out_text(result))
    if options.run is not None:
        write_table(options.run / TABLES["audit"], _table(result))


def _table(result: AuditResult) -> Table:
    rows: list[list[str | int | float]] = [
        [
            f"{row.defect} {row.level}".strip(),
            row.num_cases,
            *(row.detections[name].rate for name in result.columns),
        ]
        for row in result.rows
    ]
    return Table(
        title="Audit: share of planted defects that a score notices",
        columns=["defect", "cases", *result.columns],
        rows=rows,
    )
