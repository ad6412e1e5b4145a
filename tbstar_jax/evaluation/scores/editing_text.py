"""E of the tasks that write: the right text, in the right ink, not over the product."""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.evaluation.scores.editing_measures import (
    LEAST_PIXELS,
    View,
    box_mask,
    dilate,
    extent,
    smooth,
)
from tbstar_jax.evaluation.text.glyphs import ink_color_error, ink_height_ratio
from tbstar_jax.evaluation.text.ink import find_ink, window_of
from tbstar_jax.evaluation.text.measures import text_skill
from tbstar_jax.evaluation.text.reader import Reader
from tbstar_jax.evaluation.text.reading import Written, written_texts
from tbstar_jax.geometry import Box
from tbstar_jax.metrics.color import ciede2000

_Closeness: TypeAlias = Callable[[View, Written], float]

_HALF_COLOR = 20.0
"""CIEDE2000 between inks that halves the score."""
_COVERED = 10.0
"""CIEDE2000 from the source at which a pixel of the product is covered."""
_SAME_INK = 12.0
"""CIEDE2000 from a text's ink up to which a pixel is of the same."""
_FREE_INK = 0.25
"""Of a text's ink: a line, a frame or a mark beside it."""
_FREE_HEIGHT = 2.0
"""Factor of the reference's height within which a new text's is free."""
_COVERED_SHARE, _LEAST_CLEAR = 0.25, 0.05
"""Of the product outside the zone: so much covered scores the latter."""


def text_replacement_parts(
    view: View, reader: Reader | None
) -> dict[str, float | None]:
    """`text` (skill of what is read), `ink_color`, `ink_height`, `once`.

    The ink counts by its closeness to the reference's: 1 / (1 + CIEDE2000 / 20), and
    the smaller of the two heights over the greater. `once`: nothing else is written.
    """
    written = _written(view, reader)
    return {
        "text": _text(view, written, reader),
        "ink_color": _mean_over(view, written, _color_closeness),
        "ink_height": _mean_over(view, written, _height_closeness),
        "once": _once(view, written),
    }


def text_addition_parts(view: View, reader: Reader | None) -> dict[str, float | None]:
    """`text` in the zone, `ink_color`, `ink_height`, `once`, `clear` and `extent`.

    The text may stand anywhere in the zone: text and ink are measured where the answer
    has it, its height within a factor of two for nothing. `once`: it is written once
    and nothing else is; `clear`: the product is not covered; `extent`: no more of the
    zone changes than the text takes.
    """
    written = _written(view, reader)
    return {
        "text": _text(view, written, reader),
        "ink_color": _mean_over(view, written, _color_closeness),
        "ink_height": _mean_over(view, written, _free_height),
        "once": _once(view, written),
        "clear": _clear(view, written),
        "extent": extent(view),
    }


def _written(view: View, reader: Reader | None) -> list[Written]:
    return written_texts(
        source=view.case.source,
        reference=view.case.reference,
        answer=view.answer,
        target_texts=view.case.target_texts,
        zone=view.case.masks.edit,
        reader=reader,
    )


def _text(
    view: View, written: Sequence[Written], reader: Reader | None
) -> float | None:
    value = text_skill(
        source=view.case.source,
        reference=view.case.reference,
        answer=view.answer,
        target_texts=view.case.target_texts,
        written=written,
        reader=reader,
    )
    return None if math.isnan(value) else value


def _mean_over(
    view: View, written: Sequence[Written], closeness: _Closeness
) -> float | None:
    values = [
        closeness(view, one)
        for one in written
        if not math.isnan(_own_color_error(view, one))
    ]
    return float(np.mean(values)) if values else None


def _own_color_error(view: View, one: Written) -> float:
    """NaN where no ink is found in the reference itself."""
    return ink_color_error(view.case.reference, view.case.reference, one.text.box)


def _color_closeness(view: View, one: Written) -> float:
    error = ink_color_error(view.case.reference, view.answer, one.text.box, one.place)
    return 0.0 if math.isnan(error) else 1.0 / (1.0 + error / _HALF_COLOR)


def _height_closeness(view: View, one: Written) -> float:
    ratio = ink_height_ratio(view.case.reference, view.answer, one.text.box, one.place)
    return 0.0 if math.isnan(ratio) or ratio <= 0 else min(ratio, 1.0 / ratio)


def _free_height(view: View, one: Written) -> float:
    return min(1.0, _FREE_HEIGHT * _height_closeness(view, one))


def _once(view: View, written: Sequence[Written]) -> float | None:
    """1 / (1 + more), where `more` is further ink in the zone, over the text's own.

    Further ink has the text's colour, differs from the source, and lies outside the
    places where the texts were found; a quarter of the own ink, and what the reference
    has likewise, are free. A text written twice scores 0.57, thrice 0.36.
    """
    if not written:
        return None
    amounts = [
        _further_ink(view, image, lab, places)
        for image, lab, places in (
            (view.answer, view.answer_lab, [one.place for one in written]),
            (
                view.case.reference,
                view.reference_lab,
                [one.text.box for one in written],
            ),
        )
    ]
    if amounts[1] is None:
        return None
    # Without ink there is no text, and `text` says so.
    more = 0.0 if amounts[0] is None else amounts[0] - amounts[1] - _FREE_INK
    return 1.0 / (1.0 + max(0.0, more))


def _further_ink(
    view: View,
    image: UInt8[np.ndarray, "h w 3"],
    lab: Float[np.ndarray, "h w 3"],
    places: Sequence[Box],
) -> float | None:
    """Ink outside the texts' places over the ink in them; None where none is found."""
    size = view.case.size
    inside = np.zeros(size, bool)
    further, own = np.zeros(size, bool), np.zeros(size, bool)
    for place in places:
        inside |= box_mask(place, size, max(2, place.height // 8))
    outside = view.case.masks.edit & ~inside
    outside[outside] = ciede2000(lab[outside], view.source_lab[outside]) > _COVERED
    for place in places:
        ink = find_ink(window_of(image, place))
        if ink is not None:
            at = box_mask(place, size, 0)
            own[at] |= _is_near(lab[at], ink.color)
            further[outside] |= _is_near(lab[outside], ink.color)
    count = int(np.count_nonzero(own))
    return int(np.count_nonzero(further)) / count if count else None


def _is_near(
    lab: Float[np.ndarray, "n 3"], color: Float[np.ndarray, " 3"]
) -> Bool[np.ndarray, " n"]:
    return ciede2000(lab, np.broadcast_to(color, lab.shape)) < _SAME_INK


def _clear(view: View, written: Sequence[Written]) -> float | None:
    size = view.case.size
    zone = np.zeros(size, bool)
    for text in view.case.target_texts:
        zone |= box_mask(text.box, size, max(2, text.box.height // 2))
    for one in written:
        zone |= box_mask(one.place, size, max(2, one.place.height // 2))
    # What the reference itself changes (a plate under the text) is not covered.
    is_meant = dilate((view.case.source != view.case.reference).any(axis=2), 1)
    product = view.case.masks.product & ~zone & ~is_meant
    if np.count_nonzero(product) < LEAST_PIXELS:
        return None
    # Grain is preservation's matter, and no cover.
    answer, source = (smooth(lab, 1.5)[product] for lab in view.labs[:2])
    share = float((ciede2000(answer, source) > _COVERED).mean())
    return max(_LEAST_CLEAR, 1.0 - share / _COVERED_SHARE)
