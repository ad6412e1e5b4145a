"""One run writes a set at a time, and no worker of a killed run writes beside it.

Locks of the system, let go by it when a process dies. Their files stay behind, empty,
beside the set.
"""

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path

from tbstar_jax.errors import UserError

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def only_run(out: Path) -> Iterator[None]:
    """Holds a set for one run, once the workers of all others are gone.

    Args:
      out: the set's directory.

    Raises:
      UserError: another run is writing it.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_name(f".{out.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another run is writing {out}; wait for it or choose another place"
            ) from error
        with workers_lock(out).open("w") as workers:
            try:
                fcntl.flock(workers, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # A run that was killed leaves workers behind until they notice.
                _LOG.warning("waiting for the workers of a killed run of %s", out)
                fcntl.flock(workers, fcntl.LOCK_EX)
        yield


def workers_lock(out: Path) -> Path:
    """The lock file that the workers of a run share."""
    return out.with_name(f".{out.name}.workers.lock")


@contextlib.contextmanager
def working(lock: Path) -> Iterator[None]:
    """Says that a worker may be writing.

    Args:
      lock: from `workers_lock`.
    """
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield
