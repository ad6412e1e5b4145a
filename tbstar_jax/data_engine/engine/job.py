"""What an engine is given and what it says: the border between `run` and engines."""

import dataclasses
import errno
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, Protocol, TypeAlias, runtime_checkable

from tbstar_jax.data_engine.stage import Stage, Unit
from tbstar_jax.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What an engine works on; picklable.

    Attributes:
      stage: makes units.
      directory: where units keep their files.
      lock: held by whatever writes there.
    """

    stage: Stage
    directory: Path
    lock: Path


class NothingMadeError(UserError):
    """A stage has no units, or made no record of them: there is no set."""


Report: TypeAlias = Callable[[int, int], None]
"""Told how many more records and units are made."""


@runtime_checkable
class Engine(Protocol):
    """Makes units, in any order, anywhere."""

    def execute(self, job: Job, units: Sequence[Unit], report: Report) -> None:
        """Makes units; returns when all are in the ledger.

        Raises:
          UserError: a unit cannot be made, for a reason that the user can correct.
          RuntimeError: a unit failed otherwise; the message names it. Either way no
            other unit is left half made.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a unit was not made.

    Attributes:
      unit: its name, or what else a worker was doing.
      reason: the exception in words.
      trace: where it happened; empty for what a user can correct.
    """

    unit: str
    reason: str
    trace: str


def failure_of(unit: str, error: BaseException) -> Failure:
    """Describes an exception so that it can leave its process."""
    if isinstance(error, UserError) or _is_disk_full(error):
        return Failure(unit=unit, reason=str(error), trace="")
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    reason = f"{type(error).__name__}: {error}{notes}"
    trace = "".join(traceback.format_exception(error))
    return Failure(unit=unit, reason=reason, trace=trace)


def _is_disk_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def raise_failure(stage: str, failure: Failure) -> NoReturn:
    """Raises what stopped a stage.

    Raises:
      UserError: the user can correct it.
      RuntimeError: anything else.
    """
    text = f"stage {stage} stopped at {failure.unit}: {failure.reason}"
    if not failure.trace:
        raise UserError(text)
    raise RuntimeError(f"{text}\n\n{failure.trace}")
