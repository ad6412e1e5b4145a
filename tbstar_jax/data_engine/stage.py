"""What a step of the data engine is: units of work in, records out.

A stage is a pure function of its units, its configuration and its seed. A unit becomes
exactly one output shard, whichever process makes it, so that shards can be made in any
order, by any engine, and made again:

    unit -> worker -> records and rejects -> shard + ledger entry

Most stages do one thing to one record at a time: they are a `Method`, and `engine/`
turns it into a stage over the shards of a record set. A photo that has no edit yet is a
record without target and without instructions.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from tbstar_jax.input_pipeline.records import EditRecord


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reject:
    """A row that cannot become a record; it is written to the ledger of rejects.

    Attributes:
      row: where it is, e.g. `train-00001.parquet row 17`, or a record's key.
      reason: one sentence: what is wrong, the value, the limit.
    """

    row: str
    reason: str


Made: TypeAlias = EditRecord | Reject
"""What comes out of a unit or of a record."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unit:
    """What becomes one output shard.

    Attributes:
      name: unique within the stage, sorted as text in the order of the output.
      digest: SHA-256 of what the unit is made from; another digest is another unit.
      payload: what the stage's worker needs to find it; picklable.
    """

    name: str
    digest: str
    payload: Any


Worker: TypeAlias = Callable[[Unit], Iterable[Made]]
"""Makes the records of a unit, in order, lazily."""


@runtime_checkable
class Stage(Protocol):
    """A step of the engine; picklable, since every process opens its own worker."""

    @property
    def name(self) -> str:
        """Lower-case letters, digits and underscores, e.g. `collect`."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides the output beside the units."""

    def units(self) -> Sequence[Unit]:
        """The units, in the order of the output's shards."""

    def open(self) -> AbstractContextManager[Worker]:
        """Loads what a worker needs (models, clients), once per process."""


Transform: TypeAlias = Callable[[EditRecord, np.random.Generator], Iterable[Made]]
"""From a record to records; its generator is keyed by seed, method and record."""


@runtime_checkable
class Method(Protocol):
    """What is done to one record at a time: a frozen dataclass, picklable."""

    @property
    def name(self) -> str:
        """Lower-case letters, digits and underscores, e.g. `expert`."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides the output beside the record and the seed."""

    @property
    def num_threads(self) -> int:
        """Records in flight per process; above 1 where they wait for a server."""

    def open(self) -> AbstractContextManager[Transform]:
        """Loads what is needed, once per process; the transform is thread-safe."""


def fingerprint_of(name: str, version: int, settings: Mapping[str, Any]) -> str:
    """SHA-256 that names a stage or method with its settings.

    Args:
      name: of the stage or method.
      version: raised whenever the same settings would give another output.
      settings: anything JSON can hold.
    """
    text = json.dumps([name, version, dict(settings)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def record_generator(seed: int, method: str, key: str) -> np.random.Generator:
    """The random numbers of one record in one method, whoever asks and in any order."""
    digest = hashlib.sha256(json.dumps([seed, method, key]).encode()).digest()
    words = np.frombuffer(digest, dtype="<u4")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words.tolist())))
