"""What a report is made of."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.summary import Summary
from tbstar_jax.evaluation.run.results import Results, SystemResult
from tbstar_jax.evaluation.scores.prompt import stretched
from tbstar_jax.evaluation.scores.record import ScoreRecord


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PromptPictures:
    """What the gallery shows of one prompt.

    Attributes:
      english: the instruction.
      chinese: the same request in Chinese.
      source: the photo, on the canvas of the answer.
      reference: the right edit.
      answer: as it was scored, so of the reference's size; None without one.
      edit_mask: True where the instruction permits a change.
      object_photo: the second picture that the system was given; None without one.
    """

    english: str
    chinese: str
    source: UInt8[np.ndarray, "h w 3"]
    reference: UInt8[np.ndarray, "h w 3"]
    answer: UInt8[np.ndarray, "h w 3"] | None
    edit_mask: Bool[np.ndarray, "h w"]
    object_photo: UInt8[np.ndarray, "_ _ 3"] | None = None


def pictures_of(
    case: Case, answer: UInt8[np.ndarray, "h w 3"] | None
) -> PromptPictures:
    """What is shown of a case and an answer, which is stretched as its scores were."""
    if answer is not None and answer.shape[:2] != case.size:
        answer = stretched(answer, case.size)
    return PromptPictures(
        english=case.instructions["en"],
        chinese=case.instructions["zh"],
        source=case.source,
        reference=case.reference,
        answer=answer,
        edit_mask=case.masks.edit,
        object_photo=case.object_photo,
    )


@runtime_checkable
class PictureSource(Protocol):
    """Finds the pictures of a scored answer; asked only for those that are shown."""

    def __call__(self, record: ScoreRecord) -> PromptPictures:
        """Reads them.

        Raises:
          UserError: they cannot be read; the report says so in their place.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextRead:
    """One text of an answer.

    Attributes:
      target: what should be there.
      read: what a reader read.
    """

    target: str
    read: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A table that the report shows as it is.

    Attributes:
      title: of the section.
      columns: their names.
      rows: cells; floats are shown with four digits, NaN and None as `n/a`.
      notes: sentences below it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float | None]]
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"a row of {self.title!r} has not one cell per column")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportContent:
    """All of a report.

    Attributes:
      results: systems and anchors in the order of reports.
      main: name of the system whose answers the panels and the gallery show; no other
        where a run has one.
      records: scored answers; the report uses those of the systems in `results`.
      pictures: of an answer.
      judges: one per system, judge and mode.
      judgements: for the reasons in the gallery.
      reads: texts of the main system's answers, where a reader read them.
      previous: results of an earlier run of the same systems; None without one.
      preference: ranking of a preference study by people; None without one.
      pairwise: ranking by a judge's pairwise verdicts; None without them.
      audit: how many planted defects the judge found; None without an audit.
    """

    results: Results
    main: str
    records: Sequence[ScoreRecord]
    pictures: PictureSource
    judges: Sequence[Summary] = ()
    judgements: Sequence[Judgement] = ()
    reads: Sequence[TextRead] = ()
    previous: Results | None = None
    preference: Table | None = None
    pairwise: Table | None = None
    audit: Table | None = None

    def __post_init__(self) -> None:
        names = [system.name for system in self.results.systems]
        if names and self.main not in names:
            raise ValueError(f"no system {self.main!r} among {names}")
        if len(set(names)) < len(names):
            raise ValueError(f"two systems of one name among {names}")

    @property
    def tools(self) -> Mapping[str, Any]:
        """What the scores depend on: `provenance["tools"]`."""
        return self.results.provenance.get("tools", {})

    @property
    def main_result(self) -> SystemResult | None:
        """Of the main system; None where nothing was scored."""
        found = (one for one in self.results.systems if one.name == self.main)
        return next(found, None)

    def records_of(self, system: str) -> list[ScoreRecord]:
        """A system's answers, in the order of their prompts and samples."""
        found = (record for record in self.records if record.system == system)
        return sorted(found, key=lambda record: (record.prompt, record.sample))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Absent:
    """Something that the report does not show.

    Attributes:
      reason: why, in a sentence.
    """

    reason: str
