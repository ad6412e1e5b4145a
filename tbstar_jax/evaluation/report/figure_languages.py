"""The same scenes asked in English and in Chinese: one line per task."""

import math
from collections.abc import Sequence

import numpy as np

from tbstar_jax.evaluation.report.axes import Scale, spread, ticks
from tbstar_jax.evaluation.report.drawing import (
    BLUE,
    GREY,
    ORANGE,
    Drawing,
    Line,
    Shape,
    Text,
    cut,
)
from tbstar_jax.evaluation.scores.record import ScoreRecord

EVEN = 0.02
"""Difference of C up to which a line is grey."""

_WIDTH, _LEFT, _RIGHT, _TOP, _LABEL = 400.0, 152.0, 248.0, 34.0, 15.0


def language_means(records: Sequence[ScoreRecord]) -> dict[str, tuple[float, float]]:
    """Mean C of each task, English and Chinese; only tasks asked in both."""
    found: dict[str, dict[str, list[float]]] = {}
    for record in records:
        by_language = found.setdefault(record.task, {})
        by_language.setdefault(record.language, []).append(record.consistency)
    return {
        task: (float(np.mean(values["en"])), float(np.mean(values["zh"])))
        for task, values in found.items()
        if {"en", "zh"} <= set(values)
    }


def language_slopes(means: dict[str, tuple[float, float]]) -> Drawing:
    """Draws English at the left, Chinese at the right.

    Args:
      means: of each task, both in [0, 1]; at least one.
    """
    height = max(220.0, _LABEL * len(means) * 1.15)
    values = [value for pair in means.values() for value in pair]
    # Tenths around the values: on 0 to 1 the lines would lie in a bundle.
    low, high = math.floor(10 * min(values)) / 10, math.ceil(10 * max(values)) / 10
    scale = Scale(low=low, high=max(high, low + 0.1), start=_TOP + height, end=_TOP)
    shapes: list[Shape] = [
        Text(x=_LEFT, y=14, text="English", size=13, anchor="middle", is_bold=True),
        Text(x=_RIGHT, y=14, text="Chinese", size=13, anchor="middle", is_bold=True),
    ]
    for value in ticks(scale.low, scale.high):
        y = scale(value)
        shapes.append(Line(points=((_LEFT, y), (_RIGHT, y)), color="rule"))
    bounds = (_TOP, _TOP + height)
    lefts, rights = (
        spread([scale(pair[side]) for pair in means.values()], _LABEL, *bounds)
        for side in (0, 1)
    )
    for (task, (english, chinese)), left, right in zip(
        means.items(), lefts, rights, strict=True
    ):
        color = GREY
        if abs(english - chinese) > EVEN:
            color = BLUE if english > chinese else ORANGE
        one, other = scale(english), scale(chinese)
        shapes += [
            Line(points=((_LEFT, one), (_RIGHT, other)), color=color, width=2),
            Line(points=((_LEFT - 12, left), (_LEFT - 2, one)), color="rule"),
            Line(points=((_RIGHT + 2, other), (_RIGHT + 12, right)), color="rule"),
            Text(
                x=_LEFT - 14,
                y=left + 4,
                text=f"{cut(task, 16)} {english:.2f}",
                size=11,
                anchor="end",
            ),
            Text(
                x=_RIGHT + 14,
                y=right + 4,
                text=f"{chinese:.2f} {cut(task, 16)}",
                size=11,
            ),
        ]
    return Drawing(
        title=f"C in English and in Chinese, {len(means)} tasks",
        width=_WIDTH,
        height=_TOP + height + 14,
        shapes=tuple(shapes),
    )
