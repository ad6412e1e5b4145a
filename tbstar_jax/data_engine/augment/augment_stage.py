"""The augmentation stage: each record by itself, and the edits of a photo together.

Edits of a photo are brought together while they pass: a run of records with the same
source file in one shard, and what `each` makes of them. Methods that make several edits
of a photo write them one after the other, so a shard of the output needs one shard of
the input, read once, and no more than one photo's edits in memory.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from tbstar_jax.data_engine.augment.pictures import has_one_source, source_digest
from tbstar_jax.data_engine.engine.method_stage import MethodStage
from tbstar_jax.data_engine.stage import (
    Made,
    Method,
    Reject,
    Unit,
    Worker,
    fingerprint_of,
    record_generator,
)
from tbstar_jax.data_engine.store.query import Query
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord

_DERIVED = ("inverse", "identity", "paste_back", "compose", "chain")
"""Transforms whose records follow the record they were made from."""

_MAX_HELD = 64


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
class AugmentStage:
    """Augments a set of pairs.

    Attributes:
      each: what is done to every record, e.g. `Augment`; it yields the record, too.
      groups: what is done to the edits of a photo, each on what `each` made.
      directory: the set.
      split: of the set.
      seed: of all random numbers.
      query: which records; None takes all.
    """

    each: Method
    groups: tuple[GroupMethod, ...]
    directory: Path
    split: str
    seed: int
    query: Query | None = None

    @property
    def name(self) -> str:
        """The stage's name."""
        return "augment"

    @property
    def fingerprint(self) -> str:
        """Names the methods and the seed."""
        settings = {
            "each": [self.each.name, self.each.fingerprint],
            "groups": [[one.name, one.fingerprint] for one in self.groups],
            "seed": self.seed,
        }
        return fingerprint_of(self.name, 1, settings)

    @property
    def _single(self) -> MethodStage:
        return MethodStage(
            method=self.each,
            directory=self.directory,
            split=self.split,
            seed=self.seed,
            query=self.query,
        )

    def units(self) -> Sequence[Unit]:
        """One per shard that has a selected record; raises as `MethodStage` does."""
        return self._single.units()

    @contextlib.contextmanager
    def open(self) -> Iterator[Worker]:
        """Opens `each`."""
        with self._single.open() as worker:
            yield lambda unit: self.grouped(worker(unit))

    def grouped(self, made: Iterable[Made]) -> Iterator[Made]:
        """Passes everything on, and behind the edits of a photo what groups add.

        Args:
          made: records in the order of their shard, with what was made of each.
        """
        held: list[EditRecord] = []
        photo = ""
        for one in made:
            if not isinstance(one, Reject) and has_one_source(one):
                digest = source_digest(one)
                is_derived = one.provenance.get("transform") in _DERIVED
                is_next = digest != photo and not is_derived
                if is_next or len(held) == _MAX_HELD:
                    yield from self._combined(held)
                    held = []
                photo = photo if is_derived else digest
                held.append(one)
            yield one
        yield from self._combined(held)

    def _combined(self, held: Sequence[EditRecord]) -> Iterator[Made]:
        by_photo: dict[str, list[EditRecord]] = {}
        for record in held:
            by_photo.setdefault(source_digest(record), []).append(record)
        for digest, records in by_photo.items():
            if len(records) < 2:
                continue
            for method in self.groups:
                rng = record_generator(self.seed, method.name, digest)
                try:
                    yield from method.combine(records, rng)
                except UserError as error:
                    row = f"{records[0].key} ({method.name})"
                    yield Reject(row=row, reason=str(error))
