"""Which rays are drawn together, and what is known about them so far.

Every stage of the renderer works ray by ray: rays may be cut into bands of rows that a
processor's cache holds, and what one scene knows of a ray is true of the same ray in
another scene, as long as it meets the same.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from tbstar_jax.data_engine.studio.backends import Flat
from tbstar_jax.data_engine.studio.packing import Packed
from tbstar_jax.data_engine.studio.scene import Scene

Found: TypeAlias = tuple[np.ndarray, Flat]
"""Numbers of rays, and a value for each."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """A rendered scene.

    Attributes:
      image: uint8 sRGB.
      ids: per pixel 0 for the backdrop, k + 1 for item k: what most rays meet.
      coverage: per item the share of a pixel's rays that meet it, 0 to 1.
      influence: per item, whether its shadow reaches something else in a pixel.
      ink: per item the share of a pixel that is printed.
      text: per item the share of a pixel that is printed with its text.
      room: per item the share of a pixel that is the text's part of its plate.
      depth: distance from the camera to the nearest thing, inf on the backdrop's wall.
    """

    image: UInt8[np.ndarray, "h w 3"]
    ids: UInt8[np.ndarray, "h w"]
    coverage: Float32[np.ndarray, "k h w"]
    influence: Bool[np.ndarray, "k h w"]
    ink: Float32[np.ndarray, "k h w"]
    text: Float32[np.ndarray, "k h w"]
    room: Float32[np.ndarray, "k h w"]
    depth: Float32[np.ndarray, "h w"]


@dataclasses.dataclass
class Plan:
    """A scene to be drawn.

    Attributes:
      packed: the scene.
      frame: filled band by band.
      like: an earlier plan that is seen by the same camera.
      twins: per item the number of the equal one in `like`, or None.
    """

    packed: Packed
    frame: Frame
    like: "Plan | None" = None
    twins: list[int | None] = dataclasses.field(default_factory=list)

    @property
    def view(self) -> tuple[Any, ...]:
        """What the rays depend on."""
        scene = self.packed.scene
        return scene.size, scene.camera, scene.supersampling


@dataclasses.dataclass
class Samples:
    """The rays of some rows of one scene and what is known about them so far."""

    plan: Plan
    rows: slice
    like: "Samples | None"
    origin: tuple[float, ...]
    way: tuple[Flat, ...]
    behind: tuple[Flat, ...]
    far: Flat
    depth: Flat
    item: Any
    is_same: Any
    """Rays that meet the same point of the same thing as in `like`."""
    points: tuple[Flat, ...]
    slot: Flat
    lit: Flat
    open: tuple[Flat, ...]
    influence: Any
    color: tuple[Flat, ...]
    ink: Flat
    room: Flat
    hits: list[Found]
    """Per item the rays that meet it, and how far it is."""
    shares: list[Found]
    """Per item the rays that it may shade, and the share of the light that arrives."""
    hidden: list[Found]
    """Per item the rays it may be close to, and the share of the room that it hides."""


def plan_all(scenes: Sequence[Packed]) -> list[Plan]:
    """Prepares frames, and finds out which scenes share what."""
    plans: list[Plan] = []
    for packed in scenes:
        size, count = packed.scene.size, len(packed.bodies)
        frame = Frame(
            image=np.empty((*size, 3), np.uint8),
            ids=np.empty(size, np.uint8),
            coverage=np.empty((count, *size), np.float32),
            influence=np.empty((count, *size), bool),
            ink=np.empty((count, *size), np.float32),
            text=np.empty((count, *size), np.float32),
            room=np.empty((count, *size), np.float32),
            depth=np.empty(size, np.float32),
        )
        plan = Plan(packed=packed, frame=frame)
        plan.like = next((one for one in plans if one.view == plan.view), None)
        plan.twins = [None] * count
        if plan.like:
            known = plan.like.packed.bodies
            plan.twins = [
                next((j for j, one in enumerate(known) if is_equal(one, body)), None)
                for body in packed.bodies
            ]
        plans.append(plan)
    return plans


def is_equal(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    """Whether two tuples hold the same arrays."""
    return all(map(np.array_equal, first, second))


def batches(
    plans: Sequence[Plan], band: int | None
) -> Iterator[list[tuple[Plan, slice]]]:
    """What goes through all stages together: all, or some rows of one camera's scenes.

    Every stage works ray by ray, so nothing depends on where rows are cut.
    """
    if band is None:
        yield [(plan, slice(0, plan.packed.scene.size[0])) for plan in plans]
        return
    for view in dict.fromkeys(plan.view for plan in plans):
        (rows, columns), _, per_side = view
        step = max(1, band // (columns * per_side**2))
        some = [plan for plan in plans if plan.view == view]
        for first in range(0, rows, step):
            yield [(plan, slice(first, min(first + step, rows))) for plan in some]


def cast(plan: Plan, rows: slice, like: Samples | None) -> Samples:
    """Rays through a regular grid inside each pixel, pixel by pixel."""
    scene = plan.packed.scene
    camera = scene.camera
    pitch = math.radians(camera.pitch)
    sine, cosine = math.sin(pitch), math.cos(pitch)
    if like:
        way = like.way
    else:
        u, v = _grid(scene, rows)
        size = np.sqrt(1 + u * u + v * v)
        way = (u / size, (v * cosine - sine) / size, (-v * sine - cosine) / size)
    count, kinds = len(way[0]), len(plan.packed.bodies)
    none = np.zeros(0)
    nothing = (np.zeros(0, int), none)
    return Samples(
        plan=plan,
        rows=rows,
        like=like,
        origin=(
            0.0,
            camera.height + camera.distance * sine,
            camera.distance * cosine,
        ),
        way=way,
        behind=(),
        far=none,
        depth=none,
        item=np.full(count, -1),
        is_same=np.zeros(count, bool),
        points=(),
        slot=none,
        lit=np.ones(count),
        open=tuple(np.ones(count) for _ in range(3)),
        influence=np.zeros((kinds, count), bool),
        color=(),
        ink=np.zeros(count),
        room=np.zeros(count),
        hits=[nothing] * kinds,
        shares=[nothing] * kinds,
        hidden=[nothing] * kinds,
    )


def _grid(scene: Scene, rows: slice) -> tuple[Flat, Flat]:
    """Where rays pass the plane at distance 1: to the right, and up."""
    (height, width), per_side = scene.size, scene.supersampling
    angle = math.radians(scene.camera.field_of_view)
    spread = math.tan(angle / 2) / min(height, width)
    steps = (np.arange(per_side) + 0.5) / per_side
    some = np.arange(height)[rows]
    down = (some[:, None] + steps - height / 2).ravel() * 2 * spread
    right = (np.arange(width)[:, None] + steps - width / 2).ravel() * 2 * spread
    shape = (len(some), per_side, width, per_side)

    def flat(values: np.ndarray) -> Flat:
        grid = np.broadcast_to(values, (len(down), len(right)))
        return grid.reshape(shape).transpose(0, 2, 1, 3).reshape(-1)

    return flat(right[None, :]), flat(-down[:, None])
