"""A cheap stage and a cheap method, with every way to fail, for the tests beside."""

import contextlib
import dataclasses
import hashlib
import os
import signal
import time
from pathlib import Path

from tbstar_jax.data_engine.annotate import annotated, derived
from tbstar_jax.data_engine.stage import Reject, Unit, fingerprint_of
from tbstar_jax.errors import UserError
from tests.input_pipeline.samples import make_record


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToyStage:
    """Makes `sizes[u]` records in unit u; each unit it starts is noted in `log`.

    Record `u-k` is a reject where k is in `rejected`. Whoever comes to unit `killed`
    kills `victim` (a process; 0: itself, -1: its parent) unless that has happened.
    """

    log: Path
    sizes: tuple[int, ...]
    rejected: tuple[int, ...] = ()
    salt: str = ""
    fails_at: str = ""
    killed: str = ""
    victim: int = 0
    seconds: float = 0.0
    name: str = "toy"

    @property
    def fingerprint(self):
        return fingerprint_of(self.name, 1, {"salt": self.salt})

    def units(self):
        return [
            Unit(
                name=f"unit {number:02d}",
                digest=hashlib.sha256(f"{number} {size}".encode()).hexdigest(),
                payload=(number, size),
            )
            for number, size in enumerate(self.sizes)
        ]

    @contextlib.contextmanager
    def open(self):
        yield self._work

    def _work(self, unit):
        number, size = unit.payload
        with (self.log / "started").open("a") as file:
            file.write(f"{unit.name}\n")
        for k in range(size):
            time.sleep(self.seconds)
            if k == 1:
                self._misbehave(unit.name)
            if k in self.rejected:
                yield Reject(row=f"{number}-{k}", reason="it is grey")
                continue
            record = make_record(100 * number + k)
            yield dataclasses.replace(record, provenance={"salt": self.salt})

    def _misbehave(self, name):
        if name == self.fails_at:
            raise ZeroDivisionError("planted")
        mark = self.log / "killed"
        if name == self.killed and not mark.exists():
            mark.touch()
            itself = {0: os.getpid(), -1: os.getppid()}
            os.kill(itself.get(self.victim, self.victim), signal.SIGKILL)
            time.sleep(5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Doubling:
    """Every record twice: as it is, and with a number drawn for it."""

    num_threads: int = 1
    fails_at: str = ""
    name: str = "doubling"

    @property
    def fingerprint(self):
        return fingerprint_of(self.name, 1, {})

    @contextlib.contextmanager
    def open(self):
        yield self._double

    def _double(self, record, rng):
        if record.key == self.fails_at:
            raise UserError("planted")
        # Later records overtake earlier ones where threads let them.
        time.sleep(0.002 * (4 - int(record.key.split("-")[1]) % 5))
        yield record
        copy = derived(
            record, key=f"{record.key}-b", transform="identity", parents=[record]
        )
        yield annotated(copy, drawn=int(rng.integers(1000)))


def started(stage):
    """Units that were started, in order, since last asked."""
    path = stage.log / "started"
    text = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    return text.splitlines()


def content(directory):
    """All that must not depend on workers, crashes or the time."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != "dataset_info.json"
    }
