"""From records on disk to batches of arrays, on Grain.

Reading order: `records` (what a pair is), `sources` and `folder` (where pairs come
from), `buckets` (which pairs fit one batch), `transforms` (one pair to arrays),
`mixtures` (how much of which set), `pipeline` (all of it, resumable). `images` holds
encoding and decoding, `latents` sets that were encoded ahead.
"""
