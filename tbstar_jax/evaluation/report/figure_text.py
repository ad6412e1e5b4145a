"""How well the texts that were asked for can be read."""

import math
from collections.abc import Sequence

from tbstar_jax.evaluation.report.axes import Scale, vertical_grid
from tbstar_jax.evaluation.report.drawing import (
    BLUE,
    ORANGE,
    Drawing,
    Rect,
    Shape,
    Text,
)
from tbstar_jax.evaluation.report.figure_preservation import metric
from tbstar_jax.evaluation.scores.record import ScoreRecord

_SERIES = (("en", BLUE, "English"), ("zh", ORANGE, "Chinese"))
_NUM_BINS = 12
"""Read exactly; ten tenths; above 1."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 354.0, 30.0, 220.0


def error_rates(records: Sequence[ScoreRecord]) -> dict[str, list[float]]:
    """CER of the answers, by the script of the text that was asked for."""
    found: dict[str, list[float]] = {}
    for script, _, _ in _SERIES:
        values = [
            metric(record, "text_cer")
            for record in records
            if record.tags.get("script") == script
        ]
        known = [value for value in values if math.isfinite(value)]
        if known:
            found[script] = known
    return found


def error_histogram(rates: dict[str, list[float]]) -> Drawing:
    """Draws how many answers have which CER.

    Args:
      rates: of `error_rates`; at least one.
    """
    counts = {script: _counted(values) for script, values in rates.items()}
    most = max(max(row) for row in counts.values())
    up = Scale(low=0.0, high=most * 1.05, start=_BOTTOM, end=_TOP)
    shapes: list[Shape] = [
        *vertical_grid(up, _LEFT, _RIGHT, 0 if most >= 5 else 1),
    ]
    slot = (_RIGHT - _LEFT) / _NUM_BINS
    shown = [series for series in _SERIES if series[0] in counts]
    width = (slot - 4) / len(shown)
    legend = _LEFT
    for k, (script, color, label) in enumerate(shown):
        for index, count in enumerate(counts[script]):
            if count:
                shapes.append(
                    Rect(
                        x=_LEFT + index * slot + 2 + k * width,
                        y=up(count),
                        width=width,
                        height=_BOTTOM - up(count),
                        color=color,
                        hint=f"{label}, CER {_label(index)}: {count}",
                    )
                )
        shapes.append(Rect(x=legend, y=6, width=10, height=10, color=color))
        text = f"{label} ({len(rates[script])})"
        shapes.append(Text(x=legend + 15, y=15, text=text, size=11))
        legend += 34 + 6.2 * len(text)
    for index in range(_NUM_BINS):
        shapes.append(
            Text(
                x=_LEFT + (index + 0.5) * slot,
                y=_BOTTOM + 14,
                text=_label(index),
                size=10,
                color="muted",
                anchor="middle",
            )
        )
    middle = (_LEFT + _RIGHT) / 2
    label = "CER, up to"
    shapes.append(Text(x=middle, y=_BOTTOM + 30, text=label, size=11, anchor="middle"))
    return Drawing(
        title="Answers by their character error rate",
        width=360,
        height=_BOTTOM + 38,
        shapes=tuple(shapes),
    )


def _counted(values: Sequence[float]) -> list[int]:
    counts = [0] * _NUM_BINS
    for value in values:
        # Rounded first: 0.3 * 10 is above 3.
        counts[min(_NUM_BINS - 1, math.ceil(round(value * 10, 9)))] += 1
    return counts


def _label(index: int) -> str:
    if index == _NUM_BINS - 1:
        return ">1"
    return "0" if index == 0 else f"{index / 10:.1f}".removeprefix("0")
