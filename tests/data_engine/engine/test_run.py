"""A stage becomes a set: what is in it, what is kept, what is made again."""

import dataclasses
import json
import pathlib

import pytest
import tensorflow_datasets as tfds

from tbstar_jax.data_engine.engine import publish
from tbstar_jax.data_engine.engine.embedded import EmbeddedEngine
from tbstar_jax.data_engine.engine.locks import only_run
from tbstar_jax.data_engine.engine.run import run_stage
from tbstar_jax.data_engine.store.index import read_index, replace_statuses
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline import record_shards
from tbstar_jax.input_pipeline.records import RecordSource
from tests.data_engine.engine.toy import ToyStage, content, started
from tests.input_pipeline.samples import make_record

HERE = EmbeddedEngine(workers=1)


def run(stage, out, engine=HERE, **options):
    return run_stage(
        stage, out, "toy", "train", engine=engine, show_progress=False, **options
    )


def keys_of(out):
    source = RecordSource(out, "train")
    return [source[row].key for row in range(len(source))]


def rejects_of(out):
    text = (out / "rejects.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def stage(tmp_path):
    return ToyStage(log=tmp_path, sizes=(3, 1, 2), rejected=(1,))


def test_a_stage_becomes_a_set_with_index_rejects_and_ledger(stage, tmp_path):
    out = tmp_path / "sets" / "toy"
    report = run(stage, out)
    assert (report.num_units, report.num_made) == (3, 3)
    assert (report.num_records, report.num_rejects) == (4, 2)
    assert report.statuses == {"kept": 4}
    keys = ["record-0", "record-2", "record-100", "record-200"]
    assert keys_of(out) == keys
    table = read_index(out)
    assert table["key"].to_pylist() == keys
    assert table["shard"].to_pylist() == [0, 0, 1, 2]
    assert rejects_of(out) == [
        {"unit": "unit 00", "row": "0-1", "reason": "it is grey"},
        {"unit": "unit 02", "row": "2-1", "reason": "it is grey"},
    ]
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["kind"], manifest["schema_version"]) == ("pairs", 1)
    assert manifest["fingerprint"] == stage.fingerprint
    assert [shard["records"] for shard in manifest["shards"]] == [2, 1, 1]
    names = [f"toy-train.array_record-{k:05d}-of-00003" for k in range(3)]
    assert [shard["name"] for shard in manifest["shards"]] == names
    builder = tfds.builder_from_directory(out)
    assert len(builder.as_data_source(split="train")) == 4
    # Nothing of the making is left but two empty lock files.
    assert {path.name for path in out.parent.iterdir()} == {
        "toy",
        ".toy.lock",
        ".toy.workers.lock",
    }


def test_a_finished_set_is_kept(stage, tmp_path):
    run(stage, tmp_path / "set")
    before = content(tmp_path / "set")
    started(stage)
    report = run(stage, tmp_path / "set")
    assert (report.num_made, report.num_records, report.num_rejects) == (0, 4, 2)
    assert started(stage) == []
    assert content(tmp_path / "set") == before


@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_a_shard_that_was_lost_is_made_again_and_no_other(stage, tmp_path, damage):
    run(stage, tmp_path / "set")
    before = content(tmp_path / "set")
    shard = sorted((tmp_path / "set").glob("*.array_record-*"))[1]
    if damage == "removed":
        shard.unlink()
    else:
        shard.write_bytes(shard.read_bytes()[:-100])
    started(stage)
    report = run(stage, tmp_path / "set")
    assert report.num_made == len(started(stage)) == 1
    assert content(tmp_path / "set") == before


def test_a_failed_run_keeps_what_it_finished(stage, tmp_path):
    failing = dataclasses.replace(stage, fails_at="unit 02", rejected=())
    with pytest.raises(RuntimeError, match=r"toy stopped at unit 'unit 02': ZeroDiv"):
        run(failing, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    assert started(stage) == ["unit 00", "unit 01", "unit 02"]
    report = run(dataclasses.replace(failing, fails_at=""), tmp_path / "set")
    assert started(stage) == ["unit 02"]
    assert (report.num_made, report.num_records) == (1, 6)


def test_another_stage_does_not_replace_a_finished_set_unasked(stage, tmp_path):
    run(stage, tmp_path / "set")
    before = content(tmp_path / "set")
    started(stage)
    other = dataclasses.replace(stage, salt="new")
    with pytest.raises(
        UserError, match=r"other settings or is of another version.*rem"
    ):
        run(other, tmp_path / "set")
    assert started(stage) == []
    assert content(tmp_path / "set") == before
    report = run(other, tmp_path / "set", is_rebuild_allowed=True)
    assert report.num_made == 3
    assert RecordSource(tmp_path / "set", "train")[0].provenance == {"salt": "new"}


def test_exactly_the_changed_shards_are_made_again(stage, tmp_path):
    run(stage, tmp_path / "set")
    replace_statuses(tmp_path / "set", {"record-100": "rejected:shift"})
    started(stage)
    other = dataclasses.replace(stage, sizes=(3, 1, 4, 1))
    with pytest.raises(UserError, match=r"2 of 4 units have changed, e\.g\. 'unit 02'"):
        run(other, tmp_path / "set")
    report = run(other, tmp_path / "set", is_rebuild_allowed=True)
    assert started(stage) == ["unit 02", "unit 03"]
    assert (report.num_made, report.num_records, report.num_rejects) == (2, 7, 2)
    # The decision on a record whose shard stayed has stayed.
    assert report.statuses == {"kept": 6, "rejected:shift": 1}
    run(other, tmp_path / "fresh")
    again, fresh = content(tmp_path / "set"), content(tmp_path / "fresh")
    assert again.pop("index.parquet") != fresh.pop("index.parquet")
    assert again == fresh


def test_a_changed_unit_of_an_unfinished_set_is_made_again(stage, tmp_path):
    with pytest.raises(RuntimeError):
        run(dataclasses.replace(stage, fails_at="unit 02"), tmp_path / "set")
    started(stage)
    run(dataclasses.replace(stage, sizes=(3, 2, 2)), tmp_path / "set")
    assert started(stage) == ["unit 01", "unit 02"]


def test_a_lost_shard_of_an_unfinished_set_is_made_again(stage, tmp_path):
    with pytest.raises(RuntimeError):
        run(dataclasses.replace(stage, fails_at="unit 02"), tmp_path / "set")
    started(stage)
    next((tmp_path / "set.units").glob("unit-01-*.shard")).write_bytes(b"cut")
    next((tmp_path / "set.units").glob("unit-00-*.json")).write_bytes(b'{"unit": ')
    run(stage, tmp_path / "set")
    assert started(stage) == ["unit 00", "unit 01", "unit 02"]


def test_units_that_make_nothing_leave_no_shard(stage, tmp_path):
    empty = dataclasses.replace(stage, sizes=(0, 2, 1, 1), rejected=(0,))
    report = run(empty, tmp_path / "set")
    assert (report.num_units, report.num_records, report.num_rejects) == (4, 1, 3)
    assert len(list((tmp_path / "set").glob("*-of-00001"))) == 1
    assert keys_of(tmp_path / "set") == ["record-101"]
    started(stage)
    assert run(empty, tmp_path / "set").num_made == 0
    more = dataclasses.replace(empty, sizes=(0, 2, 1, 2))
    run(more, tmp_path / "set", is_rebuild_allowed=True)
    assert started(stage) == ["unit 03"]
    assert keys_of(tmp_path / "set") == ["record-101", "record-301"]


def test_a_stage_without_records_or_units_says_so(stage, tmp_path):
    nothing = dataclasses.replace(stage, rejected=(0, 1, 2))
    with pytest.raises(UserError, match="made no record of 3 units") as error:
        run(nothing, tmp_path / "set")
    path = str(error.value).split(" are in ")[1]
    assert len(pathlib.Path(path).read_text().splitlines()) == 6
    with pytest.raises(UserError, match="toy has nothing to do"):
        run(dataclasses.replace(stage, sizes=()), tmp_path / "set")


class Made(ToyStage):
    """Makes what it was given, in one unit each."""

    def _work(self, unit):
        yield from MADE[unit.payload[0]]


MADE: list = []


def made(stage, *units):
    MADE[:] = units
    return Made(log=stage.log, sizes=(0,) * len(units))


def test_a_row_that_no_set_can_hold_is_rejected_with_its_reason(stage, tmp_path):
    bad = dataclasses.replace(make_record(1), target_image=b"GIF89a")
    worse = dataclasses.replace(make_record(2), provenance={"scores": {"a": "high"}})
    report = run(made(stage, [make_record(0), bad, worse]), tmp_path / "set")
    assert (report.num_records, report.num_rejects) == (1, 2)
    lines = rejects_of(tmp_path / "set")
    assert [line["row"] for line in lines] == ["record-1", "record-2"]
    assert "not a readable PNG" in lines[0]["reason"]
    assert "must be a finite number" in lines[1]["reason"]


def test_keys_are_unique_within_a_unit_and_over_all(stage, tmp_path):
    with pytest.raises(
        UserError, match=r"unit 'unit 01': the key 'record-1' is .* twi"
    ):
        run(made(stage, [make_record(0)], [make_record(1)] * 2), tmp_path / "a")
    with pytest.raises(UserError, match="'record-0' is used by 2 records"):
        run(made(stage, [make_record(0)], [make_record(0)]), tmp_path / "b")


def test_photos_and_pairs_do_not_mix(stage, tmp_path):
    photo = dataclasses.replace(
        make_record(1), target_image=b"", instructions_en=(), instructions_zh=()
    )
    with pytest.raises(UserError, match="one of photos behind pairs"):
        run(made(stage, [make_record(0), photo]), tmp_path / "a")
    with pytest.raises(UserError, match="made photos and pairs"):
        run(made(stage, [make_record(0)], [photo]), tmp_path / "b")
    run(made(stage, [photo]), tmp_path / "c")
    assert RecordSource(tmp_path / "c", "train", "photos")[0] == photo


def test_what_is_not_ours_is_not_touched(stage, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("keep")
    for is_rebuild_allowed in (False, True):
        with pytest.raises(UserError, match="holds no set of the data engine"):
            run(stage, tmp_path / "set", is_rebuild_allowed=is_rebuild_allowed)
    assert (tmp_path / "set" / "mine.txt").read_text() == "keep"


def test_two_runs_do_not_write_one_set(stage, tmp_path):
    with (
        only_run(tmp_path / "set"),
        pytest.raises(UserError, match="another run is writing"),
    ):
        run(stage, tmp_path / "set")
    assert run(stage, tmp_path / "set").num_records == 4


@pytest.mark.parametrize("call", range(12))
def test_a_crash_while_the_set_is_put_together_loses_nothing(
    stage, tmp_path, monkeypatch, call
):
    """Every change of names in `publish` is where the process ends once."""
    # The order of operations is what is tested here, not the disk.
    monkeypatch.setattr(record_shards, "sync", lambda path: None)
    run(stage, tmp_path / "set")
    other = dataclasses.replace(stage, sizes=(3, 1, 4))
    num_calls = 0

    class Killed(BaseException):
        pass

    def dying(function):
        def wrapped(*arguments, **options):
            nonlocal num_calls
            num_calls += 1
            if num_calls == call + 1:
                raise Killed
            return function(*arguments, **options)

        return wrapped

    with monkeypatch.context() as patched:
        for module, name in (
            (publish.os, "rename"),
            (publish.os, "link"),
            (publish.shutil, "rmtree"),
            (publish, "write_durably"),
        ):
            patched.setattr(module, name, dying(getattr(module, name)))
        try:
            run(other, tmp_path / "set", is_rebuild_allowed=True)
            assert call >= num_calls
        except Killed:
            pass
    report = run(other, tmp_path / "set", is_rebuild_allowed=True)
    assert (report.num_records, report.num_rejects) == (6, 2)
    keys = ["record-0", "record-2", "record-100", "record-200", "record-202"]
    assert keys_of(tmp_path / "set") == [*keys, "record-203"]
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"set"}
