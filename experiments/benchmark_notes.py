"""What a reader of a report must know first: sentences on its cases, texts, anchors."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.anchors import ANCHORS, AnchorScores, check_anchor_order
from tbstar_jax.evaluation.answers.answer import (
    sample_name,
    sample_names,
    unanswered,
)
from tbstar_jax.evaluation.answers.folder import find_output
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.cases.manifest import (
    MANIFEST_SPLITS,
    explain,
)
from tbstar_jax.evaluation.run.judging import canary_failures
from tbstar_jax.evaluation.run.learned_columns import learned_notes
from tbstar_jax.evaluation.run.results import SystemResult
from tbstar_jax.evaluation.run.run_folder import Run
from tbstar_jax.evaluation.run.scoring import SCORES_VERSION
from tbstar_jax.evaluation.scores.prompt import decode_answer
from tbstar_jax.evaluation.scores.record import ScoreRecord


def reading_notes(
    runs: Sequence[Run],
    by_system: Mapping[str, Sequence[ScoreRecord]],
    anchors: Sequence[SystemResult],
    cases: CaseFolder,
) -> list[str]:
    """One sentence for each thing that limits what the numbers say.

    Args:
      runs: on the same cases, the main one first.
      by_system: their records, those of anchors among them.
      anchors: their results.
      cases: that were asked.
    """
    first = runs[0].provenance
    notes = [
        *_anchor_notes(anchors),
        *case_notes(cases, [str(id) for id in first["cases_not_as_shipped"]]),
    ]
    version = first.get("scores_version", "3 or lower")
    if version != SCORES_VERSION:
        notes.append(
            f"the scores are those of version {version} of their definition, this "
            f"software's is {SCORES_VERSION}: run the same command again to score anew"
        )
    if first["num_not_asked"]:
        notes.append(
            f"{first['num_not_asked']} prompts were not asked: their instructions have "
            f"more than --max-instruction-bytes={first['max_instruction_bytes']}"
        )
    notes += [note for run in runs for note in (*_sample_notes(run), *_refusals(run))]
    notes += [*_reader_notes(runs), *learned_notes(runs)]
    notes += [note for run in runs for note in canary_failures(run)]
    notes += [
        note
        for run in runs
        for note in answer_notes(run.name, by_system[run.name], run.outputs)
    ]
    return [*notes, *unread_notes(by_system), *aspect_notes(by_system)]


def case_notes(cases: CaseFolder, differing: Collection[str]) -> list[str]:
    """Whether the cases are those that were published.

    Args:
      cases: that were asked.
      differing: ids of those that are not as shipped: `check_manifest`.
    """
    splits = [split for split in MANIFEST_SPLITS if split in cases.split.split("+")]
    notes = []
    if differing:
        made = "; ".join(
            explain(split, cases.drawn_with)
            for split in splits
            if any(id.startswith(f"{split}/") for id in differing)
        )
        notes.append(
            f"{len(differing)} of the {len(cases.ids)} cases differ from the shipped "
            "ones, so numbers of other machines are of other pictures (other versions "
            f"of these packages may draw otherwise: {made})"
        )
    return notes


def unread_notes(by_system: Mapping[str, Sequence[ScoreRecord]]) -> list[str]:
    """How many answers have texts that the reader failed on (`text_read` below 1).

    Args:
      by_system: score records by system.
    """
    counts = {
        system: sum(row.metrics.get("text_read", math.nan) < 1 for row in rows)
        for system, rows in by_system.items()
    }
    total = sum(counts.values())
    if not total:
        return []
    told = ", ".join(f"{system} {count}" for system, count in counts.items() if count)
    return [
        f"the OCR program failed on texts of {total} answers ({told}), because a call "
        "failed twice or it lacks their language: error rates leave these texts out, "
        "and E may rest on the overlap of their ink"
    ]


def answer_notes(system: str, rows: Sequence[ScoreRecord], outputs: Path) -> list[str]:
    """How answers that are missing or cannot be decoded count, and why not.

    Args:
      system: whose they are.
      rows: its records.
      outputs: folder of its pictures.
    """
    empty = [row for row in rows if row.size is None]
    if not empty:
        return []
    files = (
        find_output(outputs, sample_name(row.prompt, row.sample))
        for row in empty
        if row.status == "decode_error"
    )
    reasons = filter(None, (_why_not_decoded(file) for file in files if file))
    reason = next(reasons, "")
    return [
        f"{len(empty)} of {len(rows)} answers of {system} are missing or cannot be "
        "decoded: C, E and P, also by area, count them as zero, all other measures "
        "leave them out" + (f" (e.g. {reason})" if reason else "")
    ]


def _why_not_decoded(file: Path) -> str:
    """Empty where it can be: it was replaced since it was scored."""
    try:
        decode_answer(file)
    except UserError as error:
        return str(error)
    return ""


def aspect_notes(by_system: Mapping[str, Sequence[ScoreRecord]]) -> list[str]:
    """What another aspect ratio than the photo's did to C, one sentence per system.

    Args:
      by_system: score records by system.
    """
    notes = []
    for system, rows in by_system.items():
        other = [
            (row.consistency, row.metrics["consistency_crop"])
            for row in rows
            if not math.isnan(row.metrics.get("consistency_crop", math.nan))
        ]
        if other:
            stretched, cropped = (
                sum(one) / len(other) for one in zip(*other, strict=True)
            )
            notes.append(
                f"{len(other)} answers of {system} have another aspect ratio than was "
                f"asked for: stretched, as they are scored, their mean C is "
                f"{stretched:.3f}, cropped instead {cropped:.3f}"
            )
    return notes


def _anchor_notes(anchors: Sequence[SystemResult]) -> list[str]:
    measured = {anchor.name: anchor.measures for anchor in anchors}
    rows = {
        name: AnchorScores(
            edit=measured[name]["edit"].macro.mean,
            preservation=measured[name]["preservation"].macro.mean,
            consistency=measured[name]["consistency"].macro.mean,
        )
        for name in ANCHORS
        if name in measured
    }
    return [f"anchors are out of order: {one}" for one in check_anchor_order(rows)]


def _reader_notes(runs: Sequence[Run]) -> list[str]:
    readers = {run.provenance["tools"]["ocr"] for run in runs}
    if len(readers) > 1:
        return [
            f"texts were read by different programs ({sorted(readers)}): scores of the "
            "text tasks are not comparable between these runs"
        ]
    if readers == {""}:
        return [
            "no OCR program is installed: texts were compared by the overlap of their "
            "ink, and error rates are n/a"
        ]
    return []


def _sample_notes(run: Run) -> list[str]:
    """What the numbers of a run with several answers per prompt are of."""
    if run.num_samples == 1:
        return []
    return [
        f"{run.name} gave {run.num_samples} answers per prompt: its numbers are means "
        "over them, a row of its own shows the best by C, which a user who cannot "
        "measure C does not get; judges, and the table of confused characters, see "
        "the first answer only"
    ]


def _refusals(run: Run) -> list[str]:
    """Why pictures are missing, where the system has said so."""
    names = sample_names(run.prompts, run.num_samples)
    reasons = list(unanswered(run.outputs, names).values())
    if not reasons:
        return []
    told = f"{run.name} gave no picture {len(reasons)} times, e.g. because "
    return [f'{told}"{reasons[0]}"']
