"""The kinds of things in the studio: what they are called and made of."""

import dataclasses
from collections.abc import Callable

from tbstar_jax.data_engine.studio import builders
from tbstar_jax.data_engine.studio.shapes import Proportions, Shape
from tbstar_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Family:
    """A kind of thing.

    Attributes:
      id: used in scenes.
      name_en: noun in English.
      name_zh: noun in Chinese.
      measure_zh: its measure word.
      is_product: whether it may be the product; else it is a prop.
      build: its shape from four numbers in [0, 1].
      materials: ids of the materials it may have.
      size: factor on the usual scale.
      accent: colour and material of its accent; None for as it falls.
    """

    id: str
    name_en: str
    name_zh: str
    measure_zh: str
    is_product: bool
    build: Callable[[Proportions], Shape]
    materials: tuple[str, ...]
    size: float = 1.0
    accent: tuple[str, str] | None = None


_HARD = ("matte", "plastic", "metal", "glass", "ceramic")
_SOFT = ("matte", "plastic", "fabric")
_CLOTH = (*_SOFT, "satin")
_THIN = ("matte", "plastic", "metal")
_FIRM = ("matte", "plastic", "metal", "ceramic", "wood")

FAMILIES: tuple[Family, ...] = (
    Family("bottle", "bottle", "瓶子", "个", True, builders.bottle, _HARD, 1.12),
    Family("jar", "jar", "罐子", "个", True, builders.jar, _HARD, 1.25),
    Family("tube", "tube", "软管", "支", True, builders.tube, _THIN),
    Family("box", "box", "盒子", "个", True, builders.box, (*_FIRM, "fabric")),
    Family("bag", "bag", "手提袋", "个", True, builders.bag, _CLOTH, 1.1),
    Family("mug", "mug", "马克杯", "个", True, builders.mug, _FIRM, 1.3),
    Family("shoe", "shoe", "鞋子", "只", True, builders.shoe, _SOFT, 1.2),
    Family("lamp", "lamp", "台灯", "盏", True, builders.lamp, _CLOTH),
    Family("can", "can", "易拉罐", "个", True, builders.can, _THIN, 1.2),
    Family("phone", "phone", "手机", "部", True, builders.phone, (*_THIN, "ceramic"),
           1.1, ("black", "plastic")),
    Family("watch", "watch", "手表", "块", True, builders.watch,
           (*_THIN, "ceramic", "fabric"), 1.25),
    Family("tshirt", "T-shirt", "T恤", "件", True, builders.tshirt,
           ("fabric", "satin"), 1.15, ("white", "fabric")),
    Family("ball", "ball", "小球", "个", False, builders.ball, (*_FIRM, "glass"), 0.8),
    Family("cube", "cube", "方块", "个", False, builders.cube, _FIRM, 0.85),
    Family("vase", "vase", "花瓶", "个", False, builders.vase, _HARD, 0.95),
    Family("plant", "potted plant", "盆栽", "盆", False, builders.plant,
           ("matte", "ceramic"), 0.9, ("green", "matte")),
)  # fmt: skip
"""All kinds of things; products first."""


def family_of(id: str) -> Family:
    """Finds a family.

    Raises:
      UserError: no family has this id.
    """
    for family in FAMILIES:
        if family.id == id:
            return family
    known = ", ".join(family.id for family in FAMILIES)
    raise UserError(f"unknown family {id!r}; use one of {known}")
