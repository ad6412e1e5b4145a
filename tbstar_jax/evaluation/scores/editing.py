"""E in [0, 1]: has the edit that was asked for been made? Without a judge.

E is a skill: exactly 0 for the unchanged source and exactly 1 for the reference. It is
the product of powers of named parts, by the table below; a part that is 0 makes E 0, a
part that cannot be measured in a case (no shadow, no pure white) is left out and the
others' exponents grow. What happens outside the edit is preservation's matter.

Where the instruction asks for several edits, E is the geometric mean of their E: 0 if
one of them was not made.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.scores import (
    editing_attributes,
    editing_exact,
    editing_keep,
    editing_text,
)
from tbstar_jax.evaluation.scores.editing_measures import (
    View,
    combine,
    view_of,
)
from tbstar_jax.evaluation.text.reader import Reader

PART_EXPONENTS: Mapping[str, Mapping[str, float]] = {
    "bg_white": {
        "background": 0.4,
        "white": 0.2,
        "cut_edge": 0.3,
        "shadow": 0.1,
    },
    "bg_scene": {"changed": 0.1, "statistics": 0.5, "texture": 0.1, "outline": 0.3},
    "recolor": {
        "color": 0.6,
        "hue": 0.2,
        "chroma": 0.1,
        "structure": 0.4,
        "intact": 0.6,
    },
    "material": {
        "surface": 0.5,
        "specular": 0.2,
        "structure": 0.2,
        "outline": 0.2,
        "intact": 0.6,
    },
    "watermark_remove": {"clean": 0.6, "mark": 0.4, "quiet": 0.4, "intact": 0.5},
    "text_remove": {"clean": 0.7, "ink": 0.4, "quiet": 0.4, "intact": 0.6},
    "text_replace_en": {
        "text": 0.7,
        "ink_color": 0.15,
        "ink_height": 0.15,
        "once": 0.6,
    },
    "text_replace_zh": {
        "text": 0.7,
        "ink_color": 0.15,
        "ink_height": 0.15,
        "once": 0.6,
    },
    "text_add": {
        "text": 0.7,
        "ink_color": 0.15,
        "ink_height": 0.15,
        "once": 0.6,
        "clear": 0.15,
        "extent": 0.8,
    },
    "object_add": {"changed": 0.2, "color": 0.7, "shape": 0.7, "extent": 0.8},
    "object_remove": {
        "clean": 0.8,
        "gone": 0.2,
        "quiet": 0.4,
        "shadow": 0.2,
        "intact": 0.6,
    },
    "object_replace": {"gone": 0.2, "color": 0.7, "shape": 0.7, "around": 0.6},
    "light_shadow": {"field": 0.6, "chromaticity": 0.2, "detail": 0.2},
    "outpaint": {"filled": 0.1, "seam": 0.5, "statistics": 0.7, "texture": 0.2},
    "layout": {
        "region": 0.3,
        "gone": 0.1,
        "placed": 0.3,
        "identity": 0.2,
        "quiet": 0.4,
        "intact": 0.3,
    },
    "repair_zoom": {
        "clean": 0.5,
        "level": 0.2,
        "detail": 0.2,
        "drift": 0.2,
        "intact": 0.4,
    },
}
"""By task, the parts of E and their exponents.

What may change is not free: `intact` tells what stays where source and reference are
alike, `around` the same (half of it suffices) where another thing may have another
shape, and `extent` falls when an open zone changes in more than 2.5 times the pixels.
"""

SHOWN_EXPONENTS: Mapping[str, float] = {"identity": 0.5}
"""Of further parts, where a second picture shows the thing."""

_PREFIXES = ("", "second_", "third_", "fourth_")
"""Of the names of parts, by edit."""

_Parts: TypeAlias = Callable[[View], dict[str, float | None]]

_MEASURES: Mapping[str, _Parts] = {
    "bg_white": editing_exact.white_background_parts,
    "bg_scene": editing_keep.scene_background_parts,
    "recolor": editing_attributes.recolor_parts,
    "material": editing_attributes.material_parts,
    "watermark_remove": editing_exact.watermark_parts,
    "text_remove": editing_exact.text_removal_parts,
    "object_add": editing_keep.added_object_parts,
    "object_remove": editing_exact.object_removal_parts,
    "object_replace": editing_keep.replaced_object_parts,
    "light_shadow": editing_attributes.light_parts,
    "outpaint": editing_keep.outpaint_parts,
    "layout": editing_exact.layout_parts,
    "repair_zoom": editing_exact.repair_parts,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditScore:
    """What E is and why.

    Attributes:
      value: E in [0, 1].
      parts: by name, each in [0, 1]; those that the case cannot measure are absent;
        those of further edits are named `second_<part>`, `third_<part>`, ...
      weakest: name of the lowest part, the reason of a low score; `size` for an
        outpainting of another size; empty where E is 1.
    """

    value: float
    parts: Mapping[str, float]
    weakest: str


def edit_score(
    case: Case,
    answer: UInt8[np.ndarray, "h w 3"],
    *,
    reader: Reader | None,
    is_size_right: bool,
) -> EditScore:
    """Scores whether an edit was made.

    Args:
      case: what was asked.
      answer: sRGB of the case's size, registered or resized before where that is due.
      reader: OCR of the texts; None compares the drawings of the letters.
      is_size_right: whether the answer had the case's size; an outpainting that did not
        has not done what was asked.
    """
    if case.task == "outpaint" and not is_size_right:
        return EditScore(value=0.0, parts={"size": 0.0}, weakest="size")
    if not case.asked:
        return _single_score(case, answer, reader)
    scores = [
        _asked_score(case, number, answer, reader) for number in range(len(case.asked))
    ]
    parts = {
        f"{prefix}{name}": value
        for prefix, score in zip(_PREFIXES, scores, strict=False)
        for name, value in score.parts.items()
    }
    product = math.prod(score.value for score in scores)
    return _scored(product ** (1 / len(scores)), parts)


def _asked_score(
    case: Case,
    number: int,
    answer: UInt8[np.ndarray, "h w 3"],
    reader: Reader | None,
) -> EditScore:
    """The score of one of several edits.

    Two pictures lack it, the source and the one in which all others were made, and each
    of them must score exactly 0: the lower of the skills over either counts. Over the
    latter, how the others were made is left out: where only they reach, the reference
    takes the answer's place.
    """
    asked = case.asked[number]
    others = [one.masks.edit for k, one in enumerate(case.asked) if k != number]
    alone = dataclasses.replace(
        case,
        task=asked.task,
        masks=asked.masks,
        target_texts=asked.target_texts,
        target_objects=asked.target_objects,
        asked=(),
    )
    is_other = (np.any(others, axis=0) & ~asked.masks.edit)[..., None]
    over_undone = _single_score(
        dataclasses.replace(alone, source=asked.undone),
        np.where(is_other, case.reference, answer),
        reader,
    )
    over_source = _single_score(alone, answer, reader)
    return min(over_source, over_undone, key=lambda score: score.value)


def _single_score(
    case: Case, answer: UInt8[np.ndarray, "h w 3"], reader: Reader | None
) -> EditScore:
    view = view_of(case, answer)
    match case.task:
        case "text_replace_en" | "text_replace_zh":
            parts = editing_text.text_replacement_parts(view, reader)
        case "text_add":
            parts = editing_text.text_addition_parts(view, reader)
        case task:
            parts = _MEASURES[task](view)
    known = {name: value for name, value in parts.items() if value is not None}
    shown = SHOWN_EXPONENTS if case.object_photo is not None else {}
    return _scored(combine(known, {**PART_EXPONENTS[case.task], **shown}), known)


def _scored(value: float, parts: Mapping[str, float]) -> EditScore:
    weakest = min(parts, key=lambda name: parts[name], default="")
    return EditScore(value=value, parts=parts, weakest=weakest if value < 1 else "")
