"""In-context pairs from nothing: plans by (seed, index), and the pairs of each."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator, Sequence

from tbstar_jax.data_engine.construct.in_context import InContext
from tbstar_jax.data_engine.construct.in_context_prompts import sampled_plan
from tbstar_jax.data_engine.stage import (
    Made,
    Unit,
    Worker,
    fingerprint_of,
    record_generator,
)
from tbstar_jax.errors import UserError

_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class InContextStage:
    """Draws plans, and has their pairs drawn.

    Attributes:
      method: draws the pairs of a plan.
      num_plans: how many, at least 1.
      seed: of everything random.
      plans_per_unit: plans per output shard, at least 1.
    """

    method: InContext
    num_plans: int
    seed: int
    plans_per_unit: int

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
          UserError: a count is below 1.
        """
        if self.num_plans < 1 or self.plans_per_unit < 1:
            raise UserError(
                f"num_plans is {self.num_plans} and plans_per_unit "
                f"{self.plans_per_unit}, but both must be at least 1"
            )

    @property
    def name(self) -> str:
        """`in_context`."""
        return self.method.name

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what decides a pair beside its plan's index."""
        settings = {"method": self.method.fingerprint, "seed": self.seed}
        return fingerprint_of(self.name, _VERSION, settings)

    def units(self) -> Sequence[Unit]:
        """One unit per range of plans, in order."""
        units = []
        for start in range(0, self.num_plans, self.plans_per_unit):
            stop = min(start + self.plans_per_unit, self.num_plans)
            digest = hashlib.sha256(f"{start}:{stop}".encode()).hexdigest()
            name = f"plans-{start:08d}"
            units.append(Unit(name=name, digest=digest, payload=(start, stop)))
        return units

    @contextlib.contextmanager
    def open(self) -> Iterator[Worker]:
        """Loads the model, once per process."""
        with self.method.open() as transform:

            def work(unit: Unit) -> Iterator[Made]:
                for index in range(*unit.payload):
                    plan = sampled_plan(self.seed, index, self.method.size)
                    rng = record_generator(self.seed, self.name, plan.key)
                    yield from transform(plan, rng)

            yield work
