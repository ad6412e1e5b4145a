"""Learned columns of several runs: only numbers of the same weights stand together."""

import dataclasses
from collections.abc import Mapping, Sequence

from tbstar_jax.evaluation.run.measures import MEASURES
from tbstar_jax.evaluation.run.provenance import learned_of
from tbstar_jax.evaluation.run.run_folder import Run
from tbstar_jax.evaluation.scores.record import ScoreRecord


def comparable(
    records: Mapping[str, Sequence[ScoreRecord]], run: Run, first: Run
) -> dict[str, list[ScoreRecord]]:
    """Records without the learned measures that other weights gave than the first's.

    Args:
      records: by system, of `run`.
      run: whose they are.
      first: the run that names the columns.
    """
    others = _others(run, first)
    dropped = {
        measure.name for measure in MEASURES if others.intersection(measure.models)
    }
    if not dropped:
        return {system: list(rows) for system, rows in records.items()}
    return {
        system: [_without(row, dropped) for row in rows]
        for system, rows in records.items()
    }


def learned_notes(runs: Sequence[Run]) -> list[str]:
    """Which learned columns are left out, as sentences.

    Args:
      runs: the one that names the columns first.
    """
    first, *rest = runs
    theirs = learned_of(first.provenance)
    notes = []
    for run in rest:
        own = learned_of(run.provenance)
        told = [
            f"{section}: {_told(own[section])}, not {_told(theirs.get(section))}"
            for section in sorted(_others(run, first))
        ]
        if told:
            notes.append(
                f"learned columns of {run.name} are left out, which other weights "
                f"measured than those of {first.name} ({'; '.join(told)})"
            )
    return notes


def _told(weights: Mapping[str, str] | None) -> str:
    if weights is None:
        return "none"
    return f"{weights['name']} ({weights['fingerprint'][:8]})"


def _others(run: Run, first: Run) -> set[str]:
    """Sections of a run whose weights are not the first run's."""
    theirs = learned_of(first.provenance)
    return {
        section
        for section, one in learned_of(run.provenance).items()
        if one["fingerprint"] != theirs.get(section, {}).get("fingerprint")
    }


def _without(row: ScoreRecord, names: set[str]) -> ScoreRecord:
    metrics = {name: value for name, value in row.metrics.items() if name not in names}
    return dataclasses.replace(row, metrics=metrics)
