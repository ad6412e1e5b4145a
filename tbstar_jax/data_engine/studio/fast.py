"""The renderer's kernels compiled by JAX: the fast path for training data.

The rays of all jobs of a stage are cut into pieces of one size and mapped (`vmap`) over
pieces, each with the parameters of its own thing: one program per kernel (that of
backdrops: per kind), whatever the scenes, so that many scenes fill an accelerator. In
float64 the pictures agree with the reference to one level of eight bits; float32
differs where a ray grazes a silhouette or the border of a pattern's cell.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from tbstar_jax.data_engine.studio import tracing
from tbstar_jax.data_engine.studio.backends import Flat, Job
from tbstar_jax.data_engine.studio.fields import Body
from tbstar_jax.data_engine.studio.scene import BackdropKind
from tbstar_jax.data_engine.studio.shading import (
    Lamps,
    Paint,
    backdrop_color,
    kind_of,
    shade,
)

Precision = Literal["float64", "float32"]


def _repeat(count: int, step: Callable[[Any], Any], state: Any) -> Any:
    return jax.lax.fori_loop(0, count, lambda _, one: step(one), state)


@functools.cache
def _sheet(kind: BackdropKind) -> Callable[..., Any]:
    def kernel(lamps: Lamps, *rays: Any) -> tuple[Any, ...]:
        return backdrop_color(jnp, kind, lamps, rays[:3], rays[3:])

    return kernel


def _march(body: Body, *arrays: Any) -> tuple[Any, ...]:
    *rays, start, leave = arrays
    return tracing.march(
        jnp, _repeat, body, tuple(rays), start, leave, tracing.NUM_STEPS
    )


def _surface(body: Body, *points: Any) -> tuple[Any, ...]:
    return tracing.surface(jnp, _repeat, body, *points)


def _shadow(body: Body, light: Any, *arrays: Any) -> tuple[Any, ...]:
    *rays, along, leave = arrays
    num_steps = tracing.NUM_SHADOW_STEPS
    shortest, least = (leave - along) / num_steps, along * 0.0 + 1.0
    _, least = tracing.shadow(
        jnp, _repeat, body, tuple(rays), light[3], along, leave, shortest, least,
        num_steps,
    )  # fmt: skip
    return (tracing.shadow_share(jnp, least),)


def _occlusion(body: Body, *points: Any) -> tuple[Any, ...]:
    return (tracing.occlusion(jnp, _repeat, body, points),)


def _shade(lamps: Lamps, body: Body, paint: Paint, *samples: Any) -> tuple[Any, ...]:
    return shade(jnp, lamps, body, paint, *samples)


@functools.cache
def _compiled(kernel: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(jax.vmap(kernel))


class JaxBackend:
    """A `backends.Backend` on JAX's default device."""

    band: int | None = None

    def __init__(
        self, precision: Precision = "float64", chunk: int = 2048, group: int = 8
    ) -> None:
        """Compiles nothing yet.

        Args:
          precision: of all kernels.
          chunk: rays of one thing that are computed together.
          group: such pieces per call; raise it on an accelerator.
        """
        self._precision = precision
        self._chunk = chunk
        self._group = group

    def sheet(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """As `backends.Backend`; a program per kind of backdrop."""
        made: dict[int, tuple[Flat, ...]] = {}
        kinds = [kind_of(Lamps(*job[0][0])) for job in jobs]
        for kind in set(kinds):
            numbers = [k for k, one in enumerate(kinds) if one == kind]
            done = self._run(_sheet(kind), [jobs[k] for k in numbers])
            made |= zip(numbers, done, strict=True)
        return [made[k] for k in range(len(jobs))]

    def march(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """As `backends.Backend`."""
        return self._run(_march, jobs)

    def surface(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """As `backends.Backend`."""
        return self._run(_surface, jobs)

    def shadow(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """As `backends.Backend`."""
        return self._run(_shadow, jobs)

    def occlusion(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """As `backends.Backend`."""
        return self._run(_occlusion, jobs)

    def shade(self, jobs: Sequence[Job]) -> list[tuple[Flat, ...]]:
        """As `backends.Backend`."""
        return self._run(_shade, jobs)

    def _run(
        self, kernel: Callable[..., Any], jobs: Sequence[Job]
    ) -> list[tuple[Flat, ...]]:
        pieces = [
            (number, at)
            for number, (_, arrays) in enumerate(jobs)
            for at in range(0, max(len(arrays[-1]), 1), self._chunk)
        ]
        made: list[list[tuple[Flat, ...]]] = [[] for _ in jobs]
        with jax.enable_x64(self._precision == "float64"):
            for first in range(0, len(pieces), self._group):
                group = pieces[first : first + self._group]
                values = self._call(kernel, jobs, group)
                for row, (number, at) in enumerate(group):
                    count = min(self._chunk, len(jobs[number][1][-1]) - at)
                    made[number].append(tuple(one[row, :count] for one in values))
        return [tuple(map(np.concatenate, zip(*one, strict=True))) for one in made]

    def _call(
        self,
        kernel: Callable[..., Any],
        jobs: Sequence[Job],
        group: Sequence[tuple[int, int]],
    ) -> list[Flat]:
        """Computes one full group of pieces, the last ones padding."""
        filled = [*group, *[group[0]] * (self._group - len(group))]
        parameters = jax.tree.map(
            lambda *leaves: np.stack(leaves).astype(self._precision),
            *[jobs[number][0] for number, _ in filled],
        )
        num_arrays = len(jobs[group[0][0]][1])
        arrays = np.zeros((num_arrays, self._group, self._chunk), self._precision)
        for row, (number, at) in enumerate(group):
            for k, values in enumerate(jobs[number][1]):
                piece = values[at : at + self._chunk]
                arrays[k, row, : len(piece)] = piece
        made = _compiled(kernel)(*parameters, *arrays)
        return [np.asarray(one, np.float64) for one in made]
