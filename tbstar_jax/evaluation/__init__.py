"""Measuring edits.

`consistency`: what an edit kept, changed and moved, per image and on average.
"""
