"""Units of collecting: ranges, digests that notice changes, and stable results."""

import os
import subprocess
import sys
from multiprocessing.reduction import ForkingPickler

import pytest

from tbstar_jax.data_engine.collect.assemble import content_key
from tbstar_jax.data_engine.collect.collect_stage import CollectStage
from tbstar_jax.data_engine.collect.field_map import parse_field_map
from tbstar_jax.data_engine.collect.rows import content_digest
from tbstar_jax.data_engine.collect.source import SourceSpec
from tbstar_jax.errors import UserError
from tests.support import foreign_sets as sets

FIELDS = parse_field_map("source=a,target=b,instruction=say")


def folder(tmp_path, num=5):
    sets.write_files(tmp_path, {"a.png": sets.png(1), "b.png": sets.png(2)})
    rows = [{"a": "a.png", "b": "b.png", "say": f"say {k}"} for k in range(num)]
    sets.write_jsonl(tmp_path / "m.jsonl", rows)
    return SourceSpec(path=str(tmp_path), format="jsonl", fields=FIELDS)


def test_units_are_ranges_in_the_order_of_their_names(tmp_path):
    one, two = folder(tmp_path / "x"), folder(tmp_path / "y", 2)
    stage = CollectStage(sources=(one, two), rows_per_unit=2)
    units = stage.units()
    ranges = [(u.payload.source, u.payload.start, u.payload.stop) for u in units]
    assert ranges == [(0, 0, 2), (0, 2, 4), (0, 4, 5), (1, 0, 2)]
    names = [unit.name for unit in units]
    assert names == sorted(names)
    assert len({unit.digest for unit in units}) == 4
    assert stage.units() == units


def test_any_order_of_units_gives_the_same_records(tmp_path):
    stage = CollectStage(sources=(folder(tmp_path),), rows_per_unit=2)
    units = stage.units()
    with ForkingPickler.loads(ForkingPickler.dumps(stage)).open() as work:
        backwards = [list(work(unit)) for unit in reversed(units)]
    with stage.open() as work:
        forwards = [list(work(unit)) for unit in units]
    assert backwards[::-1] == forwards
    assert [len(made) for made in forwards] == [2, 2, 1]


def test_a_digest_notices_a_changed_row_and_a_changed_image(tmp_path):
    source = folder(tmp_path)
    stage = CollectStage(sources=(source,), rows_per_unit=2)
    before = [unit.digest for unit in stage.units()]
    os.utime(tmp_path / "a.png", (1, 1))
    os.utime(tmp_path / "m.jsonl", (1, 1))
    assert [unit.digest for unit in stage.units()] == before
    changed = bytearray((tmp_path / "a.png").read_bytes())
    changed[-20] ^= 1
    (tmp_path / "a.png").write_bytes(changed)
    after = [unit.digest for unit in stage.units()]
    assert all(a != b for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize("kind", ["parquet", "tar"])
def test_a_digest_notices_a_changed_container(tmp_path, kind):
    fields = parse_field_map("source=jpg")
    if kind == "parquet":
        sets.write_parquet(tmp_path / "m.parquet", [{"jpg": sets.jpeg(1)}])
    else:
        sets.write_tar(tmp_path / "m.tar", [("0.jpg", sets.jpeg(1))])
    source = SourceSpec(path=str(tmp_path), format=kind, fields=fields)
    stage = CollectStage(sources=(source,))
    (before,) = stage.units()
    path = tmp_path / f"m.{kind}"
    data = path.read_bytes().replace(sets.jpeg(1)[:300], b"\xff" * 300)
    path.write_bytes(data)
    (after,) = stage.units()
    assert before.digest != after.digest
    assert before.name == after.name


def test_a_caption_belongs_to_the_digest(tmp_path):
    sets.write_files(tmp_path, {"a.png": sets.png(1), "a.txt": "one"})
    stage = CollectStage(sources=(SourceSpec(path=str(tmp_path), format="folder"),))
    (before,) = stage.units()
    (tmp_path / "a.txt").write_text("two")
    (after,) = stage.units()
    assert before.digest != after.digest


def test_the_digest_of_a_large_file_reads_blocks_of_it(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(bytes(1000))
    small = content_digest(path, 4, 100)
    for place in (0, 50, 999):
        path.write_bytes(bytes(place) + b"\1" + bytes(999 - place))
        assert content_digest(path, 4, 100) != small
    path.write_bytes(bytes(1001))
    assert content_digest(path, 4, 100) != small
    path.write_bytes(bytes(150) + b"\1" + bytes(849))
    # Between two blocks: what sampling cannot see.
    assert content_digest(path, 4, 100) == small
    assert content_digest(path, 10, 100) != content_digest(path, 4, 100)


def test_the_fingerprint_is_of_the_meaning_and_not_of_the_place(tmp_path):
    one = CollectStage(sources=(folder(tmp_path / "x" / "set"),))
    moved = CollectStage(sources=(folder(tmp_path / "y" / "set"),))
    assert one.fingerprint == moved.fingerprint
    source = one.sources[0]
    fields = parse_field_map("task=kind", source.fields)
    others = [
        CollectStage(
            sources=(SourceSpec(path=source.path, format="csv", fields=FIELDS),)
        ),
        CollectStage(
            sources=(SourceSpec(path=source.path, format="jsonl", fields=fields),)
        ),
        CollectStage(sources=one.sources, keep_alpha=True),
    ]
    assert len({stage.fingerprint for stage in (one, *others)}) == 4


def test_a_wrong_field_map_is_met_before_any_work(tmp_path):
    source = folder(tmp_path)
    fields = parse_field_map("source=before,target=after", source.fields)
    wrong = SourceSpec(path=source.path, format="jsonl", fields=fields)
    with pytest.raises(UserError, match=r"none of the columns before, after; it has a"):
        CollectStage(sources=(wrong,)).units()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "csv"}, "there is no csv file"),
        ({"path": "/nowhere/at/all"}, "there is no jsonl file"),
        ({"path": "/nowhere/at/all", "format": "folder"}, "there is no folder"),
    ],
)
def test_a_source_that_is_not_there_is_named(tmp_path, change, message):
    settings = {"path": str(tmp_path), "format": "jsonl", "fields": FIELDS, **change}
    folder(tmp_path)
    with pytest.raises(UserError, match=message):
        CollectStage(sources=(SourceSpec(**settings),)).units()


def test_settings_that_make_no_stage(tmp_path):
    with pytest.raises(UserError, match="no source"):
        CollectStage(sources=())
    photos = SourceSpec(path=str(tmp_path), format="folder")
    with pytest.raises(UserError, match="each kind into a set of its own"):
        CollectStage(sources=(folder(tmp_path), photos))
    with pytest.raises(UserError, match="must be at least 1"):
        CollectStage(sources=(folder(tmp_path),), rows_per_unit=0)
    (tmp_path / "m.jsonl").write_text("\n")
    with pytest.raises(UserError, match="holds no row"):
        CollectStage(
            sources=(SourceSpec(path=str(tmp_path), format="jsonl", fields=FIELDS),)
        ).units()


def test_equal_rows_of_namesakes_have_keys_of_their_own(tmp_path):
    one, two = folder(tmp_path / "x" / "set", 2), folder(tmp_path / "y" / "set", 2)
    records, _ = sets.collect([one, two])
    assert len({record.key for record in records}) == 4
    assert [r.key[:32] for r in records[:2]] == [r.key[:32] for r in records[2:]]
    alone, _ = sets.collect(one)
    assert records[:2] == alone


def test_a_key_is_of_the_content():
    assert content_key([b"a"], b"b", ["say"]) == content_key([b"a"], b"b", ["say"])
    others = {
        content_key(*content)
        for content in (
            ([b"a"], b"b", ["say"]),
            ([b"a", b"b"], b"", ["say"]),
            ([b"ab"], b"", ["say"]),
            ([b"a"], b"b", ["sa", "y"]),
            ([], b"a", ["b", "say"]),
        )
    }
    assert len(others) == 5


OTHER_PROCESS = """
import sys
from tests.data_engine.collect.test_collect_stage import FIELDS
from tbstar_jax.data_engine.collect.source import SourceSpec
from tests.support import foreign_sets as sets
source = SourceSpec(path=sys.argv[1], format="jsonl", fields=FIELDS)
records, _ = sets.collect(source)
print(repr([(r.key, r.scene, r.provenance) for r in records]))
"""


def test_another_process_and_hash_seed_give_the_same(tmp_path):
    source = folder(tmp_path, 2)
    records, _ = sets.collect(source)
    result = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, str(tmp_path)],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    expected = repr([(r.key, r.scene, r.provenance) for r in records])
    assert result.stdout.strip().splitlines()[-1] == expected
