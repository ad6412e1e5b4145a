"""What the figures say, shape by shape."""

import dataclasses

import pytest

from tbstar_jax.evaluation.report.content import Absent
from tbstar_jax.evaluation.report.drawing import (
    BLUE,
    GREY,
    ORANGE,
    Dot,
    Line,
    Rect,
    Text,
)
from tbstar_jax.evaluation.report.figure_languages import language_means
from tbstar_jax.evaluation.report.figure_preservation import (
    drift_arrows,
    shift_points,
    shift_scatter,
    survival_shares,
)
from tbstar_jax.evaluation.report.figure_scores import score_bars
from tbstar_jax.evaluation.report.figure_text import error_histogram, error_rates
from tbstar_jax.evaluation.report.figures import figures
from tbstar_jax.evaluation.run.measures import measure_by_name
from tests.evaluation.report.contents import content, record, records


def words(drawing):
    return [shape.text for shape in drawing.shapes if isinstance(shape, Text)]


def test_bars_are_as_long_as_the_means():
    made = content()
    drawing = score_bars(made.results, measure_by_name("consistency"), "ours")
    bars = [shape for shape in drawing.shapes if isinstance(shape, Rect)]
    means = [one.measures["consistency"].macro.mean for one in made.results.systems]
    assert [bar.width for bar in bars] == pytest.approx([120 * m for m in means])
    assert [bar.color for bar in bars] == [BLUE, BLUE, GREY, GREY]
    (bold,) = [
        shape.text
        for shape in drawing.shapes
        if isinstance(shape, Text) and shape.is_bold and shape.anchor == "end"
    ]
    assert bold == "ours"


def test_the_heat_map_holds_the_means_of_each_task():
    made = content()
    found = words(figures(made)["tasks"])
    consistency = made.main_result.measures["consistency"].tasks
    assert f"{consistency['recolor'].mean:.2f}" in found
    assert found.index("bg_white") < found.index("recolor") < found.index("text_add")
    assert "SSIM" not in found  # nobody measured it
    assert found.count("-") == 2  # CER, of two tasks that write nothing


def test_colours_of_the_heat_map_have_fixed_ends():
    rows = {"ours": [record("ours", "recolor", 0, "en", score) for score in (0.0,)]}
    worst = figures(content(rows=rows))["tasks"]
    rows = {"ours": [record("ours", "recolor", 0, "en", score) for score in (1.0,)]}
    best = figures(content(rows=rows))["tasks"]
    colors = [
        next(one.color for one in made.shapes if isinstance(one, Rect))
        for made in (worst, best)
    ]
    assert colors == ["#be5408", "#1e5da6"]


def test_languages_are_means_of_tasks_asked_in_both():
    rows = [
        record("ours", "recolor", 0, "en", 0.2),
        record("ours", "recolor", 1, "en", 0.4),
        record("ours", "recolor", 0, "zh", 0.5),
        record("ours", "move", 0, "en", 0.5),
    ]
    assert language_means(rows) == {"recolor": (pytest.approx(0.3), 0.5)}
    colors = [
        shape.color
        for shape in figures(content(rows={"ours": rows}))["languages"].shapes
        if getattr(shape, "width", 0) == 2
    ]
    assert colors == [ORANGE]


def test_shifts_are_points_and_far_ones_are_rings():
    rows = records("ours")
    assert shift_points(rows)[0] == (-0.4, 0.3, pytest.approx(0.1))
    drawing = shift_scatter([(0.0, 0.0, 0.0)] * 99 + [(40.0, 0.0, 3.0)])
    assert "99 of 100 within 0.5 px" in words(drawing)
    assert "rings: 1 beyond the frame" in words(drawing)
    hinted = [one for one in drawing.shapes if isinstance(one, Dot) and one.hint]
    assert [one.is_filled for one in hinted].count(False) == 1
    assert hinted[-1].color == ORANGE
    assert hinted[0].color == BLUE


def test_the_mean_drift_is_told():
    drawing = drift_arrows([(1.0, 0.0), (2.0, -1.0)])
    assert "mean: a* +1.50, b* -0.50" in words(drawing)


def test_survival_is_what_is_not_kept():
    main = content().main_result
    expected = [0.75, 0.75, 0.5, 0.5, 0.25, 0.25, 0, 0, 0]
    assert survival_shares(main) == pytest.approx(expected)
    assert survival_shares(main, "registered") == pytest.approx([0] * 9)


def test_the_survival_curve_has_a_point_per_threshold_and_a_thin_twin_undone():
    made = figures(content())["kept"]
    lines = [
        (len(one.points), one.color, one.width)
        for one in made.shapes
        if isinstance(one, Line) and len(one.points) > 2
    ]
    assert lines.count((9, BLUE, 2.5)) == lines.count((9, BLUE, 1.0)) == 1
    assert lines.count((9, GREY, 1.2)) == 2  # anchors, which have no twin
    hints = [one.hint for one in made.shapes if isinstance(one, Dot)]
    assert "ours: 0.250 beyond 7" in hints
    assert {"0.5", "20", "CIEDE2000"} <= set(words(made))


def test_records_of_before_the_curve_have_none():
    metrics = {"keep_within_2": 0.5, "keep_within_5": 0.5, "keep_within_10": 0.5}
    rows = {"ours": [record("ours", "recolor", 0, "en", 0.5, metrics=metrics)]}
    assert isinstance(figures(content(rows=rows))["kept"], Absent)


def test_the_heat_map_tells_what_a_perfect_edit_has_beside_an_error_rate():
    shapes = figures(content())["tasks"].shapes
    hints = [one.hint for one in shapes if isinstance(one, Rect)]
    assert "text_add, CER: 0.25 (a perfect edit: 0.12)" in hints


def test_error_rates_are_counted_in_tenths():
    rows = [
        record("ours", "text_add", k, "en", 0.5, metrics={"text_cer": value})
        for k, value in enumerate((0.0, 0.3, 0.30001, 1.0, 2.5, float("nan")))
    ]
    rates = error_rates(rows)
    assert rates == {"en": [0.0, 0.3, 0.30001, 1.0, 2.5]}
    hints = [
        one.hint for one in error_histogram(rates).shapes if getattr(one, "hint", "")
    ]
    assert hints == [
        f"English, CER {label}: 1" for label in ("0", ".3", ".4", "1.0", ">1")
    ]


def test_a_figure_without_numbers_is_absent_for_a_reason():
    rows = {"ours": [record("ours", "recolor", 0, "en", 0.5, metrics={})]}
    found = figures(content(rows=rows))
    absent = {name for name, one in found.items() if isinstance(one, Absent)}
    assert absent == {"languages", "shift", "drift", "kept", "text"}
    assert all(found[name].reason for name in absent)


def test_nothing_scored_is_no_figure():
    made = content()
    empty = dataclasses.replace(made.results, systems=[])
    found = figures(dataclasses.replace(made, results=empty, records=[]))
    assert {type(one) for one in found.values()} == {Absent}
    assert set(found) == set(figures(made))
