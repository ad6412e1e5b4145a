"""All pairs of 64-bit hashes that differ in few bits, without comparing all pairs.

The bits are cut into blocks. Two hashes that differ in at most `max_distance` bits
agree in all blocks but that many, so they agree in some choice of the remaining ones:
for every such choice the hashes are sorted by those blocks and compared within equal
runs. With 9 blocks of 7 bits (one of 8) and 6 differing bits, 84 choices of 3 blocks
find every pair; four bands of 16 bits that must agree exactly would miss a third of the
pairs at distance 6.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from tbstar_jax.array_types import Bool, Int, Shaped
from tbstar_jax.errors import UserError

_NUM_AGREEING = 3
_CHUNK = 4_000_000
"""Pairs compared at a time, at most, for bounded memory."""


def near_pairs(
    hashes: Shaped[np.ndarray, " n"], max_distance: int
) -> Int[np.ndarray, "e 2"]:
    """Finds all pairs of distinct hashes within a Hamming distance.

    Args:
      hashes: uint64, all different.
      max_distance: 0 to 8 bits.

    Returns:
      Pairs of positions, the smaller first, each once, sorted; int64.

    Raises:
      UserError: the distance is out of range.
    """
    if not 0 <= max_distance <= 8:
        raise UserError(f"max_distance is {max_distance}, but must be 0 to 8 bits")
    blocks = np.array(_blocks(max_distance + _NUM_AGREEING), np.uint64)
    found: list[np.ndarray] = [np.empty((0, 2), np.int64)]
    for choice in itertools.combinations(range(len(blocks)), _NUM_AGREEING):
        mask = np.bitwise_or.reduce(blocks[list(choice)])
        for first, second in _colliding(hashes & mask):
            difference = hashes[first] ^ hashes[second]
            is_near = np.bitwise_count(difference) <= max_distance
            if is_near.any():
                pairs = np.stack([first[is_near], second[is_near]], axis=1)
                is_new = _is_first(difference[is_near], blocks, choice)
                found.append(np.sort(pairs[is_new], axis=1))
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _is_first(
    difference: Shaped[np.ndarray, " e"],
    blocks: Shaped[np.ndarray, " k"],
    choice: tuple[int, ...],
) -> Bool[np.ndarray, " e"]:
    """Whether a pair agrees in no earlier choice, so that each is found once."""
    agrees = (difference[:, None] & blocks) == 0
    leading = agrees & (np.cumsum(agrees, axis=1) <= len(choice))
    chosen = np.isin(np.arange(len(blocks)), choice)
    return np.asarray((leading == chosen).all(axis=1))


def _blocks(count: int) -> list[int]:
    """Cuts 64 bits into `count` masks of nearly equal width."""
    edges = [64 * k // count for k in range(count + 1)]
    return [((1 << stop) - (1 << start)) for start, stop in itertools.pairwise(edges)]


def _colliding(
    keys: Shaped[np.ndarray, " n"],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields all pairs of positions with equal keys, in chunks."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], len(ordered) > 0)) + 1
    # How many later members of its run every position is paired with.
    lengths = np.diff(ends, prepend=0)
    remaining = np.repeat(ends, lengths) - np.arange(len(keys)) - 1
    for start, stop in _chunks(remaining):
        counts = remaining[start:stop]
        first = np.repeat(np.arange(start, stop), counts)
        offsets = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
        yield order[first], order[first + 1 + offsets]


def _chunks(counts: Int[np.ndarray, " n"]) -> Iterator[tuple[int, int]]:
    """Cuts positions so that the pairs of a piece are few (but one position's)."""
    totals = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = totals[start - 1] if start else 0
        if totals[-1] == before:
            return
        stop = int(np.searchsorted(totals, before + _CHUNK, side="right"))
        stop = max(stop, start + 1)
        yield start, stop
        start = stop
