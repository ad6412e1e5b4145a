"""Processes of one machine: each makes one unit at a time, handed out one by one.

A worker ends when its parent does. Nothing is queued beyond the unit in work, and
records go from the method to the shard one at a time, so memory does not grow with the
set.
"""

import contextlib
import dataclasses
import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from tbstar_jax.data_engine.engine.job import (
    Failure,
    Job,
    Report,
    failure_of,
    raise_failure,
)
from tbstar_jax.data_engine.engine.locks import working
from tbstar_jax.data_engine.engine.unit import make_unit
from tbstar_jax.data_engine.stage import Unit
from tbstar_jax.errors import UserError

_REPORT_EVERY = 0.2
_THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddedEngine:
    """Processes of this machine.

    Attributes:
      workers: how many; one works in the calling process.
    """

    workers: int

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UserError(f"workers is {self.workers}, but must be at least 1")

    def execute(self, job: Job, units: Sequence[Unit], report: Report) -> None:
        """Makes units; see `Engine`."""
        if self.workers == 1 or len(units) == 1:
            _work_here(job, units, report)
            return
        with _workers(job, min(self.workers, len(units))) as processes:
            _Dispatch(job.stage.name, units, processes, report).run()


def _work_here(job: Job, units: Sequence[Unit], report: Report) -> None:
    name = "the start of its worker"
    try:
        with working(job.lock), job.stage.open() as worker:
            for unit in units:
                name = f"unit {unit.name!r}"
                make_unit(
                    worker,
                    unit,
                    job.stage.fingerprint,
                    job.directory,
                    lambda records: report(records, 0),
                )
                report(0, 1)
    except Exception as error:
        raise_failure(job.stage.name, failure_of(name, error))


@contextlib.contextmanager
def _workers(job: Job, count: int) -> Iterator[dict[Connection, SpawnProcess]]:
    """Starts workers and ends them; maps the connection to each to its process."""
    # Threads of numerical libraries do not survive a fork.
    context = multiprocessing.get_context("spawn")
    processes: dict[Connection, SpawnProcess] = {}
    try:
        with _one_thread_per_library(), _interrupts_blocked():
            for _ in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_serve, args=(theirs, job), daemon=True
                )
                process.start()
                theirs.close()
                processes[ours] = process
        yield processes
    except BaseException:
        # All units in work are finished after a failure, but not after Ctrl-C.
        for process in processes.values():
            process.terminate()
        raise
    finally:
        for connection, process in processes.items():
            connection.close()
            # One that waits for a unit has seen the end of its connection.
            process.join(timeout=5)
            if process.is_alive():
                process.terminate()
                process.join()


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Processes that are started meanwhile never see Ctrl-C; the parent ends them.

    A terminal interrupts all processes of a command, those too that still import.
    """
    # It would lift the block when it starts for the first process.
    multiprocessing.resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _one_thread_per_library() -> Iterator[None]:
    """Processes are the parallelism: libraries that start threads would add to it."""
    absent = [name for name in _THREAD_LIMITS if name not in os.environ]
    os.environ.update(dict.fromkeys(absent, "1"))
    try:
        yield
    finally:
        for name in absent:
            del os.environ[name]


@dataclasses.dataclass(frozen=True)
class _Made:
    """A worker's message: so many more records, and perhaps the unit is finished."""

    records: int
    is_finished: bool


class _Dispatch:
    """Hands units to workers until all are made or one has failed."""

    def __init__(
        self,
        stage: str,
        units: Sequence[Unit],
        processes: dict[Connection, SpawnProcess],
        report: Report,
    ):
        self._stage = stage
        self._waiting = list(reversed(units))
        self._processes = processes
        self._report = report
        self._in_work: dict[Connection, str] = {}
        self._failure: Failure | None = None

    def run(self) -> None:
        for connection in self._processes:
            self._hand_out(connection)
        while self._in_work:
            for ready in multiprocessing.connection.wait(list(self._in_work)):
                assert isinstance(ready, Connection)
                self._receive(ready)
        if self._failure is not None:
            raise_failure(self._stage, self._failure)

    def _hand_out(self, connection: Connection) -> None:
        self._in_work.pop(connection, None)
        # The others finish what they have, and get nothing more, once one has failed.
        if self._waiting and self._failure is None:
            unit = self._waiting.pop()
            self._in_work[connection] = f"unit {unit.name!r}"
            with contextlib.suppress(BrokenPipeError):
                connection.send(unit)

    def _receive(self, connection: Connection) -> None:
        try:
            message = connection.recv()
        except (EOFError, ConnectionResetError):
            process = self._processes[connection]
            process.join()
            self._fail(
                Failure(
                    unit=self._in_work[connection],
                    reason=f"its process died with exit code {process.exitcode}",
                    trace="A negative code is the signal; -9 is often lack of memory.",
                )
            )
            self._in_work.pop(connection)
            return
        if isinstance(message, Failure):
            self._fail(message)
            self._in_work.pop(connection)
            return
        self._report(message.records, int(message.is_finished))
        if message.is_finished:
            self._hand_out(connection)

    def _fail(self, failure: Failure) -> None:
        self._failure = self._failure or failure


def _serve(connection: Connection, job: Job) -> None:
    """A worker process: makes units until its connection ends."""
    _end_with_parent()
    name = "the start of a worker"
    try:
        with working(job.lock), job.stage.open() as worker:
            while True:
                try:
                    unit = connection.recv()
                except EOFError:
                    return
                name = f"unit {unit.name!r}"
                count = _Throttled(connection)
                make_unit(worker, unit, job.stage.fingerprint, job.directory, count)
                connection.send(_Made(count.pending, True))
    except Exception as error:
        with contextlib.suppress(OSError):
            connection.send(failure_of(name, error))


class _Throttled:
    """Tells the parent about records, a few times per second."""

    def __init__(self, connection: Connection):
        self.pending = 0
        self._connection = connection
        self._last = time.monotonic()

    def __call__(self, records: int) -> None:
        self.pending += records
        now = time.monotonic()
        if now - self._last >= _REPORT_EVERY:
            self._connection.send(_Made(self.pending, False))
            self.pending, self._last = 0, now


def _end_with_parent() -> None:
    """Ends this process with its parent, even if that is killed in mid-unit."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        # Nothing is half written under a final name; the unit is made again.
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
