"""From a scene to its image, ids, masks and depth.

The same stages on every backend: rays, what they meet, surfaces, shadows, colours, mean
over the rays of a pixel. Every item is traced alone and shadows multiply, so an item
that is moved or removed changes nothing, to the last bit, where it was neither seen nor
near. `NumpyBackend` in float64 is the reference; `fast` compiles the same kernels.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from tbstar_jax.data_engine.studio import tracing
from tbstar_jax.data_engine.studio.backends import (
    Backend,
    Flat,
    Job,
    NumpyBackend,
)
from tbstar_jax.data_engine.studio.fields import to_local, turn_back
from tbstar_jax.data_engine.studio.packing import Packed, pack
from tbstar_jax.data_engine.studio.scene import Scene, require_scene

_AMBIENT = 0.42
"""Share of the floor's light that a shadow leaves."""
_TINTED = 0.5
"""Share of what an item hides that it gives back in its own colour."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """A rendered scene.

    Attributes:
      image: uint8 sRGB.
      ids: per pixel 0 for the backdrop, k + 1 for item k: what most rays meet.
      coverage: per item the share of a pixel's rays that meet it, 0 to 1.
      influence: per item, whether its shadow reaches something else in a pixel.
      ink: per item the share of a pixel that is printed.
      depth: distance from the camera to the nearest thing, inf on the backdrop's wall.
    """

    image: UInt8[np.ndarray, "h w 3"]
    ids: UInt8[np.ndarray, "h w"]
    coverage: Float32[np.ndarray, "k h w"]
    influence: Bool[np.ndarray, "k h w"]
    ink: Float32[np.ndarray, "k h w"]
    depth: Float32[np.ndarray, "h w"]


@dataclasses.dataclass
class _Samples:
    """The rays of one scene and what is known about them so far."""

    packed: Packed
    origin: tuple[Flat, ...]
    way: tuple[Flat, ...]
    behind: tuple[Flat, ...] = ()
    depth: Flat = dataclasses.field(default_factory=lambda: np.zeros(0))
    item: Any = None
    points: tuple[Flat, ...] = ()
    slot: Flat = dataclasses.field(default_factory=lambda: np.zeros(0))
    lit: Flat = dataclasses.field(default_factory=lambda: np.zeros(0))
    open: Flat = dataclasses.field(default_factory=lambda: np.zeros(0))
    influence: Any = None
    color: Any = None
    ink: Flat = dataclasses.field(default_factory=lambda: np.zeros(0))


def render(scene: Scene) -> Frame:
    """Draws a scene with the reference; raises as `render_all`."""
    return render_all([scene], NumpyBackend())[0]


def render_all(scenes: Sequence[Scene], backend: Backend) -> list[Frame]:
    """Draws scenes, all kernels of a stage together.

    Args:
      scenes: their parameters.
      backend: what the kernels run on.

    Raises:
      UserError: a scene is empty, too full, or names what is not known.
    """
    for scene in scenes:
        require_scene(scene)
    samples = [_rays(pack(scene)) for scene in scenes]
    jobs: list[Job] = [((s.packed.lamps,), (*s.origin, *s.way)) for s in samples]
    for one, made in zip(samples, backend.sheet(jobs), strict=True):
        one.behind, one.depth = made[:3], made[3]
    _meet(samples, backend)
    _touch(samples, backend)
    _hide(samples, backend)
    _color(samples, backend)
    return [_finish(one) for one in samples]


def _rays(packed: Packed) -> _Samples:
    """Rays through a regular grid inside each pixel, pixel by pixel."""
    scene = packed.scene
    camera, per_side = scene.camera, scene.supersampling
    rows, columns = scene.size
    pitch = math.radians(camera.pitch)
    spread = math.tan(math.radians(camera.field_of_view) / 2) / min(rows, columns)
    steps = (np.arange(per_side) + 0.5) / per_side
    down = (np.arange(rows)[:, None] + steps - rows / 2).ravel() * 2 * spread
    right = (np.arange(columns)[:, None] + steps - columns / 2).ravel() * 2 * spread
    shape = (rows, per_side, columns, per_side)

    def flat(values: np.ndarray) -> Flat:
        grid = np.broadcast_to(values, (rows * per_side, columns * per_side))
        return grid.reshape(shape).transpose(0, 2, 1, 3).reshape(-1)

    u, v = flat(right[None, :]), flat(-down[:, None])
    size = np.sqrt(1 + u * u + v * v)
    sine, cosine = math.sin(pitch), math.cos(pitch)
    eye = (
        0.0,
        camera.height + camera.distance * sine,
        camera.distance * cosine,
    )
    return _Samples(
        packed=packed,
        origin=tuple(np.full_like(u, one) for one in eye),
        way=(u / size, (v * cosine - sine) / size, (-v * sine - cosine) / size),
    )


def _meet(samples: Sequence[_Samples], backend: Backend) -> None:
    """Finds per ray the nearest item (or -1), and how far it is."""
    jobs: list[Job] = []
    owners: list[tuple[_Samples, int, np.ndarray, np.ndarray]] = []
    for one in samples:
        one.item = np.full(len(one.depth), -1)
        for k, body in enumerate(one.packed.bodies):
            origin = to_local(np, body, *one.origin)
            way = turn_back(body, *one.way)
            margin = np.zeros_like(one.depth)
            enter, leave = tracing.box_span(np, body, origin, way, margin)
            index = np.flatnonzero(leave > enter)
            arrays = (*origin, *way, enter, leave)
            jobs.append(((body,), tuple(each[index] for each in arrays)))
            owners.append((one, k, index, leave[index]))
    made = backend.march(jobs)
    for (one, k, index, leave), (along, near) in zip(owners, made, strict=True):
        is_hit = (near <= tracing.TOUCH) & (along < leave)
        depth = along * one.packed.bodies[k].pose[4]
        index, depth = index[is_hit], depth[is_hit]
        is_nearest = depth < one.depth[index]
        index = index[is_nearest]
        one.depth[index], one.item[index] = depth[is_nearest], k


def _touch(samples: Sequence[_Samples], backend: Backend) -> None:
    """Finds the points that rays meet, with their normals and material slots."""
    jobs: list[Job] = []
    owners = []
    for one in samples:
        reach = np.minimum(one.depth, 1e4)
        place = tuple(o + reach * w for o, w in zip(one.origin, one.way, strict=True))
        zero = np.zeros_like(reach)
        one.points = (place[0], np.where(one.item < 0, 0.0, place[1]), place[2], zero,
                      np.ones_like(reach), zero.copy())  # fmt: skip
        one.slot = zero.copy()
        for k, body in enumerate(one.packed.bodies):
            index = np.flatnonzero(one.item == k)
            jobs.append(((body,), tuple(axis[index] for axis in one.points[:3])))
            owners.append((one, index))
    for (one, index), made in zip(owners, backend.surface(jobs), strict=True):
        for axis, values in zip((*one.points[3:], one.slot), made, strict=True):
            axis[index] = values


def _hide(samples: Sequence[_Samples], backend: Backend) -> None:
    """Finds the light that items keep from points: the lamp's and the room's."""
    shadows: list[Job] = []
    nearby: list[Job] = []
    owners, neighbours = [], []
    for one in samples:
        count = len(one.depth)
        one.lit, one.open = np.ones(count), np.ones((count, 3))
        one.influence = np.zeros((len(one.packed.bodies), count), bool)
        seen = np.flatnonzero(one.depth < 5e8)
        points = tuple(axis[seen] for axis in one.points)
        is_item = one.item[seen] >= 0
        light = one.packed.lamps.light
        for k, body in enumerate(one.packed.bodies):
            rays, enter, leave = tracing.shadow_span(np, body, points, light)
            index = np.flatnonzero(leave > enter)
            arrays = (*rays, enter, leave)
            shadows.append(((body, light), tuple(axis[index] for axis in arrays)))
            owners.append((one, k, seen[index]))
            local = to_local(np, body, *points[:3])
            reach = tracing.OCCLUSION_REACH * (1 + is_item) / body.pose[4]
            gaps = [
                np.maximum(body.box[a] - local[a], local[a] - body.box[a + 3])
                for a in range(3)
            ]
            index = np.flatnonzero(np.max(gaps, axis=0) < reach)
            nearby.append(((body,), tuple(axis[index] for axis in points)))
            neighbours.append((one, k, seen[index]))
    for (one, k, index), (share,) in zip(owners, backend.shadow(shadows), strict=True):
        hidden = (1.0 - share) * one.packed.solidity[k]
        one.lit[index] *= 1.0 - hidden
        one.influence[k, index] |= (hidden > 0) & (one.item[index] != k)
    made = backend.occlusion(nearby)
    for (one, k, index), (hidden,) in zip(neighbours, made, strict=True):
        hidden = hidden * (0.5 + 0.5 * one.packed.solidity[k])
        given = 1.0 - _TINTED * one.packed.tints[k]
        one.open[index] *= 1.0 - hidden[:, None] * given
        one.influence[k, index] |= (hidden > 0) & (one.item[index] != k)


def _color(samples: Sequence[_Samples], backend: Backend) -> None:
    """Finds the colour of every ray, linear light."""
    jobs: list[Job] = []
    owners = []
    for one in samples:
        lamps = one.packed.lamps
        strength = one.packed.scene.light.shadow
        sheet = np.stack(one.behind, axis=1)
        lit = 1.0 - strength * (1.0 - _AMBIENT) * (1.0 - one.lit)
        floor = sheet * lit[:, None] * (1.0 - min(1.0, strength) * (1.0 - one.open))
        one.color = np.where(one.item[:, None] < 0, floor, 0.0)
        one.ink = np.zeros(len(one.depth))
        # The floor hides the lower half of the room from what is close to it.
        y, ny = one.points[1], one.points[4]
        ground = 1.0 - 0.45 * np.clip(1.0 - y / 0.3, 0, 1) * (0.5 - 0.5 * ny)
        is_open = one.open.mean(axis=1) * ground
        for k, body in enumerate(one.packed.bodies):
            index = np.flatnonzero(one.item == k)
            arrays = (*one.points, one.slot, *one.way, one.lit, is_open, *one.behind)
            jobs.append(
                (
                    (lamps, body, one.packed.paints[k]),
                    tuple(each[index] for each in arrays),
                )
            )
            owners.append((one, index))
    for (one, index), made in zip(owners, backend.shade(jobs), strict=True):
        one.color[index] = np.stack(made[:3], axis=1)
        one.ink[index] = made[3]


def _finish(one: _Samples) -> Frame:
    """Averages the rays of each pixel and rounds once."""
    scene = one.packed.scene
    rays = scene.supersampling**2
    mean = one.color.reshape(*scene.size, rays, 3).mean(axis=2)
    mean = np.clip(mean, 0.0, 1.0)
    coded = np.where(mean <= 0.0031308, 12.92 * mean, 1.055 * mean ** (1 / 2.4) - 0.055)
    items = one.item.reshape(*scene.size, rays)
    ink = one.ink.reshape(*scene.size, rays)
    kinds = range(len(scene.items))
    coverage = np.stack([(items == k).mean(axis=2) for k in kinds])
    backdrop = (items < 0).mean(axis=2)[None]
    depth = one.depth.reshape(*scene.size, rays).min(axis=2)
    return Frame(
        image=np.rint(coded * 255.0).astype(np.uint8),
        ids=np.concatenate([backdrop, coverage]).argmax(axis=0).astype(np.uint8),
        coverage=coverage.astype(np.float32),
        influence=one.influence.reshape(-1, *scene.size, rays).any(axis=3),
        ink=np.stack([(ink * (items == k)).mean(axis=2) for k in kinds]).astype(
            np.float32
        ),
        depth=np.where(depth < 5e8, depth, np.inf).astype(np.float32),
    )
