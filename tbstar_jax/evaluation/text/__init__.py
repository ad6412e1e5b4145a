"""Whether the right text stands in known boxes, without a judge.

- `measures`: everything below for one answer; what other packages call.
- `normalise`, `distance`, `price`: comparing what is written with what is read.
- `reader`, `crop`: OCR behind a protocol, and what it is shown.
- `ink`, `glyphs`: comparing the drawings themselves, which needs no OCR.
"""

from tbstar_jax.evaluation.text.measures import text_measures, text_skill
from tbstar_jax.evaluation.text.reader import Reader, Tesseract, find_reader

__all__ = ["Reader", "Tesseract", "find_reader", "text_measures", "text_skill"]
