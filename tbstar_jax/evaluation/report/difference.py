"""The main system of a run beside that of an earlier one."""

import math
from collections.abc import Mapping
from typing import Any

from tbstar_jax.evaluation.report.boards import head_of
from tbstar_jax.evaluation.report.content import Absent, ReportContent
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
from tbstar_jax.evaluation.run.measures import Measure, with_variants
from tbstar_jax.evaluation.run.results import Results, SystemResult


def run_difference(content: ReportContent) -> Html | Absent:
    """Means of two runs side by side, for systems and measures of both.

    Systems are the same where their names are. Where no name is common, the main system
    is compared with that of the earlier run, and both are named.
    """
    before = content.previous
    if before is None:
        return Absent(reason="no earlier run was given to compare with")
    pairs = _pairs(content, before)
    if not pairs:
        reason = "the earlier run has no system that any of this one compares with"
        return Absent(reason=f"{reason}, so nothing can be compared")
    now = content.results.provenance_of(pairs[0][0].name)
    told = [note(_other_conditions(now, before.provenance))]
    renamed = [(one.name, then.name) for one, then in pairs if one.name != then.name]
    told += [
        note(f"Of other names, and compared as main systems: {old} before, {new} now.")
        for new, old in renamed
    ]
    measures = [
        [one for one in with_variants(content.tools) if _in_both(one, system, then)]
        for system, then in pairs
    ]
    if not any(measures):
        nothing = "No measure is common to the two runs, so nothing can be compared."
        return join(*told, tag("p", nothing))
    rows = [
        row
        for (system, then), common in zip(pairs, measures, strict=True)
        for measure in common
        for row in _row(system, then, measure)
    ]
    if not rows:
        names = ", ".join(system.name for system, _ in pairs)
        same = f"No mean of {names} differs from the earlier run in the digits shown."
        return join(*told, tag("p", same))
    heads = ["system", "measure", "before", "now", "difference"]
    found = table("Means over tasks that differ between the runs", heads, rows, "diff")
    return join(*told, found)


def _pairs(
    content: ReportContent, before: Results
) -> list[tuple[SystemResult, SystemResult]]:
    """Systems of now and of before that are compared."""
    earlier = {one.name: one for one in before.systems}
    systems = content.results.systems
    pairs = [(one, earlier[one.name]) for one in systems if one.name in earlier]
    if any(one.kind == "system" for one, _ in pairs):
        return pairs
    main = content.main_result
    mains = [one for one in before.systems if one.kind == "system"]
    if main is not None and len(mains) == 1:
        return [(main, mains[0]), *pairs]
    return pairs


def _in_both(measure: Measure, now: SystemResult, before: SystemResult) -> bool:
    return measure.name in now.measures and measure.name in before.measures


def _row(now: SystemResult, before: SystemResult, measure: Measure) -> list[list[str]]:
    """A row; none where the means do not differ in the digits shown."""
    then = before.measures[measure.name].macro.mean
    mean = now.measures[measure.name].macro.mean
    digits = digits_of(measure)
    step = mean - then
    if math.isnan(step) or abs(step) < 0.5 * 10**-digits:
        return []
    named = now.name
    if before.name != now.name:
        named = f"{now.name} (before: {before.name})"
    cells: list[str] = [
        named,
        head_of(measure),
        number(then, digits, f"before|{before.name}|{measure.name}|macro|mean"),
        number(mean, digits, f"{now.name}|{measure.name}|macro|mean"),
        _signed(step, digits, measure),
    ]
    return [cells]


def _signed(step: float, digits: int, measure: Measure) -> Html:
    sign = "+" if step > 0 else ""
    if measure.is_higher_better is None:
        verdict = ""
    else:
        verdict = "better" if (step > 0) == measure.is_higher_better else "worse"
    text = f"{sign}{shown(step, digits)}"
    return join(text, tag("small", verdict)) if verdict else join(text)


def _other_conditions(now: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """Of two provenances: whether the cases are the same, and what else differs."""
    changed = [
        name
        for name in (
            "cases_sha256",
            "split",
            "system",
            "settings",
            "scores_version",
            "tools",
            "versions",
            "commit",
        )
        if now.get(name) != before.get(name)
    ]
    if "cases_sha256" in changed or "split" in changed:
        start = "The two runs are not on the same cases: their means do not compare. "
    else:
        start = "Both runs are on the same cases. "
    if changed:
        start += f"Different between them: {', '.join(changed)}. "
    return start + "Whether a difference is real, a paired comparison says."
