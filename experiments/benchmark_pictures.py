"""Pictures that a report shows, and what it says of those that are gone.

Scores are stored, so a report can be written again where pictures were moved.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.answer import sample_name
from tbstar_jax.evaluation.answers.folder import find_output
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.report.content import (
    PromptPictures,
    ReportContent,
    TextRead,
    pictures_of,
)
from tbstar_jax.evaluation.report.headline import headline_picture
from tbstar_jax.evaluation.run.run_folder import Run
from tbstar_jax.evaluation.scores.prompt import decode_answer
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.evaluation.text.measures import read_written
from tbstar_jax.evaluation.text.reader import find_reader
from tbstar_jax.input_pipeline.images import encode_png

HEADLINE = "headline.png"
"""One picture of all systems, for a README or a slide."""


def pictures_at(
    cases: CaseFolder, outputs: Mapping[str, Path], record: ScoreRecord
) -> PromptPictures:
    """Pictures of a scored answer.

    Args:
      cases: that were asked.
      outputs: folders of pictures by system.
      record: of the answer.

    Raises:
      UserError: a picture that was scored is gone, or one cannot be read.
    """
    case = cases[record.case]
    if record.size is None:
        return pictures_of(case, None)
    name = sample_name(record.prompt, record.sample)
    path = find_output(outputs[record.system], name)
    if path is None:
        raise UserError(f"the picture of {name} was taken away since")
    return pictures_of(case, decode_answer(path))


def texts_read(
    records: Sequence[ScoreRecord], cases: CaseFolder, outputs: Path
) -> tuple[list[TextRead], list[str]]:
    """What is read where edits write, first samples: for the table of confusions.

    Args:
      records: of the main system.
      cases: that were asked.
      outputs: folder of its pictures.

    Returns:
      The texts, and a note where pictures cannot be read any more.
    """
    reader = find_reader()
    if reader is None:
        return [], []
    found, num_lost = [], 0
    for record in records:
        targets = cases.target_texts(record.case)
        if record.size is None or record.sample or not any(one.new for one in targets):
            continue
        try:
            answer = pictures_at(cases, {record.system: outputs}, record).answer
        except UserError:
            num_lost += 1
            continue
        assert answer is not None
        for target, read in read_written(answer, targets, reader):
            found.append(TextRead(target=target, read=read))
    if not num_lost:
        return found, []
    note = (
        f"the table of confused characters lacks {num_lost} answers, whose pictures "
        "are gone or cannot be read"
    )
    return found, [note]


def gone_notes(
    runs: Sequence[Run], by_system: Mapping[str, Sequence[ScoreRecord]]
) -> list[str]:
    """How many pictures of each run are no longer where they were scored.

    Args:
      runs: of the report.
      by_system: their records.
    """
    notes = []
    for run in runs:
        scored = [row for row in by_system[run.name] if row.size is not None]
        names = [sample_name(row.prompt, row.sample) for row in scored]
        gone = [name for name in names if find_output(run.outputs, name) is None]
        if gone:
            notes.append(
                f"{len(gone)} of the {len(names)} pictures of {run.name} were taken "
                f"away from {run.outputs} since they were scored: all numbers are the "
                "stored ones, and these pictures are not shown"
            )
    return notes


def with_headline(content: ReportContent) -> tuple[ReportContent, bytes | None]:
    """Draws the picture of all systems.

    Returns:
      The content, with a note where there is no picture; the picture as PNG, None
      where one that it shows is gone.
    """
    try:
        return content, encode_png(headline_picture(content))
    except UserError as error:
        notes = [*content.results.notes, f"there is no {HEADLINE}: {error}"]
    results = dataclasses.replace(content.results, notes=notes)
    return dataclasses.replace(content, results=results), None
