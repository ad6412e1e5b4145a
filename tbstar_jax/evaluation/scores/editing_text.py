"""E of the tasks that write: the right text, in the right ink, not over the product."""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from tbstar_jax.evaluation.cases.case import TargetText
from tbstar_jax.evaluation.scores.editing_measures import (
    LEAST_PIXELS,
    View,
    box_mask,
    dilate,
    extent,
)
from tbstar_jax.evaluation.text.glyphs import ink_color_error, ink_height_ratio
from tbstar_jax.evaluation.text.measures import text_skill
from tbstar_jax.evaluation.text.reader import Reader
from tbstar_jax.metrics.color import ciede2000

_Closeness: TypeAlias = Callable[[View, TargetText], float]

_HALF_COLOR = 20.0
"""CIEDE2000 between inks that halves the score."""
_COVERED = 10.0
"""CIEDE2000 from the source at which a pixel of the product is covered."""
_COVERED_SHARE = 0.25
"""Of the product outside the zone: so much covered scores 0."""


def text_replacement_parts(
    view: View, reader: Reader | None
) -> dict[str, float | None]:
    """`text` (skill of what is read), `ink_color`, `ink_height`.

    The ink counts by its closeness to the reference's: 1 / (1 + CIEDE2000 / 20), and
    the smaller of the two heights over the greater.
    """
    return {
        "text": _text(view, reader),
        "ink_color": _mean_over(view, _color_closeness),
        "ink_height": _mean_over(view, _height_closeness),
    }


def text_addition_parts(view: View, reader: Reader | None) -> dict[str, float | None]:
    """`text` in the zone, `ink_color`, `clear` and `extent`.

    `clear`: the product is not covered; `extent`: no more of the zone changes than the
    text takes.
    """
    return {
        "text": _text(view, reader),
        "ink_color": _mean_over(view, _color_closeness),
        "clear": _clear(view),
        "extent": extent(view),
    }


def _text(view: View, reader: Reader | None) -> float | None:
    value = text_skill(
        source=view.case.source,
        reference=view.case.reference,
        answer=view.answer,
        target_texts=view.case.target_texts,
        reader=reader,
    )
    return None if math.isnan(value) else value


def _mean_over(view: View, closeness: _Closeness) -> float | None:
    values = [
        closeness(view, text)
        for text in view.case.target_texts
        if text.new is not None and not math.isnan(_own_color_error(view, text))
    ]
    return float(np.mean(values)) if values else None


def _own_color_error(view: View, text: TargetText) -> float:
    """NaN where no ink is found in the reference itself."""
    return ink_color_error(view.case.reference, view.case.reference, text.box)


def _color_closeness(view: View, text: TargetText) -> float:
    error = ink_color_error(view.case.reference, view.answer, text.box)
    return 0.0 if math.isnan(error) else 1.0 / (1.0 + error / _HALF_COLOR)


def _height_closeness(view: View, text: TargetText) -> float:
    ratio = ink_height_ratio(view.case.reference, view.answer, text.box)
    return 0.0 if math.isnan(ratio) or ratio <= 0 else min(ratio, 1.0 / ratio)


def _clear(view: View) -> float | None:
    zone = np.zeros(view.case.size, bool)
    for text in view.case.target_texts:
        zone |= box_mask(text.box, view.case.size, max(2, text.box.height // 2))
    # What the reference itself changes (a plate under the text) is not covered.
    is_meant = dilate((view.case.source != view.case.reference).any(axis=2), 1)
    product = view.case.masks.product & ~zone & ~is_meant
    if np.count_nonzero(product) < LEAST_PIXELS:
        return None
    change = ciede2000(view.answer_lab[product], view.source_lab[product])
    share = float((change > _COVERED).mean())
    return max(0.0, 1.0 - share / _COVERED_SHARE)
