"""The arithmetic of VIEScore and of ImgEdit-Bench.

VIEScore (arXiv 2312.14867; TIGER-AI-Lab/VIEScore, viescore/__init__.py), per picture:

    SC = min(semantic scores)    PQ = min(perceptual scores)    O = sqrt(SC PQ)

and the mean of O over the pictures of a task, then over tasks (GEdit-Bench,
calculate_statistics.py). sqrt(mean SC mean PQ) is another, larger number.

ImgEdit-Bench (arXiv 2505.20275, Benchmark/Basic/step1_get_avgscore.py,
step2_typescore.py): the mean of three marks rounded to two decimals, its mean over the
pictures of a type rounded again. Its scripts stop there; published totals are the mean
over types (macro), so both that and the mean over pictures (micro) are given.
"""

import math
import statistics
from collections.abc import Mapping, Sequence


def reduced(scores: Sequence[float]) -> float:
    """SC or PQ of a picture: the smallest of its scores.

    Args:
      scores: at least one, in [0, 10].
    """
    return min(scores)


def overall(semantic: Sequence[float], perceptual: Sequence[float]) -> float:
    """O of a picture, in [0, 10].

    Args:
      semantic: at least one score, in [0, 10].
      perceptual: likewise.
    """
    return math.sqrt(reduced(semantic) * reduced(perceptual))


def macro_mean(by_task: Mapping[str, Sequence[float]]) -> float:
    """Mean over tasks of the mean over a task's pictures.

    Args:
      by_task: at least one task, each with at least one value.
    """
    return statistics.fmean(statistics.fmean(values) for values in by_task.values())


def micro_mean(by_task: Mapping[str, Sequence[float]]) -> float:
    """Mean over all pictures, whatever their task; arguments as `macro_mean`."""
    return statistics.fmean(value for values in by_task.values() for value in values)


def imgedit_item(marks: Sequence[float]) -> float:
    """An item's mark in ImgEdit-Bench, in [1, 5]: the mean of three, two decimals."""
    return round(statistics.fmean(marks), 2)


def imgedit_type(items: Sequence[float]) -> float:
    """A type's mark in ImgEdit-Bench: the mean of its items', to two decimals."""
    return round(statistics.fmean(items), 2)


def exceeds_cap(marks: Sequence[float]) -> bool:
    """Whether a mark is above the first, which ImgEdit's rubrics ask it not to be.

    Their scripts do not enforce it, and neither is it here: such items are counted.
    """
    return max(marks[1:]) > marks[0]
