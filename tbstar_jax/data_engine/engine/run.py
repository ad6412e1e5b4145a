"""From a stage to a finished set: what is finished is kept, what is due is made.

Kill it anywhere and start it again: every record is in the set exactly once. Units are
finished one by one (`ledger`), the set as a whole (`publish`). A unit is due when it,
or the stage, is not what the ledger says; a finished set is only replaced when that is
asked for.
"""

import dataclasses
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tbstar_jax.data_engine.engine.job import Engine, Job, NothingMadeError
from tbstar_jax.data_engine.engine.ledger import finished_entry
from tbstar_jax.data_engine.engine.locks import only_run, workers_lock
from tbstar_jax.data_engine.engine.publish import (
    Place,
    Published,
    lost_units,
    publish,
    read_published,
    recover,
    take_back,
)
from tbstar_jax.data_engine.stage import Stage, Unit
from tbstar_jax.data_engine.store.summary import read_status_counts
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.record_shards import check_set_names

__all__ = ["StageReport", "run_stage"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageReport:
    """What a stage came to.

    Attributes:
      stage: its name.
      directory: the set.
      num_units: units of the stage.
      num_made: of them, made by this run.
      num_records: records in the set.
      num_rejects: rows that could not become records; they are in `rejects.jsonl`.
      statuses: records by status, as the set's index has them.
      seconds: time spent.
    """

    stage: str
    directory: Path
    num_units: int
    num_made: int
    num_records: int
    num_rejects: int
    statuses: Mapping[str, int]
    seconds: float


def run_stage(
    stage: Stage,
    out: str | os.PathLike[str],
    dataset_name: str,
    split: str,
    *,
    engine: Engine,
    is_rebuild_allowed: bool = False,
    show_progress: bool | None = None,
) -> StageReport:
    """Makes the set of a stage, or what is missing of it.

    Args:
      stage: what to run.
      out: the set's directory; it appears when the set is whole.
      dataset_name: lower-case letters, digits and underscores.
      split: likewise, e.g. `train`.
      engine: what makes the units.
      is_rebuild_allowed: whether a finished set whose units or stage have changed is
        replaced; shards that have not changed are taken over.
      show_progress: whether there is a progress bar; None: on a terminal.

    Returns:
      What came of it.

    Raises:
      NothingMadeError: the stage has no units, or made no record of them.
      UserError: a finished set of other content is in the way, another run is writing
        it, or a unit cannot be made.
      RuntimeError: a unit failed for another reason; the message names it.
    """
    start = time.monotonic()
    check_set_names(dataset_name, split)
    units = _checked_units(stage)
    place = Place(out=Path(out).absolute(), dataset_name=dataset_name, split=split)
    with only_run(place.out):
        recover(place)
        published = read_published(place.out)
        due = _due(place, stage, units, published, is_rebuild_allowed)
        if due is not None:
            _make(place, stage, units, due, engine, show_progress)
            published = read_published(place.out)
        else:
            # Of a run that was killed between the set's appearance and its end.
            shutil.rmtree(place.units, ignore_errors=True)
        assert published is not None
        return StageReport(
            stage=stage.name,
            directory=Path(out),
            num_units=len(units),
            num_made=len(due or ()),
            num_records=sum(entry.num_records for entry in published.entries),
            num_rejects=sum(entry.num_rejects for entry in published.entries),
            statuses=read_status_counts(place.out),
            seconds=time.monotonic() - start,
        )


def _checked_units(stage: Stage) -> Sequence[Unit]:
    units = stage.units()
    if not units:
        raise NothingMadeError(
            f"stage {stage.name} has nothing to do: its input holds no units; check "
            "the path and the selection of its input"
        )
    names = [unit.name for unit in units]
    assert names == sorted(set(names)), f"units of {stage.name} are not in order"
    return units


def _due(
    place: Place,
    stage: Stage,
    units: Sequence[Unit],
    published: Published | None,
    is_rebuild_allowed: bool,
) -> list[Unit] | None:
    """The units to make; None where the set is finished and as it should be."""
    fingerprint = stage.fingerprint
    if published is not None:
        found = [
            (entry.unit, entry.digest, entry.fingerprint) for entry in published.entries
        ]
        wanted = [(unit.name, unit.digest, fingerprint) for unit in units]
        names = (published.dataset_name, published.split)
        is_same = found == wanted and names == (place.dataset_name, place.split)
        lost = lost_units(place, published)
        if is_same and not lost:
            return None
        same = {one for one in set(found) & set(wanted) if one[0] not in lost}
        # What was lost is made again without asking: nothing is replaced by it.
        if not is_same and not is_rebuild_allowed:
            raise UserError(
                f"{place.out} holds a finished set of stage {published.stage} that "
                f"is not what would be made now: {_difference(found, wanted)}; replace "
                "it with --rebuild, remove it, or choose another place"
            )
        kept = [unit for unit in units if (unit.name, unit.digest, fingerprint) in same]
        missing = [
            unit
            for unit in kept
            if finished_entry(place.units, unit, fingerprint) is None
        ]
        take_back(place, published, missing)
    return [
        unit for unit in units if finished_entry(place.units, unit, fingerprint) is None
    ]


def _difference(
    found: Sequence[tuple[str, str, str]], wanted: Sequence[tuple[str, str, str]]
) -> str:
    """Says what has changed, in the order of what explains most."""
    if {one[2] for one in found} != {one[2] for one in wanted}:
        return "the stage has other settings or is of another version"
    changed = sorted(set(found) ^ set(wanted))
    if not changed:
        return "it has another name or split"
    count = len({name for name, _, _ in changed})
    return f"{count} of {len(wanted)} units have changed, e.g. {changed[0][0]!r}"


def _make(
    place: Place,
    stage: Stage,
    units: Sequence[Unit],
    due: Sequence[Unit],
    engine: Engine,
    show_progress: bool | None,
) -> dict[str, Any]:
    place.units.mkdir(parents=True, exist_ok=True)
    job = Job(stage=stage, directory=place.units, lock=workers_lock(place.out))
    is_hidden = None if show_progress is None else not show_progress
    with tqdm(desc=stage.name, unit="record", disable=is_hidden) as progress:
        num_finished = len(units) - len(due)

        def report(records: int, finished: int) -> None:
            nonlocal num_finished
            num_finished += finished
            progress.set_postfix_str(f"unit {num_finished}/{len(units)}", refresh=False)
            progress.update(records)

        report(0, 0)
        if due:
            engine.execute(job, due, report)
    return publish(place, stage.name, stage.fingerprint, units)
