"""Columns of learned metrics: LPIPS, DINO, CLIP, by weights on the user's own disk.

`config` says which weights, `models` opens them, `measure` is what is measured, and
`captions` the sentences that CLIP compares pictures with. Without weights there are no
numbers; nothing is downloaded.
"""
