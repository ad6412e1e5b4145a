"""From finished units to a set that opens, and from a finished set back to its units.

The set is put together beside its place out of links to the units' shards, and renamed
as a whole. A crash before the rename leaves the units, which are put together again; a
crash behind it leaves the set, and units that the next run removes.
"""

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tbstar_jax.data_engine.engine.job import NothingMadeError
from tbstar_jax.data_engine.engine.ledger import (
    Entry,
    entry_from,
    files_of,
    finished_entry,
    write_entry,
)
from tbstar_jax.data_engine.stage import Unit
from tbstar_jax.data_engine.store.index import merge_indices, read_index, write_index
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.record_shards import (
    MANIFEST,
    Shard,
    finish_set,
    replace_durably,
    shard_name,
    sync,
    write_durably,
)
from tbstar_jax.input_pipeline.records import SCHEMA_VERSION, record_features

LEDGER = "ledger.json"
"""Name of the units' entries beside the shards of a finished set."""

REJECTS = "rejects.jsonl"
"""Name of the list of rows that could not become records."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where a set is, and where it comes to be.

    Attributes:
      out: the finished set.
      dataset_name: in the names of its shards.
      split: likewise.
    """

    out: Path
    dataset_name: str
    split: str

    @property
    def units(self) -> Path:
        """The units' files while the set is being made."""
        return self.out.with_name(f"{self.out.name}.units")

    @property
    def ready(self) -> Path:
        """The set while it is put together."""
        return self.out.with_name(f"{self.out.name}.ready")

    @property
    def replaced(self) -> Path:
        """The set of before, for the moment in which the new one takes its place."""
        return self.out.with_name(f"{self.out.name}.replaced")


def recover(place: Place) -> None:
    """Ends what a killed run had begun with whole sets."""
    if place.replaced.exists():
        if not place.out.exists():
            # Killed between the two renames: the old set is whole, and so are the
            # units of the new one.
            os.rename(place.replaced, place.out)
        else:
            shutil.rmtree(place.replaced)
    shutil.rmtree(place.ready, ignore_errors=True)


def publish(
    place: Place, stage: str, fingerprint: str, units: Sequence[Unit]
) -> dict[str, Any]:
    """Puts the set together out of its units, all of which are finished.

    Args:
      place: of the set; a set that is there is replaced.
      stage: its name.
      fingerprint: of the stage.
      units: in the order of the output.

    Returns:
      The manifest.

    Raises:
      NothingMadeError: no unit made a record.
      UserError: two made the same key, or photos and pairs came out of one stage.
    """
    entries = [_finished(place.units, unit, fingerprint) for unit in units]
    filled = [entry for entry in entries if entry.num_records]
    if not filled:
        raise NothingMadeError(
            f"stage {stage} made no record of {len(units)} units; the reasons are in "
            f"{_write_rejects(place.units, entries, place.units)}"
        )
    kinds = {str(entry.kind) for entry in filled}
    if len(kinds) > 1:
        raise UserError(
            f"stage {stage} made photos and pairs, but a set holds one of the two; "
            "run it on each kind of input apart"
        )
    index = merge_indices(
        pq.read_table(files_of(place.units, entry.unit).index) for entry in filled
    )
    shards = _lay_out(place, filled)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "kind": kinds.pop(),
        "stage": stage,
        "fingerprint": fingerprint,
        "num_units": len(units),
        "num_records": sum(entry.num_records for entry in filled),
        "num_rejects": sum(entry.num_rejects for entry in entries),
    }
    write_index(place.ready, index)
    _write_rejects(place.ready, entries, place.units)
    _write_ledger(place, stage, fingerprint, entries)
    finish_set(
        place.ready,
        place.dataset_name,
        place.split,
        record_features(),
        shards,
        manifest,
    )
    _take_place(place)
    return manifest


def _lay_out(place: Place, filled: Sequence[Entry]) -> list[Shard]:
    """Links the units' shards into the new set."""
    shutil.rmtree(place.ready, ignore_errors=True)
    place.ready.mkdir(parents=True)
    shards = []
    for number, entry in enumerate(filled):
        path = place.ready / f"{number:05d}"
        _link(files_of(place.units, entry.unit).shard, path)
        shards.append(
            Shard(
                path=path,
                num_records=entry.num_records,
                num_bytes=entry.num_bytes,
                sha256=entry.sha256,
            )
        )
    return shards


def _finished(directory: Path, unit: Unit, fingerprint: str) -> Entry:
    entry = finished_entry(directory, unit, fingerprint)
    assert entry is not None, f"unit {unit.name} is not finished"
    return entry


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Not every file system has links.
        shutil.copyfile(source, target)
        sync(target)


def _write_rejects(directory: Path, entries: Sequence[Entry], units: Path) -> Path:
    path = directory / REJECTS
    lines = b"".join(
        files_of(units, entry.unit).rejects.read_bytes()
        for entry in entries
        if entry.num_rejects
    )
    write_durably(path, lines)
    return path


def _write_ledger(
    place: Place, stage: str, fingerprint: str, entries: Sequence[Entry]
) -> None:
    content = {
        "stage": stage,
        "fingerprint": fingerprint,
        "dataset_name": place.dataset_name,
        "split": place.split,
        "units": [dataclasses.asdict(entry) for entry in entries],
    }
    write_durably(place.ready / LEDGER, json.dumps(content, indent=1).encode())


def _take_place(place: Place) -> None:
    if place.out.exists():
        os.rename(place.out, place.replaced)
    os.rename(place.ready, place.out)
    sync(place.out.parent)
    shutil.rmtree(place.replaced, ignore_errors=True)
    shutil.rmtree(place.units)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published:
    """What a finished set says about how it was made.

    Attributes:
      stage: the name of the stage.
      dataset_name: in the names of its shards.
      split: likewise.
      entries: of the units, in order.
    """

    stage: str
    dataset_name: str
    split: str
    entries: tuple[Entry, ...]


def read_published(out: Path) -> Published | None:
    """Reads how a finished set was made; None where nothing lies in its place.

    Raises:
      UserError: what lies there was not made by this engine, or is damaged.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    try:
        content = json.loads((out / LEDGER).read_bytes())
        (out / MANIFEST).stat()
        return Published(
            stage=str(content["stage"]),
            dataset_name=str(content["dataset_name"]),
            split=str(content["split"]),
            entries=tuple(entry_from(entry) for entry in content["units"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{out} is not empty and holds no set of the data engine; remove it or "
            "choose another place"
        ) from error


def is_made_from(out: Path, units: Sequence[Unit]) -> bool:
    """Whether a finished set was made from these units, by whatever settings.

    Args:
      out: the set.
      units: as they are now.
    """
    published = read_published(out)
    assert published is not None, f"{out} is not finished"
    found = [(entry.unit, entry.digest) for entry in published.entries]
    return found == [(unit.name, unit.digest) for unit in units]


def lost_units(place: Place, published: Published) -> frozenset[str]:
    """Names of the units whose shard is gone, or has another size than was written."""
    filled = [entry for entry in published.entries if entry.num_records]
    lost = set()
    for number, entry in enumerate(filled):
        name = shard_name(published.dataset_name, published.split, number, len(filled))
        try:
            is_whole = (place.out / name).stat().st_size == entry.num_bytes
        except OSError:
            is_whole = False
        if not is_whole:
            lost.add(entry.unit)
    return frozenset(lost)


def take_back(place: Place, published: Published, units: Sequence[Unit]) -> None:
    """Lays out the units of a finished set that need not be made again.

    Decisions that were made on the set's index since come along.

    Args:
      place: of the set.
      published: from `read_published`.
      units: names of those to lay out, with their digests.
    """
    wanted = {(unit.name, unit.digest) for unit in units}
    num_filled = sum(entry.num_records > 0 for entry in published.entries)
    number = row = 0
    index = read_index(place.out)
    rejects: dict[str, list[str]] = {}
    with (place.out / REJECTS).open(encoding="utf-8") as file:
        for line in file:
            rejects.setdefault(json.loads(line)["unit"], []).append(line)
    place.units.mkdir(parents=True, exist_ok=True)
    for entry in published.entries:
        shard, start = number, row
        number += entry.num_records > 0
        row += entry.num_records
        if (entry.unit, entry.digest) not in wanted:
            continue
        files = files_of(place.units, entry.unit)
        files.entry.unlink(missing_ok=True)
        if entry.num_records:
            name = shard_name(
                published.dataset_name, published.split, shard, num_filled
            )
            files.shard.unlink(missing_ok=True)
            _link(place.out / name, files.shard)
            _write_table(files.index, index.slice(start, entry.num_records))
        text = "".join(rejects.get(entry.unit, []))
        write_durably(files.rejects, text.encode())
        write_entry(place.units, entry)


def _write_table(path: Path, table: pa.Table) -> None:
    temporary = path.with_name(path.name + ".tmp")
    pq.write_table(table, temporary)
    replace_durably(temporary, path)
