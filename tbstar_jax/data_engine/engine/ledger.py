"""Which units of a stage are finished: one small JSON file per unit, written last.

A unit's files lie beside each other under a name of its own:

    <unit>.shard           records; absent where the unit made none
    <unit>.index.parquet   the side index of the shard; likewise
    <unit>.rejects.jsonl   rows that could not become records
    <unit>.json            the entry; the unit is finished when it is there
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tbstar_jax.data_engine.stage import Unit
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.record_shards import write_durably
from tbstar_jax.input_pipeline.records import Kind


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A finished unit.

    Attributes:
      unit: its name.
      digest: of what it was made from.
      fingerprint: of the stage that made it.
      kind: what its records are; None where it made none.
      num_records: records in its shard.
      num_rejects: rows that could not become records.
      num_bytes: size of the shard, 0 where there is none.
      sha256: of the shard, empty where there is none.
      statuses: records by status, as they were made.
    """

    unit: str
    digest: str
    fingerprint: str
    kind: Kind | None
    num_records: int
    num_rejects: int
    num_bytes: int
    sha256: str
    statuses: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class UnitFiles:
    """Where the files of a unit lie.

    Attributes:
      stem: their common beginning.
    """

    stem: Path

    @property
    def shard(self) -> Path:
        """The records."""
        return self.stem.with_name(self.stem.name + ".shard")

    @property
    def index(self) -> Path:
        """The side index of the shard."""
        return self.stem.with_name(self.stem.name + ".index.parquet")

    @property
    def rejects(self) -> Path:
        """The rows that could not become records."""
        return self.stem.with_name(self.stem.name + ".rejects.jsonl")

    @property
    def entry(self) -> Path:
        """The entry that says that the others are whole."""
        return self.stem.with_name(self.stem.name + ".json")


def files_of(directory: Path, unit: str) -> UnitFiles:
    """Where a unit keeps its files: readable, short, and its own whatever its name."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", unit)[:60]
    digest = hashlib.sha256(unit.encode()).hexdigest()[:12]
    return UnitFiles(directory / f"{readable}-{digest}")


def finished_entry(directory: Path, unit: Unit, fingerprint: str) -> Entry | None:
    """The entry of a unit, if it is finished and made from the same by the same.

    Args:
      directory: where the units of the stage keep their files.
      unit: as it is now.
      fingerprint: of the stage as it is now.
    """
    files = files_of(directory, unit.name)
    try:
        entry = entry_from(json.loads(files.entry.read_bytes()))
    except (OSError, ValueError):
        # Not there, or cut by a crash of the machine: the unit is made again.
        return None
    found = (entry.unit, entry.digest, entry.fingerprint)
    if found != (unit.name, unit.digest, fingerprint):
        return None
    if entry.num_records and not _is_whole(files, entry):
        return None
    return entry


def _is_whole(files: UnitFiles, entry: Entry) -> bool:
    try:
        return files.shard.stat().st_size == entry.num_bytes and files.index.is_file()
    except OSError:
        return False


def write_entry(directory: Path, entry: Entry) -> None:
    """Makes a unit finished; its other files must be on the disk."""
    files = files_of(directory, entry.unit)
    write_durably(files.entry, json.dumps(dataclasses.asdict(entry), indent=1).encode())


def entry_from(content: Any) -> Entry:
    """An entry from its JSON.

    Raises:
      UserError: it is none.
    """
    names = {field.name for field in dataclasses.fields(Entry)}
    if not isinstance(content, dict) or not names <= content.keys():
        raise UserError("an entry of the ledger is damaged; remove the set's directory")
    return Entry(**{name: content[name] for name in names})
