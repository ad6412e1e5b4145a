"""What a request must name, by task, and which words an expert reads it from."""

import dataclasses
from collections.abc import Mapping

from tbstar_jax.data_engine.facts import Facts

NEEDED: Mapping[str, tuple[str, ...]] = {
    "bg_white": (),
    "bg_scene": ("new_background",),
    "recolor": ("object", "new_color"),
    "material": ("object", "new_material"),
    "watermark_remove": (),
    "text_remove": ("text",),
    "text_replace_en": ("text", "new_text"),
    "text_replace_zh": ("text", "new_text"),
    "text_add": ("new_text",),
    "object_add": ("object",),
    "object_remove": ("object",),
    "object_replace": ("object", "new_object"),
    "light_shadow": ("new_light",),
    "outpaint": ("direction",),
    "repair_zoom": ("object",),
    "move": ("object", "direction"),
}
"""Facts without their language, by the id of each task that experts are asked for."""

PLACED: tuple[str, ...] = (
    "watermark_remove",
    "text_remove",
    "text_replace_en",
    "text_replace_zh",
    "object_remove",
    "object_replace",
)
"""Ids of the tasks that need a box around what is edited."""

LIGHTS: Mapping[str, tuple[str, str]] = {
    "brighter": ("brighter light", "更明亮的光线"),
    "darker": ("darker light", "更暗的光线"),
    "warmer": ("warmer light", "更暖的光线"),
    "cooler": ("cooler light", "更冷的光线"),
    "from_left": ("light from the left", "从左侧照来的光线"),
    "from_right": ("light from the right", "从右侧照来的光线"),
    "from_top": ("light from the top", "从顶部照来的光线"),
    "vignette": ("light that falls off towards the edges", "边缘渐暗的光线"),
}
"""Lights an expert can be asked for by name: English and Chinese words for each."""

_PARAMETERS = (
    "object",
    "color",
    "new_color",
    "material",
    "new_material",
    "new_object",
)


def missing(task: str, facts: Facts) -> str | None:
    """The first thing a request of this task must name and the facts do not.

    Args:
      task: an id in `NEEDED`.
      facts: of the edit.
    """
    values = dataclasses.asdict(facts)
    for name in NEEDED[task]:
        names = (name,) if name in values else (f"{name}_en", f"{name}_zh")
        for one in names:
            if values[one] is None:
                return one
    return None


def parameters_of(facts: Facts) -> dict[str, str]:
    """The facts as `EditRequest.parameters`, for experts without language."""
    values = dataclasses.asdict(facts)
    found = {name: values[f"{name}_en"] for name in _PARAMETERS}
    found |= {
        "text": facts.text,
        "new_text": facts.new_text,
        "background": facts.new_background_en,
        "direction": facts.direction,
        "light": next(
            (id for id, (en, _) in LIGHTS.items() if en == facts.new_light_en),
            facts.new_light_en,
        ),
    }
    return {name: value for name, value in found.items() if value is not None}
