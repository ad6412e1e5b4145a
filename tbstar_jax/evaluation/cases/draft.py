"""What a generator knows of a case before it has a name, words and tags."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.evaluation.cases.case import (
    AskedEdit,
    KeptText,
    Language,
    Masks,
    SceneMaps,
    TargetColor,
    TargetLight,
    TargetObject,
    TargetText,
)
from tbstar_jax.geometry import Box

Wording: TypeAlias = Literal[
    "bg_white",
    "bg_scene",
    "recolor",
    "material",
    "watermark_remove",
    "text_remove",
    "text_replace",
    "text_translate",
    "price_replace",
    "text_add",
    "label_add",
    "object_add",
    "shown_add",
    "object_remove",
    "part_remove",
    "object_replace",
    "shown_replace",
    "relight",
    "light_add",
    "light_remove",
    "light_turn",
    "shadow_add",
    "shadow_remove",
    "shadows_add",
    "shadows_remove",
    "shadows_soften",
    "outpaint",
    "swap",
    "count",
    "resize",
    "shift",
    "move",
    "repair",
    "sharpen",
    "closeup",
]
"""How an edit is asked for: a task, or one of the kinds of edit that a task has."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ask:
    """One edit in words; a case of the hard split may ask for several.

    Attributes:
      wording: how it is asked for.
      facts: what it may say.
      measure_zh: the Chinese measure word of what is edited.
    """

    wording: Wording
    facts: Facts
    measure_zh: str = "个"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draft:
    """A drawn case.

    Attributes:
      generator: what drew it.
      asks: what is asked for; the first is the task's.
      source: the picture before, on the canvas of the answer.
      reference: the right edit.
      masks: regions.
      photo_box: where the photo lies on the canvas; None: it is the canvas.
      object_photo: a second picture that a system is given: what is to be added, alone
        on white. None: the instruction alone tells.
      kept_texts: outside the edit.
      target_texts: that the edit is about.
      target_objects: likewise.
      tags: what is known of the picture: family, background, num_objects, ...
      licence: SPDX id of the pictures.
      target_color: that the edit asks for, if it recolours.
      target_light: that the edit asks for, if it is about light.
      asked: the edits, where there are several.
      scene: what the renderer knows of the source, if it is a render.
    """

    generator: Literal["studio", "layout", "overlay", "photo"]
    asks: tuple[Ask, ...]
    source: UInt8[np.ndarray, "h w 3"]
    reference: UInt8[np.ndarray, "h w 3"]
    masks: Masks
    photo_box: Box | None = None
    object_photo: UInt8[np.ndarray, "_ _ 3"] | None = None
    kept_texts: tuple[KeptText, ...]
    target_texts: tuple[TargetText, ...]
    target_objects: tuple[TargetObject, ...]
    tags: Mapping[str, str]
    licence: str = "Apache-2.0"
    target_color: TargetColor | None = None
    target_light: TargetLight | None = None
    asked: tuple[AskedEdit, ...] = ()
    scene: SceneMaps | None = None


def box_of(mask: Bool[np.ndarray, "h w"]) -> Box | None:
    """The smallest box around what is marked; None where nothing is."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    top, left = int(rows[0]), int(columns[0])
    return Box(
        top=top,
        left=left,
        height=int(rows[-1]) + 1 - top,
        width=int(columns[-1]) + 1 - left,
    )


def box_from_edges(edges: Sequence[int]) -> Box:
    """A box from top, left, bottom and right, the last two exclusive."""
    top, left, bottom, right = edges
    return Box(top=top, left=left, height=bottom - top, width=right - left)


def ink_color(
    picture: UInt8[np.ndarray, "h w 3"], ink: np.ndarray
) -> tuple[int, int, int]:
    """The colour of a print: median where it is densest.

    Args:
      picture: that has it.
      ink: its coverage, [h w], any positive scale, somewhere above 0.
    """
    densest = ink >= 0.95 * np.max(ink)
    red, green, blue = np.rint(np.median(picture[densest], axis=0)).tolist()
    return int(red), int(green), int(blue)


def is_in(facts: Facts, language: Language | None) -> bool:
    """Whether the text that an edit is about is in a language; None: in any."""
    return language in (None, facts.text_language, facts.new_text_language)


def is_readable(text: TargetText, size: tuple[int, int]) -> bool:
    """Whether a text of an edit is large enough to be read, and compared, at a size."""
    least = 9 if text.language == "zh" else 8
    return text.box.height >= max(least, min(size) // 64)


def no_mask(size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Marks nothing."""
    return np.zeros(size, bool)
