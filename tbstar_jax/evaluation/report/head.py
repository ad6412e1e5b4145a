"""The top of a report: the score in a line, what to know first, what was run."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tbstar_jax.evaluation.judge.modes import VIE_MODES
from tbstar_jax.evaluation.judge.summary import Summary
from tbstar_jax.evaluation.report.content import ReportContent
from tbstar_jax.evaluation.report.markup import (
    Html,
    digits_of,
    join,
    note,
    number,
    shown,
    table,
    tag,
)
from tbstar_jax.evaluation.run.measures import CEILINGS, measure_by_name
from tbstar_jax.evaluation.run.results import SystemResult
from tbstar_jax.evaluation.statistics.resample import Interval

_MAX_VALUE, _MAX_TOLD = 400, 80
_MAX_HASH = 20
"""Of a digest, and of a commit that may end in `-dirty`; all of it is at the end."""


def headline(content: ReportContent, main: SystemResult) -> Html:
    """`C (CI) | E | P | CER-EN | CER-ZH | drift | shift | VIE-O (judge, coverage)`."""
    items = []
    for label, name, slice_ in (
        ("C", "consistency", "macro"),
        ("E", "edit", "macro"),
        ("P", "preservation", "macro"),
        ("CER-EN", "text_cer", "tag script=en"),
        ("CER-ZH", "text_cer", "tag script=zh"),
        ("drift", "drift_norm", "macro"),
        ("shift", "shift", "macro"),
    ):
        measure = measure_by_name(name)
        found = slice_of(main, name, slice_)
        mean = math.nan if found is None else found.mean
        key = f"{main.name}|{name}|{slice_}|mean"
        value = number(mean, digits_of(measure), key)
        unit = f" {measure.unit}" if measure.unit and not math.isnan(mean) else ""
        ends: str = ceiling(main, name, slice_)
        if name == "consistency" and found is not None and not math.isnan(found.low):
            ends = f"{shown(found.low, 3)} to {shown(found.high, 3)}"
        items.append(_item(label, join(value, unit), ends))
    items.append(_item("VIE-O", *_judged(content, main)))
    line = tag("dl", *items, class_="headline")
    if not content.results.runs:
        return line
    whose = f"{main.name}, whose answers are shown below; the others: see the tables."
    return join(note(f"Scores of {whose}"), line)


def ceiling(system: SystemResult, measure: str, slice_: str) -> Html:
    """`a perfect edit: 0.080` of an error rate; empty of other measures."""
    name = CEILINGS.get(measure, "")
    found = slice_of(system, name, slice_)
    if found is None or math.isnan(found.mean):
        return Html("")
    key = f"{system.name}|{name}|{slice_}|mean"
    return join("a perfect edit: ", number(found.mean, 3, key))


def _item(label: str, value: str, small: str) -> Html:
    more = (tag("small", small),) if small else ()
    return tag("div", tag("dt", label), tag("dd", tag("b", value), *more))


def _judged(content: ReportContent, main: SystemResult) -> tuple[str, str]:
    """The first real judge of a VIEScore mode; a mock says nothing."""
    own = [judge for judge in content.judges if judge.system == main.name]
    for judge in own:
        if not judge.is_mock and judge.mode in VIE_MODES:
            value = "n/a" if judge.dropped is None else f"{judge.dropped.macro:.2f}"
            return value, f"{judge_name(judge)}, coverage {100 * judge.coverage:.1f} %"
    return "n/a", "only a mock judge" if own else "no judge"


def judge_name(judge: Summary) -> str:
    """Models of a judge, its mode, and whose words it was asked in."""
    models = ", ".join(judge.models) or "no model answered"
    return f"{'MOCK ' if judge.is_mock else ''}{models}: {judge.label}"


def slice_of(system: SystemResult, measure: str, name: str) -> Interval | None:
    """A slice by its name in `results.csv`; None where there is none."""
    sliced = system.measures.get(measure)
    if sliced is None:
        return None
    kind, _, rest = name.partition(" " if name.startswith("tag ") else "=")
    match kind:
        case "macro":
            return sliced.macro
        case "micro":
            return sliced.micro
        case "task":
            return sliced.tasks.get(rest)
        case "language":
            return sliced.languages.get(rest)
    return sliced.tags.get(rest)


def warnings(content: ReportContent) -> Html:
    """What the reader must know before any number; empty where there is nothing."""
    notes = list(content.results.notes)
    for system in content.results.systems:
        absent = {k: n for k, n in system.statuses.items() if k != "ok" and n}
        if absent and system.kind != "best":
            told = ", ".join(f"{n} {k}" for k, n in absent.items())
            notes.append(
                f"{system.name}: of {num_answers(system)} answers, {told}; what is "
                "missing or cannot be decoded counts as zero."
            )
    if not notes:
        return Html("")
    items = tag("ul", *(tag("li", one) for one in notes))
    return tag(
        "aside",
        tag("h2", "Read this first", id="notes"),
        items,
        class_="warning",
        aria_labelledby="notes",
    )


def told(content: ReportContent) -> Html:
    """Coverage, hashes, tools and time, a line for each run; the end has all of it."""
    if not content.results.runs:
        return _told(content, content.main, ())
    return join(
        *(_told(content, name, (tag("b", name), ": ")) for name in content.results.runs)
    )


def _told(content: ReportContent, name: str, start: Sequence[str]) -> Html:
    """Of the run of one system."""
    parts = []
    result = next((one for one in content.results.systems if one.name == name), None)
    if result is not None:
        scored = result.statuses.get("ok", 0) + result.statuses.get("wrong_size", 0)
        parts.append(f"{scored} of {num_answers(result)} prompts answered")
        if result.num_samples > 1:
            parts[0] = (
                f"{scored} of {num_answers(result)} answers, {result.num_samples} to "
                f"each of {result.num_prompts} prompts"
            )
    values = content.results.provenance_of(name)
    if count := values.get("num_cases"):
        parts.append(f"{count} cases")
    hashes = {
        "cases": values.get("cases_sha256"),
        "weights": values.get("system", {}).get("weights_sha256"),
        "commit": values.get("commit"),
    }
    parts += [
        f"{name} {str(text)[:_MAX_HASH]}" for name, text in hashes.items() if text
    ]
    for name, tool in values.get("tools", {}).items():
        if isinstance(tool, Mapping):
            tool = ", ".join(dict.fromkeys(str(one["name"]) for one in tool.values()))
        parts.append(f"{name}: {tool[:_MAX_TOLD] or 'none'}")
    if time := values.get("time"):
        parts.append(str(time)[:_MAX_TOLD])
    return tag("p", *start, " \u00b7 ".join(parts), class_="told")


def num_answers(system: SystemResult) -> int:
    """Asked for: all samples."""
    return sum(system.statuses.values())


def coverage(content: ReportContent) -> Html:
    """Answers by status, per system."""
    statuses = ("ok", "wrong_size", "missing", "decode_error")
    rows = [
        [
            system.name,
            system.kind,
            str(system.num_prompts),
            *(str(system.statuses.get(status, 0)) for status in statuses),
        ]
        for system in content.results.systems
        if system.kind != "best"
    ]
    heads = ["system", "kind", "prompts", *statuses]
    return table("Answers by status", heads, rows, "numbers")


def provenance(content: ReportContent) -> Html:
    """Everything that was recorded, name by name, a column for each run."""
    results = content.results
    runs = results.runs or {content.main: results.provenance}
    columns = [dict(_flat("", values)) for values in runs.values()]
    rows = [
        [name, *(_value(column, name) for column in columns)]
        for name in dict.fromkeys(name for column in columns for name in column)
    ]
    heads = ["what", *(runs if results.runs else ["value"])]
    return table("What was run, and on what", heads, rows, "provenance")


def _value(column: Mapping[str, Any], name: str) -> Html:
    if name not in column:
        return tag("span", "n/a", class_="none")
    value = column[name]
    text = value if isinstance(value, str) else json.dumps(value)
    short = text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}…"
    return tag("code", short)


def _flat(prefix: str, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        label = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found += _flat(f"{label}.", value)
        elif name == "command" and isinstance(value, list | tuple):
            found.append((label, " ".join(map(str, value))))
        else:
            found.append((label, value))
    return found
