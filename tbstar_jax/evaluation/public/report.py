"""A suite's numbers with what they are worth: JSON, and text for the terminal."""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tbstar_jax.evaluation.files import json_text, write_whole
from tbstar_jax.evaluation.public.compat import Mark, Sheet
from tbstar_jax.evaluation.public.items import Suite

VERSION = 1
_MAX_NAMED = 20


def suite_report(
    suite: Suite,
    system: str,
    marks: Sequence[Mark],
    sheets: Sequence[Sheet],
    *,
    judge: Mapping[str, Any] | None,
    details: Mapping[str, str],
    unknown: Sequence[str],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Sums a system's answers to a suite up, as JSON values.

    Args:
      suite: what was asked.
      system: who answered.
      marks: one per item.
      sheets: their means.
      judge: who judged: `label` says whose words and in which mode; None: nobody.
      details: id to what was wrong with an answer, photo or judgement.
      unknown: files of the answers' folder that belong to no item.
      notes: sentences the reader must know.

    Returns:
      Totals, coverage (share of items with a mark, in [0, 1]), at most twenty names of
      what is missing, wrong or skipped, a table per sheet, and the SHA-256 of ids and
      instructions, which tells copies apart.
    """
    statuses = Counter(mark.status for mark in marks)
    missing = [mark.id for mark in marks if mark.status == "missing"]
    return {
        "version": VERSION,
        "suite": suite.name,
        "items_sha256": _digest(suite),
        "system": system,
        "judge": dict(judge) if judge is not None else None,
        "num_items": len(marks),
        "num_answers": len(marks) - len(missing),
        "num_missing": len(missing),
        "coverage": statuses["ok"] / len(marks),
        "statuses": dict(sorted(statuses.items())),
        "missing": missing[:_MAX_NAMED],
        "wrong": dict(list(details.items())[:_MAX_NAMED]),
        "num_skipped_rows": len(suite.skipped),
        "skipped_rows": [dataclasses.asdict(one) for one in suite.skipped[:_MAX_NAMED]],
        "unknown_files": list(unknown),
        "tables": [_table(sheet) for sheet in sheets],
        "notes": list(notes),
    }


def write_report(report: Mapping[str, Any], out: Path) -> None:
    """Writes `report.json` and `report.txt` into a folder, each whole or not at all."""
    write_whole(out / "report.json", json_text(report).encode())
    write_whole(out / "report.txt", report_text(report).encode())


def report_text(report: Mapping[str, Any]) -> str:
    """A report as lines for a terminal.

    Args:
      report: of `suite_report`, or `report.json` read again.
    """
    judge = report["judge"]
    lines = [
        f"{report['suite']}: {report['system']}",
        f"judge: {judge['label']}, {judge['model']}" if judge else "judge: none",
        f"items {report['num_items']}, answers {report['num_answers']}, missing "
        f"{report['num_missing']}, rows skipped {report['num_skipped_rows']}, coverage "
        f"{100 * report['coverage']:.1f} %",
        "statuses: "
        + ", ".join(f"{name} {count}" for name, count in report["statuses"].items()),
    ]
    lines += [f"note: {note}" for note in report["notes"]]
    for table in report["tables"]:
        lines += ["", *_table_lines(table)]
    return "\n".join(lines) + "\n"


def _digest(suite: Suite) -> str:
    """SHA-256 of ids and instructions: which copy, in which languages."""
    lines = [f"{item.id}\t{item.instruction}\n" for item in suite.items]
    return hashlib.sha256("".join(sorted(lines)).encode(errors="replace")).hexdigest()


def _table(sheet: Sheet) -> dict[str, Any]:
    return {
        "name": sheet.name,
        "published": sheet.published,
        "num_items": sheet.num_expected,
        "num_marked": sheet.num_marked,
        "tasks": {
            task: {
                "num_items": count,
                "num_marked": sheet.marked[task],
                **{column.name: column.by_task.get(task) for column in sheet.columns},
            }
            for task, count in sheet.expected.items()
        },
        "means": {
            column.name: {
                "macro": column.macro,
                "micro": column.micro,
                "lower": column.lower,
            }
            for column in sheet.columns
        },
    }


def _table_lines(table: Mapping[str, Any]) -> list[str]:
    names = list(table["means"])
    rows = [["task", "marked", *names]]
    for task, values in table["tasks"].items():
        count = f"{values['num_marked']}/{values['num_items']}"
        rows.append([task, count, *(_number(values[name]) for name in names)])
    count = f"{table['num_marked']}/{table['num_items']}"
    for kind, label in (
        ("macro", "mean over tasks"),
        ("micro", "mean over items"),
        ("lower", "over tasks, lowest for the rest"),
    ):
        star = " *" if kind == table["published"] else ""
        means = [_number(table["means"][name][kind]) for name in names]
        rows.append([label + star, count, *means])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    title = f"{table['name']} (* as published)"
    return [title, *(_padded(row, widths) for row in rows)]


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    first = row[0].ljust(widths[0])
    cells = zip(row[1:], widths[1:], strict=True)
    rest = [cell.rjust(width) for cell, width in cells]
    return "  ".join([first, *rest])


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
