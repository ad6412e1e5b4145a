"""Bars of C, E and P with their intervals, systems and anchors."""

import math

from tbstar_jax.evaluation.report.axes import Scale
from tbstar_jax.evaluation.report.drawing import (
    BLUE,
    GREY,
    Drawing,
    Line,
    Rect,
    Shape,
    Text,
    beside,
    cut,
)
from tbstar_jax.evaluation.report.markup import shown
from tbstar_jax.evaluation.run.measures import Measure, measure_by_name
from tbstar_jax.evaluation.run.results import Results, SystemResult

SCORES = ("consistency", "edit", "preservation")
_NAMES = {
    "consistency": "C: consistency",
    "edit": "E: edit success",
    "preservation": "P: preservation",
}
_WIDTH, _ROW, _TOP = 360.0, 24.0, 34.0
_SCALE = Scale(low=0.0, high=1.0, start=128.0, end=248.0)


def score_bars(results: Results, measure: Measure, main: str) -> Drawing:
    """Draws one score in [0, 1] of every system.

    Args:
      results: with at least one system.
      measure: one of `SCORES`.
      main: name of the system in bold.
    """
    systems = [one for one in results.systems if one.kind != "best"]
    bottom = _TOP + _ROW * len(systems)
    shapes: list[Shape] = [
        Text(x=0, y=14, text=_NAMES[measure.name], size=14, is_bold=True)
    ]
    for end in (0.0, 0.5, 1.0):
        x = _SCALE(end)
        shapes.append(Line(points=((x, _TOP - 4), (x, bottom)), color="rule"))
    for row, system in enumerate(systems):
        shapes += _bar(system, measure.name, _TOP + row * _ROW, system.name == main)
    return Drawing(
        title=f"{_NAMES[measure.name]} of {len(systems)} systems and anchors",
        width=_WIDTH,
        height=bottom + 6,
        shapes=tuple(shapes),
    )


def _bar(system: SystemResult, measure: str, y: float, is_main: bool) -> list[Shape]:
    is_anchor = system.kind == "anchor"
    line = y + _ROW / 2
    name = Text(
        x=_SCALE.start - 6,
        y=line + 4,
        text=cut(system.name, 19),
        anchor="end",
        is_bold=is_main,
        color="muted" if is_anchor else "ink",
    )
    found = system.measures.get(measure)
    if found is None:
        return [name, Text(x=_SCALE.start + 4, y=line + 4, text="n/a", color="muted")]
    mean, low, high = found.macro.mean, found.macro.low, found.macro.high
    bar = Rect(
        x=_SCALE.start,
        y=y + 5,
        width=_SCALE(mean) - _SCALE.start,
        height=_ROW - 10,
        color=GREY if is_anchor else BLUE,
        hint=f"{system.name}: {shown(mean, 3)}",
    )
    value = Text(x=_SCALE.end + 8, y=line + 4, text=shown(mean, 2), is_bold=is_main)
    if math.isnan(low):
        return [name, bar, value]
    text = f"{shown(low, 2)} to {shown(high, 2)}"
    ends = ((_SCALE(low), line), (_SCALE(high), line))
    return [
        name,
        bar,
        Line(points=ends, color="ink", width=1.5),
        value,
        Text(x=_SCALE.end + 42, y=line + 4, text=text, size=11, color="muted"),
    ]


def all_scores(results: Results, main: str) -> Drawing:
    """The three scores side by side."""
    panels = (score_bars(results, measure_by_name(name), main) for name in SCORES)
    return beside("C, E and P with intervals", tuple(panels))
