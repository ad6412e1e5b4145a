"""The typeface of everything the data engine prints: Latin and simplified Chinese.

- `loader`: a font of a weight and size, and whether it has a glyph for each character.
- `TBStarLayoutSans-*.otf`: the two weights, under the licence in `OFL.txt`.
"""
