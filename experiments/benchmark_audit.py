"""The command `audit`: which planted defects a score notices."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from data.parser import Parser
from experiments.benchmark_flags import RUNS, add_case_options, case_flags
from experiments.benchmark_run import open_cases
from experiments.benchmark_settings import parse_beside_judge
from experiments.benchmark_shown import show
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.audit.audit import AuditResult, run_audit
from tbstar_jax.evaluation.audit.scorers import (
    BaselineScorer,
    JudgeScorer,
    PixelScorer,
    Scorer,
)
from tbstar_jax.evaluation.audit.table import (
    left_out_text,
    markdown,
    rate_cells,
    to_json,
)
from tbstar_jax.evaluation.cases.case import Case, Language
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.files import write_whole
from tbstar_jax.evaluation.judge.config import read_judge
from tbstar_jax.evaluation.report.content import Table
from tbstar_jax.evaluation.run.run_folder import read_run
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

_COMMAND = "python -m experiments.benchmark"


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
    add("--limit", type=int, help="cases per task (default: all): a judge costs money")
    options = parse_beside_judge(parser, argv)
    if options.limit is not None and options.limit < 1:
        raise UserError(f"--limit is {options.limit}, but must be at least 1")
    flags = case_flags(options)
    if flags.max_instruction_bytes is not None:
        raise UserError(
            "--max-instruction-bytes has no effect on an audit; leave it out"
        )
    out = options.out or RUNS / "audit"
    # What is wrong should be known before the minutes that pictures take.
    if options.run is not None:
        read_run(options.run)
    judges = [] if options.judge is None else _judges(options.judge, flags.languages)
    for one in judges:
        one.require_ready(out)
    cases = open_cases(flags)
    scorers: list[Scorer] = [
        PixelScorer(num_workers=flags.workers, with_reader=True),
        BaselineScorer(),
        *judges,
    ]
    result = run_audit(
        lambda: _limited(cases, options.limit), scorers, out, BootstrapConfig()
    )
    write_whole(out / "audit.json", to_json(result).encode())
    print(markdown(result))
    print(left_out_text(result))
    if options.run is not None:
        print(show(options.run, "audit", _table(result)))


def _judges(file: Path, languages: Sequence[Language]) -> list[JudgeScorer]:
    """A judge by file, asked in each language."""
    config = read_judge(file)
    name = re.sub(r"[^\w.-]", "-", f"{config.model}-{config.mode}")
    return [
        JudgeScorer(name=f"{name}-{language}", config=config, language=language)
        for language in languages
    ]


def _limited(cases: CaseFolder, limit: int | None) -> Iterator[Case]:
    """The first cases of every task."""
    counts: Counter[str] = Counter()
    for case in cases:
        counts[case.task] += 1
        if limit is None or counts[case.task] <= limit:
            yield case


def _table(result: AuditResult) -> Table:
    head, *rows = rate_cells(result)
    return Table(
        title="Audit: share of planted defects that a score notices",
        columns=head,
        rows=rows,
        notes=["t: ties, which are not noticed; m: pairs left out, a score is missing"],
    )
