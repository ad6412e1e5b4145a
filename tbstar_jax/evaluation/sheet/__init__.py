"""The contact sheet: pictures by the models that made them, and their scores.

contents: what is on a sheet. tables: scores as cells, Markdown and plain text. html:
one self-contained page. png: the same as one picture.
"""
