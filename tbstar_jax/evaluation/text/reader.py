"""OCR behind a protocol, and Tesseract as the one that is used when it is installed.

All texts of a picture are read in one call: the program loads its language once and
takes them as the pages of one file.
"""

import dataclasses
import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.metrics.ocr import (
    find_tesseract,
    run_tesseract,
    tesseract_languages,
    tesseract_version,
)

_TESSERACT_NAMES: dict[Language | None, str] = {
    "en": "eng",
    "zh": "chi_sim",
    None: "eng",
}
_LINE, _BLOCK, _RAW_LINE = 7, 6, 13
"""Page segmentation: one line; a block of lines; a line without looking for it."""

_NUM_TRIES = 2
_MAX_REMEMBERED = 8192
_MIN_CONTRAST = 30.0
"""Grey levels between the darkest and the brightest of a crop that may hold text."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crop:
    """One text of a picture, as `crop.text_crop` cuts it out.

    Attributes:
      image: the text with some ground around it, at the size that readers like.
      language: what to expect; None for numbers and prices.
      num_lines: lines of writing, at least 1.
    """

    image: UInt8[np.ndarray, "h w 3"]
    language: Language | None
    num_lines: int


@runtime_checkable
class Reader(Protocol):
    """Reads cut-out texts.

    What it returns is not trusted: it is cut and cleaned before it is compared.
    """

    @property
    def name(self) -> str:
        """Names the program and its version, for reports."""

    def read(self, crops: Sequence[Crop]) -> list[str | None]:
        """Reads each crop; None where it cannot (no such language, a failure)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tesseract:
    """The Tesseract program as a reader.

    What was read is remembered by the pixels: the two prompts of a case, and an answer
    that kept a label, ask for the same crops again. A call that failed is not: on a
    busy machine it may have been too slow once.

    Attributes:
      program: its path.
      version: what it says of itself.
      languages: what it can read.
      seconds: after which a call is ended, plus the same per crop. A call that fails
        or is ended is tried once more.
    """

    program: str
    version: str
    languages: frozenset[str]
    seconds: float = 10.0
    _remembered: dict[bytes, str] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def name(self) -> str:
        """Names the program, its version and the languages that are used."""
        usable = sorted(set(_TESSERACT_NAMES.values()) & self.languages)
        return f"{self.version} ({', '.join(usable)})"

    def read(self, crops: Sequence[Crop]) -> list[str | None]:
        """Reads each crop; None where the language is missing or a call fails twice.

        Where the program finds no line (a blurred text often is none to it) the crop
        is read again as if it were one. A blank crop is not asked about: the program
        would read something.
        """
        keys = [_key(crop) for crop in crops]
        groups: dict[tuple[str, int], dict[bytes, Crop]] = {}
        for key, crop in zip(keys, crops, strict=True):
            language = _TESSERACT_NAMES[crop.language]
            if not _has_contrast(crop):
                self._remembered[key] = ""
            elif key not in self._remembered and language in self.languages:
                layout = _LINE if crop.num_lines == 1 else _BLOCK
                groups.setdefault((language, layout), {})[key] = crop
        for (language, layout), asked in groups.items():
            texts = self._call(language, layout, asked)
            missed = {key: asked[key] for key, text in texts.items() if text == ""}
            found = {key: text for key, text in texts.items() if text}
            self._remembered.update(found | self._call(language, _RAW_LINE, missed))
        answers = [self._remembered.get(key) for key in keys]
        if len(self._remembered) > _MAX_REMEMBERED:
            self._remembered.clear()
        return answers

    def _call(
        self, language: str, layout: int, crops: Mapping[bytes, Crop]
    ) -> dict[bytes, str]:
        """What is read in the crops; nothing after a second failure."""
        if not crops:
            return {}
        for _ in range(_NUM_TRIES):
            try:
                text = run_tesseract(
                    self.program,
                    _as_pages([crop.image for crop in crops.values()]),
                    languages=language,
                    layout=layout,
                    seconds=self.seconds * (1 + len(crops)),
                    form="txt",
                )
            except UserError:
                # A crop that cannot be read is not measured; it is no misread one.
                continue
            pages = [page.strip() for page in text.split("\f")]
            if len(pages) == len(crops):
                return dict(zip(crops, pages, strict=True))
        return {}


def find_reader() -> Tesseract | None:
    """Returns Tesseract; None where it, or its English, is not installed.

    On Debian: `apt-get install tesseract-ocr tesseract-ocr-chi-sim`.
    """
    program = find_tesseract()
    if program is None:
        return None
    languages = tesseract_languages(program)
    if "eng" not in languages:
        return None
    version = tesseract_version(program)
    return Tesseract(program=program, version=version, languages=languages)


def _has_contrast(crop: Crop) -> bool:
    """Whether the brightness varies as it does around glyphs."""
    low, high = np.percentile(crop.image.mean(axis=-1), (1.0, 99.0))
    return bool(high - low >= _MIN_CONTRAST)


def _key(crop: Crop) -> bytes:
    told = repr((crop.image.shape, crop.language, crop.num_lines == 1)).encode()
    return hashlib.sha256(told + crop.image.tobytes()).digest()


def _as_pages(images: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> bytes:
    pages = [Image.fromarray(image) for image in images]
    data = io.BytesIO()
    pages[0].save(data, format="TIFF", save_all=True, append_images=pages[1:])
    return data.getvalue()
