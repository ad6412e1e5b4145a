"""The suites' arithmetic, on literal numbers."""

import math
import random
import statistics

import pytest

from tbstar_jax.evaluation.judge import viescore
from tbstar_jax.evaluation.public import compat
from tbstar_jax.evaluation.public.gedit import TASKS
from tbstar_jax.evaluation.public.imgedit import TYPES

GEDIT_COUNTS = (40, 40, 40, 40, 70, 60, 60, 57, 60, 99, 40)

# ImgEdit-Bench as README.md of Ovis-U1 prints it (AIDC-AI/Ovis-U1, "ImgEdit-Bench"; the
# README of MM-MVR/STAR has the same rows): Add, Adjust, Extract, Replace, Remove,
# Background, Style, Hybrid, Action; then Overall. These nine totals are the mean over
# types; MagicBrush 1.90 (1.83), Ovis-U1 4.00 (4.02) and GPT-4o 4.20 (4.24) are not.
IMGEDIT_ROWS = {
    "Instruct-Pix2Pix": (
        (2.45, 1.83, 1.44, 2.01, 1.50, 1.44, 3.55, 1.20, 1.46),
        1.88,
    ),
    "AnyEdit": ((3.18, 2.95, 1.88, 2.47, 2.23, 2.24, 2.85, 1.56, 2.65), 2.45),
    "UltraEdit": ((3.44, 2.81, 2.13, 2.96, 1.45, 2.83, 3.76, 1.91, 2.98), 2.70),
    "OmniGen": ((3.47, 3.04, 1.71, 2.94, 2.43, 3.21, 4.19, 2.24, 3.38), 2.96),
    "Step1X-Edit": ((3.88, 3.14, 1.76, 3.40, 2.41, 3.16, 4.63, 2.64, 2.52), 3.06),
    "ICEdit": ((3.58, 3.39, 1.73, 3.15, 2.93, 3.08, 3.84, 2.04, 3.68), 3.05),
    "BAGEL": ((3.56, 3.31, 1.70, 3.30, 2.62, 3.24, 4.49, 2.38, 4.17), 3.20),
    "UniWorld-V1": ((3.82, 3.64, 2.27, 3.47, 3.24, 2.99, 4.21, 2.96, 2.74), 3.26),
    "OmniGen2": ((3.57, 3.06, 1.77, 3.74, 3.20, 3.57, 4.81, 2.52, 4.68), 3.44),
}
# Of the types in that order: basic_edit.json has 737 items.
IMGEDIT_COUNTS = (95, 94, 117, 92, 86, 94, 100, 23, 36)


def mark(id, task, values, language="en", flags=(), status="ok"):
    return compat.Mark(
        id=str(id),
        task=task,
        language=language,
        flags=frozenset(flags),
        status=status,
        values=values,
    )


def column(sheet, name):
    (found,) = [one for one in sheet.columns if one.name == name]
    return found


def test_gedit_is_the_mean_over_tasks_and_not_over_answers():
    marks = [
        mark(f"{task}/{k}", task, dict.fromkeys(("SC", "PQ", "O"), float(t)))
        for t, (task, count) in enumerate(zip(TASKS, GEDIT_COUNTS, strict=True))
        for k in range(count)
    ]
    assert len(marks) == 606
    (sheet,) = compat.gedit_sheets(marks)
    found = column(sheet, "O")
    assert (sheet.name, sheet.published, sheet.num_marked) == ("en, full", "macro", 606)
    # Tasks 0, 1, ..., 10 in equal parts; and weighted by their counts.
    assert found.macro == 5.0
    assert found.micro == pytest.approx(3350 / 606, abs=1e-12)
    assert found.macro == found.lower
    assert found.by_task["subject-remove"] == 7.0


def test_o_is_averaged_and_not_made_of_means():
    pairs = [(9.0, 1.0), (1.0, 9.0)]
    marks = [
        mark(k, TASKS[0], {"SC": sc, "PQ": pq, "O": viescore.overall([sc], [pq])})
        for k, (sc, pq) in enumerate(pairs)
    ]
    (sheet,) = compat.gedit_sheets(marks)
    assert column(sheet, "O").macro == 3.0
    assert column(sheet, "SC").macro == column(sheet, "PQ").macro == 5.0


def test_languages_and_the_intersection_are_never_mixed():
    marks = [
        mark(1, TASKS[0], {"O": 8.0}, flags=["intersection"]),
        mark(2, TASKS[0], {"O": 4.0}),
        mark(3, TASKS[1], {"O": 2.0}, language="zh"),
    ]
    sheets = {sheet.name: sheet for sheet in compat.gedit_sheets(marks)}
    assert list(sheets) == ["en, full", "en, intersection", "zh, full"]
    totals = {name: column(sheet, "O").macro for name, sheet in sheets.items()}
    assert totals == {"en, full": 6.0, "en, intersection": 8.0, "zh, full": 2.0}


def test_what_is_missing_is_counted_and_bounded():
    marks = [
        mark(1, TASKS[0], {"O": 8.0}),
        mark(2, TASKS[0], {}, status="missing"),
        mark(3, TASKS[1], {}, status="unparsed"),
    ]
    (sheet,) = compat.gedit_sheets(marks)
    found = column(sheet, "O")
    assert (sheet.num_expected, sheet.num_marked) == (3, 1)
    assert sheet.expected == {TASKS[0]: 2, TASKS[1]: 1}
    assert sheet.marked == {TASKS[0]: 1, TASKS[1]: 0}
    # As published: over what is there. Bounded: (4 + 0) / 2.
    assert (found.macro, found.lower) == (8.0, 2.0)
    assert found.by_task == {TASKS[0]: 8.0}
    assert column(sheet, "SC").macro is None


@pytest.mark.parametrize("system", IMGEDIT_ROWS)
def test_published_imgedit_totals_are_means_over_types(system):
    """From items whose means are the published ones, by type, to the total."""
    means, overall = IMGEDIT_ROWS[system]
    marks = [
        mark(f"{task}/{k}", task, {"mark": mean})
        for task, mean, count in zip(TYPES, means, IMGEDIT_COUNTS, strict=True)
        for k in range(count)
    ]
    assert len(marks) == 737
    (sheet,) = compat.imgedit_sheets(marks)
    found = column(sheet, "mark")
    assert [found.by_task[task] for task in TYPES] == list(means)
    assert round(found.macro, 2) == overall
    weighted = sum(m * n for m, n in zip(means, IMGEDIT_COUNTS, strict=True)) / 737
    assert found.micro == pytest.approx(weighted, abs=1e-9)


def test_imgedit_rounds_items_and_types_to_two_decimals():
    assert viescore.imgedit_item((5.0, 4.0, 4.0)) == 4.33
    marks = [
        mark(k, "add", {"mark": viescore.imgedit_item(three)})
        for k, three in enumerate([(5.0, 4.0, 4.0), (4.0, 4.0, 4.0), (5.0, 5.0, 4.0)])
    ]
    (sheet,) = compat.imgedit_sheets(marks)
    # (4.33 + 4 + 4.67) / 3 = 4.333...
    assert column(sheet, "mark").by_task == {"add": 4.33}
    assert column(sheet, "mark").micro == pytest.approx(13.0 / 3, abs=1e-12)


def test_imgedits_lowest_mark_is_one():
    marks = [mark(1, "add", {"mark": 5.0}), mark(2, "add", {}, status="missing")]
    (sheet,) = compat.imgedit_sheets(marks)
    assert column(sheet, "mark").lower == 3.0


def test_kwai_is_the_geometric_mean_of_four_and_the_mean_over_tasks():
    assert compat.kwai_case([5.0, 5.0, 5.0, 5.0]) == 5.0
    assert compat.kwai_case([1.0, 2.0, 4.0, 2.0]) == 2.0
    assert compat.kwai_case([5.0, 4.0, 3.0, 2.0]) == 3.3098  # 120 ** 0.25
    marks = [
        mark(1, "pose", {"mark": 4.0}),
        mark(2, "pose", {"mark": 3.0}),
        mark(3, "pose", {"mark": 3.0}),
        mark(4, "text", {"mark": 5.0}),
    ]
    (sheet,) = compat.kwai_sheets(marks)
    found = column(sheet, "mark")
    assert found.by_task == {"pose": 3.3333, "text": 5.0}
    assert found.macro == 4.1666  # of 3.3333 and 5
    assert found.micro == 3.75


def test_the_geometric_mean_lies_between_the_lowest_and_the_mean():
    rng = random.Random(0)
    for _ in range(200):
        four = [float(rng.randint(1, 5)) for _ in range(4)]
        value = compat.kwai_case(four)
        assert min(four) - 1e-4 <= value <= statistics.fmean(four) + 1e-4
        logs = statistics.fmean(math.log(one) for one in four)
        assert value == pytest.approx(math.exp(logs), abs=5e-5)


def test_uge_is_the_mean_to_two_decimals():
    marks = [mark(k, "uge", {"mark": value}) for k, value in enumerate([3.0, 4.0, 4.0])]
    (sheet,) = compat.uge_sheets(marks)
    assert column(sheet, "mark").macro == 3.67


def test_textedit_averages_answers_in_its_two_groups():
    measures = [compat.Measure(name="f1", lowest=0.0)]
    marks = [
        mark(1, "1.1.1", {"f1": 1.0}),
        mark(2, "1.1.1", {"f1": 0.5}),
        mark(3, "1.4.4", {"f1": 0.0}),
        mark(4, "2.1", {"f1": 0.25}),
    ]
    sheets = {sheet.name: sheet for sheet in compat.textedit_sheets(marks, measures)}
    assert list(sheets) == ["Virtual", "Real"]
    assert sheets["Virtual"].published == "micro"
    assert column(sheets["Virtual"], "f1").micro == 0.5
    assert column(sheets["Virtual"], "f1").macro == 0.375
    assert column(sheets["Real"], "f1").micro == 0.25


def test_paintbench_publishes_what_is_missing_as_zero():
    measures = [compat.Measure(name="iou", lowest=0.0)]
    marks = [
        mark(1, "border", {"iou": 1.0}),
        mark(2, "border", {}, status="missing"),
        mark(3, "recolor", {"iou": 0.5}),
    ]
    (sheet,) = compat.paintbench_sheets(marks, measures)
    assert sheet.published == "lower"
    assert column(sheet, "iou").lower == 0.5
