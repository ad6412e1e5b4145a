"""What happened outside the edit: it moved, it took a cast, pixels changed."""

import math
from collections.abc import Sequence

import numpy as np

from tbstar_jax.evaluation.report.axes import (
    Scale,
    limit_of,
    spread,
    ticks,
    vertical_grid,
)
from tbstar_jax.evaluation.report.drawing import (
    BLUE,
    GREY,
    ORANGE,
    Dot,
    Drawing,
    Line,
    Shape,
    Text,
    cut,
)
from tbstar_jax.evaluation.run.results import SystemResult
from tbstar_jax.evaluation.scores.comparison import CURVE
from tbstar_jax.evaluation.scores.record import ScoreRecord

_SIDE, _LOW, _HIGH = 360.0, 44.0, 348.0
_ZOOMS = (
    (0.2, BLUE, "zoom to 0.2 %"),
    (1.0, GREY, "to 1 %"),
    (math.inf, ORANGE, "above"),
)
_TOLD = (0.5, 1, 2, 5, 10, 20)
"""CIEDE2000 that are written below the curve."""
_HUES = (ORANGE, "#1c9e77", "#8a5fc0", "#b0567f", "#7a7a1c")


def metric(record: ScoreRecord, name: str) -> float:
    """A raw measure; NaN where the record has none."""
    return record.metrics.get(name, math.nan)


def shift_points(records: Sequence[ScoreRecord]) -> list[tuple[float, float, float]]:
    """Shift to the right and down, in pixels, and the zoom's distance from 1, in %."""
    found = []
    for record in records:
        x, y = metric(record, "shift_columns"), metric(record, "shift_rows")
        if math.isfinite(x) and math.isfinite(y):
            found.append((x, y, 100 * abs(metric(record, "zoom") - 1)))
    return found


def shift_scatter(points: Sequence[tuple[float, float, float]]) -> Drawing:
    """Draws where the kept region of each answer went.

    Args:
      points: of `shift_points`; at least one.
    """
    bound = limit_of([one for x, y, _ in points for one in (x, y)], 1.0)
    across = Scale(low=-bound, high=bound, start=_LOW, end=_HIGH)
    down = Scale(low=-bound, high=bound, start=_LOW - 10, end=_HIGH - 10)
    shapes = _crosshair(across, down, "px right", "px down")
    for radius in (0.5, 8.0):
        if radius <= bound:
            size = across(radius) - across(0)
            shapes.append(
                Dot(x=across(0), y=down(0), radius=size, color="muted", is_filled=False)
            )
    num_beyond = 0
    for x, y, zoom in points:
        is_beyond = max(abs(x), abs(y)) > bound
        num_beyond += is_beyond
        color = next((one for most, one, _ in _ZOOMS if zoom <= most), "muted")
        shapes.append(
            Dot(
                x=across(x),
                y=down(y),
                radius=3.2,
                color=color,
                is_filled=not is_beyond,
                hint=f"{x:.2f} px right, {y:.2f} px down, zoom {zoom:.2f} %",
            )
        )
    left = _LOW
    for _, color, label in _ZOOMS:
        shapes.append(Dot(x=left + 4, y=14, radius=4, color=color))
        shapes.append(Text(x=left + 12, y=18, text=label, size=11))
        left += 24 + 6.2 * len(label)
    num_still = sum(math.hypot(x, y) <= 0.5 for x, y, _ in points)
    still = f"{num_still} of {len(points)} within 0.5 px"
    shapes.append(Text(x=_HIGH - 4, y=_LOW + 3, text=still, size=11, anchor="end"))
    shapes += _beyond(num_beyond)
    return Drawing(
        title=f"Shift of the kept region, {len(points)} answers",
        width=_SIDE,
        height=_SIDE + 20,
        shapes=tuple(shapes),
    )


def drift_points(records: Sequence[ScoreRecord]) -> list[tuple[float, float]]:
    """Mean change of a* and b* outside the edit."""
    pairs = ((metric(one, "drift_a"), metric(one, "drift_b")) for one in records)
    return [(a, b) for a, b in pairs if math.isfinite(a) and math.isfinite(b)]


def drift_arrows(points: Sequence[tuple[float, float]]) -> Drawing:
    """Draws the cast of each answer and, thick, their mean.

    Args:
      points: of `drift_points`; at least one.
    """
    bound = limit_of([one for pair in points for one in pair], 1.0)
    across = Scale(low=-bound, high=bound, start=_LOW, end=_HIGH)
    down = Scale(low=-bound, high=bound, start=_HIGH - 10, end=_LOW - 10)
    shapes = _crosshair(across, down, "a*: green to red", "b*: blue to yellow")
    num_beyond = 0
    for a, b in points:
        is_beyond = max(abs(a), abs(b)) > bound
        num_beyond += is_beyond
        tip = (across(a), down(b))
        shapes.append(Line(points=((across(0), down(0)), tip), color="muted"))
        shapes.append(
            Dot(
                x=tip[0],
                y=tip[1],
                radius=2.8,
                color=BLUE,
                is_filled=not is_beyond,
                hint=f"a* {a:+.2f}, b* {b:+.2f}",
            )
        )
    a, b = np.mean(points, axis=0).tolist()
    tip = (across(a), down(b))
    shapes.append(Line(points=((across(0), down(0)), tip), color=ORANGE, width=3.5))
    shapes.append(Dot(x=tip[0], y=tip[1], radius=5, color=ORANGE))
    shapes.append(Dot(x=_LOW + 4, y=14, radius=4, color=BLUE))
    shapes.append(Text(x=_LOW + 12, y=18, text="an answer", size=11))
    shapes.append(Dot(x=_LOW + 88, y=14, radius=4, color=ORANGE))
    mean = f"mean: a* {a:+.2f}, b* {b:+.2f}"
    shapes.append(Text(x=_LOW + 96, y=18, text=mean, size=11))
    shapes += _beyond(num_beyond)
    return Drawing(
        title=f"Colour cast outside the edit, {len(points)} answers",
        width=_SIDE,
        height=_SIDE + 20,
        shapes=tuple(shapes),
    )


def survival_shares(system: SystemResult, form: str = "raw") -> list[float] | None:
    """Share of kept pixels beyond each CIEDE2000 of `CURVE`.

    Args:
      system: whose.
      form: `raw` or `registered`, the motion undone.

    Returns:
      None without numbers, such as those of records of before they were taken.
    """
    shares = system.curves[form]
    return None if any(map(math.isnan, shares)) else [1.0 - one for one in shares]


def survival_curves(systems: Sequence[SystemResult], main: str) -> Drawing:
    """Draws how many kept pixels are off by more than a colour difference.

    The colour difference is on a scale of logarithms. A thin line beside a system's is
    the same with its motion undone, where that differs.

    Args:
      systems: with the shares; at least one.
      main: name of the system in blue.
    """
    left, right, bottom = 44.0, 236.0, 300.0
    drawn = [(one, survival_shares(one) or []) for one in systems]
    shares = [share for _, values in drawn for share in values]
    up = Scale(low=0.0, high=min(1.0, limit_of(shares, 0.05)), start=bottom, end=24.0)
    across = Scale(
        low=math.log(CURVE[0]), high=math.log(CURVE[-1]), start=left, end=right
    )
    places = [across(math.log(threshold)) for threshold in CURVE]
    shapes = [
        *vertical_grid(up, left, right, 2 if up.high < 0.5 else 1),
        *_thresholds(across, bottom),
    ]
    ends = []
    hues = iter(_HUES * (1 + len(systems)))
    for system, values in drawn:
        color = GREY
        if system.kind == "system":
            color = BLUE if system.name == main else next(hues)
            registered = survival_shares(system, "registered") or values
            if max(abs(a - b) for a, b in zip(values, registered, strict=True)) > 0.002:
                shapes.append(_curve(places, registered, up, color, 1.0))
        width = 2.5 if system.kind == "system" else 1.2
        shapes.append(_curve(places, values, up, color, width))
        shapes += [
            Dot(
                x=x,
                y=up(share),
                radius=2,
                color=color,
                hint=f"{system.name}: {share:.3f} beyond {threshold:g}",
            )
            for x, threshold, share in zip(places, CURVE, values, strict=True)
        ]
        ends.append((up(values[-1]), system.name, color))
    labels = spread([y for y, _, _ in ends], 14.0, 24.0, bottom)
    for (y, name, color), place in zip(ends, labels, strict=True):
        shapes.append(Line(points=((right + 4, y), (right + 14, place)), color=color))
        shapes.append(Text(x=right + 17, y=place + 4, text=cut(name, 18), size=11))
    return Drawing(
        title=f"Share of kept pixels beyond CIEDE2000 {CURVE[0]:g} to {CURVE[-1]:g}; "
        f"{len(drawn)} systems",
        width=_SIDE,
        height=bottom + 44,
        shapes=tuple(shapes),
    )


def _curve(
    places: Sequence[float],
    values: Sequence[float],
    up: Scale,
    color: str,
    width: float,
) -> Line:
    points = tuple((x, up(value)) for x, value in zip(places, values, strict=True))
    return Line(points=points, color=color, width=width)


def _thresholds(across: Scale, bottom: float) -> list[Shape]:
    """The scale below, and what is counted above."""
    shapes: list[Shape] = [
        Text(x=0, y=12, text="share of kept pixels beyond", size=11, color="muted")
    ]
    for threshold in _TOLD:
        x = across(math.log(threshold))
        label = f"{threshold:g}"
        shapes.append(
            Text(
                x=x, y=bottom + 16, text=label, size=11, color="muted", anchor="middle"
            )
        )
    middle = (across.start + across.end) / 2
    told = "CIEDE2000"
    return [
        *shapes,
        Text(x=middle, y=bottom + 34, text=told, size=11, anchor="middle"),
    ]


def _crosshair(across: Scale, down: Scale, right: str, below: str) -> list[Shape]:
    shapes: list[Shape] = []
    top, bottom = sorted((down.start, down.end))
    for value in ticks(across.low, across.high):
        x, y = across(value), down(value)
        color = "muted" if value == 0 else "rule"
        shapes.append(Line(points=((x, top), (x, bottom)), color=color))
        shapes.append(Line(points=((_LOW, y), (_HIGH, y)), color=color))
        label = f"{value:g}"
        shapes.append(
            Text(
                x=x, y=bottom + 15, text=label, size=11, color="muted", anchor="middle"
            )
        )
        shapes.append(
            Text(x=_LOW - 6, y=y + 4, text=label, size=11, color="muted", anchor="end")
        )
    middle = (_LOW + _HIGH) / 2
    shapes.append(Text(x=middle, y=bottom + 33, text=right, size=11, anchor="middle"))
    return [*shapes, Text(x=_LOW + 4, y=top + 13, text=below, size=11, color="muted")]


def _beyond(num_beyond: int) -> list[Shape]:
    if not num_beyond:
        return []
    text = f"rings: {num_beyond} beyond the frame"
    return [Text(x=_HIGH - 4, y=_HIGH - 18, text=text, size=11, anchor="end")]
