"""The right text and wrong ones, drawn alike in the place of the reference's.

A text that is redrawn differs from the reference in style whatever it says. So the
wrong text is compared with the right one drawn by the same hand.
"""

import math

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.data_engine.layout.typesetting import text_layer
from tbstar_jax.data_engine.render.layers import Layer
from tbstar_jax.evaluation.audit.local import DoesNotApplyError, wiped
from tbstar_jax.evaluation.cases.case import Case, TargetText
from tbstar_jax.geometry import Box

_HAN = "新好大美品"
"""Characters that take the place of Chinese ones."""
_SEEN = 0.1
_MAX_LINES = 3
_LARGEST, _STEP = 1.8, 0.1
"""The em square's height over the ink's, at most, and how finely it is tried."""


def redrawn(case: Case) -> UInt8[np.ndarray, "h w 3"]:
    """The reference with its new text drawn anew.

    Raises:
      DoesNotApplyError: the edit writes no text.
    """
    text = _target(case)
    assert text.new is not None
    return _with_text(case, text, text.new)


def wrong_text(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """The reference with `amount` characters of its text changed; infinity: all.

    Raises:
      DoesNotApplyError: the edit writes no text, or has too few characters.
    """
    del rng
    text = _target(case)
    assert text.new is not None
    return _with_text(case, text, misspelt(text.new, amount))


def misspelt(text: str, amount: float) -> str:
    """Changes characters from the middle on, each to another of its kind.

    Raises:
      DoesNotApplyError: fewer than `amount`, or none, can be changed.
    """
    places = [at for at, character in enumerate(text) if character.isalnum()]
    if not places or (math.isfinite(amount) and len(places) <= amount):
        raise DoesNotApplyError("the text has too few characters")
    if math.isfinite(amount):
        first = (len(places) - round(amount)) // 2
        places = places[first : first + round(amount)]
    return "".join(
        _another(character) if at in places else character
        for at, character in enumerate(text)
    )


def _another(character: str) -> str:
    if character.isdigit():
        return str((int(character) + 4) % 10)
    if character.isascii():
        first = ord("a" if character.islower() else "A")
        return chr(first + (ord(character) - first + 7) % 26)
    return next(other for other in _HAN if other != character)


def _target(case: Case) -> TargetText:
    # A thing that is added may be labelled, but nobody asked for the words.
    for text in case.target_texts if case.task.startswith("text_") else ():
        if text.new is not None:
            return text
    raise DoesNotApplyError("the edit writes no text")


def _with_text(case: Case, text: TargetText, words: str) -> UInt8[np.ndarray, "h w 3"]:
    image = wiped(case.reference, [text.box])
    layer = _fitted(words, text, case.size)
    rows, columns = layer.alpha.shape
    window = image[layer.top : layer.top + rows, layer.left : layer.left + columns]
    ground = (1 - layer.alpha[..., None]) * window
    window[:] = np.rint(np.clip(255 * layer.color + ground, 0, 255))
    return image


def _fitted(words: str, text: TargetText, size: tuple[int, int]) -> Layer:
    """The words, as large as their ink fits the box of the reference's."""
    box = text.box
    middle = (box.top + box.height / 2, box.left + box.width / 2)
    scale = _LARGEST
    while True:
        height, width = scale * box.height, min(scale, 1.1) * box.width
        layer = text_layer(
            words,
            text.ink,
            box=(middle[0] - height / 2, middle[1] - width / 2, height, width),
            size=size,
            weight="bold",
            max_lines=_MAX_LINES,
        )
        scale -= _STEP
        if scale < 1 or _fits(layer, box):
            return layer


def _fits(layer: Layer, box: Box) -> bool:
    rows, columns = np.nonzero(layer.alpha > _SEEN)
    if not rows.size:
        return True
    is_tall = np.ptp(rows) + 1 > box.height + 1
    return not (is_tall or np.ptp(columns) + 1 > box.width + 1)
