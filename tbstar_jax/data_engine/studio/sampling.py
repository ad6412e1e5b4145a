"""Random scenes: what is drawn, and how it is arranged so that all of it is seen."""

import dataclasses
import math
from collections.abc import Sequence
from typing import get_args

import numpy as np

from tbstar_jax.data_engine.render.logos import LogoForm
from tbstar_jax.data_engine.render.sampling import choose, stands_out, uniform
from tbstar_jax.data_engine.render.scene import COLORS, RGB, Color
from tbstar_jax.data_engine.studio.families import FAMILIES, Family, family_of
from tbstar_jax.data_engine.studio.materials import MATERIALS
from tbstar_jax.data_engine.studio.packing import shape_of
from tbstar_jax.data_engine.studio.scene import (
    Camera,
    Item,
    Label,
    Light,
    Scene,
    Size,
    color_of,
)
from tbstar_jax.data_engine.studio.settings import (
    SETTINGS,
    WHITE,
    Setting,
    backdrop_of,
)
from tbstar_jax.data_engine.studio.shapes import extent

TEXTS_EN: tuple[str, ...] = (
    *("SALE", "NEW", "PURE", "FRESH", "CLASSIC", "DAILY", "SOFT", "GLOW", "ORIGIN"),
    *("No. 5", "50% OFF", "$29", "250 ml", "VITA C", "ALOE", "COCOA", "MINT", "OAT"),
)

TEXTS_ZH: tuple[str, ...] = (
    *("新品", "特惠", "清新", "纯净", "经典", "每日", "柔和", "限时", "原味", "滋润"),
    *("保湿霜", "洗发水", "花茶", "蜂蜜", "手工皂", "第二件半价", "买一送一"),
)

LABEL_STYLES: tuple[tuple[RGB, RGB], ...] = (
    ((250, 249, 246), (34, 34, 38)),
    ((250, 249, 246), (178, 30, 36)),
    ((36, 38, 44), (246, 244, 238)),
    ((244, 214, 96), (44, 36, 28)),
    ((40, 74, 110), (248, 248, 250)),
)
"""Colours of plate and ink."""

LOGO_FORMS: tuple[LogoForm, ...] = get_args(LogoForm)
_LOGOS = 0.5
"""Share of labels with a logo, where both are seen well."""
_LEAST_PLATE = 0.09
"""Height of a plate with a logo, over the picture's shorter side."""

_MAX_HALF_WIDTH = 1.15
_GAP = 0.06


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a source is to show, where that is not left to chance (None).

    Attributes:
      family: of the product; a text needs one with a plate.
      backdrops: kinds of backdrop to choose from.
      num_items: things, in edits that do not say how many there are.
    """

    family: str | None = None
    backdrops: tuple[str, ...] | None = None
    num_items: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Needs:
    """What a scene must contain for an edit to make sense.

    Attributes:
      label: whether the product has a printed plate; None for as it falls.
      num_props: things beside the product; None for 0 to 2.
      is_white: whether the backdrop is pure white; None for as it falls.
      backdrops: kinds of backdrop to choose from, of those that `is_white` allows;
        None for as it falls.
      is_colored: whether the product shows its colour (wood does not).
      room: free space around the things, as a factor on their extent.
      family: of the product; None for as it falls. A label needs one with a plate.
    """

    label: bool | None = None
    num_props: int | None = None
    is_white: bool | None = None
    backdrops: tuple[str, ...] | None = None
    is_colored: bool = False
    room: float = 1.0
    family: str | None = None


NO_WISHES = Wishes()
"""All is left to chance."""


def wished(needs: Needs, wishes: Wishes) -> Needs:
    """What an edit needs, and what is wished for where the edit leaves it open."""
    num_props = needs.num_props
    if num_props is None and wishes.num_items is not None:
        num_props = wishes.num_items - 1
    return dataclasses.replace(
        needs,
        family=wishes.family,
        backdrops=wishes.backdrops,
        num_props=num_props,
    )


def sample_scene(
    rng: np.random.Generator, size: Size, supersampling: int, needs: Needs
) -> tuple[Scene, Setting]:
    """Draws a product photo.

    Args:
      rng: its source of random numbers.
      size: rows and columns, in pixels.
      supersampling: rays per pixel and direction.
      needs: what must be in it.

    Returns:
      A scene whose things can be told from each other and from the backdrop, and the
      words for its backdrop.
    """
    setting = _sample_setting(rng, needs)
    items = [sample_product(rng, setting, needs)]
    num_props = needs.num_props
    if num_props is None:
        num_props = choose(rng, (0, 0, 1, 1, 2))
    for _ in range(num_props):
        items.append(sample_prop(rng, setting, items))
    light = sample_light(rng)
    placed = arrange(rng, items)
    scene = Scene(
        size=size,
        items=placed,
        light=light,
        backdrop=backdrop_of(setting, uniform(rng, 0.05, 0.95)),
        camera=frame(rng, placed, size, needs.room),
        supersampling=supersampling,
    )
    return (without_logo(scene) if has_tiny_plate(scene) else scene), setting


def _sample_setting(rng: np.random.Generator, needs: Needs) -> Setting:
    is_white = needs.is_white
    if needs.backdrops is not None:
        return choose(
            rng,
            [
                setting
                for setting in (WHITE, *SETTINGS)
                if setting.kind in needs.backdrops
                and is_white in (None, setting is WHITE)
            ],
        )
    if is_white is None:
        is_white = bool(rng.random() < 0.2)
    return WHITE if is_white else choose(rng, SETTINGS)


def has_tiny_plate(scene: Scene) -> bool:
    """Whether the product's plate is too small for both text and logo."""
    item, camera = scene.items[0], scene.camera
    plate = shape_of(item.family, item.proportions).plate
    if item.label is None or plate is None:
        return False
    seen = 2 * math.tan(math.radians(camera.field_of_view) / 2) * camera.distance
    return 2 * plate.half_height * item.scale < _LEAST_PLATE * seen


def without_logo(scene: Scene) -> Scene:
    """The scene without a logo on any label."""
    items = tuple(
        dataclasses.replace(item, label=dataclasses.replace(item.label, logo=None))
        if item.label
        else item
        for item in scene.items
    )
    return dataclasses.replace(scene, items=items)


def product_families(has_plate: bool) -> tuple[str, ...]:
    """Ids of the families that products have; of those with a plate, where asked."""
    return tuple(
        family.id
        for family in FAMILIES
        if family.is_product and (family.build((0.5,) * 4).plate or not has_plate)
    )


def sample_product(rng: np.random.Generator, setting: Setting, needs: Needs) -> Item:
    """Draws a product, with a label where one is needed."""
    names = (needs.family,) if needs.family else product_families(bool(needs.label))
    family = family_of(choose(rng, names))
    materials = [
        one for one in family.materials if not (needs.is_colored and one in ("wood",))
    ]
    item = _sample_item(rng, family, setting, (), materials)
    has_plate = family.build(item.proportions).plate is not None
    is_labelled = needs.label
    if is_labelled is None:
        is_labelled = bool(rng.random() < 0.6)
    if has_plate and is_labelled:
        text = choose(rng, TEXTS_EN if rng.random() < 0.5 else TEXTS_ZH)
        item = dataclasses.replace(item, label=sample_label(rng, item.color, text))
    return item


def sample_prop(
    rng: np.random.Generator, setting: Setting, others: Sequence[Item]
) -> Item:
    """Draws a prop of another family and colour than those that are there."""
    taken = {item.family for item in others}
    families = [f for f in FAMILIES if not f.is_product and f.id not in taken]
    family = choose(rng, families)
    colors = tuple(color_of(item.color) for item in others)
    item = _sample_item(rng, family, setting, colors, list(family.materials))
    return dataclasses.replace(item, scale=round(item.scale * 0.9, 3))


def _sample_item(
    rng: np.random.Generator,
    family: Family,
    setting: Setting,
    others: Sequence[Color],
    materials: Sequence[str],
) -> Item:
    color = other_color(rng, setting, others)
    accents = [
        accent
        for accent in ("black", "white", "grey", "brown", "blue")
        if setting.shows(color_of(accent).rgb)
    ]
    proportions = tuple(uniform(rng, 0.0, 1.0) for _ in range(4))
    assert len(proportions) == 4
    main = choose(rng, materials)
    accent = family.accent or (choose(rng, accents), choose(rng, ("plastic", "metal")))
    return Item(
        family=family.id,
        color=color.id,
        material=main,
        accent=accent[0],
        accent_material=accent[1],
        proportions=proportions,
        x=0.0,
        z=0.0,
        turn=uniform(rng, -24.0, 24.0),
        scale=round(family.size * uniform(rng, 0.92, 1.08), 3),
        grain=uniform(rng, 0.0, 1.0),
    )


def other_color(
    rng: np.random.Generator, setting: Setting, others: Sequence[Color]
) -> Color:
    """Draws a colour that stands out from the backdrop and from other colours."""
    for distance in (90.0, 60.0, 30.0):
        options = [
            color
            for color in COLORS
            if setting.shows(color.rgb, distance)
            and all(stands_out(color.rgb, one.rgb, distance) for one in others)
        ]
        if options:
            break
    return choose(rng, options)


def sample_label(rng: np.random.Generator, color: str, text: str) -> Label:
    """Draws a plate that stands out from the product's colour, half with a logo."""
    rgb = color_of(color).rgb
    options = [one for one in LABEL_STYLES if stands_out(one[0], rgb, 60.0)]
    plate, ink = choose(rng, options)
    logo = choose(rng, LOGO_FORMS) if rng.random() < _LOGOS else None
    return Label(text=text, plate=plate, ink=ink, logo=logo)


def sample_light(rng: np.random.Generator) -> Light:
    """Draws a key light from the left or the right."""
    side = 1 if rng.random() < 0.5 else -1
    return Light(
        azimuth=side * uniform(rng, 30.0, 62.0),
        elevation=uniform(rng, 40.0, 58.0),
        warmth=uniform(rng, -0.1, 0.2),
        softness=uniform(rng, 0.09, 0.26),
        key=uniform(rng, 0.85, 0.98),
        fill=uniform(rng, 0.5, 0.6),
        shadow=uniform(rng, 0.6, 0.85),
    )


def half_width(item: Item) -> float:
    """How far an item reaches from its axis along x, in the world."""
    box = extent(shape_of(item.family, item.proportions))
    wide = max(abs(box[0]), abs(box[3])) - 0.003
    deep = max(abs(box[2]), abs(box[5])) - 0.003
    angle = math.radians(abs(item.turn))
    return item.scale * (wide * math.cos(angle) + deep * math.sin(angle))


def height(item: Item) -> float:
    """How high an item is, in the world."""
    return item.scale * extent(shape_of(item.family, item.proportions))[4]


def arrange(rng: np.random.Generator, items: Sequence[Item]) -> tuple[Item, ...]:
    """Puts items in a row in random order, the product in the middle of three.

    Args:
      rng: its source of random numbers.
      items: the product first; their places are ignored.

    Returns:
      The items in the same order, placed so that none touches another.
    """
    order = list(range(len(items)))
    if len(items) == 2 and rng.random() < 0.5:
        order = [1, 0]
    elif len(items) == 3:
        order = [1, 0, 2] if rng.random() < 0.5 else [2, 0, 1]
    placed = place_in_row([items[k] for k in order], _GAP)
    by_number = dict(zip(order, placed, strict=True))
    return tuple(
        dataclasses.replace(
            by_number[k], z=0.0 if k == 0 else uniform(rng, -0.12, 0.22)
        )
        for k in range(len(items))
    )


def place_in_row(items: Sequence[Item], gap: float) -> tuple[Item, ...]:
    """Puts items side by side around x = 0, smaller where they would be too wide."""
    total = sum(2 * half_width(item) for item in items) + gap * (len(items) - 1)
    shrink = min(1.0, 2 * _MAX_HALF_WIDTH / total)
    left = -total * shrink / 2
    placed = []
    for item in items:
        item = dataclasses.replace(item, scale=round(item.scale * shrink, 3))
        half = half_width(item)
        placed.append(dataclasses.replace(item, x=round(left + half, 3)))
        left += 2 * half + gap * shrink
    return tuple(placed)


def frame(
    rng: np.random.Generator, items: Sequence[Item], size: Size, room: float
) -> Camera:
    """Draws a camera that sees all items and some space around them.

    Args:
      rng: its source of random numbers.
      items: as placed.
      size: rows and columns, in pixels.
      room: factor on the extent of the items.
    """
    wide = max(abs(item.x) + half_width(item) for item in items)
    tall = max(height(item) for item in items)
    distance = uniform(rng, 4.4, 5.2)
    pitch = uniform(rng, 7.0, 16.0)
    angle = view_angle(wide, tall, size, distance)
    return Camera(
        pitch=pitch,
        distance=distance,
        height=round(tall * 0.44, 3),
        field_of_view=round(angle * room * uniform(rng, 1.0, 1.12), 3),
    )


def materials_of(item: Item) -> list[str]:
    """The materials an item may have instead of its own."""
    known = [material.id for material in MATERIALS]
    family = family_of(item.family)
    return [one for one in known if one in family.materials and one != item.material]


def view_angle(wide: float, tall: float, size: Size, distance: float) -> float:
    """The field of view that shows things of a half width and a height."""
    rows, columns = size
    shorter = min(rows, columns)
    half = max(
        (wide * 1.22 + 0.12) * shorter / columns, (tall * 0.66 + 0.10) * shorter / rows
    )
    return round(math.degrees(2 * math.atan(half / distance)), 3)
