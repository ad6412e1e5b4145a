"""The stage that combines records of one photo, shard by shard.

Edits of a photo lie in one shard when they were made from one record, which is how
every method writes them; edits in different shards are not brought together, so that a
shard of the output needs one shard of the input and no other.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from tbstar_jax.data_engine.augment.pictures import has_one_source, source_digest
from tbstar_jax.data_engine.stage import (
    Made,
    Reject,
    Unit,
    Worker,
    fingerprint_of,
    record_generator,
)
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import MANIFEST, EditRecord, RecordSource


@runtime_checkable
class GroupMethod(Protocol):
    """What is done to the edits of one photo; picklable."""

    @property
    def name(self) -> str:
        """Lower-case letters, digits and underscores."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides the output beside the records and the seed."""

    def combine(
        self, records: Sequence[EditRecord], rng: np.random.Generator
    ) -> Iterable[Made]:
        """Makes new records of these, which are edits of the same file."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroupStage:
    """Copies a set of pairs and adds what group methods make of it.

    Attributes:
      name: of the stage.
      directory: the set of pairs.
      split: of the set.
      methods: each is given the records of the set, not what another made.
      seed: of the random choices.
    """

    name: str
    directory: str
    split: str
    methods: tuple[GroupMethod, ...]
    seed: int

    @property
    def fingerprint(self) -> str:
        """Names the methods and the seed."""
        settings = {
            "methods": [[one.name, one.fingerprint] for one in self.methods],
            "seed": self.seed,
        }
        return fingerprint_of(self.name, 1, settings)

    def units(self) -> Sequence[Unit]:
        """One per shard of the set.

        Raises:
          UserError: the set does not open, or its manifest names no shards.
        """
        source = RecordSource(self.directory, self.split)
        try:
            text = (source.directory / MANIFEST).read_text(encoding="utf-8")
            shards = [
                (str(shard["sha256"]), int(shard["records"]))
                for shard in json.loads(text)["shards"]
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"the record set {self.directory} has no readable {MANIFEST} with its "
                "shards; build it again"
            ) from error
        units, start = [], 0
        for index, (digest, count) in enumerate(shards):
            rows = (start, start + count)
            units.append(Unit(name=f"{index:05d}", digest=digest, payload=rows))
            start += count
        if start != len(source):
            raise UserError(
                f"the {MANIFEST} of {self.directory} lists {start} records, but it "
                f"holds {len(source)}; build it again"
            )
        return units

    @contextlib.contextmanager
    def open(self) -> Iterator[Worker]:
        """Opens the set."""
        source = RecordSource(self.directory, self.split)

        def worker(unit: Unit) -> Iterator[Made]:
            start, stop = unit.payload
            rows_by_photo: dict[str, list[int]] = {}
            for row in range(start, stop):
                record = source[row]
                if has_one_source(record):
                    rows_by_photo.setdefault(source_digest(record), []).append(row)
                yield record
            for digest, rows in rows_by_photo.items():
                if len(rows) > 1:
                    yield from self.combined([source[row] for row in rows], digest)

        yield worker

    def combined(self, records: Sequence[EditRecord], digest: str) -> Iterator[Made]:
        """What all methods make of the edits of one photo.

        Args:
          records: the edits.
          digest: of the photo, which keys the random numbers.
        """
        for method in self.methods:
            rng = record_generator(self.seed, method.name, digest)
            try:
                yield from method.combine(records, rng)
            except UserError as error:
                row = f"{records[0].key} ({method.name})"
                yield Reject(row=row, reason=str(error))
