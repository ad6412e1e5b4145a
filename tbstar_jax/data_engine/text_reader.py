"""Words anywhere in a picture, read by the Tesseract program."""

import csv
import dataclasses
import io
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.metrics.ocr import find_tesseract, run_tesseract

_OCR_SECONDS = 60
_WORDS_ANYWHERE = 11


@dataclasses.dataclass(frozen=True, kw_only=True)
class Text:
    """Something written in a picture.

    Attributes:
      text: the characters; may be empty when only the place is known.
      box: top, left, bottom, right in pixels, bottom and right exclusive.
    """

    text: str
    box: tuple[int, int, int, int]


Reader: TypeAlias = Callable[[UInt8[np.ndarray, "h w 3"]], Sequence[Text]]
"""Reads what is written in a picture: OCR."""


def tesseract_reader(languages: str = "eng", min_confidence: float = 50.0) -> Reader:
    """Returns a reader that runs the Tesseract program on this machine.

    Args:
      languages: as Tesseract names them, e.g. `chi_sim+eng`.
      min_confidence: of a word, 0 to 100.

    Raises:
      UserError: there is no such program.
    """
    program = find_tesseract()
    if program is None:
        raise UserError(
            "the program tesseract is not installed; install it with its languages, or "
            "leave the reader out to compare edges instead"
        )

    def read(image: UInt8[np.ndarray, "h w 3"]) -> Sequence[Text]:
        table = run_tesseract(
            program,
            encode_png(image),
            languages=languages,
            layout=_WORDS_ANYWHERE,
            seconds=_OCR_SECONDS,
            form="tsv",
        )
        return words_of_tsv(table, min_confidence)

    return read


def words_of_tsv(table: str, min_confidence: float) -> tuple[Text, ...]:
    """Reads Tesseract's table of words, those of at least a confidence, 0 to 100."""
    words = []
    rows = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
    for row in rows:
        word = (row.get("text") or "").strip()
        if not word or float(row["conf"]) < min_confidence:
            continue
        top, left = int(row["top"]), int(row["left"])
        box = (top, left, top + int(row["height"]), left + int(row["width"]))
        words.append(Text(text=word, box=box))
    return tuple(words)
