"""An audit as text and JSON.

Three tables: the share detected, the share clearly detected (see `audit`), and how far
scores fall. Ties and missing scores stand behind a share where there are any, as `t`
and `m` after their number.
"""

import dataclasses
import math
from collections.abc import Callable

from tbstar_jax.evaluation.audit.audit import AuditResult, AuditRow, Detection
from tbstar_jax.evaluation.files import json_text
from tbstar_jax.evaluation.markdown import markdown_table

_UNDEFINED = "n/a"


def markdown(result: AuditResult) -> str:
    """Detection rates, order and false alarms, then mean drops, as Markdown."""
    return "\n".join(markdown_table(c[0], c[1:]) + "\n" for c in _tables(result))


def to_json(result: AuditResult) -> str:
    """All numbers, with rates; what is not known is null."""
    values = dataclasses.asdict(result)
    for row, found in zip(values["rows"], result.rows, strict=True):
        for name, detection in found.detections.items():
            row["detections"][name] |= {
                "rate": detection.rate,
                "clear_rate": detection.clear_rate,
                "tie_rate": detection.tie_rate,
            }
    return json_text(values)


def left_out_text(result: AuditResult) -> str:
    """Says which levels were left out of how many cases, and why; empty if none."""
    lines = [
        f"{_name(row)}: {count} cases, {reason}"
        for row in result.rows
        for reason, count in row.left_out.items()
    ]
    return "\n".join(lines)


def _tables(result: AuditResult) -> tuple[list[list[str]], ...]:
    clear = _cells(result, "clearly detected, %", _clear_rate)
    return rate_cells(result), clear, _drop_cells(result)


def rate_cells(result: AuditResult) -> list[list[str]]:
    """Shares detected, in %, with their ties and missing scores; the head first."""
    rows = _cells(result, "detected, %", _rate)
    alarms = [result.false_alarms[name] for name in result.columns]
    orders = [result.order[name] for name in result.columns]
    rows += [
        ["all pairs in order", str(max(one.num_prompts for one in orders))]
        + [
            f"{_percent(one.mean)} [{_percent(one.low)}, {_percent(one.high)}]"
            for one in orders
        ],
        ["false alarm: same pixels", str(result.num_cases)]
        + [
            _percent(one.num_different / one.num_copies)
            if one.num_copies
            else _UNDEFINED
            for one in alarms
        ],
        ["false alarm: jpeg q95", str(result.num_cases)]
        + [_rate(one.faint) for one in alarms],
    ]
    return rows


def _drop_cells(result: AuditResult) -> list[list[str]]:
    rows = _cells(result, "mean drop", _drop)
    alarms = [result.false_alarms[name] for name in result.columns]
    rows += [
        ["false alarm: same pixels", str(result.num_cases)]
        + [_number(one.mean_difference) for one in alarms],
        ["false alarm: jpeg q95", str(result.num_cases)]
        + [_drop(one.faint) for one in alarms],
    ]
    return rows


def _cells(
    result: AuditResult, title: str, cell: Callable[[Detection], str]
) -> list[list[str]]:
    head = [title, "cases", *result.columns]
    return [
        head,
        *(
            [_name(row), str(row.num_cases)]
            + [cell(row.detections[name]) for name in result.columns]
            for row in result.rows
        ),
    ]


def _name(row: AuditRow) -> str:
    return f"{row.defect} {row.level}".strip()


def _rate(detection: Detection) -> str:
    notes = [_percent(detection.rate)]
    if detection.num_ties:
        notes.append(f"{detection.num_ties}t")
    if detection.num_missing:
        notes.append(f"{detection.num_missing}m")
    return " ".join(notes)


def _clear_rate(detection: Detection) -> str:
    return _percent(detection.clear_rate)


def _drop(detection: Detection) -> str:
    return _number(detection.mean_drop)


def _number(value: float | None) -> str:
    return _UNDEFINED if value is None else f"{value:.3f}"


def _percent(share: float) -> str:
    return _UNDEFINED if math.isnan(share) else f"{100 * share:.1f}"
