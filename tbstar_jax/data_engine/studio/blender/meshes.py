"""From the studio's signed distances to meshes, so that both renderers show one shape.

Surface nets: one vertex per grid cell that the surface passes, moved onto the surface;
one face per grid edge that the surface cuts. Main material and accent are meshed apart,
so that the seam between a bottle and its cap is as sharp as the solids are.
"""

import dataclasses
import functools

import numpy as np
from jaxtyping import Float, Float64, Int32

from tbstar_jax.data_engine.studio.fields import Body, Solid, distance
from tbstar_jax.data_engine.studio.packing import shape_of
from tbstar_jax.data_engine.studio.shapes import Shape, extent

_CELL = 0.008
"""Side of a grid cell, in units of the thing."""
_WALL = 0.026
"""Thickness of glass."""
_STEP = 1e-4
_SIDES = ((0, 1, 2), (1, 2, 0), (2, 0, 1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mesh:
    """A surface in the thing's own coordinates.

    Attributes:
      points: corners.
      normals: unit, outward, one per corner.
      slots: 0 main material, 1 accent, one per corner.
      faces: four corners each, anticlockwise from outside.
      is_inner: per corner, 1 on the inner side of a glass wall, else 0.
    """

    points: Float64[np.ndarray, "n 3"]
    normals: Float64[np.ndarray, "n 3"]
    slots: Float64[np.ndarray, " n"]
    faces: Int32[np.ndarray, "m 4"]
    is_inner: Float64[np.ndarray, " n"]


@functools.lru_cache(maxsize=64)
def mesh_of(
    family: str, proportions: tuple[float, float, float, float], is_hollow: bool
) -> Mesh:
    """Meshes a kind of thing.

    Args:
      family: its id.
      proportions: its four numbers.
      is_hollow: whether its main part has an inner wall, as glass does.
    """
    shape = shape_of(family, proportions)
    box = np.array(extent(shape))
    parts = []
    for slot in (0, 1):
        body = _part(shape, slot, box)
        if body is None:
            continue
        parts.append(_surface(body, 0.0))
        if is_hollow and slot == 0:
            parts.append(_inside_out(_surface(body, _WALL)))
    starts = np.cumsum([0, *(len(part.points) for part in parts)])
    return Mesh(
        points=np.concatenate([part.points for part in parts]),
        normals=np.concatenate([part.normals for part in parts]),
        slots=np.concatenate([part.slots for part in parts]),
        faces=np.concatenate(
            [p.faces + np.int32(at) for p, at in zip(parts, starts, strict=False)]
        ),
        is_inner=np.concatenate([part.is_inner for part in parts]),
    )


def _part(shape: Shape, slot: int, box: Float64[np.ndarray, "6"]) -> Body | None:
    """What a thing has of one material, with all that is cut away from it."""
    solids: list[Solid] = []
    for solid in shape.solids:
        is_cut = bool(solid.is_cut)
        if (is_cut and (solids or shape.rings)) or (not is_cut and solid.slot == slot):
            solids.append(solid)
    rings = [ring for ring in shape.rings if ring.slot == slot]
    if not rings and not any(not solid.is_cut for solid in solids):
        return None
    return Body(
        solids=np.array(solids, np.float64).reshape(-1, 18),
        rings=np.array(rings, np.float64).reshape(-1, 9),
        pose=np.array([0.0, 0.0, 1.0, 0.0, 1.0]),
        box=box,
    )


def _inside_out(mesh: Mesh) -> Mesh:
    return dataclasses.replace(
        mesh,
        normals=-mesh.normals,
        faces=mesh.faces[:, ::-1].copy(),
        is_inner=np.ones_like(mesh.is_inner),
    )


def _surface(body: Body, depth: float) -> Mesh:
    """Meshes the points that lie `depth` below a part's surface."""
    low, high = body.box[:3] - 2 * _CELL, body.box[3:] + 2 * _CELL
    # Half a cell of offset keeps the floor and the axes off the grid's planes.
    axes = [np.arange(low[k] + 0.37 * _CELL, high[k] + _CELL, _CELL) for k in range(3)]
    grid = np.meshgrid(*axes, indexing="ij", sparse=True)
    field = _distance(body, depth, *np.broadcast_arrays(*grid))
    is_in = field < 0
    shape = tuple(n - 1 for n in field.shape)
    total = np.zeros((*shape, 3))
    count = np.zeros(shape)
    for axis in range(3):
        _add_crossings(field, is_in, axis, total, count)
    cells = count > 0
    number = np.full(shape, -1, np.int32)
    number[cells] = np.arange(cells.sum(), dtype=np.int32)
    corner = np.argwhere(cells)
    points = corner + total[cells] / count[cells][:, None]
    points = points * _CELL + np.array([axis[0] for axis in axes])
    faces = np.concatenate([_faces(is_in, number, axis) for axis in range(3)])
    points, normals = _settled(body, depth, points)
    slots = distance(np, body, *points.T)[1]
    return Mesh(
        points=points,
        normals=normals,
        slots=slots,
        faces=faces,
        is_inner=np.zeros(len(points)),
    )


def _distance(
    body: Body,
    depth: float,
    x: Float[np.ndarray, "..."],
    y: Float[np.ndarray, "..."],
    z: Float[np.ndarray, "..."],
) -> Float[np.ndarray, "..."]:
    return distance(np, body, x, y, z)[0] + depth


def _add_crossings(
    field: Float64[np.ndarray, "x y z"],
    is_in: np.ndarray,
    axis: int,
    total: Float64[np.ndarray, "x2 y2 z2 3"],
    count: Float64[np.ndarray, "x2 y2 z2"],
) -> None:
    """Adds, to every cell, where its edges along an axis meet the surface."""
    field, is_in = np.moveaxis(field, axis, 0), np.moveaxis(is_in, axis, 0)
    is_cut = is_in[1:] != is_in[:-1]
    span = np.where(is_cut, field[:-1] - field[1:], 1.0)
    where = np.where(is_cut, field[:-1] / span, 0.0)
    sums = np.moveaxis(total, axis, 0)
    counts = np.moveaxis(count, axis, 0)
    first, second = (k for k in range(3) if k != axis)
    rows, columns = counts.shape[1:]
    for i in (0, 1):
        for j in (0, 1):
            cut = is_cut[:, i : i + rows, j : j + columns]
            sums[..., axis] += where[:, i : i + rows, j : j + columns]
            sums[..., first] += i * cut
            sums[..., second] += j * cut
            counts += cut


def _faces(
    is_in: np.ndarray, number: Int32[np.ndarray, "x y z"], axis: int
) -> Int32[np.ndarray, "m 4"]:
    """The faces across grid edges along an axis."""
    order = _SIDES[axis]
    is_in, number = np.transpose(is_in, order), np.transpose(number, order)
    inner = is_in[:, 1:-1, 1:-1]
    at = np.argwhere(inner[1:] != inner[:-1])
    leaves = inner[:-1][tuple(at.T)]
    i, j, k = at[:, 0], at[:, 1], at[:, 2]
    around = ((0, 0), (1, 0), (1, 1), (0, 1))
    faces = np.stack([number[i, j + a, k + b] for a, b in around], axis=1)
    return np.where(leaves[:, None], faces, faces[:, ::-1]).astype(np.int32)


def _settled(
    body: Body, depth: float, points: Float64[np.ndarray, "n 3"]
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """Points moved onto the surface (at most a cell's side), and its normals there."""
    slope = np.zeros_like(points)
    for _ in range(3):
        slope = _slope(body, points)
        size = np.maximum((slope * slope).sum(axis=1), 0.05)
        step = _distance(body, depth, *points.T) / size
        move = slope * step[:, None]
        length = np.sqrt((move * move).sum(axis=1))
        points = (
            points - move * np.minimum(1.0, 0.5 * _CELL / (length + 1e-12))[:, None]
        )
    slope = _slope(body, points)
    size = np.sqrt((slope * slope).sum(axis=1)) + 1e-12
    return points, slope / size[:, None]


def _slope(
    body: Body, points: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 3"]:
    made = []
    for axis in range(3):
        shift = np.zeros(3)
        shift[axis] = _STEP
        ahead = distance(np, body, *(points + shift).T)[0]
        behind = distance(np, body, *(points - shift).T)[0]
        made.append((ahead - behind) / (2 * _STEP))
    return np.stack(made, axis=1)
