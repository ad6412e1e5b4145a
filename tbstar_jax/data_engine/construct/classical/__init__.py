"""Classical experts: edits by image processing alone, without any weights.

`expert` is what the data engine asks; `inpaint`, `strokes`, `segment`, `background`,
`recolor`, `retext` and `relight` each do one kind of edit; `regions` says where, and
pastes back.
"""
