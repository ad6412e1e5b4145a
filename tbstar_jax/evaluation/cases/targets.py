"""What an edit asks for in numbers: the colour of a part, the light of a scene."""

import dataclasses

from tbstar_jax.data_engine.layout.card import Badge, Card, Light, Part, Price, Product
from tbstar_jax.data_engine.layout.card import Text as TextPart
from tbstar_jax.data_engine.layout.edit import Edit as CardEdit
from tbstar_jax.data_engine.layout.naming import color_of as part_color
from tbstar_jax.data_engine.studio.edits import Edit as SceneEdit
from tbstar_jax.data_engine.studio.scene import color_of
from tbstar_jax.evaluation.cases.case import LightChange, TargetColor, TargetLight


def scene_color(edit: SceneEdit) -> TargetColor | None:
    """The colour that an edit of a scene paints something in."""
    if edit.task != "recolor":
        return None
    number = edit.touched_after[0]
    color = color_of(edit.after.items[number].color)
    return TargetColor(part=f"item-{number}", rgb=color.rgb, name=color.name_en)


def scene_light(edit: SceneEdit) -> TargetLight | None:
    """The light of a scene before and after an edit of it."""
    if edit.task != "light_shadow":
        return None
    before, after = edit.before.light, edit.after.light
    change: LightChange = "direction"
    if before.softness != after.softness:
        change = "softness"
    elif before.shadow != after.shadow:
        change = "shadow"
    elif before.warmth != after.warmth:
        change = "warmth"
    return TargetLight(
        change=change,
        before=dataclasses.asdict(before),
        after=dataclasses.asdict(after),
    )


def card_color(edit: CardEdit) -> TargetColor | None:
    """The colour that an edit of a card paints a part in."""
    if edit.task != "recolor":
        return None
    for part in edit.after.parts:
        color = part_color(part)
        if edit.before.part(part.id) != part and color is not None:
            return TargetColor(part=part.id, rgb=color.rgb, name=color.name_en)
    return None


def card_light(edit: CardEdit) -> TargetLight | None:
    """The light of a card before and after an edit of it."""
    if edit.task != "light_shadow":
        return None
    before, after = _card_lamps(edit.before), _card_lamps(edit.after)
    change: LightChange = "falloff"
    if before.get("shadow") != after.get("shadow"):
        change = "shadow"
    elif before.get("side") != after.get("side"):
        change = "direction"
    return TargetLight(change=change, before=before, after=after)


def _card_lamps(card: Card) -> dict[str, float | str]:
    lamps: dict[str, float | str] = {}
    for part in card.parts:
        match part:
            case Product():
                lamps |= {
                    "side": part.scene.light,
                    "shadow": 1.0 if part.has_shadow else 0.0,
                }
            case Light():
                lamps |= {"falloff": part.kind, "strength": part.strength}
            case _:
                pass
    return lamps


def part_kind(part: Part) -> str:
    """The class of a part: a product's family, else what kind of part it is."""
    match part:
        case Product():
            return part.scene.family.id
        case Badge():
            return f"badge_{part.form}"
        case TextPart():
            return part.kind
        case Price():
            return "price"
        case _:
            return type(part).__name__.lower()
