"""How far a text that was read is from the one that should be there.

Levenshtein's edit distance d of the normalised texts:

    cer = d / len(target)      errors per character; above 1 when more was read
    ned = 1 - d / max(len)     similarity in [0, 1]

The two are not interchangeable: published tables use one or the other.
"""

import numpy as np
from jaxtyping import Int

from tbstar_jax.evaluation.text.normalise import normalise


def distance(target: str, read: str) -> int:
    """Returns insertions, deletions and substitutions between normalised texts."""
    return levenshtein(normalise(target), normalise(read))


def levenshtein(first: str, second: str) -> int:
    """Returns insertions, deletions and substitutions between texts as they are."""
    return int(_table(first, second)[-1, -1])


def cer(target: str, read: str) -> float:
    """Returns the character error rate, at least 0.

    An empty target has no length to divide by: its rate is the number of characters
    read, as if its length were 1.
    """
    return distance(target, read) / max(1, len(normalise(target)))


def ned(target: str, read: str) -> float:
    """Returns the normalised similarity in [0, 1]; two empty texts are equal: 1."""
    longest = max(len(normalise(target)), len(normalise(read)))
    return 1.0 - distance(target, read) / longest if longest else 1.0


def exact(target: str, read: str) -> float:
    """Returns 1 when the normalised texts are equal, else 0."""
    return float(normalise(target) == normalise(read))


def confusions(target: str, read: str) -> list[tuple[str, str]]:
    """Aligns two normalised texts and names what differs.

    Args:
      target: what should be there.
      read: what was read.

    Returns:
      Pairs (expected, got) in the order of the text, as many as the distance: both one
      character where one was taken for the other; `""` as got where it is missing, as
      expected where it is too much.
    """
    expected, got = normalise(target), normalise(read)
    table = _table(expected, got)
    pairs = []
    i, j = len(expected), len(got)
    while i or j:
        here = table[i, j]
        if i and j:
            # Substitutions first: "59.9" read "59,9" is one confusion, not two.
            differs = expected[i - 1] != got[j - 1]
            if here == table[i - 1, j - 1] + differs:
                i, j = i - 1, j - 1
                if differs:
                    pairs.append((expected[i], got[j]))
                continue
        if i and here == table[i - 1, j] + 1:
            i -= 1
            pairs.append((expected[i], ""))
        else:
            j -= 1
            pairs.append(("", got[j]))
    return pairs[::-1]


def _table(first: str, second: str) -> Int[np.ndarray, "rows columns"]:
    """Distances between all beginnings of two texts."""
    codes = np.array([ord(c) for c in second], np.int64)
    steps = np.arange(len(second) + 1)
    rows = [steps]
    for count, character in enumerate(first, start=1):
        above = rows[-1]
        row = above + 1
        row[0] = count
        row[1:] = np.minimum(row[1:], above[:-1] + (codes != ord(character)))
        # Insertions: the least of what lies left plus one per step, all at once.
        rows.append(np.minimum.accumulate(row - steps) + steps)
    return np.stack(rows)
