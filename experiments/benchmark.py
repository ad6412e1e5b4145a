"""The e-commerce benchmark: `python -m experiments.benchmark`.

python -m experiments.benchmark                              the shipped weights
python -m experiments.benchmark --checkpoint=DIR --split=test
python -m experiments.benchmark --outputs=DIR                another system's pictures
python -m experiments.benchmark --endpoint=URL --model=NAME  a server that edits
python -m experiments.benchmark ... --judge=judge.yaml       and a judge's scores

python -m experiments.benchmark COMMAND ...                  see `benchmark_commands`
python -m experiments.benchmark --help
"""

import sys
from collections.abc import Callable, Sequence
from typing import TypeAlias

from experiments.benchmark_commands import (
    COMMANDS,
    PARTS,
    PROGRAM,
    parts_help,
    unknown_command,
)
from tbstar_jax.errors import UserError, run_command

Command: TypeAlias = Callable[[Sequence[str]], None]


def main(argv: Sequence[str]) -> None:
    """Runs one of the commands above."""
    if argv and not argv[0].startswith("-"):
        command = _command(argv[0])
        if argv[0] in PARTS and list(argv[1:2]) in (["-h"], ["--help"]):
            print(parts_help(argv[0]))
            sys.exit(0)
        command(argv[1:])
        return
    # Imported here: the commands without a model should not wait for jax.
    from experiments.benchmark_flags import parse_run
    from experiments.benchmark_run import run

    print(run(parse_run(list(argv)), [*PROGRAM.split(), *argv]))


def _command(name: str) -> Command:
    """What a name stands for, imported when it is asked for."""
    if name not in COMMANDS:
        raise unknown_command(name)
    match name:
        case "validate":
            from experiments.benchmark_validate import validate

            return validate
        case "compare":
            from experiments.benchmark_compare import compare

            return compare
        case "gap":
            from experiments.benchmark_gap import gap

            return gap
        case "list" | "cases" | "report":
            from experiments import benchmark_tables as tables

            return {
                "list": tables.list_all,
                "cases": tables.cases,
                "report": tables.report,
            }[name]
        case "judge" | "rejudge":
            from experiments.benchmark_judging import judge, rejudge

            return {"judge": judge, "rejudge": rejudge}[name]
        case "canary" | "audit":
            try:
                from experiments.benchmark_audit import audit
                from experiments.benchmark_canary import canary
            except ModuleNotFoundError as error:
                raise UserError(
                    f"{name} plants defects with {error.name}, which is not installed; "
                    "install it with `pip install -e '.[data]'`"
                ) from error

            return {"canary": canary, "audit": audit}[name]
        case "preference":
            from experiments.benchmark_people import preference

            return preference
        case "public":
            from experiments.benchmark_public import public

            return public
    raise AssertionError(name)


if __name__ == "__main__":
    sys.exit(run_command(main))
