"""Whether writing outside the edit is still there and still reads the same.

Three ways, the best available: a reader (OCR) that was injected, the boxes of texts
that whoever rendered the pair noted in `provenance["text_boxes"]`, or every place with
edges as strong as a glyph's. The second and third compare edges: a text that was lost,
blurred away or replaced has other ones.

    "text_boxes": [{"text": "SALE", "box": [top, left, bottom, right]}, ...]

in pixels of the first source.
"""

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from tbstar_jax.data_engine.stage import fingerprint_of
from tbstar_jax.data_engine.text_reader import Reader, Text, tesseract_reader

MAX_TEXTS = 200
"""Texts of a record that are looked at."""

_CELL = 24
_STRONG_EDGE = 15.0
"""Luma step per pixel, in levels, of an edge that belongs to a glyph."""
_MIN_EDGES = 12


def text_kept(
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    outside: Bool[np.ndarray, "h w"],
    texts: Sequence[Text] = (),
    reader: Reader | None = None,
) -> float:
    """Returns how well writing outside the region was kept, 0 to 1; NaN without any.

    Args:
      source: the picture before.
      target: the picture after, registered.
      outside: what must stay.
      texts: what is known to be written in the source.
      reader: reads both pictures; the share of the source's characters that the target
        still has in their place is the answer.
    """
    if reader is not None:
        return _characters_kept(reader(source), reader(target), outside)
    boxes = [text.box for text in texts] or _grid(source.shape)
    shares = _agreement(source, target, outside, np.array(boxes))
    return float(shares.min()) if shares.size else math.nan


def noted_texts(provenance: dict[str, Any], shape: tuple[int, ...]) -> tuple[Text, ...]:
    """Reads `text_boxes`; entries that are no box of this image are passed over.

    Args:
      provenance: of a record, from anywhere.
      shape: rows and columns of its first source.
    """
    entries = provenance.get("text_boxes", ())
    if not isinstance(entries, list):
        return ()
    texts = []
    for entry in entries[:MAX_TEXTS]:
        box = entry.get("box") if isinstance(entry, dict) else None
        if not isinstance(box, list) or [type(x) for x in box] != [int] * 4:
            continue
        top, left, bottom, right = box
        if 0 <= top < bottom <= shape[0] and 0 <= left < right <= shape[1]:
            text = entry.get("text")
            text = text if isinstance(text, str) else ""
            texts.append(Text(text=text, box=(top, left, bottom, right)))
    return tuple(texts)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tesseract:
    """The Tesseract program as a tool of `MeasurePairs`.

    Attributes:
      languages: as Tesseract names them, e.g. `chi_sim+eng`.
      min_confidence: of a word, 0 to 100.
    """

    languages: str = "eng"
    min_confidence: float = 50.0

    @property
    def fingerprint(self) -> str:
        """Names the settings, not the program's version."""
        return fingerprint_of("tesseract", 1, dataclasses.asdict(self))

    @contextlib.contextmanager
    def open(self) -> Iterator[Reader]:
        """Finds the program; raises as `tesseract_reader` does."""
        yield tesseract_reader(self.languages, self.min_confidence)


def _characters_kept(
    before: Sequence[Text], after: Sequence[Text], outside: Bool[np.ndarray, "h w"]
) -> float:
    num_characters = num_kept = 0
    for text in before:
        top, left, bottom, right = text.box
        here = outside[top:bottom, left:right]
        if not here.size or here.mean() < 0.9:
            continue
        num_characters += len(text.text)
        if any(other.text == text.text and _overlap(text, other) for other in after):
            num_kept += len(text.text)
    return num_kept / num_characters if num_characters else math.nan


def _overlap(first: Text, second: Text) -> bool:
    """Whether two boxes share at least half of the smaller one."""
    top, left = (max(a, b) for a, b in zip(first.box[:2], second.box[:2], strict=True))
    bottom, right = (
        min(a, b) for a, b in zip(first.box[2:], second.box[2:], strict=True)
    )
    common = max(0, bottom - top) * max(0, right - left)
    return common >= 0.5 * min(_area(first), _area(second))


def _area(text: Text) -> int:
    top, left, bottom, right = text.box
    return (bottom - top) * (right - left)


def _agreement(
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    outside: Bool[np.ndarray, "h w"],
    boxes: Int[np.ndarray, "n 4"],
) -> Float[np.ndarray, " k"]:
    """Compares the boxes that hold glyphs: the lesser of two agreements, 0 to 1.

    The share of the strong edges that still are near, which sees what was lost, and the
    correlation of the luma, which sees what was replaced.
    """
    x, y = (
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64)
        for image in (source, target)
    )
    before, after = _steps(x), _steps(y)
    # Cubic resampling and codecs move an edge by up to a pixel and weaken it.
    near = cv2.dilate(after, np.ones((3, 3), np.uint8))
    is_strong = (before >= _STRONG_EDGE) & outside
    is_kept = is_strong & (near >= 0.5 * before)
    weight = outside.astype(np.float64)
    maps = (
        is_strong,
        is_kept,
        weight,
        *(weight * v for v in (x, y, x * x, y * y, x * y)),
    )
    sums = np.stack([_box_sums(one.astype(np.float64), boxes) for one in maps])
    strong, kept, count, x1, y1, xx, yy, xy = sums[:, sums[0] >= _MIN_EDGES]
    covariance = xy / count - x1 * y1 / count**2
    spread = np.sqrt(
        np.maximum(xx / count - (x1 / count) ** 2, 1e-9)
        * np.maximum(yy / count - (y1 / count) ** 2, 1e-9)
    )
    return np.minimum(kept / strong, np.clip(np.round(covariance / spread, 9), 0, 1))


def _box_sums(
    values: Float[np.ndarray, "h w"], boxes: Int[np.ndarray, "n 4"]
) -> Float[np.ndarray, " n"]:
    total = cv2.integral(values)
    limits = np.array([values.shape[0], values.shape[1]] * 2)
    top, left, bottom, right = np.minimum(boxes, limits).T
    return (
        total[bottom, right]
        - total[top, right]
        - total[bottom, left]
        + total[top, left]
    )


def _steps(luma: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Returns the luma's step per pixel, in levels."""
    columns, rows = (
        cv2.Sobel(luma, cv2.CV_64F, *axis, scale=0.25) for axis in ((1, 0), (0, 1))
    )
    return cv2.magnitude(columns, rows)


def _grid(shape: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Cells that overlap by half, so that no small label falls between them."""
    step = _CELL // 2
    return [
        (top, left, top + _CELL, left + _CELL)
        for top in range(0, max(1, shape[0] - step), step)
        for left in range(0, max(1, shape[1] - step), step)
    ]
