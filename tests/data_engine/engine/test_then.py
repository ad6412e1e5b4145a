"""A stage and a method in one pass: threads, rejects and failures."""

import contextlib
import dataclasses
import threading

import pytest

from tbstar_jax.data_engine.annotate import annotated
from tbstar_jax.data_engine.engine.embedded import EmbeddedEngine
from tbstar_jax.data_engine.engine.run import run_stage
from tbstar_jax.data_engine.engine.then import ThenStage
from tbstar_jax.data_engine.stage import fingerprint_of
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import RecordSource
from tests.data_engine.engine.toy import Doubling, ToyStage


@dataclasses.dataclass(frozen=True, kw_only=True)
class Meeting:
    """Waits until two records are in work, as a server does that asks for company."""

    num_threads: int
    name: str = "meeting"

    @property
    def fingerprint(self):
        return fingerprint_of(self.name, 1, {})

    @contextlib.contextmanager
    def open(self):
        both = threading.Barrier(2)

        def meet(record, rng):
            both.wait(timeout=5)
            return [annotated(record, drawn=int(rng.integers(1000)))]

        yield meet


def run(first, method, out):
    stage = ThenStage(first=first, method=method, seed=0)
    engine = EmbeddedEngine(workers=1)
    return run_stage(stage, out, "s", "train", engine=engine, show_progress=False)


def test_a_method_that_waits_has_its_records_in_flight(tmp_path):
    first = ToyStage(log=tmp_path, sizes=(5, 3), rejected=(1,))
    report = run(first, Meeting(num_threads=2), tmp_path / "set")
    assert (report.num_records, report.num_rejects) == (6, 2)
    source = RecordSource(tmp_path / "set", "train")
    keys = [source[row].key for row in range(6)]
    assert keys == [f"record-{k}" for k in (0, 2, 3, 4, 100, 102)]


def test_a_failure_names_the_record(tmp_path):
    first = ToyStage(log=tmp_path, sizes=(2,))
    with pytest.raises(UserError, match="record 'record-1': planted"):
        run(first, Doubling(fails_at="record-1"), tmp_path / "set")
