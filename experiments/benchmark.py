"""The e-commerce benchmark: `python -m experiments.benchmark`.

python -m experiments.benchmark                              the shipped weights
python -m experiments.benchmark --checkpoint=DIR --split=test
python -m experiments.benchmark --outputs=DIR                another system's pictures
python -m experiments.benchmark --endpoint=URL --model=NAME  a server that edits
python -m experiments.benchmark ... --judge=judge.yaml       and a judge's scores

list          tasks, splits, measures and modes of judges
cases         writes the cases of a split, for other systems
compare A B   two runs, prompt by prompt
report RUN..  several runs in one report
judge RUN     judges a run again, later or by another model
canary        whether a judge still judges as it did
audit         which planted defects a judge finds
preference    a blind page for people, and what their votes say
public        other benchmarks, from a copy of your own
"""

import sys
from collections.abc import Callable, Sequence

from tbstar_jax.errors import run_command

_COMMANDS = (
    "list",
    "cases",
    "compare",
    "report",
    "judge",
    "canary",
    "audit",
    "preference",
    "public",
)


def main(argv: Sequence[str]) -> None:
    """Runs one of the commands above."""
    if argv and argv[0] in _COMMANDS:
        _command(argv[0])(argv[1:])
        return
    # Imported here: the commands without a model should not wait for jax.
    from experiments.benchmark_flags import parse_run
    from experiments.benchmark_run import run

    command = ["python", "-m", "experiments.benchmark", *argv]
    print(run(parse_run(list(argv)), command))


def _command(name: str) -> Callable[[Sequence[str]], None]:
    from experiments import (
        benchmark_judging,
        benchmark_people,
        benchmark_public,
        benchmark_tables,
    )

    commands: dict[str, Callable[[Sequence[str]], None]] = {
        "list": benchmark_tables.list_all,
        "cases": benchmark_tables.cases,
        "compare": benchmark_tables.compare,
        "report": benchmark_tables.report,
        "judge": benchmark_judging.judge,
        "canary": benchmark_judging.canary,
        "audit": benchmark_judging.audit,
        "preference": benchmark_people.preference,
        "public": benchmark_public.public,
    }
    return commands[name]


if __name__ == "__main__":
    sys.exit(run_command(main))
