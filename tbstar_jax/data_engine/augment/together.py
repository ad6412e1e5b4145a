"""Several methods of augmentation as one, so that a set is read and written once."""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from tbstar_jax.data_engine.stage import (
    Made,
    Method,
    Reject,
    Transform,
    fingerprint_of,
    record_generator,
)
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augment:
    """Hands every record to all methods, then every record made to the last one.

    Attributes:
      methods: each is given the record itself, e.g. paste back, invert and identity;
        each yields that record first, which is kept once.
      finish: is given the record and all that was made of it, e.g. paraphrase; None
        leaves them as they are.
    """

    methods: tuple[Method, ...]
    finish: Method | None = None

    def __post_init__(self) -> None:
        """Checks the methods.

        Raises:
          UserError: two have the same name.
        """
        names = [one.name for one in self.methods]
        if len(set(names)) < len(names):
            raise UserError(f"augmentation names a method twice: {', '.join(names)}")

    @property
    def name(self) -> str:
        """The method's name."""
        return "augment"

    @property
    def _used(self) -> tuple[Method, ...]:
        return self.methods if self.finish is None else (*self.methods, self.finish)

    @property
    def fingerprint(self) -> str:
        """Names the methods, in their order."""
        used = [[one.name, one.fingerprint] for one in self._used]
        settings = {"methods": used, "is_finished": self.finish is not None}
        return fingerprint_of(self.name, 1, settings)

    @property
    def num_threads(self) -> int:
        """As many as the method that waits most."""
        return max((one.num_threads for one in self._used), default=1)

    @contextlib.contextmanager
    def open(self) -> Iterator[Transform]:
        """Opens all methods."""
        with contextlib.ExitStack() as stack:
            transforms = {
                one.name: stack.enter_context(one.open()) for one in self.methods
            }
            finish = None
            if self.finish is not None:
                finish = stack.enter_context(self.finish.open())

            def transform(
                record: EditRecord, rng: np.random.Generator
            ) -> Iterable[Made]:
                seed = int(rng.integers(2**31))
                made: list[Made] = [record]
                for one in self.methods:
                    # Own random numbers for each, so that adding a method moves none.
                    drawn = record_generator(seed, one.name, record.key)
                    own, *rest = transforms[one.name](record, drawn)
                    assert own is record, "an augmentation must yield its record first"
                    made += rest
                for new in made:
                    if finish is None or isinstance(new, Reject):
                        yield new
                    else:
                        last = record_generator(seed, "finish", new.key)
                        yield from finish(new, last)

            yield transform
