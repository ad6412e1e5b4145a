"""One unit becomes one shard, its index, its rejects and its entry in the ledger."""

import collections
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tbstar_jax.data_engine.engine.ledger import Entry, files_of, write_entry
from tbstar_jax.data_engine.stage import Made, Reject, Unit, Worker
from tbstar_jax.data_engine.store.codecs import apply_codec_policy
from tbstar_jax.data_engine.store.index import index_line, index_table
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.record_shards import (
    Shard,
    replace_durably,
    write_durably,
    write_shard,
)
from tbstar_jax.input_pipeline.records import (
    EditRecord,
    Kind,
    RecordCodec,
    check_record,
    kind_of,
)

Count = Callable[[int], None]
"""Told how many more records and rejects there are."""


def make_unit(
    worker: Worker, unit: Unit, fingerprint: str, directory: Path, count: Count
) -> Entry:
    """Makes a unit, or leaves it unfinished.

    Args:
      worker: of the stage.
      unit: what to make.
      fingerprint: of the stage.
      directory: where the units of the stage keep their files.
      count: called for every record or reject.

    Returns:
      Its entry, which is in the ledger.

    Raises:
      UserError: a key repeats, or the unit makes photos and pairs.
    """
    files = files_of(directory, unit.name)
    # An entry of before would otherwise vouch for a shard that is being replaced.
    files.entry.unlink(missing_ok=True)
    files.shard.unlink(missing_ok=True)
    content = _Content()
    temporary = files.rejects.with_name(files.rejects.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as rejects:

        def examples() -> Iterator[bytes]:
            for made in worker(unit):
                count(1)
                example = content.accept(made)
                if isinstance(example, bytes):
                    yield example
                    continue
                line = {"unit": unit.name, "row": example.row, "reason": example.reason}
                rejects.write(json.dumps(line, ensure_ascii=False) + "\n")

        shard = write_shard(files.shard, examples())
    replace_durably(temporary, files.rejects)
    if shard.num_records:
        buffer = io.BytesIO()
        pq.write_table(index_table(content.lines), buffer)
        write_durably(files.index, buffer.getvalue())
    else:
        # A set has no use for an empty file of the writer's.
        files.shard.unlink()
    entry = content.entry(unit, fingerprint, shard)
    write_entry(directory, entry)
    return entry


def place_of(record: EditRecord, name: str) -> str:
    """How a user finds a record: by the file or row it came from, where it says so.

    Args:
      record: any.
      name: its key, or what begins with it.
    """
    row = record.provenance.get("row")
    return name if row is None else f"{row} ({name})"


class _Content:
    """What a unit has made so far."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self._codec = RecordCodec()
        self._keys: set[str] = set()
        self._kind: Kind | None = None
        self._num_rejects = 0

    def accept(self, made: Made) -> bytes | Reject:
        """Takes a record as bytes, or rejects what no set could hold."""
        if isinstance(made, EditRecord):
            if not made.key or made.key in self._keys:
                raise UserError(f"the key {made.key!r} is empty or used twice")
            kind = kind_of(made)
            if self._kind not in (None, kind):
                raise UserError(
                    f"record {made.key!r} is one of {kind} behind {self._kind}; a "
                    "stage makes one of the two"
                )
            try:
                record = apply_codec_policy(made)
                check_record(record, kind)
                line, example = index_line(record), self._codec.serialise(record)
            except UserError as error:
                made = Reject(row=place_of(made, made.key), reason=str(error))
            else:
                self._kind = kind
                self._keys.add(made.key)
                self.lines.append(line)
                return example
        self._num_rejects += 1
        return made

    def entry(self, unit: Unit, fingerprint: str, shard: Shard) -> Entry:
        """The entry of the whole unit."""
        statuses = collections.Counter(line["status"] for line in self.lines)
        return Entry(
            unit=unit.name,
            digest=unit.digest,
            fingerprint=fingerprint,
            kind=self._kind,
            num_records=shard.num_records,
            num_rejects=self._num_rejects,
            num_bytes=shard.num_bytes if shard.num_records else 0,
            sha256=shard.sha256 if shard.num_records else "",
            statuses=dict(sorted(statuses.items())),
        )
