"""A method over a set: order, random numbers, selection, decisions."""

import contextlib
import dataclasses

import pytest

from tbstar_jax.data_engine.annotate import annotated, status_of
from tbstar_jax.data_engine.engine.embedded import EmbeddedEngine
from tbstar_jax.data_engine.engine.method_stage import MethodStage
from tbstar_jax.data_engine.engine.run import run_stage
from tbstar_jax.data_engine.stage import record_generator
from tbstar_jax.data_engine.store.index import replace_statuses
from tbstar_jax.data_engine.store.query import Query
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import RecordSource, write_records
from tests.data_engine.engine.toy import Doubling, ToyStage, content
from tests.input_pipeline.samples import make_record

HERE = EmbeddedEngine(workers=1)


def run(stage, out, engine=HERE, **options):
    return run_stage(
        stage, out, "toy", "train", engine=engine, show_progress=False, **options
    )


@pytest.fixture
def plain(tmp_path):
    """A set without an index, as it was written before there was an engine."""
    write_records(tmp_path / "in", "s", "train", map(make_record, range(5)), 2)
    return tmp_path / "in"


@pytest.fixture
def indexed(tmp_path):
    run(ToyStage(log=tmp_path, sizes=(2, 2, 2)), tmp_path / "in")
    return tmp_path / "in"


def over(directory, method=None, query=None, seed=1):
    method = method or Doubling()
    return MethodStage(
        method=method, directory=directory, split="train", seed=seed, query=query
    )


def records_of(directory):
    source = RecordSource(directory, "train")
    return [source[row] for row in range(len(source))]


def test_every_record_is_worked_on_in_order_with_numbers_of_its_own(plain, tmp_path):
    run(over(plain), tmp_path / "out")
    records = records_of(tmp_path / "out")
    assert [one.key for one in records] == [
        key for k in range(5) for key in (f"record-{k}", f"record-{k}-b")
    ]
    assert records[0] == make_record(0)
    assert records[3].provenance["parents"] == ["record-1"]
    for one in records[1::2]:
        rng = record_generator(1, "doubling", one.key.removesuffix("-b"))
        assert one.provenance["drawn"] == rng.integers(1000)
    assert len(list((tmp_path / "out").glob("*-of-00003"))) == 3


def test_threads_processes_and_their_number_change_nothing(plain, tmp_path):
    run(over(plain), tmp_path / "a")
    run(over(plain, Doubling(num_threads=3)), tmp_path / "b")
    run(over(plain), tmp_path / "c", EmbeddedEngine(workers=2))
    assert content(tmp_path / "a") == content(tmp_path / "b") == content(tmp_path / "c")
    assert over(plain).fingerprint != over(plain, seed=2).fingerprint


@pytest.mark.parametrize("num_threads", [1, 3])
def test_a_failure_names_the_record(plain, tmp_path, num_threads):
    method = Doubling(num_threads=num_threads, fails_at="record-3")
    with pytest.raises(UserError, match=r"unit '00001': record 'record-3': planted"):
        run(over(plain, method), tmp_path / "out")


def test_a_query_selects_and_only_concerned_units_are_due(indexed, tmp_path):
    replace_statuses(indexed, {"record-1": "rejected:a", "record-100": "rejected:a"})
    stage = over(indexed, query=Query())
    run(stage, tmp_path / "out")
    keys = [one.key for one in records_of(tmp_path / "out")][::2]
    assert keys == ["record-0", "record-101", "record-200", "record-201"]
    before = {unit.name: unit.digest for unit in stage.units()}
    replace_statuses(indexed, {"record-100": "kept"})
    after = {unit.name: unit.digest for unit in stage.units()}
    assert {name for name in after if after[name] != before[name]} == {"00001"}
    report = run(stage, tmp_path / "out", is_rebuild_allowed=True)
    assert (report.num_made, report.num_records) == (1, 10)


def test_a_unit_without_selected_records_is_none(indexed):
    replace_statuses(indexed, {"record-0": "flagged:a", "record-201": "flagged:a"})
    stage = over(indexed, query=Query(statuses=("flagged",)))
    assert [unit.name for unit in stage.units()] == ["00000", "00002"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Passing:
    """Passes records on as they come."""

    name: str = "passing"
    fingerprint: str = "0"
    num_threads: int = 1

    @contextlib.contextmanager
    def open(self):
        yield lambda record, rng: [annotated(record, seen=status_of(record))]


def test_a_method_sees_what_was_decided_since(indexed, tmp_path):
    replace_statuses(indexed, {"record-1": "rejected:shift"})
    run(over(indexed, Passing()), tmp_path / "out")
    seen = {one.key: one.provenance for one in records_of(tmp_path / "out")}
    assert seen["record-1"]["seen"] == seen["record-1"]["status"] == "rejected:shift"
    assert "status" not in seen["record-0"]


def test_a_query_that_selects_nothing_is_refused(indexed, tmp_path):
    with pytest.raises(UserError, match=r"nothing to do"):
        run(over(indexed, query=Query(tasks=("move",))), tmp_path / "out")


def test_a_query_on_a_set_without_index_says_so(plain):
    with pytest.raises(UserError, match=r"has no index\.parquet"):
        over(plain, query=Query()).units()
