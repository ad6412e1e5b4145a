"""A folder of answers to a public benchmark, scored."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from tqdm import tqdm

from tbstar_jax.data_engine.text_reader import Reader, tesseract_reader
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.journal import Journal, read_journal
from tbstar_jax.evaluation.judge import viescore
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.modes import VIE_MODES
from tbstar_jax.evaluation.judge.quirks import reference_notes
from tbstar_jax.evaluation.judge.run import Work, judge_all
from tbstar_jax.evaluation.public import compat
from tbstar_jax.evaluation.public.items import PublicItem, Suite
from tbstar_jax.evaluation.public.outputs import Outputs, open_outputs
from tbstar_jax.evaluation.public.pixels import (
    THRESHOLDS,
    fitted,
    pixel_scores,
)
from tbstar_jax.evaluation.public.rating import rate_all, rating_of
from tbstar_jax.evaluation.public.report import suite_report, write_report
from tbstar_jax.evaluation.public.words import alphanumerics, word_scores
from tbstar_jax.evaluation.text.normalise import normalise
from tbstar_jax.metrics.ocr import find_tesseract, tesseract_version
from tbstar_jax.metrics.similarity import ciede2000_mean

Picture: TypeAlias = UInt8[np.ndarray, "_ _ 3"]
Values: TypeAlias = Mapping[str, float]

JUDGED = ("gedit", "imgedit", "uge", "kwai")
"""Suites that a judge scores; the others need none."""

_WORDS = ("target_accuracy", "precision", "recall", "f1", "roi_ned")
TEXT_MEASURES = (
    *(compat.Measure(name=name, lowest=0.0) for name in _WORDS),
    *(compat.Measure(name=f"{name}_own", lowest=0.0) for name in _WORDS),
    compat.Measure(name="ciede2000_reference", lowest=None),
)
"""TextEdit's, with its normalisation and with ours; mean CIEDE2000 to its answer."""

_NAMED = (0, 2, 5, 10)
_PIXELS = ("edit_accuracy", "preservation_accuracy", "iou")
PIXEL_MEASURES = (
    *(compat.Measure(name=name, lowest=0.0) for name in _PIXELS),
    *(compat.Measure(name=f"iou_{t}", lowest=0.0) for t in _NAMED),
)
"""PaintBench's: means over the eleven thresholds, and IoU at some."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Shown:
    """An item with its pictures, read.

    Attributes:
      item: the request.
      photo: before the edit.
      reference: the right edit, where there is one.
      answer: the system's, of any size.
    """

    item: PublicItem
    photo: Picture
    reference: Picture | None
    answer: Picture

    def key(self, version: str) -> str:
        """SHA-256 of all that decides the measures.

        Args:
          version: of what measures.
        """
        told = (version, self.item.suite, self.item.id, self.item.texts)
        digest = hashlib.sha256(repr(told).encode(errors="surrogatepass"))
        for picture in (self.photo, self.reference, self.answer):
            if picture is not None:
                digest.update(repr(picture.shape).encode())
                digest.update(np.ascontiguousarray(picture).tobytes())
        return digest.hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Scored:
    """What a suite's scorer gives.

    Attributes:
      values: id to measures, of scored items.
      statuses: id to status, of items that were asked about and not scored.
      details: id to what was wrong.
      judge: for the report.
      notes: likewise.
    """

    values: dict[str, Values] = dataclasses.field(default_factory=dict)
    statuses: dict[str, str] = dataclasses.field(default_factory=dict)
    details: dict[str, str] = dataclasses.field(default_factory=dict)
    judge: dict[str, Any] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)


def score_suite(
    suite: Suite,
    outputs: Path,
    judge: Judge | None,
    out: Path,
    *,
    system: str = "",
    reader: Reader | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Scores answers, and writes `report.json` and `report.txt`.

    What was judged or measured stands in journals in `out`, and is not done again by
    the next run unless pictures or judge have changed.

    Args:
      suite: what was asked.
      outputs: the answers, `<id>.png`.
      judge: for GEdit-Bench (a mode of VIEScore), ImgEdit-Bench, UGE and Kwai (mode
        `imgedit`); None: answers are counted, not scored.
      out: a folder, made where absent.
      system: who answered; empty: the name of the folder.
      reader: OCR of whole pictures for TextEdit; None: Tesseract, where installed.
      notes: for the report, before its own.

    Returns:
      The report (see `suite_report`).

    Raises:
      UserError: there are no answers, the judge has another mode or is not needed, its
        texts are missing, or its server answers nothing.
    """
    answers = open_outputs(outputs, suite)
    system = system or outputs.resolve().name
    out.mkdir(parents=True, exist_ok=True)
    scored = _Scored(notes=[*notes])
    if judge is not None:
        _judge(suite, answers, judge, out, system, scored)
    elif suite.name == "textedit":
        _measure_words(suite, answers, reader, out, scored)
    elif suite.name == "paintbench":
        _measure(suite, answers, _pixel_values, "cie76", out, scored)
    else:
        _count(suite, answers, scored)
    marks = [_mark(item, answers, scored) for item in suite.items]
    report = suite_report(
        suite,
        system,
        marks,
        _sheets(suite, marks) if scored.values else (),
        judge=scored.judge or None,
        details={**answers.unreadable, **scored.details},
        unknown=answers.found.unknown,
        notes=scored.notes,
    )
    write_report(report, out)
    return report


def _mark(item: PublicItem, answers: Outputs, scored: _Scored) -> compat.Mark:
    values = scored.values.get(item.id, {})
    status = "ok" if values else scored.statuses.get(item.id, answers.status(item))
    return compat.Mark(
        id=item.id,
        task=item.task,
        language=item.language,
        flags=item.flags,
        status=status,
        values=values,
    )


def _sheets(suite: Suite, marks: Sequence[compat.Mark]) -> tuple[compat.Sheet, ...]:
    if suite.name == "textedit":
        return compat.textedit_sheets(marks, TEXT_MEASURES)
    if suite.name == "paintbench":
        return compat.paintbench_sheets(marks, PIXEL_MEASURES)
    return {
        "gedit": compat.gedit_sheets,
        "imgedit": compat.imgedit_sheets,
        "uge": compat.uge_sheets,
        "kwai": compat.kwai_sheets,
    }[suite.name](marks)


def _answered(
    suite: Suite, answers: Outputs, scored: _Scored
) -> Iterator[tuple[PublicItem, list[Picture], Picture]]:
    """Items with their photos and answers; what cannot be read is noted, and left."""
    for item in suite.items:
        answer = answers.read(item)
        if answer is None:
            continue
        try:
            photos = [photo() for photo in item.photos]
        except UserError as error:
            scored.statuses[item.id] = "bad_photo"
            scored.details[item.id] = str(error)
            continue
        yield item, photos, answer


def _count(suite: Suite, answers: Outputs, scored: _Scored) -> None:
    """Looks at every answer, and no more."""
    for item in tqdm(suite.items, desc=f"{suite.name}: answers", unit="item"):
        if answers.read(item) is not None:
            scored.statuses[item.id] = "not_judged"
    scored.notes.append(
        "this suite has no automatic score; compare systems on the blind page"
        if suite.name == "kontext"
        else "nobody judged, so answers are counted and not scored; name a judge"
    )


def _judge(
    suite: Suite,
    answers: Outputs,
    judge: Judge,
    out: Path,
    system: str,
    scored: _Scored,
) -> None:
    if suite.name not in JUDGED:
        raise UserError(f"{suite.name} is not scored by a judge; leave the judge out")
    mode, path = judge.config.mode, out / "judgements.jsonl"
    scored.judge.update(judge.config.provenance())
    work = _answered(suite, answers, scored)
    if suite.name in ("uge", "kwai"):
        if judge.config.bug_compatible:
            raise UserError(
                f"bug_compatible knows no reader of {suite.name}; drop it from the "
                "judge's file"
            )
        rating = rating_of(suite)
        scored.judge["label"] = f"{suite.name} ({rating.label})"
        scored.judge.update(rubric=rating.label, rubric_sha256=rating.sha256)
        judgements = rate_all(judge, rating, work, system, path)
    else:
        _require_mode(suite, judge)
        if suite.name == "gedit" and mode not in ("gedit-gpt", "gedit-qwen"):
            scored.notes.append(
                f"mode {mode} is not how GEdit-Bench asks: its edits are resized to "
                "their photos, and its texts are others"
            )
        edits = (
            Work(system=system, item=_item(item, photos), answer=answer)
            for item, photos, answer in work
        )
        judgements = judge_all(judge, edits, path)
        if judge.config.bug_compatible:
            scored.notes.extend(reference_notes(judgements))
    for judgement in judgements:
        if judgement.status == "ok":
            scored.values[judgement.prompt] = _judged_values(suite, judgement)
        else:
            scored.statuses[judgement.prompt] = judgement.status
            scored.details[judgement.prompt] = judgement.detail


def _require_mode(suite: Suite, judge: Judge) -> None:
    allowed = VIE_MODES if suite.name == "gedit" else ("imgedit",)
    if judge.config.mode not in allowed:
        raise UserError(
            f"{suite.name} is judged in the modes {', '.join(allowed)}, not "
            f"{judge.config.mode}"
        )


def _item(item: PublicItem, photos: Sequence[Picture]) -> Any:
    return dataclasses.replace(item, photos=(lambda: photos[0],)).as_item()


def _judged_values(suite: Suite, judgement: Judgement) -> Values:
    overall = judgement.overall
    assert overall is not None, "an ok judgement has a score"
    if suite.name == "gedit":
        assert judgement.semantic is not None
        assert judgement.quality is not None
        return {"SC": judgement.semantic, "PQ": judgement.quality, "O": overall}
    if suite.name == "imgedit":
        votes = [vote.scores("imgedit") for vote in judgement.votes]
        marks = [sum(each) / len(each) for each in zip(*votes, strict=True)]
        return {"mark": viescore.imgedit_item(marks)}
    return {"mark": round(overall, 2 if suite.name == "uge" else 4)}


def _measure(
    suite: Suite,
    answers: Outputs,
    values_of: Callable[[_Shown], dict[str, float]],
    version: str,
    out: Path,
    scored: _Scored,
) -> None:
    """Measures answers one by one, those that a journal has not yet."""
    path = out / "scores.jsonl"
    with (
        Journal(path) as journal,
        tqdm(desc=f"{suite.name}: scored", unit="item", total=len(suite.items)) as bar,
    ):
        done = {entry["key"]: entry for entry in read_journal(path) if "key" in entry}
        for item, photos, answer in _answered(suite, answers, scored):
            bar.update()
            try:
                reference = None if item.reference is None else item.reference()
                shown = _Shown(
                    item=item, photo=photos[0], reference=reference, answer=answer
                )
                key = shown.key(version)
                entry = done.get(key)
                if entry is None:
                    entry = {"key": key, "id": item.id, "values": values_of(shown)}
                    journal.append(entry)
            except UserError as error:
                scored.statuses[item.id] = "not_measured"
                scored.details[item.id] = str(error)
            else:
                scored.values[item.id] = entry["values"]


def _pixel_values(shown: _Shown) -> dict[str, float]:
    photo, reference = shown.photo, shown.reference
    assert reference is not None, "every item of PaintBench has an answer"
    if reference.shape != photo.shape:
        raise UserError("the right answer has another size than the photo")
    scores = pixel_scores(photo, reference, fitted(shown.answer, photo.shape[:2]))
    values = {name: float(getattr(scores, name).mean()) for name in _PIXELS}
    for t in _NAMED:
        values[f"iou_{t}"] = float(scores.iou[THRESHOLDS.index(t)])
    return values


def _measure_words(
    suite: Suite, answers: Outputs, reader: Reader | None, out: Path, scored: _Scored
) -> None:
    version = "a reader of the caller"
    if reader is None:
        program = find_tesseract()
        if program is None:
            _count(suite, answers, scored)
            scored.notes.append(
                "TextEdit needs OCR: install tesseract-ocr, or give a reader"
            )
            return
        reader, version = tesseract_reader(), tesseract_version(program)
    scored.notes.append(
        f"OCR: {version}; published numbers are of PaddleOCR and do not compare"
    )
    read = reader

    _measure(suite, answers, lambda one: _word_values(one, read), version, out, scored)
    unread = [1 for values in scored.values.values() if values["is_found"] == 0]
    scored.notes.append(
        f"OCR did not find the old text in {len(unread)} of {len(scored.values)} "
        "photos; their answers count 0, as published"
    )


def _word_values(shown: _Shown, reader: Reader) -> dict[str, float]:
    texts, photo, answer = shown.item.texts, shown.photo, shown.answer
    assert texts is not None, "every item of TextEdit has its texts"
    if answer.shape != photo.shape:
        size = (photo.shape[1], photo.shape[0])
        resized = Image.fromarray(answer).resize(size, Image.Resampling.LANCZOS)
        answer = np.asarray(resized)
    before, after = reader(photo), reader(answer)
    theirs = word_scores(before, after, texts, alphanumerics)
    ours = word_scores(before, after, texts, normalise)
    values = {
        "is_found": float(theirs.is_found),
        **theirs.values(),
        **{f"{name}_own": value for name, value in ours.values().items()},
    }
    reference = shown.reference
    if reference is not None and reference.shape == answer.shape:
        values["ciede2000_reference"] = float(ciede2000_mean(answer, reference))
    return values
