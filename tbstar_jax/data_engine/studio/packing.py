"""From parameters to the arrays that the kernels read, NumPy float64."""

import dataclasses
import functools
import math

import numpy as np
from jaxtyping import Float

from tbstar_jax.data_engine.render.scene import RGB
from tbstar_jax.data_engine.studio.families import family_of
from tbstar_jax.data_engine.studio.fields import Body, Ring, Solid
from tbstar_jax.data_engine.studio.labels import PRINT_SIZE, draw_print, text_part
from tbstar_jax.data_engine.studio.materials import material_of
from tbstar_jax.data_engine.studio.scene import (
    Backdrop,
    Item,
    Scene,
    color_of,
)
from tbstar_jax.data_engine.studio.shading import Lamps, Paint, backdrop_number
from tbstar_jax.data_engine.studio.shapes import (
    NUM_RINGS,
    NUM_SOLIDS,
    Shape,
    extent,
)

# Where nothing is, a solid still must not divide by zero.
_NO_SOLID = Solid(*((0.0,) * 3), *((1.0,) * 3), *((0.0,) * 5), 1.0, *((0.0,) * 2),
                  0.0, 0.0, 1.0, 0.0)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Packed:
    """A scene as arrays.

    Attributes:
      scene: the parameters.
      bodies: shape and place of each item.
      paints: what each item is painted with.
      tints: `[k 3]` colour that each item throws on the floor, linear.
      solidity: `[k]` share of the light that does not go through each item.
      lamps: lights and backdrop.
    """

    scene: Scene
    bodies: tuple[Body, ...]
    paints: tuple[Paint, ...]
    tints: Float[np.ndarray, "k 3"]
    solidity: Float[np.ndarray, " k"]
    lamps: Lamps


def pack(scene: Scene) -> Packed:
    """Builds the arrays of a scene; raises as `families` and `materials` do."""
    paints = tuple(_paint(item) for item in scene.items)
    tints, solidity = [], []
    for item in scene.items:
        material = material_of(item.material)
        rgb = (130, 86, 55) if material.wood else color_of(item.color).rgb
        tints.append(linear(rgb))
        solidity.append(1.0 - 0.75 * material.glass)
    return Packed(
        scene=scene,
        bodies=tuple(_body(item) for item in scene.items),
        paints=paints,
        tints=np.array(tints),
        solidity=np.array(solidity),
        lamps=_lamps(scene),
    )


def linear(rgb: RGB) -> Float[np.ndarray, "3"]:
    """An sRGB colour, 0..255, as linear light, 0 to 1."""
    value = np.array(rgb, np.float64) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


@functools.lru_cache(maxsize=1024)
def shape_of(family: str, proportions: tuple[float, float, float, float]) -> Shape:
    """Builds the shape of an item."""
    return family_of(family).build(proportions)


def _body(item: Item) -> Body:
    shape = shape_of(item.family, item.proportions)
    solids = [*shape.solids, *[_NO_SOLID] * (NUM_SOLIDS - len(shape.solids))]
    rings = [
        *shape.rings,
        *[Ring(*(0.0,) * len(Ring._fields))] * (NUM_RINGS - len(shape.rings)),
    ]
    angle = math.radians(item.turn)
    return Body(
        solids=np.array(solids, np.float64),
        rings=np.array(rings, np.float64),
        pose=np.array([item.x, item.z, math.cos(angle), math.sin(angle), item.scale]),
        box=np.array(extent(shape)),
    )


def _paint(item: Item) -> Paint:
    slots = []
    for color, name in (
        (item.color, item.material),
        (item.accent, item.accent_material),
    ):
        m = material_of(name)
        slots.append(
            [*linear(color_of(color).rgb), m.reflectance, m.roughness, m.metal, m.glass,
             m.wood, m.weave, item.grain, m.folds]
        )  # fmt: skip
    plate = np.zeros(15)
    ink = np.zeros(PRINT_SIZE)
    place = shape_of(item.family, item.proportions).plate
    plate[1:5] = 0.0, 1.0, 1.0, 0.0
    if item.label and place:
        plate[:5] = 1.0, place.y, place.half_width, place.half_height, place.radius
        plate[5:8] = linear(item.label.plate)
        plate[8:11] = linear(item.label.ink)
        aspect = round(place.half_width / place.half_height, 3)
        plate[11:15] = text_part(aspect, item.label.logo is not None)
        ink = draw_print(item.label.text, aspect, item.label.logo)
    return Paint(slots=np.array(slots), plate=plate, print=ink)


def _lamps(scene: Scene) -> Lamps:
    light = scene.light
    azimuth, height = math.radians(light.azimuth), math.radians(light.elevation)
    way = (
        math.sin(azimuth) * math.cos(height),
        math.sin(height),
        math.cos(azimuth) * math.cos(height),
    )
    warm = light.warmth
    cast = np.array([1 + 0.22 * warm, 1.0, 1 - 0.34 * warm])
    is_white = scene.backdrop.kind == "white"
    return Lamps(
        light=np.array([*way, light.softness]),
        key=light.key * cast,
        fill=np.array(light.fill),
        sheet=_sheet(scene.backdrop),
        # White paper is exposed to pure white whatever the lamp.
        tint=np.ones(3) if is_white else cast / max(1.0, float(cast.max())),
    )


def _sheet(backdrop: Backdrop) -> Float[np.ndarray, "11"]:
    tone = np.ones(3) if backdrop.kind == "white" else linear(backdrop.tone)
    accent = linear(backdrop.accent) if backdrop.accent else tone
    wall = backdrop.wall
    if wall is None or backdrop.kind in ("white", "plain", "gradient"):
        far = tone
    else:
        far = linear(wall)
    number = backdrop_number(backdrop.kind)
    return np.array([*tone, *accent, *far, backdrop.phase, number])
