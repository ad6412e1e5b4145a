"""Tasks down, measures across: where a system is weak, at a glance."""

import itertools

from tbstar_jax.evaluation.report.drawing import (
    Drawing,
    Rect,
    Shape,
    Text,
    cut,
)
from tbstar_jax.evaluation.report.markup import shown
from tbstar_jax.evaluation.run.measures import CEILINGS, Measure, measure_by_name
from tbstar_jax.evaluation.run.results import SystemResult

MEASURES = (
    "consistency",
    "edit",
    "preservation",
    "consistency_area",
    "edit_accuracy_5",
    "iou_5",
    "ssim_keep",
    "psnr_keep",
    "shift",
    "drift_norm",
    "keep_within_5",
    "tile95",
    "share_identical",
    "text_cer",
    "keep_text_cer",
)
"""The columns; those without a number are left out."""

_RANGES = {"dB": (15.0, 50.0), "px": (8.0, 0.0), "ΔE": (10.0, 0.0)}
"""Worst and best of a unit: fixed, so that two reports have the same colours."""

_RAMP = ((0.0, (190, 84, 8)), (0.5, (246, 240, 228)), (1.0, (30, 93, 166)))
"""Orange, cream, blue: apart for every kind of colour vision, and in lightness."""

_LEFT, _CELL, _ROW, _TOP = 128.0, 62.0, 24.0, 52.0


def heat_map(system: SystemResult, tasks: list[str]) -> Drawing:
    """Draws the means of each task.

    Args:
      system: whose.
      tasks: the rows, at least one.
    """
    columns = [measure_by_name(name) for name in MEASURES if name in system.measures]
    shapes: list[Shape] = []
    for k, measure in enumerate(columns):
        middle = _LEFT + (k + 0.5) * _CELL
        lines = _wrapped(measure)
        for row, line in enumerate(lines):
            y = _TOP - 7 - 12.5 * (len(lines) - 1 - row)
            shapes.append(Text(x=middle, y=y, text=line, size=10.5, anchor="middle"))
    for j, task in enumerate(tasks):
        y = _TOP + j * _ROW
        name = cut(task, 18)
        shapes.append(Text(x=_LEFT - 6, y=y + 16, text=name, anchor="end"))
        for k, measure in enumerate(columns):
            shapes += _cell(system, task, measure, _LEFT + k * _CELL, y)
    bottom = _TOP + len(tasks) * _ROW
    width = _LEFT + len(columns) * _CELL
    shapes += _legend(width, bottom + 10)
    return Drawing(
        title=f"{system.name}: means of each task, {len(columns)} measures",
        width=width,
        height=bottom + 34,
        shapes=tuple(shapes),
    )


def _cell(
    system: SystemResult, task: str, measure: Measure, x: float, y: float
) -> list[Shape]:
    found = system.measures[measure.name].tasks.get(task)
    if found is None or found.mean != found.mean:
        return [
            Rect(x=x, y=y, width=_CELL - 1, height=_ROW - 1, color="band"),
            Text(
                x=x + _CELL / 2,
                y=y + 16,
                text="-",
                color="muted",
                anchor="middle",
            ),
        ]
    digits = 1 if measure.unit == "dB" else 2
    text = shown(found.mean, digits)
    red, green, blue = _color(_goodness(found.mean, measure))
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    hint = f"{task}, {measure.label}: {text} {measure.unit}".strip()
    best = system.measures.get(CEILINGS.get(measure.name, ""))
    if best is not None and task in best.tasks:
        hint += f" (a perfect edit: {shown(best.tasks[task].mean, digits)})"
    return [
        Rect(
            x=x,
            y=y,
            width=_CELL - 1,
            height=_ROW - 1,
            color=f"#{red:02x}{green:02x}{blue:02x}",
            hint=hint,
        ),
        Text(
            x=x + _CELL / 2,
            y=y + 16,
            text=text,
            color="#111111" if luminance > 132 else "#ffffff",
            anchor="middle",
        ),
    ]


def _goodness(value: float, measure: Measure) -> float:
    worst, best = _RANGES.get(measure.unit, (0.0, 1.0))
    if measure.unit == "" and not measure.is_higher_better:
        worst, best = best, worst
    return min(1.0, max(0.0, (value - worst) / (best - worst)))


def _color(share: float) -> tuple[int, int, int]:
    for (low, first), (high, second) in itertools.pairwise(_RAMP):
        if share <= high:
            part = (share - low) / (high - low)
            red, green, blue = (
                round(a + part * (b - a)) for a, b in zip(first, second, strict=True)
            )
            return red, green, blue
    raise AssertionError(f"{share} is above 1")


def _wrapped(measure: Measure) -> list[str]:
    """The label in lines of at most nine letters, the unit with the last."""
    lines: list[str] = []
    label = measure.label.replace(",", "").replace("-", "- ")
    for word in label.replace("ΔE ", "ΔE\u00a0").split(" "):
        if lines and len(lines[-1]) + len(word) < 9:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if measure.unit and measure.unit != "ΔE":
        lines[-1] += f", {measure.unit}"
    return lines


def _legend(right: float, y: float) -> list[Shape]:
    steps, width = 24, 5.0
    left = right - steps * width - 44
    shapes: list[Shape] = [
        Text(x=left - 6, y=y + 11, text="worse", size=11, color="muted", anchor="end")
    ]
    for k in range(steps):
        red, green, blue = _color(k / (steps - 1))
        color = f"#{red:02x}{green:02x}{blue:02x}"
        place = left + k * width
        shapes.append(Rect(x=place, y=y + 2, width=width, height=11, color=color))
    end = left + steps * width + 6
    return [*shapes, Text(x=end, y=y + 11, text="better", size=11, color="muted")]
