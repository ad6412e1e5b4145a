"""Figures with the sentences and tables that go with them."""

import collections
from collections.abc import Mapping

from tbstar_jax.evaluation.report.boards import task_table
from tbstar_jax.evaluation.report.content import Absent, ReportContent
from tbstar_jax.evaluation.report.drawing import Drawing
from tbstar_jax.evaluation.report.figure_languages import EVEN
from tbstar_jax.evaluation.report.figure_scores import SCORES, score_bars
from tbstar_jax.evaluation.report.markup import (
    Html,
    interval,
    join,
    note,
    scroll,
    table,
    tag,
)
from tbstar_jax.evaluation.report.svg import svg
from tbstar_jax.evaluation.run.measures import (
    MEASURES,
    Kind,
    measure_by_name,
    with_variants,
)
from tbstar_jax.evaluation.run.results import SystemResult
from tbstar_jax.evaluation.text.distance import confusions

_MAX_CONFUSIONS = 20

_KINDS: Mapping[Kind, str] = {
    "score": "Scores by task, with intervals",
    "preservation": "Preservation by task, with intervals",
    "edit": "Edited pixels by task, with intervals",
    "text": "Texts by task, with intervals",
    "learned": "Learned metrics by task, with intervals",
}


def plate(drawing: Drawing | Absent, caption: str) -> Html:
    """A figure with its caption; a sentence in place of an absent one."""
    if isinstance(drawing, Absent):
        return note(f"{caption} Not shown: {drawing.reason}.")
    return tag(
        "figure",
        svg(drawing),
        tag("figcaption", caption),
        class_="plate",
        style=f"width:{drawing.width:g}px",
    )


def scores_panel(content: ReportContent) -> Html:
    """C, E and P of all systems, each as a figure that fits a phone."""
    bars = (
        score_bars(content.results, measure_by_name(name), content.main)
        for name in SCORES
    )
    plates = [tag("figure", svg(one), class_="plate") for one in bars]
    return tag("div", *plates, class_="plates")


def tasks_panel(
    content: ReportContent, main: SystemResult, drawing: Drawing | Absent
) -> Html:
    """The heat map, and all of its numbers to open, kind by kind."""
    assert isinstance(drawing, Drawing), "drawn wherever something was scored"
    measures = with_variants(content.tools)
    numbers = [
        tag("details", tag("summary", title), task_table(main, columns))
        for kind, title in _KINDS.items()
        if any(one.name in main.measures for one in measures if one.kind == kind)
        for columns in ([one for one in measures if one.kind == kind],)
    ]
    told = note(
        "Colours have fixed ends: shares and CER 0 to 1, PSNR 15 to 50 dB, shift "
        "8 to 0 px, colour differences 10 to 0."
    )
    return join(scroll(svg(drawing), drawing.title), told, *numbers)


def languages_panel(main: SystemResult, drawing: Drawing | Absent) -> Html | Absent:
    """The slopes and the paired difference."""
    found = main.english_minus_chinese
    if isinstance(drawing, Absent) or found is None:
        return Absent(reason="no scene was asked in English and in Chinese")
    key = f"{main.name}|english_minus_chinese"
    told = tag(
        "p",
        "English minus Chinese in C, paired by scene, mean over tasks: ",
        interval(found, 3, key),
        f". {found.num_cases} scenes.",
        class_="paired",
    )
    caption = (
        "Mean C of each task. Blue: better in English; orange: in Chinese; grey: "
        f"within {EVEN:g} of each other."
    )
    return join(told, plate(drawing, caption))


def preservation_panel(drawings: Mapping[str, Drawing | Absent]) -> Html | Absent:
    """Shift, cast and colour differences outside the edit."""
    named = {name: drawings[name] for name in ("shift", "drift", "kept")}
    if all(isinstance(one, Absent) for one in named.values()):
        return Absent(reason="no answer has measures of what it kept")
    captions = {
        "shift": "Where the kept region of each answer went; circles: 0.5 px, up to "
        "which P is not reduced, and 8 px, where it is 0.",
        "drift": "Mean change of a* and b* of the kept region, one arrow per answer.",
        "kept": "Share of kept pixels that are off by more than a colour difference, "
        "mean over tasks, as answers lie; thin: with the motion undone, where that "
        "differs; grey: anchors.",
    }
    plates = [plate(one, captions[name]) for name, one in named.items()]
    return tag("div", *plates, class_="plates")


def text_panel(
    content: ReportContent, main: SystemResult, drawing: Drawing | Absent
) -> Html | Absent:
    """Error rates, the overlap of the ink, which characters are confused or lost."""
    names = [one.name for one in MEASURES if one.kind == "text"]
    known = [name for name in names if name in main.measures]
    if not known:
        return Absent(reason="no task of this run writes a text, or keeps one")
    rows: list[list[str]] = []
    for name in known:
        measure, sliced = measure_by_name(name), main.measures[name]
        cells: list[str] = [measure.label]
        for label, one in (
            ("macro", sliced.macro),
            ("tag script=en", sliced.tags.get("script=en")),
            ("tag script=zh", sliced.tags.get("script=zh")),
            ("tag script=number", sliced.tags.get("script=number")),
        ):
            key = f"{main.name}|{name}|{label}"
            empty = tag("span", "n/a", class_="none")
            cells.append(empty if one is None else interval(one, 3, key))
        rows.append(cells)
    heads = ["measure", "all tasks", "English texts", "Chinese texts", "numbers"]
    caption = "Answers by the character error rate of the text they were asked to write"
    parts = [
        plate(drawing, f"{caption}."),
        table("Texts, with intervals", heads, rows, "numbers"),
        note(
            "CER, a perfect edit: what the reader misreads of the reference. Numbers: "
            "texts without letters, such as prices, are in neither language."
        ),
    ]
    if content.reads:
        parts.append(_confusions(content))
    return tag("div", *parts, class_="plates")


def _confusions(content: ReportContent) -> Html:
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for one in content.reads:
        counts.update(confusions(one.target, one.read))
    if not counts:
        return note(f"All {len(content.reads)} texts were read as they should be.")
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    kinds = {
        "Taken for another": [one for one in ranked if all(one[0])],
        "Not there": [one for one in ranked if not one[0][1]],
        "Too much": [one for one in ranked if not one[0][0]],
    }
    parts = []
    for title, found in kinds.items():
        if found:
            total = sum(count for _, count in found)
            head = f"{title}: {total}"
            if len(found) > _MAX_CONFUSIONS:
                head += f", the {_MAX_CONFUSIONS} most frequent of {len(found)} kinds"
            parts += [tag("p", tag("b", head)), _chips(found[:_MAX_CONFUSIONS])]
    caption = (
        f"Characters that differ in {len(content.reads)} texts: wanted, read, how often"
    )
    return tag("div", note(caption), *parts, class_="confusions")


def _chips(found: list[tuple[tuple[str, str], int]]) -> Html:
    items = (
        tag(
            "li",
            f"{expected} → {got}" if expected and got else expected or got,
            tag("small", f"×{count}"),
        )
        for (expected, got), count in found
    )
    return tag("ul", *items, class_="chips")
