"""Promotional cards and overlays on photos: flat pictures from parameters, in Pillow.

- `card`: the parameters: texts, prices, badges, logos, frames, watermarks, backdrops.
- `vocabulary`: what is written on them and what things are called, English and Chinese.
- `typesetting`, `shapes`, `films`, `backdrops`: how each thing is drawn.
- `drawing`: a card to layers to pixels; a pair of cards to source, target and mask.
- `bases`, `placement`, `sampling`: random parts that neither overlap nor vanish.
- `edits`, `product_edits`, `retexting`, `rearranging`: a card before and after an edit,
  with the facts of the edit; `naming`: parts as facts.
- `phrases_en`, `phrases_zh`, `requests`: the facts as instructions.
- `pairs`, `text_boxes`: an edit as the fields of a record.
- `overlay_method`: pairs from real photos; `stage`: pairs from nothing.
"""
