"""Building of data sets; `build` writes the procedural sets of the tiny preset."""
