"""Where which text stands in a pair, for filters and metrics that read text.

`provenance["text_boxes"]` is a list of objects:

    text, language   what it says; language is absent for prices
    box              [top, left, bottom, right] of its ink, pixels, the last two
                     exclusive
    part             id of the part it is on
    kept             whether it says the same at the same place in both pictures
    image            `both`, `source` or `target`
"""

from typing import Any

import numpy as np
from jaxtyping import Bool

from tbstar_jax.data_engine.layout.card import (
    Badge,
    Logo,
    Part,
    Price,
    Product,
    Text,
    Watermark,
)
from tbstar_jax.data_engine.layout.drawing import Drawing
from tbstar_jax.data_engine.render.layers import Layer
from tbstar_jax.geometry import Box, OutpaintPlan


def text_boxes(
    source: Drawing, target: Drawing, window: OutpaintPlan | None = None
) -> list[dict[str, Any]]:
    """Lists the texts of both pictures, those of the source first.

    Args:
      source: the card before the edit.
      target: the card after it.
      window: what the source shows of the picture, if not all.
    """
    before, after = _texts(source), _texts(target)
    notes = []
    for text in before:
        if window is not None and not _is_inside(text["box"], window.photo):
            continue
        is_kept = text in after
        notes.append(
            {**text, "kept": is_kept, "image": "both" if is_kept else "source"}
        )
    noted = [{key: note[key] for key in note if key in _KEYS} for note in notes]
    return notes + [
        {**text, "kept": False, "image": "target"}
        for text in after
        if text not in noted
    ]


_KEYS = ("text", "language", "box", "part")


def _texts(drawing: Drawing) -> list[dict[str, Any]]:
    found = []
    for part in drawing.card.parts:
        for text, language, layer in _printed(part, drawing.layers[part.id]):
            box = _ink_box(layer.alpha > 0, layer.top, layer.left)
            if box is None:
                continue
            note: dict[str, Any] = {"text": text, "box": box, "part": part.id}
            found.append(note | ({"language": language} if language else {}))
    return found


def _printed(part: Part, layers: list[Layer]) -> list[tuple[str, str, Layer]]:
    """Text, language and layer of all that is written on a part."""
    match part:
        case Text() | Badge() | Watermark():
            return [(part.text, part.language, layers[-1])]
        case Logo():
            return [(part.name, part.language, layers[-1])]
        case Price():
            old = [(part.old_text, "", layers[-2])] if part.old_text else []
            return [*old, (part.text, "", layers[-1])]
        case Product() if part.scene.label:
            return [(part.scene.label.text, "en", layers[-1])]
        case _:
            return []


def _ink_box(
    is_inked: Bool[np.ndarray, "h w"], top: int, left: int
) -> list[int] | None:
    rows = np.flatnonzero(is_inked.any(axis=1))
    columns = np.flatnonzero(is_inked.any(axis=0))
    if not rows.size:
        return None
    return [
        top + int(rows[0]),
        left + int(columns[0]),
        top + int(rows[-1]) + 1,
        left + int(columns[-1]) + 1,
    ]


def _is_inside(box: list[int], outer: Box) -> bool:
    top, left, bottom, right = box
    return (
        top >= outer.top
        and left >= outer.left
        and bottom <= outer.top + outer.height
        and right <= outer.left + outer.width
    )
