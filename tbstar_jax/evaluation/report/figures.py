"""The figures of a report: each drawn once, or absent for a reason."""

from collections.abc import Mapping

from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS
from tbstar_jax.evaluation.report import figure_preservation as preservation
from tbstar_jax.evaluation.report.content import Absent, ReportContent
from tbstar_jax.evaluation.report.drawing import Drawing
from tbstar_jax.evaluation.report.figure_heat import heat_map
from tbstar_jax.evaluation.report.figure_languages import (
    language_means,
    language_slopes,
)
from tbstar_jax.evaluation.report.figure_scores import all_scores
from tbstar_jax.evaluation.report.figure_text import error_histogram, error_rates
from tbstar_jax.evaluation.run.results import SystemResult

NOTHING = Absent(reason="nothing was scored")


def figures(content: ReportContent) -> Mapping[str, Drawing | Absent]:
    """Draws them: name, which is also that of the PNG file, to figure."""
    main = content.main_result
    if main is None:
        names = ("scores", "tasks", "languages", "shift", "drift", "kept", "text")
        return dict.fromkeys(names, NOTHING)
    records = content.records_of(content.main)
    means = language_means(records)
    shifts = preservation.shift_points(records)
    drifts = preservation.drift_points(records)
    rates = error_rates(records)
    curves = [
        system
        for system in content.results.systems
        if system.kind != "best" and preservation.survival_shares(system) is not None
    ]
    return {
        "scores": all_scores(content.results, content.main),
        "tasks": heat_map(main, tasks_of(main)),
        "languages": language_slopes(means)
        if means
        else Absent(reason="no task was asked in English and in Chinese"),
        "shift": preservation.shift_scatter(shifts)
        if shifts
        else Absent(reason="no answer has a measured shift"),
        "drift": preservation.drift_arrows(drifts)
        if drifts
        else Absent(reason="no answer has a measured drift"),
        "kept": preservation.survival_curves(curves, content.main)
        if curves
        else Absent(reason="no answer has measured colour differences"),
        "text": error_histogram(rates)
        if rates
        else Absent(
            reason="no English or Chinese text was read: no task writes one, or no "
            "reader (Tesseract) was there"
        ),
    }


def tasks_of(system: SystemResult) -> list[str]:
    """Tasks with a score, in the order of reports."""
    found = system.measures["consistency"].tasks
    known = [task for task in BENCHMARK_TASKS if task in found]
    return [*known, *sorted(set(found) - set(known))]
