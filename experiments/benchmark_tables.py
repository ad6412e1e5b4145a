"""Commands of the benchmark that need neither a model nor a judge."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from data.parser import Parser
from experiments.benchmark_flags import add_case_options, case_flags
from experiments.benchmark_report import report_runs
from experiments.benchmark_run import open_cases
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, GROUND_TRUTH
from tbstar_jax.evaluation.cases.manifest import read_manifest
from tbstar_jax.evaluation.cases.photo_cases import PHOTO_TASKS
from tbstar_jax.evaluation.cases.splits import SPLITS
from tbstar_jax.evaluation.judge.modes import Mode
from tbstar_jax.evaluation.run.measures import MEASURES
from tbstar_jax.evaluation.run.run_folder import RUN_FILE
from tbstar_jax.tasks import task_by_id

_COMMAND = "python -m experiments.benchmark"


def list_all(argv: Sequence[str]) -> None:
    """Prints tasks, splits, slices, measures and modes of judges."""
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
    dev, test = (read_manifest(split)["slices"] for split in ("dev", "test"))
    print("\nslices, for compare --by=TAG (cases of dev, of test)")
    for tag in test:
        for k, value in enumerate(sorted({*dev[tag], *test[tag]})):
            counts = f"{dev[tag].get(value, 0):>6}{test[tag].get(value, 0):>6}"
            print(f"    {'' if k else tag:<18}{value:<12}{counts}")
    print("\nmeasures (which way is better; the largest difference that is a tie)")
    for measure in MEASURES:
        arrow = {True: "up", False: "down", None: "-"}[measure.is_higher_better]
        told = f"{measure.label} {measure.unit}".strip()
        print(f"    {measure.name:<27}{arrow:<6}{measure.tie:<8}{told}")
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
    flags = case_flags(parser.parse_args(argv))
    if flags.folder is not None and (flags.folder / RUN_FILE).is_file():
        raise UserError(
            f"{flags.folder} is the folder of a run; write the cases into another"
        )
    folder = open_cases(flags)
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
