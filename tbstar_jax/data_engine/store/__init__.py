"""What is known about the records of a set, and which of them are trained on.

- `codecs`: which image files may be in a pair.
- `licences`: which licences allow commercial use.
- `index`: the side index of a set, one line per record; decisions change it alone.
- `query`: from conditions on the index to row numbers.
- `mixtures`: the two training mixtures, in one table.
- `mix`: from mixtures and sets to selections that training takes.
- `summary`: how many records of what, as tables.
"""
