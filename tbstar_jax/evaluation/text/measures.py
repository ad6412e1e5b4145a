"""All text measures of one answer, and the skill that enters the edit score.

With a reader the texts of the known boxes are read; what the reader makes of the
reference (or of the source, for texts that must stay) is reported beside as its
ceiling. Without one only the drawings are compared. What cannot be measured is NaN,
never 0.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.evaluation.cases.case import KeptText, TargetText
from tbstar_jax.evaluation.text.crop import text_crop
from tbstar_jax.evaluation.text.distance import cer, exact, ned
from tbstar_jax.evaluation.text.glyphs import (
    glyph_overlap,
    ink_color_error,
    ink_height_ratio,
    ink_left,
    structure_left,
)
from tbstar_jax.evaluation.text.price import price_exact
from tbstar_jax.evaluation.text.reader import Reader

_MIN_SPREAD = 0.05
"""Between the errors of source and reference; with less, a measure tells nothing."""

_READABLE = 0.5
"""Errors per character in the source above which a reader cannot read a text."""

_Request: TypeAlias = tuple[UInt8[np.ndarray, "h w 3"], Sequence[KeptText]]
_Reads: TypeAlias = list[str | None]


def text_measures(
    *,
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    target_texts: Sequence[TargetText],
    kept_texts: Sequence[KeptText],
    reader: Reader | None,
) -> dict[str, float]:
    """Measures an answer's texts. Call it again with a registered answer for that form.

    Args:
      source: the picture before, on the canvas.
      reference: the right edit.
      answer: the edit, of the same size.
      target_texts: what the edit writes or takes away.
      kept_texts: what must stay.
      reader: OCR; None: the measures that need one are NaN.

    Returns:
      Always these names; each a mean over the texts it applies to, NaN without any.

        text_read           share of the texts, new and kept, that the reader could read
                            in the answer: those that it failed on enter no other mean
        text_cer            errors per character of the new texts, at least 0
        text_cer_ceiling    the same of the reference: what the reader itself misreads
        text_ned            similarity in [0, 1]
        text_exact          share read exactly
        price_exact         share of new prices read as the same number
        glyph_iou           overlap of the ink with the reference's, in [0, 1]
        ink_left            share of the contrast of texts to be taken away, at least 0
        ink_color_error     CIEDE2000 between the inks of answer and reference
        ink_height_ratio    height of the ink over the reference's
        keep_text_cer       errors per character of the texts that must stay
        keep_text_cer_ceiling  the same of the source
        keep_text_exact     share that is read right, or as it is read in the source
        keep_glyph_iou      overlap of the ink with the source's, in [0, 1]
    """
    wanted = [_known(text) for text in target_texts if text.new is not None]
    stays = [_known(text) for text in kept_texts]
    found, ceiling, kept, before = _read(
        [(answer, wanted), (reference, wanted), (answer, stays), (source, stays)],
        reader,
    )
    return {
        "text_read": math.nan if reader is None else _share_read([*found, *kept]),
        "text_cer": _mean_of(cer, wanted, found),
        "text_cer_ceiling": _mean_of(cer, wanted, ceiling),
        "text_ned": _mean_of(ned, wanted, found),
        "text_exact": _mean_of(exact, wanted, found),
        "price_exact": _mean_of(price_exact, wanted, found),
        **_drawing_measures(source, reference, answer, target_texts),
        "keep_text_cer": _mean_of(cer, stays, kept),
        "keep_text_cer_ceiling": _mean_of(cer, stays, before),
        "keep_text_exact": _mean(map(_reads_as_before, stays, before, kept)),
        "keep_glyph_iou": _mean(
            glyph_overlap(source, answer, t.box) for t in kept_texts
        ),
    }


def read_written(
    answer: UInt8[np.ndarray, "h w 3"],
    target_texts: Sequence[TargetText],
    reader: Reader,
) -> list[tuple[str, str]]:
    """What a reader reads where the edit writes: pairs of what should be there and it.

    A text that the reader cannot read at all is left out.
    """
    wanted = [_known(text) for text in target_texts if text.new is not None]
    (reads,) = _read([(answer, wanted)], reader)
    pairs = zip(wanted, reads, strict=True)
    return [(text.text, read) for text, read in pairs if read is not None]


def text_skill(
    *,
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    target_texts: Sequence[TargetText],
    reader: Reader | None,
) -> float:
    """Returns how far an answer's texts are on the way from source to reference.

    Of a text that is written, with e the error per character (at most 1) of what the
    reader reads:

        skill = clip((e(source) - e(answer)) / (e(source) - e(reference)), 0, 1)

    so a text the reader misreads even in the reference still earns 1. Without a
    reader, or where it cannot tell source and reference apart, the overlap of the ink
    with the reference's takes the place of 1 - e. Of a text that is taken away:
    1 - the larger of `ink_left` and `structure_left`.

    Args:
      source: the picture before, on the canvas.
      reference: the right edit.
      answer: the edit, of the same size.
      target_texts: what the edit writes or takes away.
      reader: OCR; None: drawings are compared.

    Returns:
      The mean over the texts, in [0, 1]: 0 for the source, 1 for the reference; NaN
      without a text in which they differ.
    """
    written = [text for text in target_texts if text.new is not None]
    removed = [text for text in target_texts if text.new is None]
    known = [_known(text) for text in written]
    reads = _read([(image, known) for image in (source, reference, answer)], reader)
    skills = [
        1.0
        - max(
            ink_left(source, reference, answer, text.box),
            structure_left(source, reference, answer, text.box),
        )
        for text in removed
    ]
    for text, one, *texts in zip(written, known, *reads, strict=True):
        skill = _reading_skill(one.text, texts)
        if math.isnan(skill):
            skill = _drawing_skill(source, reference, answer, text)
        skills.append(skill)
    return _mean(x if math.isnan(x) else min(1.0, max(0.0, x)) for x in skills)


def _drawing_measures(
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    target_texts: Sequence[TargetText],
) -> dict[str, float]:
    """Those of the texts of the edit that need no reader."""
    written = [text.box for text in target_texts if text.new is not None]
    removed = [text.box for text in target_texts if text.new is None]
    return {
        "glyph_iou": _mean(glyph_overlap(reference, answer, box) for box in written),
        "ink_left": _mean(ink_left(source, reference, answer, box) for box in removed),
        "ink_color_error": _mean(
            ink_color_error(reference, answer, box) for box in written
        ),
        "ink_height_ratio": _mean(
            ink_height_ratio(reference, answer, box) for box in written
        ),
    }


def _reading_skill(target: str, texts: Sequence[str | None]) -> float:
    """Source, reference, answer; NaN where the reader cannot tell the first two."""
    if any(text is None for text in texts):
        return math.nan
    before, best, now = (min(1.0, cer(target, text or "")) for text in texts)
    spread = before - best
    return (before - now) / spread if spread >= _MIN_SPREAD else math.nan


def _drawing_skill(
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    text: TargetText,
) -> float:
    before, now = (glyph_overlap(reference, x, text.box) for x in (source, answer))
    spread = 1.0 - before
    return (now - before) / spread if spread >= _MIN_SPREAD else math.nan


def _known(text: TargetText | KeptText) -> KeptText:
    """What a reader is to find.

    A number's language is that of the signs around it: `59.9` and the unit yuan.
    """
    words = text.text if isinstance(text, KeptText) else text.new or ""
    is_chinese = any("\u4e00" <= character <= "\u9fff" for character in words)
    language = text.language or ("zh" if is_chinese else None)
    return KeptText(text=words, language=language, box=text.box)


def _read(requests: Sequence[_Request], reader: Reader | None) -> list[_Reads]:
    """Reads the texts of several pictures in one call."""
    if reader is None:
        return [[None] * len(texts) for _, texts in requests]
    crops = [
        text_crop(image, text.box, text.text, text.language)
        for image, texts in requests
        for text in texts
    ]
    answers = reader.read(crops) if crops else []
    assert len(answers) == len(crops), "a reader answers for every crop"
    reads = iter(answers)
    return [[next(reads) for _ in texts] for _, texts in requests]


def _share_read(reads: _Reads) -> float:
    return _mean(float(read is not None) for read in reads)


def _reads_as_before(text: KeptText, before: str | None, now: str | None) -> float:
    """NaN where the reader cannot read the source, so that nothing is no agreement."""
    if before is None or now is None or cer(text.text, before) > _READABLE:
        return math.nan
    return max(exact(text.text, now), exact(before, now))


def _mean_of(
    measure: Callable[[str, str], float], texts: Sequence[KeptText], reads: _Reads
) -> float:
    pairs = zip(texts, reads, strict=True)
    return _mean(measure(text.text, read) for text, read in pairs if read is not None)


def _mean(values: Iterable[float]) -> float:
    """Over those that are numbers; NaN without any."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
