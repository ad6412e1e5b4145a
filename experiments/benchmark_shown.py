"""Tables of two systems compared, and of audits: printed, written, in the report."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from experiments.benchmark_report import TABLES, report_runs, write_table
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.markdown import markdown_table
from tbstar_jax.evaluation.report.content import Table
from tbstar_jax.evaluation.run.run_folder import RUN_FILE, read_run

LANGUAGES = {"en": "English", "zh": "Chinese"}
_COMMAND = "python -m experiments.benchmark"


def told(value: str | int | float | None) -> str:
    """A cell of a printed table."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "n/a"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def print_table(table: Table) -> None:
    """Prints a table with its notes below."""
    rows = [[told(one) for one in row] for row in table.rows]
    print(markdown_table(table.columns, rows))
    print("\n".join(f"\n{note}" for note in table.notes))


def show(
    folder: Path, kind: Literal["preference", "pairwise", "audit"], table: Table
) -> str:
    """Writes a table into a folder and, where that holds a run, the report anew.

    A report of several runs is left as it is: where the others lie is not known.

    Returns:
      Where it is shown, or what to do to have it shown: one sentence.

    Raises:
      UserError: it cannot be written.
    """
    path = folder / TABLES[kind]
    write_table(path, table)
    if not (folder / RUN_FILE).exists():
        return (
            f"{path} is written; {folder} holds no run, and `{_COMMAND} report RUN "
            f"... --out={folder}` makes a report with it"
        )
    try:
        others = _others(folder)
        if others:
            return (
                f"{path} is written; {folder / 'report.html'} has other runs in it, "
                f"too ({', '.join(others)}): write it anew with `{_COMMAND} report "
                f"{folder} ...` and their folders"
            )
        report_runs([folder], folder)
    except UserError as error:
        return (
            f"{path} is written, but the report is as it was: {error}; then run "
            f"`{_COMMAND} report {folder}`"
        )
    return f"{folder / 'report.html'} shows it"


def _others(folder: Path) -> Sequence[str]:
    """Systems in a folder's report beside the run's own."""
    try:
        text = (folder / "results.json").read_text(encoding="utf-8")
        systems = json.loads(text)["systems"]
        names = [str(one["name"]) for one in systems if one["kind"] == "system"]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # no report that could be lost
    own = read_run(folder).name
    return [name for name in names if name != own]
