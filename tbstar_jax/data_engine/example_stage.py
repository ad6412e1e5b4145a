"""The stage that draws the sets of the tiny preset; a unit is a range of indices."""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence

from tbstar_jax.data_engine.examples import ENGINE_VERSION, make_record
from tbstar_jax.data_engine.stage import Made, Unit, Worker, fingerprint_of

__all__ = ["ExampleStage"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExampleStage:
    """Draws the first records of one seed space; see `make_record`.

    Attributes:
      space: `base`, `stage1`, `stage2` or `heldout`.
      seed: the user's seed, 0 or more.
      num_records: how many.
      records_per_unit: records per shard.
    """

    space: str
    seed: int
    num_records: int
    records_per_unit: int

    @property
    def name(self) -> str:
        """The seed space, which is what the progress bar shows."""
        return self.space

    @property
    def fingerprint(self) -> str:
        """SHA-256 of engine version, space and seed."""
        settings = {"space": self.space, "seed": self.seed}
        return fingerprint_of("examples", ENGINE_VERSION, settings)

    def units(self) -> Sequence[Unit]:
        """Ranges of indices."""
        made = []
        for first in range(0, self.num_records, self.records_per_unit):
            stop = min(first + self.records_per_unit, self.num_records)
            digest = hashlib.sha256(json.dumps([first, stop]).encode()).hexdigest()
            made.append(Unit(name=f"{first:09d}", digest=digest, payload=(first, stop)))
        return made

    @contextlib.contextmanager
    def open(self) -> Iterator[Worker]:
        """Nothing needs to be loaded."""
        yield self._make

    def _make(self, unit: Unit) -> Iterable[Made]:
        first, stop = unit.payload
        for index in range(first, stop):
            yield make_record(self.space, self.seed, index)
