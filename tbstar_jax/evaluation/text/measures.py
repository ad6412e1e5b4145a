"""All text measures of one answer, and the skill that enters the edit score.

With a reader the texts of the known boxes are read, and of a new text that may stand
elsewhere the boxes in its zone where the answer wrote; never the whole picture. What
the reader makes of the reference (or of the source, for texts that must stay) is
reported beside as its ceiling. Without one only the drawings are compared. What cannot
be measured is NaN, never 0.

Names, each a mean over the texts it applies to:

    text_read           share of the texts, new and kept, that the reader could read
                        in the answer: those that it failed on enter no other mean
    text_cer            errors per character of the new texts, at least 0
    text_cer_ceiling    the same of the reference: what the reader itself misreads
    text_cer_source     the same of the source: what doing nothing gets
    text_ned            similarity in [0, 1]
    text_exact          share read exactly
    price_exact         share of new prices read as the same number
    text_elsewhere      share of the new texts found in another place of the zone
    glyph_iou           overlap of the ink with the reference's, in [0, 1]
    ink_left            share of the contrast of texts to be taken away, at least 0
    ink_color_error     CIEDE2000 between the inks of answer and reference
    ink_height_ratio    height of the ink over the reference's
    keep_text_cer       errors per character of the texts that must stay
    keep_text_cer_ceiling  the same of the source
    keep_text_exact     share that is read right, or as it is read in the source
    keep_glyph_iou      overlap of the ink with the source's, in [0, 1]

All of the registered answer; text_read, _cer, _ned, _exact, price_exact, glyph_iou,
keep_text_cer, _exact and keep_glyph_iou also of the answer as it lies, `<name>_raw`.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.evaluation.cases.case import KeptText, TargetText
from tbstar_jax.evaluation.text.distance import cer, exact, ned
from tbstar_jax.evaluation.text.glyphs import (
    glyph_overlap,
    ink_color_error,
    ink_height_ratio,
    ink_left,
    solid_overlap,
    structure_left,
)
from tbstar_jax.evaluation.text.price import price_exact
from tbstar_jax.evaluation.text.reader import Reader
from tbstar_jax.evaluation.text.reading import (
    Places,
    Reads,
    Written,
    known_text,
    read_texts,
)
from tbstar_jax.metrics.similarity import ciede2000_mean

_MIN_SPREAD = 0.05
"""Between the errors of source and reference; with less, a measure tells nothing."""

_READABLE = 0.5
"""Errors per character above which a reader cannot read a text, in the picture that has
it."""

_Drawing: TypeAlias = Callable[..., float]

_OF_BOTH = (
    "text_read",
    "text_cer",
    "text_ned",
    "text_exact",
    "price_exact",
    "glyph_iou",
    "keep_text_cer",
    "keep_text_exact",
    "keep_glyph_iou",
)
"""Measures of the registered answer that are also taken of it as it lies."""


def text_measures(
    *,
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    registered: UInt8[np.ndarray, "h w 3"],
    raw: UInt8[np.ndarray, "h w 3"],
    target_texts: Sequence[TargetText],
    kept_texts: Sequence[KeptText],
    zone: Bool[np.ndarray, "h w"],
    reader: Reader | None,
) -> dict[str, float]:
    """Measures an answer's texts, in one call of the reader.

    Args:
      source: the picture before, on the canvas.
      reference: the right edit.
      registered: the edit, its motion undone.
      raw: the edit as it lies; the same array where it did not move, and is read once.
      target_texts: what the edit writes or takes away.
      kept_texts: what must stay: read in their boxes alone.
      zone: where a text that is new may stand, see `written_texts`.
      reader: OCR; None: the measures that need one are NaN.

    Returns:
      All measures of the module's table, always; NaN where one does not apply.
    """
    wanted = [known_text(text) for text in target_texts if text.new is not None]
    stays = [known_text(text) for text in kept_texts]
    answers = [registered] if raw is registered else [registered, raw]
    places = [Places.of(source, reference, x, target_texts, zone) for x in answers]
    requests = [(reference, wanted), (source, wanted), (source, stays)]
    requests += [(x, one.asked) for x, one in zip(answers, places, strict=True)]
    requests += [(x, stays) for x in answers]
    best, nothing, before, *reads = read_texts(requests, reader)
    found = [
        _answer_measures(
            source,
            reference,
            answer,
            written=place.best(reference, answer, reads[k]),
            stays=stays,
            before=before,
            kept=reads[len(answers) + k],
            is_read=reader is not None,
        )
        for k, (answer, place) in enumerate(zip(answers, places, strict=True))
    ]
    return {
        **found[0],
        "text_cer_ceiling": _mean_of(cer, wanted, best),
        "text_cer_source": _mean_of(cer, wanted, nothing),
        "keep_text_cer_ceiling": _mean_of(cer, stays, before),
        "ink_left": _mean(
            ink_left(source, reference, registered, text.box)
            for text in target_texts
            if text.new is None
        ),
        **{f"{name}_raw": found[-1][name] for name in _OF_BOTH},
    }


def _answer_measures(
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    *,
    written: Sequence[Written],
    stays: Sequence[KeptText],
    before: Reads,
    kept: Reads,
    is_read: bool,
) -> dict[str, float]:
    """Those of one form of the answer: what it writes, and what it kept."""
    wanted = [known_text(one.text) for one in written]
    found = [one.read for one in written]

    def drawn(measure: _Drawing) -> float:
        return _mean(
            measure(reference, answer, one.text.box, one.place) for one in written
        )

    readable = [float(read is not None) for read in (*found, *kept)]
    return {
        "text_read": _mean(readable) if is_read else math.nan,
        "text_cer": _mean_of(cer, wanted, found),
        "text_ned": _mean_of(ned, wanted, found),
        "text_exact": _mean_of(exact, wanted, found),
        "price_exact": _mean_of(price_exact, wanted, found),
        "text_elsewhere": _mean(float(one.place != one.text.box) for one in written),
        "glyph_iou": drawn(glyph_overlap),
        "ink_color_error": drawn(ink_color_error),
        "ink_height_ratio": drawn(ink_height_ratio),
        "keep_text_cer": _mean_of(cer, stays, kept),
        "keep_text_exact": _mean(map(_reads_as_before, stays, before, kept)),
        "keep_glyph_iou": _mean(glyph_overlap(source, answer, t.box) for t in stays),
    }


def read_written(
    answer: UInt8[np.ndarray, "h w 3"],
    target_texts: Sequence[TargetText],
    reader: Reader,
) -> list[tuple[str, str]]:
    """What a reader reads where the edit writes: pairs of what should be there and it.

    A text that the reader cannot read at all is left out.
    """
    wanted = [known_text(text) for text in target_texts if text.new is not None]
    (reads,) = read_texts([(answer, wanted)], reader)
    pairs = zip(wanted, reads, strict=True)
    return [(text.text, read) for text, read in pairs if read is not None]


def text_skill(
    *,
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    target_texts: Sequence[TargetText],
    written: Sequence[Written],
    reader: Reader | None,
) -> float:
    """Returns how far an answer's texts are on the way from source to reference.

    Of a text that is written, with e the error per character (at most 1) of what the
    reader reads:

        skill = clip((e(source) - e(answer)) / (e(source) - e(reference)), 0, 1)

    so a text the reader misreads a little even in the reference still earns 1. Without
    a reader, or where it cannot tell source and reference apart or misreads more than
    half of the reference's characters, the overlap of the ink
    with the reference's takes the place of 1 - e; of a text that is new, what a bar
    over it would overlap is then worth nothing. Where drawings cannot tell either, the
    mean CIEDE2000 to the reference in the text's box takes the place of e. Of a text
    that is taken away: 1 - the larger of `ink_left` and `structure_left`.

    Args:
      source: the picture before, on the canvas.
      reference: the right edit.
      answer: the edit, of the same size.
      target_texts: what the edit writes or takes away.
      written: of `written_texts`, of the answer.
      reader: OCR of source and reference; None: drawings are compared.

    Returns:
      The mean over the texts, in [0, 1]: 0 for the source, 1 for the reference; NaN
      without a text in which they differ.
    """
    removed = [text.box for text in target_texts if text.new is None]
    known = [known_text(one.text) for one in written]
    reads = read_texts([(image, known) for image in (source, reference)], reader)
    skills = [
        1.0
        - max(
            ink_left(source, reference, answer, box),
            structure_left(source, reference, answer, box),
        )
        for box in removed
    ]
    for one, *texts in zip(written, *reads, strict=True):
        skill = _reading_skill(one.text.new or "", [*texts, one.read])
        if math.isnan(skill):
            skill = _drawing_skill(source, reference, answer, one)
        skills.append(skill)
    return _mean(x if math.isnan(x) else min(1.0, max(0.0, x)) for x in skills)


def _reading_skill(target: str, texts: Sequence[str | None]) -> float:
    """Source, reference, answer; NaN where the reader cannot tell the first two.

    Nor where it misreads half of the reference: what it makes of a picture that differs
    by a JPEG is then chance.
    """
    if any(text is None for text in texts):
        return math.nan
    before, best, now = (min(1.0, cer(target, text or "")) for text in texts)
    spread = before - best
    is_read = spread >= _MIN_SPREAD and best <= _READABLE
    return (before - now) / spread if is_read else math.nan


def _drawing_skill(
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    one: Written,
) -> float:
    box = one.text.box
    before = glyph_overlap(reference, source, box)
    if one.text.old is None:
        # Without an old text in its place anything that is drawn would be a gain.
        before = max(before, solid_overlap(reference, box))
    now = glyph_overlap(reference, answer, box, one.place)
    spread = 1.0 - before
    if spread >= _MIN_SPREAD:
        return (now - before) / spread
    # Letters as tall as their plate: the plate is taken for ink, in both pictures.
    asked, left = (
        ciede2000_mean(reference[box.slices], image[box.slices])
        for image in (source, answer)
    )
    return 1.0 - left / asked if asked > 0 else math.nan


def _reads_as_before(text: KeptText, before: str | None, now: str | None) -> float:
    """NaN where the reader cannot read the source, so that nothing is no agreement."""
    if before is None or now is None or cer(text.text, before) > _READABLE:
        return math.nan
    return max(exact(text.text, now), exact(before, now))


def _mean_of(
    measure: Callable[[str, str], float], texts: Sequence[KeptText], reads: Reads
) -> float:
    pairs = zip(texts, reads, strict=True)
    return _mean(measure(text.text, read) for text, read in pairs if read is not None)


def _mean(values: Iterable[float]) -> float:
    """Over those that are numbers; NaN without any."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
