"""What an edit is about, as JSON and back: the object `targets` of `schema`.

    text       [{box, quad, old, new, script, ink_rgb, px_height}]
    objects    [{id, class, name, box_before, box_after, present_after}]
    color      {part, lab, hex, name} of a recolouring, else null
    light      {change, before, after} of an edit of light, else null

`lab` is CIE Lab (D65) of the sRGB colour `hex`. Corners of `quad` are [row, column].
"""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from tbstar_jax.evaluation.cases.case import (
    AskedEdit,
    Case,
    Language,
    LightChange,
    TargetColor,
    TargetLight,
    TargetObject,
    TargetText,
)
from tbstar_jax.evaluation.cases.fields import Fields
from tbstar_jax.evaluation.cases.quads import box_quad
from tbstar_jax.geometry import Box
from tbstar_jax.metrics.color import srgb_to_lab

SCRIPTS = (*get_args(Language), "number")
"""What a text is written in."""

_LAB_DIGITS = 2
_LARGEST_LAB = 200.0


def targets_record(edit: Case | AskedEdit) -> dict[str, Any]:
    """The object, ready for JSON.

    Args:
      edit: a case, or one of its edits.
    """
    color, light = edit.target_color, edit.target_light
    return {
        "text": [_text_record(one) for one in edit.target_texts],
        "objects": [
            {
                "id": one.id,
                "class": one.kind,
                "name": one.name,
                "box_before": edges(one.before),
                "box_after": edges(one.after),
                "present_after": one.after is not None,
            }
            for one in edit.target_objects
        ],
        "color": color
        and {
            "part": color.part,
            "lab": _lab(color.rgb),
            "hex": _hex(color.rgb),
            "name": color.name,
        },
        "light": light
        and {
            "change": light.change,
            "before": dict(light.before),
            "after": dict(light.after),
        },
    }


def read_targets(targets: Fields) -> dict[str, Any]:
    """The arguments of `AskedEdit` and `Case` that tell what an edit is about.

    Raises:
      UserError: a field is missing, holds what it may not, or contradicts another.
    """
    return {
        "target_texts": tuple(_text(one) for one in targets.objects("text")),
        "target_objects": tuple(_object(one) for one in targets.objects("objects")),
        "target_color": (
            None if targets.raw("color") is None else _color(targets.object("color"))
        ),
        "target_light": (
            None if targets.raw("light") is None else _light(targets.object("light"))
        ),
    }


def target_boxes(told: Mapping[str, Any]) -> list[Box]:
    """All boxes that `read_targets` gave."""
    boxes: list[Box | None] = [one.box for one in told["target_texts"]]
    for one in told["target_objects"]:
        boxes += [one.before, one.after]
    return [box for box in boxes if box is not None]


def edges(box: Box | None) -> list[int] | None:
    """A box as [top, left, height, width]."""
    return None if box is None else [box.top, box.left, box.height, box.width]


def script(language: Language | None) -> str:
    """What a text of a language is written in."""
    return language or "number"


def read_language(one: Fields) -> Language | None:
    """The language of the field `script`; None for numbers."""
    found: Any = one.text("script", SCRIPTS)
    return None if found == "number" else found


def _text_record(text: TargetText) -> dict[str, Any]:
    quad = text.quad or box_quad(text.box)
    return {
        "box": edges(text.box),
        "quad": [list(corner) for corner in quad],
        "old": text.old,
        "new": text.new,
        "script": script(text.language),
        "ink_rgb": list(text.ink),
        "px_height": text.box.height,
    }


def _text(one: Fields) -> TargetText:
    box = one.box("box")
    if one.number("px_height") != box.height:
        one.refuse("px_height", f"{box.height}, the height of its box")
    return TargetText(
        old=one.text_or_none("old"),
        new=one.text_or_none("new"),
        language=read_language(one),
        box=box,
        ink=one.color("ink_rgb"),
        quad=one.quad("quad"),
    )


def _object(one: Fields) -> TargetObject:
    after = one.box_or_none("box_after")
    if one.flag("present_after") != (after is not None):
        one.refuse("present_after", "true where there is a box_after, else false")
    return TargetObject(
        id=one.text("id"),
        kind=one.text("class"),
        name=one.text("name"),
        before=one.box_or_none("box_before"),
        after=after,
    )


def _color(one: Fields) -> TargetColor:
    digits = one.text("hex")
    if (
        len(digits) != 7
        or digits[0] != "#"
        or set(digits[1:]) - set("0123456789abcdef")
    ):
        one.refuse("hex", "a colour such as #cc2224")
    red, green, blue = bytes.fromhex(digits[1:])
    lab = one.numbers("lab", 3, _LARGEST_LAB)
    if np.abs(np.subtract(lab, _lab((red, green, blue)))).max() > 0.1:
        one.refuse("lab", f"that of {digits}, {_lab((red, green, blue))}")
    return TargetColor(
        part=one.text("part"), rgb=(red, green, blue), name=one.text("name")
    )


def _light(one: Fields) -> TargetLight:
    change: Any = one.text("change", get_args(LightChange))
    return TargetLight(
        change=change, before=one.parameters("before"), after=one.parameters("after")
    )


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#" + bytes(rgb).hex()


def _lab(rgb: tuple[int, int, int]) -> list[float]:
    lab = srgb_to_lab(np.array([[rgb]], np.uint8))[0, 0]
    # Adding 0 makes -0 plain.
    return [round(float(value), _LAB_DIGITS) + 0.0 for value in lab]
