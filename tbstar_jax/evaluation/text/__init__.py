"""Whether the right text stands in known boxes, without a judge.

- `measures`: everything below for one answer: `text_measures`, `text_skill`.
- `normalise`, `distance`, `price`: comparing what is written with what is read.
- `reader`, `crop`: OCR behind a protocol, Tesseract, and what it is shown.
- `places`: where in its zone an answer wrote a text that may stand anywhere in it.
- `ink`, `glyphs`: comparing the drawings themselves, which needs no OCR.
"""
