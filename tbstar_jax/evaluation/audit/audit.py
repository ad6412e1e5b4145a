"""Which defects a scorer sees, how often, and how much it makes of them.

Of every defect and level: the share of cases in which the clean picture scores strictly
higher than the spoiled one. Ties, and pairs in which a score is missing, are counted
apart. Of all pairs of known order: the share in the right order, with an interval over
cases. False alarms: the same pixels scored twice, and an invisible change, JPEG of
quality 95.

An exact score falls at any change, so a detection may mean little. It is clear where
the spoiled picture scores below that JPEG, and by more than that cost:

    spoiled < jpeg    and    clean - spoiled > exact - jpeg
"""

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.audit.ladders import (
    COPY,
    DEFECTS,
    EXACT,
    FAINT,
    CaseLadder,
    Defect,
    DefectName,
    case_ladder,
)
from tbstar_jax.evaluation.audit.scorers import Scorer, Scores
from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.statistics.bootstrap import micro_interval
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig, Interval
from tbstar_jax.evaluation.statistics.sample import Sample


@dataclasses.dataclass(frozen=True, kw_only=True)
class Detection:
    """What a score made of pairs of a clean and a spoiled picture.

    Attributes:
      num_pairs: how many there are.
      num_detected: in which the clean one scores strictly higher.
      num_clear: in which it does so clearly; where the JPEG has no score, all that are
        detected.
      num_ties: in which both score the same.
      num_missing: in which a score is missing.
      mean_drop: mean of clean minus spoiled, in units of the score, over pairs with
        finite scores; None without one.
    """

    num_pairs: int
    num_detected: int
    num_clear: int
    num_ties: int
    num_missing: int
    mean_drop: float | None

    @property
    def rate(self) -> float:
        """Share detected of the pairs that have both scores; NaN without one."""
        return _share(self.num_detected, self.num_pairs - self.num_missing)

    @property
    def clear_rate(self) -> float:
        """Share clearly detected, likewise."""
        return _share(self.num_clear, self.num_pairs - self.num_missing)

    @property
    def tie_rate(self) -> float:
        """Share of ties, likewise."""
        return _share(self.num_ties, self.num_pairs - self.num_missing)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditRow:
    """A level of a defect.

    Attributes:
      defect: which.
      level: how strong, with its unit; empty where there is one.
      num_cases: in which it could be planted.
      left_out: reason -> cases in which it could not.
      detections: by column.
    """

    defect: DefectName
    level: str
    num_cases: int
    left_out: Mapping[str, int]
    detections: Mapping[str, Detection]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FalseAlarm:
    """What a score makes of nothing, in its own unit.

    Attributes:
      num_copies: equal pixels that were scored twice.
      num_different: of them, with two scores.
      mean_difference: mean absolute difference of the two; None without one.
      faint: the reference and its JPEG of quality 95, as a detection that should not
        be one.
    """

    num_copies: int
    num_different: int
    mean_difference: float | None
    faint: Detection


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditResult:
    """What an audit found.

    Attributes:
      columns: scores, in the order of the scorers.
      num_cases: whose edits were spoiled.
      num_pictures: that were scored.
      rows: by defect and level.
      order: by column, share of all pairs of known order that are in it, a tie being
        none; cases are drawn anew. Pairs with a missing score are left out.
      false_alarms: by column.
    """

    columns: tuple[str, ...]
    num_cases: int
    num_pictures: int
    rows: tuple[AuditRow, ...]
    order: Mapping[str, Interval]
    false_alarms: Mapping[str, FalseAlarm]

    def detection(self, column: str, defect: DefectName, level: str) -> Detection:
        """What one score made of one level of a defect."""
        return next(
            row.detections[column]
            for row in self.rows
            if (row.defect, row.level) == (defect, level)
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Outline:
    """A ladder without its pictures."""

    case: str
    task: str
    steps: frozenset[str]
    pairs: tuple[tuple[str, str], ...]
    left_out: Mapping[str, str]


def run_audit(
    cases: Callable[[], Iterable[Case]],
    scorers: Sequence[Scorer],
    folder: Path,
    bootstrap: BootstrapConfig,
) -> AuditResult:
    """Audits scorers on spoiled edits.

    Args:
      cases: gives the cases, once per scorer; they are not kept.
      scorers: who scores.
      folder: for what is to be resumed.
      bootstrap: of the intervals.

    Raises:
      UserError: no cases, two columns of one name, or what a scorer raises.
    """
    outlines: dict[str, _Outline] = {}
    columns: dict[str, Scores] = {}
    for scorer in scorers:
        for name, scores in scorer(_drawn(cases, outlines), folder).items():
            if name in columns:
                raise UserError(
                    f"two scorers have a column {name!r}; give judges names of their "
                    "own"
                )
            columns[name] = scores
    if not outlines:
        raise UserError("an audit needs at least one case and one scorer")
    ladders = tuple(outlines.values())
    return AuditResult(
        columns=tuple(columns),
        num_cases=len(ladders),
        num_pictures=sum(len(ladder.steps) for ladder in ladders),
        rows=tuple(
            _row(defect, level, ladders, columns)
            for defect in DEFECTS
            for level in defect.levels
        ),
        order={
            name: micro_interval(_order_sample(ladders, scores), bootstrap)
            for name, scores in columns.items()
        },
        false_alarms={
            name: _false_alarm(ladders, scores) for name, scores in columns.items()
        },
    )


def _drawn(
    cases: Callable[[], Iterable[Case]], outlines: dict[str, _Outline]
) -> Iterator[CaseLadder]:
    for case in cases():
        ladder = case_ladder(case)
        outlines[case.id] = _Outline(
            case=case.id,
            task=case.task,
            steps=frozenset(step.name for step in ladder.steps),
            pairs=ladder.pairs,
            left_out=ladder.left_out,
        )
        yield ladder


def _row(
    defect: Defect,
    level: str,
    ladders: Sequence[_Outline],
    columns: Mapping[str, Scores],
) -> AuditRow:
    step = defect.step(level)
    found = [ladder.case for ladder in ladders if step in ladder.steps]
    reasons = [ladder.left_out[step] for ladder in ladders if step in ladder.left_out]
    return AuditRow(
        defect=defect.name,
        level=level,
        num_cases=len(found),
        left_out={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        detections={
            name: _detection(scores, found, defect.clean, step)
            for name, scores in columns.items()
        },
    )


def _detection(
    scores: Scores, cases: Sequence[str], better: str, worse: str
) -> Detection:
    found = ((case, _both(scores, case, better, worse)) for case in cases)
    known = [(case, *pair) for case, pair in found if pair is not None]
    drops = [clean - spoiled for _, clean, spoiled in known if clean != spoiled]
    num_ties = len(known) - len(drops)
    finite = [drop for drop in drops if math.isfinite(drop)] + [0.0] * num_ties
    return Detection(
        num_pairs=len(cases),
        num_detected=sum(drop > 0 for drop in drops),
        num_clear=sum(
            _is_clear(_both(scores, case, EXACT, FAINT), clean, spoiled)
            for case, clean, spoiled in known
        ),
        num_ties=num_ties,
        num_missing=len(cases) - len(known),
        mean_drop=statistics.fmean(finite) if finite else None,
    )


def _is_clear(
    invisible: tuple[float, float] | None, clean: float, spoiled: float
) -> bool:
    if invisible is None:
        return spoiled < clean
    exact, faint = invisible
    cost = 0.0 if exact == faint or math.isinf(exact) else max(0.0, exact - faint)
    return spoiled < faint and spoiled < clean - cost


def _false_alarm(ladders: Sequence[_Outline], scores: Scores) -> FalseAlarm:
    cases = [ladder.case for ladder in ladders]
    pairs = [_both(scores, case, EXACT, COPY) for case in cases]
    differences = [
        0.0 if first == second else abs(first - second)
        for first, second in filter(None, pairs)
    ]
    return FalseAlarm(
        num_copies=len(differences),
        num_different=sum(difference > 0 for difference in differences),
        mean_difference=statistics.fmean(differences) if differences else None,
        faint=_detection(scores, cases, EXACT, FAINT),
    )


def _order_sample(ladders: Sequence[_Outline], scores: Scores) -> Sample:
    rows = [(ladder, *pair) for ladder in ladders for pair in ladder.pairs]
    values = []
    for ladder, better, worse in rows:
        pair = _both(scores, ladder.case, better, worse)
        values.append(math.nan if pair is None else float(pair[0] > pair[1]))
    return Sample(
        values=np.array(values, np.float64),
        prompts=tuple(f"{ladder.case}: {a} > {b}" for ladder, a, b in rows),
        cases=tuple(ladder.case for ladder, *_ in rows),
        tasks=tuple(ladder.task for ladder, *_ in rows),
        languages=("en",) * len(rows),
        tags=(frozenset[str](),) * len(rows),
        bounds=(0.0, 1.0),
    )


def _both(
    scores: Scores, case: str, first: str, second: str
) -> tuple[float, float] | None:
    """Two scores of a case; None unless both are known."""
    values = []
    for step in (first, second):
        value = scores.get((case, step))
        if value is None or math.isnan(value):
            return None
        values.append(value)
    return values[0], values[1]


def _share(count: int, total: int) -> float:
    return count / total if total else math.nan
