"""What the renderer's kernels run on: NumPy, the reference."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float

from tbstar_jax.data_engine.studio import tracing
from tbstar_jax.data_engine.studio.fields import Body
from tbstar_jax.data_engine.studio.shading import Lamps, Paint, shade, sheet_color

Flat: TypeAlias = Float[np.ndarray, "..."]
Job: TypeAlias = tuple[tuple[Any, ...], tuple[Flat, ...]]
"""Parameters of a kernel, and the rays or points it is applied to."""


@runtime_checkable
class Backend(Protocol):
    """Runs the kernels on jobs; every method returns one result per job.

    Attributes:
      band: about how many rays of a scene go through all stages together; None for all
        rays of all scenes.
    """

    band: int | None

    def sheet(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """`shading.sheet_color` of camera (3) and directions (3)."""

    def march(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """`tracing.march` of rays (6), start and end."""

    def surface(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """`tracing.surface` of points (3)."""

    def shadow(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """`tracing.shadow_share` of rays (6), entry and exit."""

    def occlusion(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """`tracing.occlusion` of points and normals (6)."""

    def shade(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """`shading.shade` of its samples (15)."""


def _repeat(count: int, step: Any, state: Any) -> Any:
    for _ in range(count):
        state = step(state)
    return state


class NumpyBackend:
    """The reference: NumPy, float64, a piece of the rays at a time."""

    band: int | None = 1 << 17
    """What is known about so many rays stays in the larger of a processor's caches."""

    chunk = 16384
    """Values that stay in the smaller one together."""

    def sheet(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """As `Backend`."""
        return self._each(
            lambda p, a: sheet_color(np, Lamps(*p[0]), a[:3], a[3:]), jobs
        )

    def march(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """As `Backend`; rays that have arrived or left are laid aside."""
        return self._each(lambda p, a: self._march(Body(*p[0]), a), jobs)

    def surface(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """As `Backend`."""
        return self._each(
            lambda p, a: tracing.surface(np, _repeat, Body(*p[0]), *a), jobs
        )

    def shadow(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """As `Backend`; rays that are dark or have left are laid aside."""
        return self._each(lambda p, a: self._shadow(Body(*p[0]), p[1], a), jobs)

    def occlusion(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """As `Backend`."""
        return self._each(
            lambda p, a: (tracing.occlusion(np, _repeat, Body(*p[0]), a),), jobs
        )

    def shade(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """As `Backend`."""
        return self._each(
            lambda p, a: shade(np, Lamps(*p[0]), Body(*p[1]), Paint(*p[2]), *a), jobs
        )

    def _each(self, kernel: Any, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        made = []
        for parameters, arrays in jobs:
            count = len(arrays[-1])
            pieces = [
                kernel(parameters, tuple(one[at : at + self.chunk] for one in arrays))
                for at in range(0, max(count, 1), self.chunk)
            ]
            made.append(tuple(map(np.concatenate, zip(*pieces, strict=True))))
        return made

    def _march(self, body: Body, arrays: tuple[Flat, ...]) -> tuple[Flat, Flat]:
        *rays, along, leave = arrays
        along, near = along.copy(), np.full_like(along, np.inf)
        todo = np.arange(len(along))
        steps = 3
        for _ in range(tracing.NUM_STEPS // steps):
            some = tuple(one[todo] for one in rays)
            along[todo], near[todo] = tracing.march(
                np, _repeat, body, some, along[todo], leave[todo], steps
            )
            todo = todo[(near[todo] > tracing.TOUCH) & (along[todo] < leave[todo])]
            if not len(todo):
                break
        return along, near

    def _shadow(
        self, body: Body, light: Flat, arrays: tuple[Flat, ...]
    ) -> tuple[Flat, ...]:
        *rays, along, leave = arrays
        shortest = (leave - along) / tracing.NUM_SHADOW_STEPS
        along, least = along.copy(), np.ones_like(along)
        todo = np.arange(len(along))
        steps = 2
        for _ in range(tracing.NUM_SHADOW_STEPS // steps):
            along[todo], least[todo] = tracing.shadow(
                np,
                _repeat,
                body,
                tuple(one[todo] for one in rays),
                light[3],
                along[todo],
                leave[todo],
                shortest[todo],
                least[todo],
                steps,
            )
            todo = todo[(least[todo] > -1.0) & (along[todo] < leave[todo])]
            if not len(todo):
                break
        return (tracing.shadow_share(np, least),)
