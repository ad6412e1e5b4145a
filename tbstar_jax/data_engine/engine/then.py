"""A stage and a method as one stage: what the stage makes passes through the method."""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tbstar_jax.data_engine.engine.method_stage import Draw, mapper
from tbstar_jax.data_engine.stage import (
    Made,
    Method,
    Stage,
    Transform,
    Unit,
    Worker,
    fingerprint_of,
)
from tbstar_jax.input_pipeline.records import EditRecord

__all__ = ["OnlyNew", "ThenStage"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThenStage:
    """Saves writing and reading a set between two steps.

    Attributes:
      first: makes records.
      method: is given each of them.
      seed: of the method's random numbers.
    """

    first: Stage
    method: Method
    seed: int

    @property
    def name(self) -> str:
        """The first stage's."""
        return self.first.name

    @property
    def fingerprint(self) -> str:
        """Names both, and the seed."""
        settings = {
            "first": self.first.fingerprint,
            "method": self.method.fingerprint,
            "seed": self.seed,
        }
        return fingerprint_of(self.name, 1, settings)

    def units(self) -> Sequence[Unit]:
        """The first stage's."""
        return self.first.units()

    @contextlib.contextmanager
    def open(self) -> Iterator[Worker]:
        """Opens both."""
        with (
            self.first.open() as worker,
            self.method.open() as transform,
            mapper(self.method.num_threads) as apply,
        ):
            draw = Draw(transform=transform, name=self.method.name, seed=self.seed)
            yield lambda unit: apply(draw, worker(unit))


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnlyNew:
    """A method for records that it has not seen yet: those without its note.

    Attributes:
      method: what is done to them; it leaves the note.
      note: a key of the provenance, or the beginning of the name of a score.
    """

    method: Method
    note: str

    @property
    def name(self) -> str:
        """The method's."""
        return self.method.name

    @property
    def fingerprint(self) -> str:
        """Names the method and the note."""
        settings = {"method": self.method.fingerprint, "note": self.note}
        return fingerprint_of(self.name, 1, settings)

    @property
    def num_threads(self) -> int:
        """The method's."""
        return self.method.num_threads

    @contextlib.contextmanager
    def open(self) -> Iterator[Transform]:
        """Opens the method."""
        with self.method.open() as transform:

            def of_new(record: EditRecord, rng: np.random.Generator) -> Iterable[Made]:
                return [record] if self._is_known(record) else transform(record, rng)

            yield of_new

    def _is_known(self, record: EditRecord) -> bool:
        scores = record.provenance.get("scores", {})
        return self.note in record.provenance or any(
            name.startswith(self.note) for name in scores
        )
