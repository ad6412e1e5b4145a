"""TextEdit's measures of what is written, from the texts that OCR finds in a picture.

The line of the photo most like the text that is to be replaced is the edit's; its boxes
span the region. With similarity s(a, b) = 1 - distance / (max length + 1e-5):

    target accuracy   best s of the new text with a text or line in that region; a
                      fifth of it where the old text is still somewhere and the new
                      one nowhere
    recall            half the target accuracy, plus half the mean similarity of the
                      other lines with their likest line of the answer
    precision         the same sum over what the answer has lines for
    f1                of both
    roi_ned           s of the new text with all that stands where the old text stood

All are 0 where OCR does not find the old text in the photo: that many say nothing of
the answer, so they are counted. open-compass/TextEdit (7fc7b40),
eval_pipeline/classic_metrics_eval.py and classic_ocr_tools.py.

TextEdit compares letters and digits alone, so 59.9 is 599; the same measures with our
normalisation, which keeps signs of currency, points and percents, stand beside. Its OCR
is PaddleOCR; with another one, numbers do not compare to published ones.
"""

import dataclasses
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from tbstar_jax.data_engine.text_reader import Text
from tbstar_jax.evaluation.public.items import Texts
from tbstar_jax.evaluation.text.distance import levenshtein

Normalise: TypeAlias = Callable[[str], str]
Box: TypeAlias = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels."""

_SAME_LINE = 10.0
"""Pixels between the middles of two boxes of a line."""
_MIN_LINE = 0.5
_MIN_ROI = 0.6
_STALE = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class WordScores:
    """Of one answer, in [0, 1].

    Attributes:
      is_found: whether OCR found the old text in the photo.
      target_accuracy: see above, and what follows.
      precision: likewise.
      recall: likewise.
      f1: likewise.
      roi_ned: likewise.
    """

    is_found: bool
    target_accuracy: float = 0.0
    precision: float = 0.0
    recall: float = 0.0
    f1: float = 0.0
    roi_ned: float = 0.0

    def values(self) -> Mapping[str, float]:
        """By name."""
        return {
            name: float(value)
            for name, value in dataclasses.asdict(self).items()
            if name != "is_found"
        }


def alphanumerics(text: str) -> str:
    """TextEdit's normalisation: NFKC, lower case, letters and digits alone."""
    lowered = unicodedata.normalize("NFKC", text).lower()
    return "".join(character for character in lowered if character.isalnum())


def similarity(first: str, second: str) -> float:
    """TextEdit's, in [0, 1]; two empty texts are 1."""
    longest = max(len(first), len(second))
    return 1 - levenshtein(first, second) / (longest + 1e-5)


def word_scores(
    before: Sequence[Text], after: Sequence[Text], texts: Texts, normalise: Normalise
) -> WordScores:
    """Scores an answer.

    Args:
      before: what OCR finds in the photo.
      after: in the answer, of the photo's size.
      texts: the old text and the new one.
      normalise: what is compared of a text.
    """
    old, new = normalise(texts.before), normalise(texts.after)
    lines = lines_of(before)
    likeness = [_likeness(old, _joined(line, normalise)) for line in lines]
    best = max(likeness, default=0.0)
    if best < _MIN_LINE:
        return WordScores(is_found=False)
    if not after:
        return WordScores(is_found=True)
    edited = likeness.index(best)
    region = _union([text.box for text in lines[edited]])
    inside = [text for text in after if _is_inside(text.box, region)]
    others = [text for text in after if not _is_inside(text.box, region)]
    target = _target_accuracy(inside, after, old, new, normalise)
    kept = [text for k, line in enumerate(lines) if k != edited for text in line]
    wanted, found = lines_of(kept), lines_of(others)
    weight = 0.5 / len(wanted) if wanted else 0.0
    right = 0.5 * target + weight * _aligned(wanted, found, normalise)
    recall = right / (0.5 + weight * len(wanted))
    precision = right / (0.5 + weight * len(found))
    total = precision + recall
    return WordScores(
        is_found=True,
        target_accuracy=target,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / total if total > 0 else 0.0,
        roi_ned=_roi_ned(before, after, old, new, normalise),
    )


def lines_of(texts: Sequence[Text]) -> list[list[Text]]:
    """Texts whose middles are less than 10 px apart, one after the other, from left."""
    lines: list[list[Text]] = []
    for text in sorted(texts, key=_middle):
        if lines and abs(_middle(text) - _middle(lines[-1][-1])) < _SAME_LINE:
            lines[-1].append(text)
        else:
            lines.append([text])
    return [sorted(line, key=lambda text: text.box[1]) for line in lines]


def _target_accuracy(
    inside: Sequence[Text],
    after: Sequence[Text],
    old: str,
    new: str,
    normalise: Normalise,
) -> float:
    singles = [normalise(text.text) for text in inside]
    candidates = singles + [_joined(line, normalise) for line in lines_of(inside)]
    best = max((similarity(new, text) for text in candidates), default=0.0)
    everything = normalise("".join(text.text for text in after))
    is_stale = old in everything and new not in everything
    return best * _STALE if is_stale else best


def _aligned(
    wanted: Sequence[Sequence[Text]],
    found: Sequence[Sequence[Text]],
    normalise: Normalise,
) -> float:
    """Sum of the similarities of lines with their likest ones, each taken once."""
    left = [_joined(line, normalise) for line in found]
    total = 0.0
    for line in wanted:
        text = _joined(line, normalise)
        scores = [similarity(text, other) for other in left]
        best = max(scores, default=0.0)
        if best > 0:
            total += best
            del left[scores.index(best)]
    return total


def _roi_ned(
    before: Sequence[Text],
    after: Sequence[Text],
    old: str,
    new: str,
    normalise: Normalise,
) -> float:
    scores = [similarity(old, normalise(text.text)) for text in before]
    best = max(scores, default=0.0)
    if best <= _MIN_ROI:
        return 0.0
    box = before[scores.index(best)].box
    here = [text for text in after if _iou(text.box, box) > 0.3]
    if not here:
        return 0.0
    read = _joined(sorted(here, key=lambda text: text.box[1]), normalise)
    is_stale = similarity(old, read) > 0.9 and similarity(old, new) < 0.5
    return similarity(new, read) * (_STALE if is_stale else 1.0)


def _likeness(old: str, line: str) -> float:
    return 1.0 if old in line else similarity(old, line)


def _joined(line: Sequence[Text], normalise: Normalise) -> str:
    return normalise("".join(text.text for text in line))


def _middle(text: Text) -> float:
    return (text.box[0] + text.box[2]) / 2


def _union(boxes: Sequence[Box]) -> Box:
    tops, lefts, bottoms, rights = zip(*boxes, strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)


def _is_inside(box: Box, region: Box) -> bool:
    row, column = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    is_centred = region[0] <= row <= region[2] and region[1] <= column <= region[3]
    return is_centred or _iou(box, region) > 0.5


def _iou(first: Box, second: Box) -> float:
    height = min(first[2], second[2]) - max(first[0], second[0])
    width = min(first[3], second[3]) - max(first[1], second[1])
    common = max(0, height) * max(0, width)
    union = _area(first) + _area(second) - common
    return common / union if union > 0 else 0.0


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
