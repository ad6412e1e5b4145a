"""Tables of means: the leaderboard, the tasks, the slices, why edits fail."""

import math
from collections.abc import Sequence

from tbstar_jax.evaluation.report.content import Absent, ReportContent, Table
from tbstar_jax.evaluation.report.figures import tasks_of
from tbstar_jax.evaluation.report.head import ceiling, judge_name, slice_of
from tbstar_jax.evaluation.report.markup import (
    Html,
    digits_of,
    interval,
    join,
    note,
    number,
    scroll,
    table,
    tag,
)
from tbstar_jax.evaluation.run.measures import (
    Measure,
    measure_by_name,
)
from tbstar_jax.evaluation.run.results import SystemResult

_COLUMNS = (
    ("consistency", "macro", "C"),
    ("edit", "macro", "E"),
    ("preservation", "macro", "P"),
    ("text_cer", "tag script=en", "CER-EN"),
    ("text_cer", "tag script=zh", "CER-ZH"),
    ("ssim_keep", "macro", "SSIM"),
    ("drift_norm", "macro", "drift, ΔE"),
    ("shift", "macro", "shift, px"),
    ("consistency_area", "macro", "C by area"),
)


def leaderboard(content: ReportContent) -> Html:
    """Systems by falling C, each above its best of N, then the anchors; no mocks."""
    ranked: list[tuple[float, int, SystemResult]] = []
    for row, one in enumerate(content.results.systems):
        # The best of N follows its system, whatever its own C.
        place = -_c(one) if one.kind != "best" else ranked[-1][0]
        ranked.append((math.inf if one.kind == "anchor" else place, row, one))
    systems = [one for *_, one in sorted(ranked, key=lambda entry: entry[:2])]
    judges = {(one.judge, one.mode): one for one in content.judges if not one.is_mock}
    heads = [label for _, _, label in _COLUMNS]
    heads += [judge_name(one) for one in judges.values()]
    rows = [
        tag(
            "tr",
            tag("th", system.name, scope="row"),
            *(tag("td", cell) for cell in _numbers(content, system, list(judges))),
            class_=system.kind,
        )
        for system in systems
    ]
    caption = (
        "Mean over tasks, interval below; anchors: answers whose place is known; C by "
        "area: P only counts pixels"
    )
    if any(one.kind == "best" for one in systems):
        caption += "; best of N: of each prompt's answers the one with the highest C"
    heads_row = (tag("th", one, scope="col") for one in ("system", *heads))
    inner = tag(
        "table",
        tag("caption", tag("span", caption)),
        tag("thead", tag("tr", *heads_row)),
        tag("tbody", *rows),
        class_="numbers",
    )
    return scroll(inner, caption)


def _c(system: SystemResult) -> float:
    found = system.measures.get("consistency")
    return -1.0 if found is None or math.isnan(found.macro.mean) else found.macro.mean


def _numbers(
    content: ReportContent, system: SystemResult, judges: list[tuple[str, str]]
) -> list[Html]:
    cells = []
    for name, slice_, _ in _COLUMNS:
        cell = mean_cell(system, measure_by_name(name), slice_)
        best = ceiling(system, name, slice_)
        cells.append(join(cell, tag("small", best)) if best else cell)
    for judge, mode in judges:
        found = next(
            (
                one
                for one in content.judges
                if (one.judge, one.mode, one.system) == (judge, mode, system.name)
            ),
            None,
        )
        if found is None or found.dropped is None:
            cells.append(tag("span", "n/a", class_="none"))
            continue
        key = f"{system.name}|judge|{judge}|dropped"
        told = f"coverage {100 * found.coverage:.1f} %"
        cells.append(join(number(found.dropped.macro, 2, key), tag("small", told)))
    return cells


def mean_cell(system: SystemResult, measure: Measure, slice_: str) -> Html:
    """A mean with its interval; `n/a` where there is none."""
    found = slice_of(system, measure.name, slice_)
    if found is None:
        return tag("span", "n/a", class_="none")
    key = f"{system.name}|{measure.name}|{slice_}"
    return interval(found, digits_of(measure), key)


def task_table(system: SystemResult, measures: Sequence[Measure]) -> Html:
    """All measures of each task, with intervals."""
    columns = [measure for measure in measures if measure.name in system.measures]
    heads = ["task", *(head_of(measure) for measure in columns)]
    rows: list[list[str]] = []
    for task in ("macro", *(f"task={task}" for task in tasks_of(system))):
        cells = [mean_cell(system, measure, task) for measure in columns]
        rows.append([task.removeprefix("task=").replace("macro", "all tasks"), *cells])
    exact = [system.num_exact.get(measure.name, 0) for measure in columns]
    if any(exact):
        counts = [str(count) if count else "" for count in exact]
        rows.append(["identical, left out", *counts])
    return table("Means of each task with intervals", heads, rows, "numbers")


def head_of(measure: Measure) -> str:
    """Label and unit."""
    return f"{measure.label}, {measure.unit}" if measure.unit else measure.label


def slice_table(system: SystemResult) -> Html | Absent:
    """C, E and P by language and by tag."""
    sliced = system.measures["consistency"]
    names = [
        *(f"language={name}" for name in sliced.languages),
        *(f"tag {name}" for name in sliced.tags),
    ]
    if not names:
        return Absent(reason="no answer has a language or a tag")
    scores = [measure_by_name(name) for name in ("consistency", "edit", "preservation")]
    rows: list[list[str]] = [
        [
            name.removeprefix("tag "),
            str(found.num_prompts),
            *(mean_cell(system, measure, name) for measure in scores),
        ]
        for name in names
        if (found := slice_of(system, "consistency", name)) is not None
    ]
    heads = ["slice", "prompts", "C", "E", "P"]
    inner = table("Means of the slices with intervals", heads, rows, "numbers")
    return tag("details", tag("summary", "By language and by tag of the case"), inner)


def failures(system: SystemResult) -> Html | Absent:
    """Which part of E is the lowest where E is below 0.5."""
    if not system.weakest:
        return Absent(reason="no edit that was made has E below 0.5")
    rows: list[list[str]] = []
    order = [task for task in tasks_of(system) if task in system.weakest]
    for task in order:
        parts = system.weakest[task]
        total = sum(parts.values())
        bars = [
            tag(
                "span",
                tag("i", class_="bar", style=f"width:{60 * count / total:.0f}px"),
                f" {part} {count}",
                class_="part",
            )
            for part, count in parts.items()
        ]
        rows.append([task, str(total), join(*bars)])
    heads = ["task", "failed", "lowest part of E, and how often"]
    return table("Edits with E below 0.5", heads, rows, "parts")


def plain_table(given: Table | None, reason: str) -> Html | Absent:
    """A table as it was given."""
    if given is None:
        return Absent(reason=reason)
    rows = [[_cell(value) for value in row] for row in given.rows]
    found = table(given.title, list(given.columns), rows, "numbers")
    return join(found, *(note(one) for one in given.notes))


def _cell(value: str | int | float | None) -> str:
    if value is None:
        return "n/a"
    if isinstance(value, float):
        return "n/a" if math.isnan(value) else f"{value:.4g}"
    return str(value)
