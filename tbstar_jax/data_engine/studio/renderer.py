"""From a scene to its image, ids, masks and depth.

The same stages on every backend: rays, what they meet, surfaces, shadows, colours, mean
over the rays of a pixel. Every item is traced alone and shadows multiply, so an item
that is moved or removed changes nothing, to the last bit, where it was neither seen nor
near. Scenes seen by one camera share what they have in common, to the last bit, too:
what rays meet of an equal item, and the light that it keeps from an equal point.
`NumpyBackend` in float64 is the reference; `fast` compiles the same kernels.
"""

from collections.abc import Sequence

import numpy as np

from tbstar_jax.data_engine.studio import tracing
from tbstar_jax.data_engine.studio.backends import (
    Backend,
    Flat,
    Job,
    NumpyBackend,
)
from tbstar_jax.data_engine.studio.fields import Body, to_local, turn_back
from tbstar_jax.data_engine.studio.packing import pack
from tbstar_jax.data_engine.studio.samples import (
    Found,
    Frame,
    Samples,
    batches,
    cast,
    is_equal,
    plan_all,
)
from tbstar_jax.data_engine.studio.scene import Scene, require_scene

_AMBIENT = 0.42
"""Share of the floor's light that a shadow leaves."""
_TINTED = 0.5
"""Share of what an item hides that it gives back in its own colour."""


def render(scene: Scene) -> Frame:
    """Draws a scene with the reference; raises as `render_all`."""
    return render_all([scene], NumpyBackend())[0]


def render_all(scenes: Sequence[Scene], backend: Backend) -> list[Frame]:
    """Draws scenes.

    Args:
      scenes: their parameters; those that have a camera and some items in common are
        drawn together in much less time than one by one.
      backend: what the kernels run on.

    Raises:
      UserError: a scene is empty, too full, or names what is not known.
    """
    for scene in scenes:
        require_scene(scene)
    plans = plan_all([pack(scene) for scene in scenes])
    for batch in batches(plans, backend.band):
        samples: list[Samples] = []
        for plan, rows in batch:
            like = next((one for one in samples if one.plan is plan.like), None)
            samples.append(cast(plan, rows, like))
        _sheet(samples, backend)
        _meet(samples, backend)
        _touch(samples, backend)
        _hide(samples, backend)
        _color(samples, backend)
        for one in samples:
            _finish(one)
    return [plan.frame for plan in plans]


def _sheet(samples: Sequence[Samples], backend: Backend) -> None:
    """Finds what is behind all items, and how far it is."""
    jobs: list[Job] = []
    owners = []
    for one in samples:
        lamps = one.plan.packed.lamps
        if one.like and is_equal(lamps, one.like.plan.packed.lamps):
            continue
        origin = (np.full_like(one.way[0], x) for x in one.origin)
        jobs.append(((lamps,), (*origin, *one.way)))
        owners.append(one)
    for one, made in zip(owners, backend.sheet(jobs), strict=True):
        one.behind, one.far = made[:3], made[3]
    for one in samples:
        if one.like and not one.behind:
            one.behind, one.far = one.like.behind, one.like.far


def _meet(samples: Sequence[Samples], backend: Backend) -> None:
    """Finds per ray the nearest item (or -1), and how far it is."""
    jobs: list[Job] = []
    owners: list[tuple[Samples, int, np.ndarray, Flat]] = []
    for one in samples:
        for k, body in enumerate(one.plan.packed.bodies):
            if one.plan.twins[k] is not None:
                continue
            origin = to_local(np, body, *one.origin)
            way = turn_back(body, *one.way)
            enter, leave = tracing.box_span(np, body, origin, way, 0.0)
            index = np.flatnonzero(leave > enter)
            starts = (np.full(len(index), x) for x in origin)
            rest = (each[index] for each in (*way, enter, leave))
            jobs.append(((body,), (*starts, *rest)))
            owners.append((one, k, index, leave[index]))
    made = backend.march(jobs)
    for (one, k, index, leave), (along, near) in zip(owners, made, strict=True):
        is_hit = (near <= tracing.TOUCH) & (along < leave)
        scale = one.plan.packed.bodies[k].pose[4]
        one.hits[k] = index[is_hit], along[is_hit] * scale
    for one in samples:
        one.depth = one.far.copy()
        for k, twin in enumerate(one.plan.twins):
            if one.like and twin is not None:
                one.hits[k] = one.like.hits[twin]
            index, depth = one.hits[k]
            is_nearest = depth < one.depth[index]
            index = index[is_nearest]
            one.depth[index], one.item[index] = depth[is_nearest], k
        if one.like:
            # Where nothing is met, the number is -1 in both: the last of these.
            now = np.full(len(one.like.hits) + 1, -2)
            now[-1] = -1
            for k, twin in enumerate(one.plan.twins):
                if twin is not None:
                    now[twin] = k
            one.is_same = (now[one.like.item] == one.item) & (
                one.like.depth == one.depth
            )


def _touch(samples: Sequence[Samples], backend: Backend) -> None:
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
        for k, body in enumerate(one.plan.packed.bodies):
            index = np.flatnonzero((one.item == k) & ~one.is_same)
            jobs.append(((body,), tuple(axis[index] for axis in one.points[:3])))
            owners.append((one, index))
    for (one, index), made in zip(owners, backend.surface(jobs), strict=True):
        for axis, values in zip((*one.points[3:], one.slot), made, strict=True):
            axis[index] = values
    for one in samples:
        if one.like:
            known = (*one.like.points[3:], one.like.slot)
            for axis, values in zip((*one.points[3:], one.slot), known, strict=True):
                np.copyto(axis, values, where=one.is_same)


def _hide(samples: Sequence[Samples], backend: Backend) -> None:
    """Finds the light that items keep from points: the lamp's and the room's."""
    shadows: list[Job] = []
    nearby: list[Job] = []
    owners, neighbours = [], []
    for one in samples:
        seen = np.flatnonzero(one.depth < 5e8)
        fresh = seen[~one.is_same[seen]]
        for k, body in enumerate(one.plan.packed.bodies):
            is_known = one.plan.twins[k] is not None
            index = fresh if is_known and _has_same_light(one) else seen
            job, index = _shadow_job(one, body, index)
            shadows.append(job)
            owners.append((one, k, index))
            job, index = _occlusion_job(one, body, fresh if is_known else seen)
            nearby.append(job)
            neighbours.append((one, k, index))
    for (one, k, index), (share,) in zip(owners, backend.shadow(shadows), strict=True):
        one.shares[k] = index, share
    made = backend.occlusion(nearby)
    for (one, k, index), (hidden,) in zip(neighbours, made, strict=True):
        one.hidden[k] = index, hidden
    for one in samples:
        for k, twin in enumerate(one.plan.twins):
            if one.like and twin is not None:
                known = one.like
                if _has_same_light(one):
                    one.shares[k] = _with_known(one, one.shares[k], known.shares[twin])
                one.hidden[k] = _with_known(one, one.hidden[k], known.hidden[twin])
            _darken(one, k)


def _has_same_light(one: Samples) -> bool:
    return one.like is not None and np.array_equal(
        one.plan.packed.lamps.light, one.like.plan.packed.lamps.light
    )


def _with_known(one: Samples, fresh: Found, known: Found) -> Found:
    """What was found, with what is known of the rays that are the same."""
    is_same = one.is_same[known[0]]
    return (
        np.concatenate([fresh[0], known[0][is_same]]),
        np.concatenate([fresh[1], known[1][is_same]]),
    )


def _shadow_job(one: Samples, body: Body, index: np.ndarray) -> tuple[Job, np.ndarray]:
    """The rays to the lamp that pass a thing's grown box, of some points."""
    light = one.plan.packed.lamps.light
    points = tuple(axis[index] for axis in one.points)
    rays, enter, leave = tracing.shadow_span(np, body, points, light)
    some = np.flatnonzero(leave > enter)
    arrays = tuple(axis[some] for axis in (*rays, enter, leave))
    return ((body, light), arrays), index[some]


def _occlusion_job(
    one: Samples, body: Body, index: np.ndarray
) -> tuple[Job, np.ndarray]:
    """The points among some that are close to a thing."""
    local = to_local(np, body, *(axis[index] for axis in one.points[:3]))
    is_item = one.item[index] >= 0
    reach = tracing.OCCLUSION_REACH * (1 + is_item) / body.pose[4]
    gaps = [
        np.maximum(body.box[a] - local[a], local[a] - body.box[a + 3]) for a in range(3)
    ]
    far = np.maximum(np.maximum(gaps[0], gaps[1]), gaps[2])
    index = index[far < reach]
    return ((body,), tuple(axis[index] for axis in one.points)), index


def _darken(one: Samples, k: int) -> None:
    """Takes away the light that an item hides."""
    packed = one.plan.packed
    index, share = one.shares[k]
    hidden = (1.0 - share) * packed.solidity[k]
    one.lit[index] *= 1.0 - hidden
    one.influence[k, index] |= (hidden > 0) & (one.item[index] != k)
    index, hidden = one.hidden[k]
    hidden = hidden * (0.5 + 0.5 * packed.solidity[k])
    given = 1.0 - _TINTED * packed.tints[k]
    for channel in range(3):
        one.open[channel][index] *= 1.0 - hidden * given[channel]
    one.influence[k, index] |= (hidden > 0) & (one.item[index] != k)


def _color(samples: Sequence[Samples], backend: Backend) -> None:
    """Finds the colour of every ray, linear light."""
    jobs: list[Job] = []
    owners = []
    for one in samples:
        packed = one.plan.packed
        strength = packed.scene.light.shadow
        lit = 1.0 - strength * (1.0 - _AMBIENT) * (1.0 - one.lit)
        weight, is_floor = min(1.0, strength), one.item < 0
        one.color = tuple(
            np.where(is_floor, sheet * lit * (1.0 - weight * (1.0 - is_open)), 0.0)
            for sheet, is_open in zip(one.behind, one.open, strict=True)
        )
        for k, body in enumerate(packed.bodies):
            index = np.flatnonzero(one.item == k)
            red, green, blue = (each[index] for each in one.open)
            # The floor hides the lower half of the room from what is close to it.
            y, ny = one.points[1][index], one.points[4][index]
            ground = 1.0 - 0.45 * np.clip(1.0 - y / 0.3, 0, 1) * (0.5 - 0.5 * ny)
            is_open = (red + (green + blue)) / 3 * ground
            before = (*one.points, one.slot, *one.way, one.lit)
            arrays = (
                *(each[index] for each in before),
                is_open,
                *(each[index] for each in one.behind),
            )
            jobs.append(((packed.lamps, body, packed.paints[k]), arrays))
            owners.append((one, index))
    for (one, index), made in zip(owners, backend.shade(jobs), strict=True):
        for channel, values in zip(one.color, made[:3], strict=True):
            channel[index] = values
        one.ink[index], one.room[index] = made[3:]


def _finish(one: Samples) -> None:
    """Averages the rays of each pixel and rounds once."""
    scene, frame, rows = one.plan.packed.scene, one.plan.frame, one.rows
    shape = (rows.stop - rows.start, scene.size[1], scene.supersampling**2)
    for channel, values in enumerate(one.color):
        mean = np.clip(_mean(values.reshape(shape)), 0.0, 1.0)
        coded = np.where(
            mean <= 0.0031308, 12.92 * mean, 1.055 * mean ** (1 / 2.4) - 0.055
        )
        frame.image[rows, :, channel] = np.rint(coded * 255.0).astype(np.uint8)
    items, ink, room = (each.reshape(shape) for each in (one.item, one.ink, one.room))
    shares = [_mean((items == -1).astype(np.float64))]
    for k in range(len(scene.items)):
        is_met = items == k
        shares.append(_mean(is_met.astype(np.float64)))
        frame.coverage[k, rows] = shares[-1]
        frame.influence[k, rows] = one.influence[k].reshape(shape).any(axis=2)
        frame.ink[k, rows] = _mean(ink * is_met)
        frame.text[k, rows] = _mean(ink * room * is_met)
        frame.room[k, rows] = _mean(room * is_met)
    frame.ids[rows] = np.stack(shares).argmax(axis=0)
    depth = one.depth.reshape(shape).min(axis=2)
    frame.depth[rows] = np.where(depth < 5e8, depth, np.inf)


def _mean(values: Flat) -> Flat:
    """Over the last axis, which is short: in order, whatever the other axes are."""
    total = values[..., 0].copy()
    for k in range(1, values.shape[-1]):
        total += values[..., k]
    return total / values.shape[-1]
