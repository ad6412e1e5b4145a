"""What methods share that load nothing and keep one thread busy."""

import abc
import contextlib
import dataclasses
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import ClassVar

import numpy as np

from tbstar_jax.data_engine.stage import Made, Transform, fingerprint_of
from tbstar_jax.input_pipeline.records import EditRecord


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlainMethod(abc.ABC):
    """A `Method` whose fields decide its output.

    Attributes:
      name: of the method.
      version: raised whenever the same settings would give another output.
      num_threads: it computes and never waits.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    num_threads: ClassVar[int] = 1

    @property
    def fingerprint(self) -> str:
        """SHA-256 of name, version and fields."""
        return fingerprint_of(self.name, self.version, dataclasses.asdict(self))

    def open(self) -> AbstractContextManager[Transform]:
        """Nothing needs to be loaded."""
        return contextlib.nullcontext(self.transform)

    @abc.abstractmethod
    def transform(self, record: EditRecord, rng: np.random.Generator) -> Iterable[Made]:
        """What becomes of a record; see `stage.Transform`."""
