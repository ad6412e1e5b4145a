"""From a scene to what the renderer's process reads: numbers in JSON, and arrays.

The process knows meshes, lamps and textures, nothing of the studio. Floor, backdrop
and what mirrors see are computed here by the studio's own kernels, so that both
renderers show the same set. Blender's axes: x to the right, y away from the camera, z
up; its images start with the lowest row.
"""

import math
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from tbstar_jax.data_engine.studio.backdrops import LOOKS
from tbstar_jax.data_engine.studio.blender.meshes import Mesh, mesh_of
from tbstar_jax.data_engine.studio.materials import material_of
from tbstar_jax.data_engine.studio.packing import Packed, pack, shape_of
from tbstar_jax.data_engine.studio.patterns import plain
from tbstar_jax.data_engine.studio.scene import Item, Scene
from tbstar_jax.data_engine.studio.shading import (
    Lamps,
    Paint,
    folded,
    sheet_color,
    studio_light,
    texture,
)

Arrays: TypeAlias = dict[str, np.ndarray]
Triple: TypeAlias = tuple[Float[np.ndarray, "..."], ...]

_FLOOR = (-4.5, 4.5, -6.0, 3.0)
"""Lowest and highest x, lowest and highest z of the floor's texture."""
_WALL_HALF = 14.0
_WALL_SEEN = 6.0
"""Half width and half height of the wall's texture; its borders go on outside."""
_PLAIN_TEXELS, _TEXELS = 192, 1024
_ENVIRONMENT = (192, 384)
_KEY, _FILL, _ROOM = 1.05, 0.8, 1.5
"""Factors on the studio's lamps: light that bounces is added here."""
_NOWHERE = 5.0
"""Coordinate, in plates, of what is not printed."""


def request_of(scene: Scene) -> tuple[dict[str, Any], Arrays]:
    """Describes a scene to the renderer's process.

    Args:
      scene: its parameters.

    Returns:
      What JSON can hold, and arrays by name.

    Raises:
      UserError: it names a family, a material or a colour that is not known.
    """
    packed = pack(scene)
    camera, lamps = scene.camera, packed.lamps
    pitch = math.radians(camera.pitch)
    eye = (
        0.0,
        camera.height + camera.distance * math.sin(pitch),
        camera.distance * math.cos(pitch),
    )
    arrays: Arrays = {"environment": _environment(lamps)}
    floor, wall = _sheet(scene, lamps, eye)
    arrays |= {"floor": floor, "wall": wall}
    items = []
    for k, item in enumerate(scene.items):
        arrays |= {f"item{k}_{name}": one for name, one in _mesh(packed, k).items()}
        items.append(_item(packed, k, item))
    sun, fill = _KEY * lamps.key, _FILL * scene.light.fill
    document = {
        "size": list(scene.size),
        "camera": {"eye": _blender(eye), "pitch": camera.pitch,
                   "field_of_view": camera.field_of_view},
        "sun": {"way": _blender(lamps.light[:3]), "color": sun.tolist(),
                "angle": 2 * math.atan(scene.light.softness)},
        "fill": fill,
        # A floor that shines by itself shows no shadow.
        "shine": 1.0 - min(1.0, 1.1 * scene.light.shadow),
        "floor": {"x": list(_FLOOR[:2]), "y": [-_FLOOR[3], -_FLOOR[2]],
                  "half": _WALL_HALF,
                  "lit": (sun * lamps.light[1] + fill).tolist()},
        "wall": {"x": [-_WALL_SEEN, _WALL_SEEN], "y": [0.0, 2 * _WALL_SEEN]},
        "items": items,
    }  # fmt: skip
    return document, arrays


def _blender(place: Any) -> list[float]:
    x, y, z = (float(value) for value in place)
    return [x, -z, y]


def _sheet(
    scene: Scene, lamps: Lamps, eye: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """What floor and wall look like from the camera where nothing shades them."""
    look = LOOKS[scene.backdrop.kind]
    is_bare = look.floor == look.wall == plain and look.set != "room"
    texels = _PLAIN_TEXELS if is_bare else _TEXELS
    x = np.linspace(_FLOOR[0], _FLOOR[1], texels)[None, :]
    z = np.linspace(_FLOOR[3], _FLOOR[2], texels)[:, None]
    floor = _seen(lamps, eye, (x + 0 * z, 0 * (x + z), z + 0 * x))
    texels = _PLAIN_TEXELS if look.wall == plain else _TEXELS
    x = np.linspace(-_WALL_SEEN, _WALL_SEEN, texels)[None, :]
    y = np.linspace(0.0, 2 * _WALL_SEEN, texels)[:, None]
    wall = _seen(lamps, eye, (x + 0 * y, y + 0 * x, 0 * (x + y) + _FLOOR[2]))
    return floor, wall


def _seen(
    lamps: Lamps, eye: tuple[float, float, float], place: Triple
) -> Float[np.ndarray, "rows columns 3"]:
    way = [p - e for p, e in zip(place, eye, strict=True)]
    size = np.sqrt(sum(one * one for one in way))
    origin = tuple(np.full_like(size, one) for one in eye)
    color = sheet_color(np, lamps, origin, tuple(one / size for one in way))  # type: ignore[arg-type]
    return np.stack(color[:3], axis=-1).astype(np.float32)


def _environment(lamps: Lamps) -> Float[np.ndarray, "rows columns 3"]:
    """The room as mirrors see it, all around."""
    rows, columns = _ENVIRONMENT
    up = ((np.arange(rows) + 0.5) / rows - 0.5) * math.pi
    around = (0.5 - (np.arange(columns) + 0.5) / columns) * 2 * math.pi
    flat = np.cos(up)[:, None]
    right, away = flat * np.cos(around)[None], flat * np.sin(around)[None]
    height = np.sin(up)[:, None] + 0 * right
    light = studio_light(np, lamps, (right, height, -away), np.array(0.12))
    return (_ROOM * np.stack([one + 0 * right for one in light], axis=-1)).astype(
        np.float32
    )


def _mesh(packed: Packed, k: int) -> Arrays:
    """An item's surface where it stands, with colours and the print's coordinates."""
    item = packed.scene.items[k]
    is_glass = material_of(item.material).glass > 0
    mesh = mesh_of(item.family, item.proportions, is_glass)
    px, pz, cosine, sine, scale = packed.bodies[k].pose

    def turned(at: np.ndarray) -> np.ndarray:
        x, y, z = at.T
        right, near = cosine * x + sine * z, cosine * z - sine * x
        return np.stack([right, -near, y], axis=1)

    points = turned(mesh.points) * scale + np.array([px, -pz, 0.0])
    return {
        "points": points.astype(np.float32),
        "normals": turned(_normals(mesh, packed.paints[k])).astype(np.float32),
        "faces": mesh.faces,
        "is_accent": (mesh.slots[mesh.faces].mean(axis=1) > 0.5).astype(np.int32),
        "colors": _colors(mesh, packed.paints[k]).astype(np.float32),
        "print_at": _print_at(mesh, item, packed.paints[k]).astype(np.float32),
        "print": packed.paints[k].print[::-1].astype(np.float32),
        "room": _room(packed.paints[k])[::-1].astype(np.float32),
    }


def _colors(mesh: Mesh, paint: Paint) -> Float[np.ndarray, "n 3"]:
    """Linear colour of every corner, with its grain or weave."""
    at = tuple(mesh.points.T)
    made = []
    for slot in paint.slots:
        color = np.stack(texture(np, at, list(slot)), axis=1)
        if slot[6] > 0:
            # Light passes four surfaces of a hollow glass.
            color = (0.12 + 0.88 * color) ** 0.4
        made.append(np.clip(color, 0.0, 1.0))
    return np.where(mesh.slots[:, None] > 0.5, made[1], made[0])


def _normals(mesh: Mesh, paint: Paint) -> Float[np.ndarray, "n 3"]:
    """Normal of every corner, in the folds of its cloth."""
    is_accent = (mesh.slots > 0.5)[:, None]
    values = list(np.where(is_accent, paint.slots[1], paint.slots[0]).T)
    slope = folded(np, tuple(mesh.points.T), values)
    normals = mesh.normals + np.stack(slope, axis=1)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _print_at(mesh: Mesh, item: Item, paint: Paint) -> Float[np.ndarray, "n 2"]:
    """Where a corner lies on the printed plate, 0 to 1 in both directions."""
    on, middle, half_width, half_height, radius = paint.plate[:5]
    x, y, z = mesh.points.T
    nx, _, nz = mesh.normals.T
    if radius > 0:
        across, is_front = np.arctan2(x, z) * radius, (z > 0) & (x * nx + z * nz > 0)
    else:
        across, is_front = x, (z > 0) & (nz > 0.55)
    is_front &= (mesh.slots < 0.5) & (mesh.is_inner < 0.5)
    u, v = across / half_width, (y - middle) / half_height
    is_printed = (
        is_front
        & (on > 0)
        & (shape_of(item.family, item.proportions).plate is not None)
    )
    u = np.where(is_front, u, np.sign(x) * _NOWHERE)
    v = np.where(is_printed, v, _NOWHERE)
    return np.stack([(u + 1) / 2, (v + 1) / 2], axis=1)


def _room(paint: Paint) -> Float[np.ndarray, "u v"]:
    """Marks the text's part of the plate."""
    rows, columns = paint.print.shape
    v = (np.arange(rows)[:, None] + 0.5) / rows * 2 - 1
    u = (np.arange(columns)[None] + 0.5) / columns * 2 - 1
    start, above, end, below = paint.plate[11:15]
    is_room = (u > start) & (u < end) & (v > above) & (v < below)
    return np.where(is_room, 1.0, 0.0)


def _item(packed: Packed, k: int, item: Item) -> dict[str, Any]:
    paint = packed.paints[k]
    made = []
    for name in (item.material, item.accent_material):
        material = material_of(name)
        root = math.sqrt(0.04 if material.metal else material.reflectance)
        made.append(
            {
                "roughness": max(0.04, material.roughness),
                "metal": material.metal,
                "glass": float(material.glass > 0),
                "index": 1.45 if material.glass else (1 + root) / (1 - root),
                "sheen": 0.4 * material.weave,
            }
        )
    return {
        "materials": made,
        "is_printed": bool(paint.plate[0] > 0),
        "plate": paint.plate[5:8].tolist(),
        "ink": paint.plate[8:11].tolist(),
    }
