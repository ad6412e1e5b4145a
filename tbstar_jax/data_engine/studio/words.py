"""What people call what is in a scene: the pieces that `facts` hold."""

from typing import Any

from tbstar_jax.data_engine.facts import Position
from tbstar_jax.data_engine.studio.families import family_of
from tbstar_jax.data_engine.studio.materials import material_of
from tbstar_jax.data_engine.studio.scene import Item, Light, Scene, color_of

_SIDE = 0.12
"""Share of the picture's half width that still counts as its middle."""

_NUMBERS_EN = {1: "one", 2: "two", 3: "three", 4: "four"}
_NUMBERS_ZH = {1: "一", 2: "两", 3: "三", 4: "四"}


def thing(item: Item, prefix: str = "", color: bool = True) -> dict[str, Any]:
    """Noun and colour of an item; wood has no colour to name."""
    family = family_of(item.family)
    names = {
        f"{prefix}object_en": family.name_en,
        f"{prefix}object_zh": family.name_zh,
    }
    if color and not material_of(item.material).wood:
        found = color_of(item.color)
        names |= {
            f"{prefix}color_en": found.name_en,
            f"{prefix}color_zh": found.name_zh,
        }
    return names


def material(id: str, prefix: str = "") -> dict[str, Any]:
    """Names of a material."""
    found = material_of(id)
    return {
        f"{prefix}material_en": found.name_en,
        f"{prefix}material_zh": found.name_zh,
    }


def position(item: Item, scene: Scene) -> Position:
    """Where an item stands in the picture."""
    widest = max(abs(one.x) for one in scene.items) + 0.5
    if item.x < -_SIDE * widest:
        return "left"
    return "right" if item.x > _SIDE * widest else "center"


def row(count: int, prefix: str) -> dict[str, Any]:
    """How a row of equal things is called."""
    single_en = "a single item in the middle"
    names = (
        (single_en, "单独一件居中")
        if count == 1
        else (f"{_NUMBERS_EN[count]} in a row", f"{_NUMBERS_ZH[count]}件并排")
    )
    return {f"{prefix}layout_en": names[0], f"{prefix}layout_zh": names[1]}


def order(scene: Scene, prefix: str) -> dict[str, Any]:
    """Which of two things stands where."""
    left, right = (
        family_of(item.family) for item in sorted(scene.items, key=lambda one: one.x)
    )
    return {
        f"{prefix}layout_en": (
            f"the {left.name_en} on the left and the {right.name_en} on the right"
        ),
        f"{prefix}layout_zh": f"{left.name_zh}在左、{right.name_zh}在右",
    }


def light(this: Light, other: Light, prefix: str) -> dict[str, Any]:
    """What tells a light from another one."""
    if min(this.shadow, other.shadow) > 0 and this.softness != other.softness:
        names = (
            ("light with soft, pale shadows", "阴影柔和且淡的灯光")
            if this.softness > other.softness
            else ("light with hard, dark shadows", "阴影生硬且深的灯光")
        )
    elif this.shadow != other.shadow:
        names = (
            ("a soft shadow on the floor", "地面有柔和阴影的灯光")
            if this.shadow > 0
            else ("shadowless light", "无阴影的灯光")
        )
    elif this.warmth != other.warmth:
        if abs(this.warmth) < 0.5:
            names = ("neutral light", "中性白光")
        else:
            names = (
                ("warm light", "暖色灯光")
                if this.warmth > 0
                else ("cool light", "冷色灯光")
            )
    else:
        names = (
            ("light from the left", "来自左侧的灯光")
            if this.azimuth < 0
            else ("light from the right", "来自右侧的灯光")
        )
    return {f"{prefix}light_en": names[0], f"{prefix}light_zh": names[1]}
