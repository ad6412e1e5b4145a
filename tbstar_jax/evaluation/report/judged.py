"""What judges said: a table of all, mock ones named so, and reasons by prompt."""

from collections.abc import Sequence

from tbstar_jax.evaluation.judge.canary import CanaryResult
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.summary import Summary
from tbstar_jax.evaluation.report.content import Absent
from tbstar_jax.evaluation.report.head import judge_name
from tbstar_jax.evaluation.report.markup import Html, join, note, number, table, tag

MAX_REASON = 400
"""Characters of a reason that are shown."""


def judge_table(judges: Sequence[Summary]) -> Html | Absent:
    """Scores with coverage, bounds, statuses, cost and canary; then other programs'."""
    if not judges:
        return Absent(reason="no judge was asked")
    heads = [
        "system",
        "judge",
        "score",
        "missing as lowest",
        "over answers",
        "SC",
        "PQ",
    ]
    heads += ["SC: success", "SC: restraint", "all marks best", "coverage", "statuses"]
    heads += ["tokens each", "cost", "canary", "fingerprint"]
    rows = [_row(one) for one in judges]
    found = table("Judges, mean over tasks", heads, rows, "numbers")
    if any(one.reference is not None for one in judges):
        found = join(found, _reference_table(judges))
    if not any(one.is_mock for one in judges):
        return found
    mock = (
        "MOCK: no model looked at these pictures. The score is computed from the "
        "deterministic measures to try out the pipeline, and is in no other table."
    )
    return join(tag("p", mock, class_="mock"), found)


def _row(one: Summary) -> list[str]:
    key = f"{one.system}|judge|{one.judge}"
    dropped = "n/a"
    if one.dropped is not None:
        dropped = number(one.dropped.macro, 2, f"{key}|dropped")
    return [
        one.system,
        judge_name(one),
        dropped,
        number(one.lower.macro, 2, f"{key}|lower"),
        _number(None if one.dropped is None else one.dropped.micro),
        _number(one.semantic),
        _number(one.quality),
        _number(one.success),
        _number(one.restraint),
        _share(one.perfect),
        _share(one.coverage),
        _statuses(one),
        _number(one.tokens, 0),
        _cost(one),
        "n/a" if one.is_mock else canary_text(one.canary),
        tag("code", one.judge[:12]),
    ]


def _statuses(one: Summary) -> str:
    """How many answers have which, and whether they were asked for in words alone."""
    counts = ", ".join(f"{count} {name}" for name, count in one.statuses.items())
    return f"{counts}; the server refused schemas" if one.is_unstructured else counts


def canary_text(found: CanaryResult | None) -> str:
    """What the canary said of a judge, in a cell."""
    if found is None:
        return "not recorded"
    if found.mean is None or found.outcome == "failed":
        return f"{found.outcome} ({found.date}): {found.detail}"
    ranks = " ".join(f"{mean:.2f}" for mean in found.by_rank)
    shift = "first record"
    if found.since is not None and found.shift is not None:
        shift = f"{found.shift:+.2f} since {found.since}"
    words = {"moved": "MOVED: ", "order": "ORDER BROKEN: "}.get(found.outcome, "")
    order = "worst to best" if found.outcome != "order" else "not in order"
    return (
        f"{words}mean {found.mean:.2f} on {found.date}, {shift}; {order} {ranks} "
        f"({found.num_rungs} of {found.num_asked} rungs)"
    )


def _reference_table(judges: Sequence[Summary]) -> Html:
    """What the programs behind the modes would have reported; no score of ours."""
    rows = []
    for one in judges:
        if (found := one.reference) is None:
            continue
        key = f"{one.system}|judge|{one.judge}|reference"
        ends = {"expected": found.expected, "low": found.lowest, "high": found.highest}
        numbers = [
            "n/a" if value is None else number(value, 2, f"{key}|{name}")
            for name, value in ends.items()
        ]
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.kinds.items())
        if one.mode == "imgedit":
            kinds += f"; {found.num_partial} with other than three marks"
        ours = "n/a" if one.dropped is None else f"{one.dropped.macro:.2f}"
        rows.append([one.system, judge_name(one), *numbers, ours, kinds])
    heads = ["system", "judge", "expected", "lowest", "highest", "our score", "answers"]
    caption = "BUG-COMPATIBLE: what the reference program would report"
    told = (
        "Not scores. The program behind the mode guesses, repeats for ever, stops or "
        "leaves out answers where a reply cannot be read; nothing was drawn here: the "
        "number lies between the two bounds. Expected is n/a where the program would "
        "not end or give no number, or replies are not stored."
    )
    return join(table(caption, heads, rows, "numbers"), note(told))


def _cost(one: Summary) -> str:
    if one.cost is None:
        return "n/a"
    return f"{one.cost:.4f} {one.currency or '(currency not recorded)'}"


def _share(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f} %"


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
