"""Classical experts: edits by image processing alone, without any weights.

- `expert`: what the data engine asks, by task.
- `inpaint`, `strokes`, `retext`: removing things, removing text, replacing text.
- `segment`, `matte`: which pixels are the product, and its soft edge.
- `background`, `recolor`, `relight`: other surroundings, colour and light.
- `palette`: colours by name.
- `regions`: where an edit may reach, and pasting it back.
"""
