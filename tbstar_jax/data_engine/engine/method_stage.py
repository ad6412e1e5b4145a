"""A method, applied to the records of a set: one unit per shard of the set."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import grain
import numpy as np

from tbstar_jax.array_types import Int
from tbstar_jax.data_engine.annotate import annotated, status_of
from tbstar_jax.data_engine.engine.unit import place_of
from tbstar_jax.data_engine.stage import (
    Made,
    Method,
    Reject,
    Transform,
    Unit,
    Worker,
    fingerprint_of,
    record_generator,
)
from tbstar_jax.data_engine.store.index import INDEX, read_index
from tbstar_jax.data_engine.store.query import Query, select_rows
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.record_shards import MANIFEST
from tbstar_jax.input_pipeline.records import (
    EditRecord,
    RecordCodec,
    RecordSource,
)

_IN_FLIGHT_PER_THREAD = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardRows:
    """What a unit reads.

    Attributes:
      path: the shard.
      rows: positions in it, ascending.
      statuses: of these records, as the set's index has them.
    """

    path: Path
    rows: tuple[int, ...]
    statuses: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MethodStage:
    """Applies a method to every record of a set, or to those that a query selects.

    A record comes with the status that the set's index has, which may have been decided
    after the record was written. Another decision makes the units due whose records it
    concerns, and no others.

    Attributes:
      method: what is done to a record.
      directory: the set.
      split: of the set.
      seed: of all random numbers.
      query: which records; None takes all, also where the set has no index.
    """

    method: Method
    directory: Path
    split: str
    seed: int
    query: Query | None = None

    @property
    def name(self) -> str:
        """The method's."""
        return self.method.name

    @property
    def fingerprint(self) -> str:
        """Names method and seed."""
        settings = {"method": self.method.fingerprint, "seed": self.seed}
        return fingerprint_of(self.name, 1, settings)

    def units(self) -> Sequence[Unit]:
        """One per shard that has a selected record; raises as `shard_units` does."""
        return shard_units(self.directory, self.split, self.query)

    @contextlib.contextmanager
    def open(self) -> Iterator[Worker]:
        """Opens the method."""
        codec = RecordCodec()
        with self.method.open() as transform, mapper(self.method.num_threads) as apply:
            draw = Draw(transform=transform, name=self.method.name, seed=self.seed)
            yield lambda unit: apply(draw, _read(codec, unit.payload))


def shard_units(
    directory: str | os.PathLike[str], split: str, query: Query | None
) -> Sequence[Unit]:
    """The shards of a set, as far as they have a selected record.

    Args:
      directory: of the set.
      split: of the set.
      query: which records; None takes all, also where the set has no index.

    Raises:
      UserError: the set does not open, or has no index though a query is given.
    """
    source = RecordSource(directory, split, None)
    manifest = json.loads((source.directory / MANIFEST).read_bytes())
    rows, statuses = _selected(directory, query, len(source))
    units = []
    start = 0
    for number, shard in enumerate(manifest["shards"]):
        end = start + int(shard["records"])
        first, last = np.searchsorted(rows, [start, end])
        payload = ShardRows(
            path=source.directory.absolute() / shard["name"],
            rows=tuple((rows[first:last] - start).tolist()),
            statuses=tuple(statuses[first:last]),
        )
        start = end
        if payload.rows:
            facts = [shard["sha256"], payload.rows, payload.statuses]
            digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
            units.append(Unit(name=f"{number:05d}", digest=digest, payload=payload))
    return units


def _selected(
    directory: str | os.PathLike[str], query: Query | None, count: int
) -> tuple[Int[np.ndarray, " r"], list[str]]:
    if query is None and not (Path(directory) / INDEX).is_file():
        return np.arange(count), [""] * count
    table = read_index(directory)
    if len(table) != count:
        raise UserError(
            f"the index of {directory} has {len(table)} lines for {count} "
            "records; build the set again"
        )
    rows = np.arange(count) if query is None else select_rows(table, query)
    return rows, table["status"].take(rows).to_pylist()


def _read(codec: RecordCodec, payload: ShardRows) -> Iterator[EditRecord]:
    shard = grain.sources.ArrayRecordDataSource([os.fspath(payload.path)])
    for row, status in zip(payload.rows, payload.statuses, strict=True):
        record = codec.parse(shard[row], f"record {row} of {payload.path}")
        is_decided = bool(status) and status != status_of(record)
        yield annotated(record, status=status) if is_decided else record


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draw:
    """A transform with the random numbers of each record; rejects pass.

    Attributes:
      transform: of a method.
      name: of the method.
      seed: of all random numbers.
    """

    transform: Transform
    name: str
    seed: int

    def __call__(self, record: Made) -> Iterable[Made]:
        """What the transform makes of a record; an exception names the record."""
        if isinstance(record, Reject):
            return [record]
        rng = record_generator(self.seed, self.name, record.key)
        try:
            return [_findable(made, record) for made in self.transform(record, rng)]
        except UserError as error:
            raise UserError(f"record {record.key!r}: {error}") from error
        except Exception as error:
            error.add_note(f"while working on record {record.key!r}")
            raise


def _findable(made: Made, record: EditRecord) -> Made:
    """A reject of a record says which file or row that was."""
    if isinstance(made, Reject) and made.row.startswith(record.key):
        return dataclasses.replace(made, row=place_of(record, made.row))
    return made


Apply: TypeAlias = Callable[[Draw, Iterable[Made]], Iterator[Made]]
"""What `mapper` gives."""


@contextlib.contextmanager
def mapper(num_threads: int) -> Iterator[Apply]:
    """Applies a transform to records in order, several at a time.

    Args:
      num_threads: of one process.
    """
    if num_threads == 1:
        yield _map_here
        return
    with concurrent.futures.ThreadPoolExecutor(num_threads) as pool:

        def apply(draw: Draw, records: Iterable[Made]) -> Iterator[Made]:
            ahead: collections.deque[concurrent.futures.Future[Iterable[Made]]]
            ahead = collections.deque()
            try:
                for record in records:
                    ahead.append(pool.submit(draw, record))
                    if len(ahead) == num_threads * _IN_FLIGHT_PER_THREAD:
                        yield from ahead.popleft().result()
                while ahead:
                    yield from ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()

        yield apply


def _map_here(draw: Draw, records: Iterable[Made]) -> Iterator[Made]:
    for record in records:
        yield from draw(record)
