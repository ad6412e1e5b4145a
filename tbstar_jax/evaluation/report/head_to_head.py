"""The table of every two systems, prompt by prompt."""

from tbstar_jax.evaluation.report.content import Absent
from tbstar_jax.evaluation.report.markup import (
    Html,
    digits_of,
    interval,
    join,
    note,
    shown,
    table,
)
from tbstar_jax.evaluation.run.measures import measure_by_name
from tbstar_jax.evaluation.run.results import HeadToHead, Results


def head_to_head_table(results: Results) -> Html | Absent:
    """Paired differences with intervals, and how often each is better."""
    if not results.head_to_head:
        systems = [one for one in results.systems if one.kind == "system"]
        if len(systems) < 2:
            return Absent(reason="the report is of one system")
        return Absent(reason="no two of the systems have a prompt in common")
    heads = ["first minus second", "score", "difference", "better", "tie", "worse"]
    heads += ["p", "prompts"]
    found = table(
        "Differences by prompt, mean over tasks, with intervals",
        heads,
        [_row(one) for one in results.head_to_head],
        "numbers",
    )
    return join(found, *map(note, _notes(results)))


def _row(pair: HeadToHead) -> list[str]:
    measure, found = measure_by_name(pair.measure), pair.found
    key = f"{pair.first} minus {pair.second}|{pair.measure}|macro"
    digits = digits_of(measure)
    value = interval(found.macro, digits, key)
    if round(found.macro.mean, digits) > 0:
        value = join("+", value)
    return [
        f"{pair.first} minus {pair.second}",
        measure.label,
        value,
        *(f"{100 * share:.0f} %" for share in (found.wins, found.ties, found.losses)),
        "< 0.001" if found.p_value < 0.001 else shown(found.p_value, 3),
        str(found.num_common),
    ]


def _notes(results: Results) -> list[str]:
    """How to read it, and what is not in it."""
    ties = dict.fromkeys(f"{one.found.tolerance:g}" for one in results.head_to_head)
    count = len(results.head_to_head)
    told = [
        f"Better, tie, worse: shares of prompts; a tie is within {', '.join(ties)}. p: "
        f"sign flips by case, not corrected for the number of comparisons, {count}.",
    ]
    names = [one.name for one in results.systems if one.kind == "system"]
    num_pairs = len(names) * (len(names) - 1) // 2
    shown_ = len({(one.first, one.second) for one in results.head_to_head})
    if shown_ < num_pairs:
        told.append(
            f"{shown_} of the {num_pairs} pairs of systems are shown, those of runs "
            "that were named first; the command compare takes any two."
        )
    readers = {
        str(results.provenance_of(name).get("tools", {}).get("ocr")) for name in names
    }
    if len(readers) > 1:
        told.append(
            "Where different programs read the texts of two systems, tasks with texts "
            "are left out of their comparison."
        )
    return told
