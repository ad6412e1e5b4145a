"""Axes: values to places, round ticks, labels that do not lie on each other."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tbstar_jax.evaluation.report.drawing import Length, Line, Shape, Text


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale:
    """Values from `low` to `high` lie from `start` to `end`; others at the ends."""

    low: Length
    high: Length
    start: Length
    end: Length

    def __call__(self, value: Length) -> float:
        """Where a value lies, in pixels."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


def ticks(low: Length, high: Length, count: int = 5) -> list[float]:
    """About `count` round values from `low` to `high`."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [step * k for k in range(first, last + 1)]


def spread(
    places: Sequence[Length], gap: Length, low: Length, high: Length
) -> list[float]:
    """Moves labels apart, no further than it takes.

    Args:
      places: where they should be.
      gap: least distance of two.
      low: of all.
      high: of all; where they do not fit between, they pass it.

    Returns:
      Places in the order given.
    """
    if not places:
        return []
    order = np.argsort(places, kind="stable")
    # With k gaps taken off the k-th, "apart" means "not decreasing": the closest such
    # sequence averages neighbours that are out of order.
    blocks: list[list[float]] = []
    for k, row in enumerate(order):
        blocks.append([places[row] - k * gap, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            value, size = blocks.pop()
            other, more = blocks.pop()
            mean = (value * size + other * more) / (size + more)
            blocks.append([mean, size + more])
    flat = [value for value, size in blocks for _ in range(int(size))]
    top = high - gap * (len(places) - 1)
    found = [0.0] * len(places)
    for k, row in enumerate(order):
        found[int(row)] = max(low, min(flat[k], top)) + k * gap
    return found


def vertical_grid(
    scale: Scale, left: Length, right: Length, digits: int
) -> list[Shape]:
    """Lines across, with their values at the left."""
    shapes: list[Shape] = []
    for value in ticks(scale.low, scale.high):
        y = scale(value)
        shapes.append(Line(points=((left, y), (right, y)), color="rule"))
        label = f"{value:.{digits}f}"
        shapes.append(
            Text(x=left - 6, y=y + 4, text=label, size=11, color="muted", anchor="end")
        )
    return shapes


def limit_of(values: Sequence[Length], least: Length) -> float:
    """A round bound of the values' sizes, at least `least`.

    It holds 98 % of them, and all unless the largest is three times as far out.
    """
    most = float(np.percentile(np.abs(values), 98))
    if (largest := float(np.abs(values).max())) <= 3 * max(most, least):
        most = largest
    bound = max(least, most * 1.05)
    power = 10.0 ** math.floor(math.log10(bound))
    return next(power * k for k in (1, 1.5, 2, 3, 5, 8, 10) if power * k >= bound)
