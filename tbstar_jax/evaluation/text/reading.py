"""What is read of known texts, and where an answer has those that it was to write."""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.evaluation.cases.case import KeptText, TargetText
from tbstar_jax.evaluation.text.crop import text_crop
from tbstar_jax.evaluation.text.distance import cer
from tbstar_jax.evaluation.text.glyphs import glyph_overlap, solid_overlap
from tbstar_jax.evaluation.text.places import other_places
from tbstar_jax.evaluation.text.reader import Reader
from tbstar_jax.geometry import Box

Request: TypeAlias = tuple[UInt8[np.ndarray, "h w 3"], Sequence[KeptText]]
"""A picture, and the texts that are looked for in it."""

Reads: TypeAlias = Sequence[str | None]
"""Of each text; None where it could not be read."""

_READ = 0.5
"""Errors per character up to which what is read elsewhere is the text."""
_LIKENESS = 0.25
"""Of the way from a bar's overlap to the reference's: likewise of what is drawn."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Written:
    """A text that an edit was to write.

    Attributes:
      text: what was to be written; its `new` is not None.
      place: where the answer has it: the reference's box, or another in the zone.
      read: what is read there; None without a reader, or where it fails.
    """

    text: TargetText
    place: Box
    read: str | None


def known_text(text: TargetText | KeptText) -> KeptText:
    """Returns what a reader is to find.

    A number's language is that of the signs around it: `59.9` and the unit yuan.
    """
    words = text.text if isinstance(text, KeptText) else text.new or ""
    is_chinese = any("\u4e00" <= character <= "\u9fff" for character in words)
    language = text.language or ("zh" if is_chinese else None)
    return KeptText(text=words, language=language, box=text.box)


def read_texts(requests: Sequence[Request], reader: Reader | None) -> list[Reads]:
    """Reads the texts of several pictures in one call; all None without a reader."""
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


def written_texts(
    *,
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    target_texts: Sequence[TargetText],
    zone: Bool[np.ndarray, "h w"],
    reader: Reader | None,
) -> list[Written]:
    """Finds and reads what an answer wrote.

    Args:
      source: the picture before, on the canvas.
      reference: the right edit.
      answer: the edit, of the same size.
      target_texts: what the edit writes or takes away.
      zone: where a text that is new may stand. One that takes another's place is read
        in its box alone.
      reader: OCR; None: the place is chosen by the drawing.

    Returns:
      One for each text that is to be written.
    """
    places = Places.of(source, reference, answer, target_texts, zone)
    (reads,) = read_texts([(answer, places.asked)], reader)
    return places.best(reference, answer, reads)


@dataclasses.dataclass(frozen=True)
class Places:
    """Where the texts that an edit writes may be in an answer, the own box first."""

    texts: tuple[tuple[TargetText, tuple[Box, ...]], ...]

    @classmethod
    def of(
        cls,
        source: UInt8[np.ndarray, "h w 3"],
        reference: UInt8[np.ndarray, "h w 3"],
        answer: UInt8[np.ndarray, "h w 3"],
        target_texts: Sequence[TargetText],
        zone: Bool[np.ndarray, "h w"],
    ) -> "Places":
        """Looks for them; arguments as of `written_texts`."""
        found = []
        for text in target_texts:
            if text.new is None:
                continue
            others: tuple[Box, ...] = ()
            if text.old is None:
                others = other_places(
                    source=source,
                    reference=reference,
                    answer=answer,
                    zone=zone,
                    text=text.new,
                    box=text.box,
                )
            found.append((text, (text.box, *others)))
        return cls(tuple(found))

    @property
    def asked(self) -> list[KeptText]:
        """What is to be read: every text at each of its places."""
        return [
            dataclasses.replace(known_text(text), box=box)
            for text, boxes in self.texts
            for box in boxes
        ]

    def best(
        self,
        reference: UInt8[np.ndarray, "h w 3"],
        answer: UInt8[np.ndarray, "h w 3"],
        reads: Reads,
    ) -> list[Written]:
        """Chooses the place with the fewest errors, then the likest ink.

        Another than the own box only where half of the text is read, or its ink is
        likelier than a bar's: what is there is else no writing of this text.

        Args:
          reference: the right edit.
          answer: the edit.
          reads: of `asked`.
        """
        rest = iter(reads)
        found = []
        for text, boxes in self.texts:
            pairs = [(box, next(rest)) for box in boxes]
            place, read = pairs[0]
            if len(pairs) > 1:
                place, read = _likest(reference, answer, text, pairs)
            found.append(Written(text=text, place=place, read=read))
        return found


def _likest(
    reference: UInt8[np.ndarray, "h w 3"],
    answer: UInt8[np.ndarray, "h w 3"],
    text: TargetText,
    pairs: Sequence[tuple[Box, str | None]],
) -> tuple[Box, str | None]:
    bar = solid_overlap(reference, text.box)
    # Without ink in the reference nothing is like it.
    least = 1.0 if np.isnan(bar) else bar + _LIKENESS * (1 - bar)
    best, found = (2.0, 0.0), pairs[0]
    for place, read in pairs:
        error = 1.0 if read is None else min(1.0, cer(text.new or "", read))
        overlap = glyph_overlap(reference, answer, text.box, place)
        overlap = 0.0 if np.isnan(overlap) else overlap
        is_text = error <= _READ or overlap >= least or place == text.box
        if is_text and (error, -overlap) < best:
            best, found = (error, -overlap), (place, read)
    return found
