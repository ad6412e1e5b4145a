"""A sampled edit as an edit pair: encoded images, exact mask, instructions, notes."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.data_engine.layout.card import card_digest
from tbstar_jax.data_engine.layout.drawing import Drawing, draw, prove
from tbstar_jax.data_engine.layout.edit import Edit
from tbstar_jax.data_engine.layout.requests import requests
from tbstar_jax.data_engine.layout.text_boxes import text_boxes
from tbstar_jax.data_engine.templates import Pair
from tbstar_jax.geometry import place_on_canvas
from tbstar_jax.input_pipeline.records import encode_png

LAYOUT_VERSION = 1
"""Raised whenever the same parameters would give other pixels or other text."""

MAX_ATTEMPTS = 60
"""Draws of one edit before it is given up."""

_LEAST_DIFFERENCE = 24
_LEAST_SHARE = 0.001

Sampler: TypeAlias = Callable[[np.random.Generator], Edit | None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawn:
    """An edit with its two pictures.

    Attributes:
      edit: what was sampled.
      source: the drawing before it, of the whole canvas.
      target: the drawing after it.
      pair: the pictures as they are stored, with the exact mask.
    """

    edit: Edit
    source: Drawing
    target: Drawing
    pair: Pair


def draw_edit(
    rng: np.random.Generator,
    sample: Sampler,
    photo: UInt8[np.ndarray, "h w 3"] | None = None,
) -> Drawn | None:
    """Samples until an edit has room and can be seen.

    Args:
      rng: source of random numbers.
      sample: draws an edit, or None.
      photo: pixels of the photo backdrop, if there is one.

    Returns:
      The edit, or None where `MAX_ATTEMPTS` draws did not give one.
    """
    for _ in range(MAX_ATTEMPTS):
        edit = sample(rng)
        if edit is None:
            continue
        drawn = _drawn(edit, photo)
        if edit.task == "identity" or _is_visible(drawn.pair):
            return drawn
    return None


def pair_fields(
    rng: np.random.Generator, drawn: Drawn, max_instruction_bytes: int
) -> dict[str, Any]:
    """The fields of `EditRecord` that an edit decides, without key and scene.

    Args:
      rng: shuffles the phrasings.
      drawn: the edit.
      max_instruction_bytes: longest instruction, UTF-8 bytes.
    """
    edit = drawn.edit
    english, chinese = requests(edit.wording, edit.facts, max_instruction_bytes)
    window = edit.window
    provenance: dict[str, Any] = {
        "method": "template",
        "transform": "identity" if edit.task == "identity" else "construct",
        "engine_version": LAYOUT_VERSION,
        "wording": edit.wording,
        "facts": edit.facts.to_json(),
        "text_boxes": text_boxes(drawn.source, drawn.target, window),
        "source_card": card_digest(edit.before),
        "target_card": card_digest(edit.after),
    }
    if window is not None:
        provenance["photo_box"] = dataclasses.asdict(window.photo)
    return {
        "source_images": (encode_png(drawn.pair.source),),
        "target_image": encode_png(drawn.pair.target),
        "change_mask": encode_png(drawn.pair.change_mask),
        "instructions_en": _shuffled(rng, english),
        "instructions_zh": _shuffled(rng, chinese),
        "task": edit.task,
        "provenance": provenance,
    }


def _drawn(edit: Edit, photo: UInt8[np.ndarray, "h w 3"] | None) -> Drawn:
    source = draw(edit.before, photo)
    target = draw(edit.after, photo, like=source)
    pair = prove(source, target)
    if edit.window is not None:
        shown = pair.source[edit.window.photo.slices]
        canvas = place_on_canvas(shown, edit.window)
        differs = np.any(canvas != pair.target, axis=2)
        mask = np.where(differs, np.uint8(255), np.uint8(0))
        assert not mask[edit.window.photo.slices].any(), "the shown part is kept"
        pair = Pair(source=canvas, target=pair.target, change_mask=mask)
    return Drawn(edit=edit, source=source, target=target, pair=pair)


def _is_visible(pair: Pair) -> bool:
    """Whether enough pixels change by enough for anybody to see it."""
    difference = np.abs(pair.source.astype(np.int16) - pair.target.astype(np.int16))
    strong = difference.max(axis=2) >= _LEAST_DIFFERENCE
    return float(np.mean(strong)) >= _LEAST_SHARE


def _shuffled(rng: np.random.Generator, texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(texts[int(k)] for k in rng.permutation(len(texts)))
