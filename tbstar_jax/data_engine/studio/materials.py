"""What things are made of: a closed list of materials and their optical numbers."""

import dataclasses

from tbstar_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Material:
    """A surface.

    Attributes:
      id: used in scenes.
      name_en: noun in English.
      name_zh: noun in Chinese.
      reflectance: share of light mirrored at normal incidence (dielectrics).
      roughness: 0 a mirror, 1 no highlight at all.
      metal: 1 where reflections take the surface's colour and nothing is diffuse; half
        of it for silk, whose sheen has its colour.
      glass: share of the light that goes through.
      wood: strength of wood grain; 1 replaces the colour by brown wood.
      weave: strength of a fabric's weave.
      folds: depth of the soft folds that a smooth cloth shines by.
    """

    id: str
    name_en: str
    name_zh: str
    reflectance: float
    roughness: float
    metal: float = 0.0
    glass: float = 0.0
    wood: float = 0.0
    weave: float = 0.0
    folds: float = 0.0


MATERIALS: tuple[Material, ...] = (
    Material("matte", "matte plastic", "哑光塑料", 0.02, 0.85),
    Material("plastic", "glossy plastic", "亮面塑料", 0.06, 0.22),
    Material("metal", "metal", "金属", 0.9, 0.24, metal=1.0),
    Material("glass", "glass", "玻璃", 0.08, 0.06, glass=0.86),
    Material("ceramic", "glazed ceramic", "釉面陶瓷", 0.09, 0.10),
    Material("wood", "wood", "木头", 0.03, 0.6, wood=1.0),
    Material("fabric", "cotton fabric", "棉布", 0.01, 0.95, weave=1.0),
    Material("satin", "shiny satin", "亮面绸缎", 0.05, 0.34, metal=0.5, weave=0.1,
             folds=1.0),
)  # fmt: skip
"""All materials."""


def material_of(id: str) -> Material:
    """Finds a material.

    Raises:
      UserError: no material has this id.
    """
    for material in MATERIALS:
        if material.id == id:
            return material
    known = ", ".join(material.id for material in MATERIALS)
    raise UserError(f"unknown material {id!r}; use one of {known}")
