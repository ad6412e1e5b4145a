"""Promotional cards and overlays on photos: flat pictures from parameters, in Pillow.

- `card`: the parameters: texts, prices, badges, logos, frames, watermarks, backdrops.
- `vocabulary`: what is written on them and what things are called, English and Chinese.
- `typesetting`, `shapes`, `signs`, `films`, `backdrops`: how each thing is drawn.
- `drawing`: a card to layers to pixels; a pair of cards to source, target and mask.
- `placement`, `sampling`: random parts that neither overlap nor vanish.
- `edits`, `rearranging`: a card before and after an edit, and the facts of the edit.
- `phrases_en`, `phrases_zh`, `requests`: the facts as instructions.
- `overlay_method`: pairs from real photos; `stage`: pairs from nothing.
"""
