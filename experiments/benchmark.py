"""The e-commerce benchmark: `python -m experiments.benchmark`.

python -m experiments.benchmark                              the shipped weights
python -m experiments.benchmark --checkpoint=DIR --split=test
python -m experiments.benchmark --outputs=DIR                another system's pictures
python -m experiments.benchmark --endpoint=URL --model=NAME  a server that edits
python -m experiments.benchmark ... --judge=judge.yaml       and a judge's scores

list          tasks, splits, measures and modes of judges
cases         writes the cases of a split, for other systems
compare A B   two runs, prompt by prompt
gap A B       one system on two splits, such as test and fresh
report RUN..  several runs in one report
judge RUN     judges a run again, later or by another model
canary        whether a judge still judges as it did
audit         which planted defects a judge finds
preference    a blind page for people, and what their votes say
public        other benchmarks, from a copy of your own
"""

import sys
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tbstar_jax.errors import UserError, run_command

Command: TypeAlias = Callable[[Sequence[str]], None]


def main(argv: Sequence[str]) -> None:
    """Runs one of the commands above."""
    command = _command(argv[0]) if argv else None
    if command is not None:
        command(argv[1:])
        return
    # Imported here: the commands without a model should not wait for jax.
    from experiments.benchmark_flags import parse_run
    from experiments.benchmark_run import run

    print(run(parse_run(list(argv)), ["python", "-m", "experiments.benchmark", *argv]))


def _command(name: str) -> Command | None:
    """What a name stands for, imported when it is asked for; None: no command."""
    match name:
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
        case "judge":
            from experiments.benchmark_judging import judge

            return judge
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
    return None


if __name__ == "__main__":
    sys.exit(run_command(main))
