"""The same stages on Ray Data: more than one machine, and GPUs for experts.

Ray moves no image: it hands unit numbers to a pool of actors, which write shards where
the embedded engine would, in a directory that all machines share. Our ledger decides
which units are due, so nothing here depends on Ray's own checkpoints. Only this file
needs Ray (extra `ray`).
"""

import contextlib
import dataclasses
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.data

from tbstar_jax.data_engine.engine.job import (
    Failure,
    Job,
    Report,
    failure_of,
    raise_failure,
)
from tbstar_jax.data_engine.engine.ledger import files_of
from tbstar_jax.data_engine.engine.locks import working
from tbstar_jax.data_engine.engine.unit import make_unit
from tbstar_jax.data_engine.stage import Unit
from tbstar_jax.errors import UserError

LOCAL = "local"
"""The address that starts a Ray of its own on this machine."""

_STOP = "stop"
_CPUS_FOR_RAY = 2
_OBJECT_STORE_BYTES = 100 * 2**20
_ATTEMPTS = ".attempts"
_MAX_ATTEMPTS = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class RayEngine:
    """A pool of Ray actors; each makes one unit at a time.

    Attributes:
      num_actors: how many.
      num_gpus: of each actor; a fraction lets actors share a GPU.
      address: of a Ray cluster, or `LOCAL`. A Ray that this process has already joined
        is used as it is.
    """

    num_actors: int
    num_gpus: float = 0.0
    address: str = LOCAL

    def __post_init__(self) -> None:
        if self.num_actors < 1:
            raise UserError(f"num_actors is {self.num_actors}, but must be at least 1")
        if self.num_gpus < 0:
            raise UserError(f"num_gpus is {self.num_gpus}, but must be 0 or more")

    def execute(self, job: Job, units: Sequence[Unit], report: Report) -> None:
        """Makes units; see `Engine`.

        Raises:
          UserError: the cluster is too small for the actors, or as in `Engine`.
        """
        with self.joined():
            self._check_resources()
            failure = self._run(job, units, report)
        if failure is not None:
            raise_failure(job.stage.name, failure)

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """Joins or starts Ray once, for several stages; `execute` does it for one."""
        if ray.is_initialized():
            yield
            return
        options: dict[str, Any] = {}
        if self.address == LOCAL:
            # Logical CPUs: with none left over for Ray's own tasks, reading would wait
            # for the actors and the actors for what is read, forever and silently.
            count = max(os.cpu_count() or 1, self.num_actors + _CPUS_FOR_RAY)
            options = {
                "num_cpus": count,
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE_BYTES,
                "_node_ip_address": "127.0.0.1",
            }
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        ray.init(
            address=self.address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": threads},
            **options,
        )
        try:
            yield
        finally:
            ray.shutdown()

    def _check_resources(self) -> None:
        there = ray.cluster_resources()
        needed = {
            "CPU": self.num_actors + 1,
            "GPU": self.num_actors * self.num_gpus,
        }
        for name, count in needed.items():
            if there.get(name, 0) < count:
                raise UserError(
                    f"{self.num_actors} actors need {count:g} {name}s of Ray, one CPU "
                    f"beside them included, but it has {there.get(name, 0):g}; lower "
                    "num_actors"
                )

    def _run(self, job: Job, units: Sequence[Unit], report: Report) -> Failure | None:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        stop = job.directory / _STOP
        for left in (stop, *job.directory.glob(f"*{_ATTEMPTS}")):
            left.unlink(missing_ok=True)
        items = [{"number": number} for number in range(len(units))]
        # One block per unit, or the pool would get them in a few big ones.
        made = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            _Actor,
            fn_constructor_kwargs={"job": job, "units": list(units)},
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=self.num_actors),
            num_cpus=1,
            num_gpus=self.num_gpus or None,
        )
        failure = None
        for row in made.iter_rows():
            if row["failure"]:
                failure = failure or Failure(**json.loads(row["failure"]))
            elif row["is_made"]:
                report(int(row["num_records"]), 1)
        stop.unlink(missing_ok=True)
        return failure


class _Actor:
    """Opens a stage once and makes units; says what went wrong instead of raising."""

    def __init__(self, job: Job, units: list[Unit]):
        self._job = job
        self._units = units
        self._failure: Failure | None = None
        self._stack = contextlib.ExitStack()
        try:
            self._stack.enter_context(working(job.lock))
            self._worker = self._stack.enter_context(job.stage.open())
        except Exception as error:
            self._failure = failure_of("the start of a worker", error)

    def __del__(self) -> None:
        self._stack.close()

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        (number,) = batch["number"]
        stop: Path = self._job.directory / _STOP
        failure = self._failure
        num_records, is_made = 0, False
        # The others finish what they have, and nothing more, once one has failed.
        if failure is None and not stop.exists():
            unit = self._units[number]
            try:
                num_records, is_made = self._make(unit), True
            except Exception as error:
                failure = failure_of(f"unit {unit.name!r}", error)
        if failure is not None:
            stop.touch()
        text = "" if failure is None else json.dumps(dataclasses.asdict(failure))
        return {
            "num_records": np.array([num_records]),
            "is_made": np.array([is_made]),
            "failure": np.array([text]),
        }

    def _make(self, unit: Unit) -> int:
        """Makes a unit; gives up on one that killed its actor again and again.

        Ray starts an actor that died again, without a limit, and hands it the same.
        """
        attempts = files_of(self._job.directory, unit.name).stem.with_suffix(_ATTEMPTS)
        with attempts.open("a") as file:
            file.write("1")
        if attempts.stat().st_size > _MAX_ATTEMPTS:
            raise RuntimeError(
                f"its process died {_MAX_ATTEMPTS} times; often it lacks memory"
            )
        entry = make_unit(
            self._worker,
            unit,
            self._job.stage.fingerprint,
            self._job.directory,
            lambda records: None,
        )
        attempts.unlink()
        return entry.num_records + entry.num_rejects
