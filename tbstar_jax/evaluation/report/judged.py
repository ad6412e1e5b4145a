"""What judges said: a table of all, mock ones named so, and reasons by prompt."""

from collections.abc import Sequence

from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.summary import Summary
from tbstar_jax.evaluation.report.content import Absent
from tbstar_jax.evaluation.report.head import judge_name
from tbstar_jax.evaluation.report.markup import Html, join, number, table, tag

MAX_REASON = 400
"""Characters of a reason that are shown."""


def judge_table(judges: Sequence[Summary]) -> Html | Absent:
    """Scores with their coverage, bounds, statuses and cost."""
    if not judges:
        return Absent(reason="no judge was asked")
    rows: list[list[str]] = []
    for one in judges:
        key = f"{one.system}|judge|{one.judge}"
        dropped = (
            "n/a"
            if one.dropped is None
            else number(one.dropped.macro, 2, f"{key}|dropped")
        )
        told = ", ".join(f"{count} {name}" for name, count in one.statuses.items())
        rows.append(
            [
                one.system,
                judge_name(one),
                dropped,
                number(one.lower.macro, 2, f"{key}|lower"),
                _number(one.semantic),
                _number(one.quality),
                f"{100 * one.coverage:.1f} %",
                told,
                _number(one.tokens, 0),
                "unknown" if one.cost is None else f"{one.cost:.4f}",
                tag("code", one.judge[:12]),
            ]
        )
    heads = ["system", "judge", "score", "missing as lowest", "SC", "PQ"]
    heads += ["coverage", "statuses", "tokens each", "cost", "fingerprint"]
    found = table("Judges, mean over tasks", heads, rows, "numbers")
    if not any(one.is_mock for one in judges):
        return found
    mock = (
        "MOCK: no model looked at these pictures. The score is computed from the "
        "deterministic measures to try out the pipeline, and is in no other table."
    )
    return join(tag("p", mock, class_="mock"), found)


def _number(value: float | None, digits: int = 2) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"


def reasons(judgements: Sequence[Judgement]) -> Html:
    """What was said of one answer."""
    found: list[Html] = []
    for one in judgements:
        label = f"{'MOCK ' if one.is_mock else ''}{one.model}: {one.label}"
        if one.overall is None:
            told = f"{one.status}. {one.detail}"
            found.append(_said(label, told))
            continue
        marks = f"{one.overall:.2f}"
        if one.semantic is not None and one.quality is not None:
            marks += f" (SC {one.semantic:g}, PQ {one.quality:g})"
        said = [
            f"{asked.part}: {asked.reason}"
            for vote in one.votes[:1]
            for asked in vote.asked
            if asked.reason
        ]
        found.append(_said(label, f"{marks}. {' '.join(said)}"))
    return join(*found)


def _said(label: str, text: str) -> Html:
    text = text if len(text) <= MAX_REASON else f"{text[:MAX_REASON]}…"
    return tag("p", tag("b", label), ": ", text, class_="reason")
