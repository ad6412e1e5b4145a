"""Which task undoes a task, and what its facts then are."""

import dataclasses
from typing import Any

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.language import language_of

_CHANGED: dict[str, tuple[str, ...]] = {
    "bg_white": ("background_en", "background_zh"),
    "bg_scene": ("background_en", "background_zh"),
    "recolor": ("color_en", "color_zh"),
    "material": ("material_en", "material_zh"),
    "watermark_remove": ("text", "text_language"),
    "text_remove": ("text", "text_language"),
    "text_add": ("text", "text_language"),
    "text_replace_en": ("text", "text_language"),
    "text_replace_zh": ("text", "text_language"),
    # What is written on a thing comes and goes with it.
    "object_add": ("count", "text", "text_language"),
    "object_remove": ("count", "text", "text_language"),
    "object_replace": (
        *("object_en", "object_zh", "color_en", "color_zh"),
        *("text", "text_language"),
    ),
    "light_shadow": ("light_en", "light_zh"),
    "layout": ("layout_en", "layout_zh", "count"),
    "move": ("position",),
}
"""What an edit changes, by task: fields `x` that have a `new_x`."""

_OPPOSITE = {
    "left": "right",
    "right": "left",
    "up": "down",
    "down": "up",
    "larger": "smaller",
    "smaller": "larger",
}

_WHITE = ("white", "white background", "pure white", "pure white background")

_SAME_TASK = ("recolor", "material", "object_replace", "light_shadow", "layout", "move")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inverse:
    """The edit that leads back.

    Attributes:
      task: its id.
      facts: what is true of it; empty where nothing was known of the edit.
    """

    task: str
    facts: Facts


def inverse_of(task: str, facts: Facts) -> Inverse | None:
    """Finds the edit that undoes an edit.

    Args:
      task: of the edit.
      facts: of the edit.

    Returns:
      None where no task undoes it: outpainting, repair, no change.
    """
    facts = _completed(task, facts)
    back = _inverse_task(task, facts)
    if back is None:
        return None
    return Inverse(task=back, facts=_swapped(task, facts))


def _inverse_task(task: str, facts: Facts) -> str | None:
    match task:
        case "object_remove":
            return "object_add"
        case "object_add":
            return "object_remove"
        case "watermark_remove" | "text_remove":
            return "text_add"
        case "text_add":
            is_mark = "watermark" in (facts.text_kind_en or "").lower()
            return "watermark_remove" if is_mark else "text_remove"
        case "text_replace_en" | "text_replace_zh":
            # Named after the language of the text that is to be written.
            language = facts.text_language or (language_of(facts.text or "") or "en")
            return f"text_replace_{language}" if facts.text else task
        case "bg_white" | "bg_scene":
            is_white = (facts.background_en or "").lower() in _WHITE
            return "bg_white" if is_white else "bg_scene"
        case _:
            return task if task in _SAME_TASK else None


def _completed(task: str, facts: Facts) -> Facts:
    """Adds what the task itself says."""
    if task == "watermark_remove":
        return _with_defaults(facts, text_kind_en="watermark", text_kind_zh="水印")
    if task == "bg_white":
        return _with_defaults(
            facts,
            new_background_en="white background",
            new_background_zh="白色背景",
        )
    return facts


def _with_defaults(facts: Facts, **values: str) -> Facts:
    missing = {k: v for k, v in values.items() if getattr(facts, k) is None}
    return dataclasses.replace(facts, **missing)  # type: ignore[arg-type]


def _swapped(task: str, facts: Facts) -> Facts:
    """The facts seen from the other side; doing it twice leads back."""
    changes: dict[str, Any] = {}
    for name in _CHANGED[task]:
        changes[name] = getattr(facts, f"new_{name}")
        changes[f"new_{name}"] = getattr(facts, name)
    for name in ("direction", "new_size"):
        value = getattr(facts, name)
        changes[name] = _OPPOSITE.get(value) if value else None
    return dataclasses.replace(facts, **changes)
