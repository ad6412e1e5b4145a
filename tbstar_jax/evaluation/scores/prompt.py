"""One answer scored: E, P, C = sqrt(E P), and every raw measure beside them.

The answer is put on the case's canvas by a plain resize where its size is another; then
P is measured. E, and the measures of the edit and its texts, are taken on the answer
with its global shift and zoom undone, since P already counts the motion: only where it
is known and within the limits at which P's factors reach 0, otherwise as it lies. What
is read of the texts is told of both forms.
"""

import dataclasses
import math
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Case, Prompt
from tbstar_jax.evaluation.learned.measure import LearnedMeasure
from tbstar_jax.evaluation.scores.editing import edit_score
from tbstar_jax.evaluation.scores.pixels import edit_pixels, whole_distances
from tbstar_jax.evaluation.scores.preservation import Preservation, preservation
from tbstar_jax.evaluation.scores.record import AnswerStatus, ScoreRecord
from tbstar_jax.evaluation.text.measures import text_measures
from tbstar_jax.evaluation.text.reader import Reader
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.metrics.registration import unregistered

MAX_FILE_BYTES = 256 << 20
"""Largest file of an answer that is read."""

_SAME_ASPECT = 0.01
"""Relative difference of aspect ratios below which a resize does not stretch."""

_ZERO_WITHOUT_ANSWER = ("preservation_area", "consistency_area")
"""Metrics that are scores."""


def decode_answer(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """Reads a picture that another system made: PNG, JPEG or WebP.

    Returns:
      sRGB 0..255, upright, alpha flattened onto white.

    Raises:
      UserError: it cannot be read, is damaged, too large, or of another kind.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise UserError(
            f"{path} has more bytes than the limit of {MAX_FILE_BYTES >> 20} MiB; "
            "save it as a PNG of the size asked for"
        )
    return decode_image(data, str(path))


def score_answer(
    prompt: Prompt,
    answer: UInt8[np.ndarray, "h w 3"] | None,
    *,
    system: str,
    status: AnswerStatus,
    reader: Reader | None,
    output: str,
    learned: LearnedMeasure | None = None,
) -> ScoreRecord:
    """Scores one answer.

    Args:
      prompt: what was asked.
      answer: sRGB; None where there is nothing to score.
      system: who answered.
      status: `missing` or `decode_error` without an answer; with one `ok`, which
        becomes `wrong_size` where the size is not the case's.
      reader: OCR; None: the measures that need one are NaN.
      output: path of the picture, relative to the run's folder; empty without one.
      learned: measures by learned models, of this case; None: there are none.

    Returns:
      The record. Without an answer all scores are 0, `preservation_area` and
      `consistency_area` among them, and there are no parts and no other metrics.
      `consistency_area` is sqrt(E `preservation_area`).
      An answer of another aspect ratio is stretched. Its `aspect_error`, the logarithm
      of the ratio of both, is 0 for the right one; E, P and C of the answer cropped
      instead stand beside: `edit_crop`, `preservation_crop`, `consistency_crop`, NaN
      where the aspect ratios agree.

    Raises:
      ValueError: status and answer contradict each other.
    """
    is_empty = status in ("missing", "decode_error")
    if is_empty != (answer is None):
        raise ValueError(f"status {status!r} contradicts the answer")
    case = prompt.case
    record = ScoreRecord(
        system=system,
        prompt=prompt.id,
        case=case.id,
        task=case.task,
        language=prompt.language,
        tags=case.tags,
        status=status,
        size=None,
        edit=0.0,
        preservation=0.0,
        consistency=0.0,
        edit_parts={},
        metrics=dict.fromkeys(_ZERO_WITHOUT_ANSWER, 0.0),
        output=output,
    )
    return record if answer is None else _scored(record, case, answer, reader, learned)


def _scored(
    record: ScoreRecord,
    case: Case,
    answer: UInt8[np.ndarray, "h w 3"],
    reader: Reader | None,
    learned: LearnedMeasure | None,
) -> ScoreRecord:
    size = (answer.shape[0], answer.shape[1])
    is_size_right = size == case.size
    fitted = answer if is_size_right else stretched(answer, case.size)
    kept = _preservation(case, fitted)
    still = _laid_over(case, fitted, kept)
    # First, since a reader remembers: E then rests on what `text_read` tells of.
    texts = text_measures(
        source=case.source,
        reference=case.reference,
        registered=still,
        raw=fitted,
        target_texts=case.target_texts,
        kept_texts=case.kept_texts,
        zone=case.masks.edit,
        reader=reader,
    )
    edit = edit_score(case, still, reader=reader, is_size_right=is_size_right)
    return dataclasses.replace(
        record,
        status="ok" if is_size_right else "wrong_size",
        size=size,
        edit=edit.value,
        preservation=kept.score,
        consistency=math.sqrt(edit.value * kept.score),
        edit_parts=edit.parts,
        metrics={
            **kept.as_metrics(),
            "consistency_area": math.sqrt(edit.value * kept.area),
            **_cropped_scores(case, answer, reader),
            **whole_distances(case.source, case.reference, answer),
            **edit_pixels(case.source, case.reference, still, case.masks.edit),
            **texts,
            **({} if learned is None else learned(fitted, still)),
        },
    )


FIT = "an answer of another size is stretched to the case's, Lanczos"
"""The rule by which pictures are made comparable, for provenance."""


def stretched(
    image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "nh nw 3"]:
    """Resizes to rows and columns, Lanczos: how a wrong size is scored."""
    resized = Image.fromarray(image).resize(
        (size[1], size[0]), Image.Resampling.LANCZOS
    )
    return np.asarray(resized)


def cropped(
    image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "nh nw 3"]:
    """Resizes without stretching until the size is covered, and cuts the middle out."""
    height, width = image.shape[:2]
    scale = max(size[0] / height, size[1] / width)
    rows, columns = size[0] / scale, size[1] / scale
    top, left = (height - rows) / 2, (width - columns) / 2
    resized = Image.fromarray(image).resize(
        (size[1], size[0]),
        Image.Resampling.LANCZOS,
        box=(left, top, left + columns, top + rows),
    )
    return np.asarray(resized)


def _preservation(case: Case, answer: UInt8[np.ndarray, "h w 3"]) -> Preservation:
    return preservation(
        case.source,
        case.reference,
        answer,
        case.masks.edit,
        is_reframed=case.tags.get("kind") == "closeup",
    )


def _cropped_scores(
    case: Case, answer: UInt8[np.ndarray, "h w 3"], reader: Reader | None
) -> dict[str, float]:
    """What another aspect ratio means: see `score_answer`."""
    height, width = answer.shape[:2]
    error = math.log((width / height) / (case.size[1] / case.size[0]))
    edit = kept = both = math.nan
    if abs(error) >= _SAME_ASPECT:
        fitted = cropped(answer, case.size)
        preserved = _preservation(case, fitted)
        still = _laid_over(case, fitted, preserved)
        kept = preserved.score
        edit = edit_score(case, still, reader=reader, is_size_right=False).value
        both = math.sqrt(edit * kept)
    return {
        "aspect_error": error,
        "edit_crop": edit,
        "preservation_crop": kept,
        "consistency_crop": both,
    }


def _laid_over(
    case: Case, answer: UInt8[np.ndarray, "h w 3"], kept: Preservation
) -> UInt8[np.ndarray, "h w 3"]:
    """The answer with its motion undone; as it is where that is large or unknown."""
    return unregistered(answer, kept.undone, fill=case.source)
