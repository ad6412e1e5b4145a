"""Hostile input costs its own row: it is named, and every other row arrives."""

import json
import os
import pathlib
import struct
import tarfile
import tempfile
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tbstar_jax.data_engine.collect import image_bytes
from tbstar_jax.data_engine.collect.dedup import decide
from tbstar_jax.data_engine.collect.field_map import parse_field_map
from tbstar_jax.data_engine.collect.hash_index import hash_records
from tbstar_jax.data_engine.collect.source import SourceSpec
from tbstar_jax.errors import UserError
from tests.support import foreign_sets as sets

FIELDS = parse_field_map("source=a,target=b,instruction=say")
GOOD, OTHER = sets.png(1), sets.png(2)


def spec(path, kind, fields=FIELDS):
    return SourceSpec(path=str(path), format=kind, fields=fields)


def declared_png(rows, columns):
    """A few bytes that declare a picture of any size."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000, 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )


def assert_rest_arrives(records, num):
    assert len(records) == num
    assert all(record.target_image == OTHER for record in records)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (declared_png(60000, 60000), "pixels|million"),
        (declared_png(60000, 40), "60000 x 40 pixels; at most 16384"),
        (declared_png(9000, 9000), "9000 x 9000 pixels"),
        (declared_png(400, 400), "damaged or truncated"),
        (GOOD[: len(GOOD) // 2], "damaged or truncated"),
        (b"GIF89a", "not a readable image"),
        (b"", "an image is mapped"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a readable image"),
    ],
)
def test_an_image_that_must_not_be_decoded(tmp_path, bad, message, monkeypatch):
    decoded = []
    load = Image.Image.load
    monkeypatch.setattr(
        image_bytes.Image.Image,
        "load",
        lambda self: decoded.append(self.size) or load(self),
    )
    rows = [
        {"a": sets.as_struct(data), "b": sets.as_struct(OTHER), "say": f"say {k}"}
        for k, data in enumerate((GOOD, bad, GOOD))
    ]
    sets.write_parquet(tmp_path / "t.parquet", rows)
    records, (reject,) = sets.collect(spec(tmp_path, "parquet"))
    assert_rest_arrives(records, 2)
    assert reject.row == "t.parquet row 1"
    assert "column 'a'" in reject.reason
    assert any(part in reject.reason for part in message.split("|"))
    assert all(rows * columns <= 400 * 400 for rows, columns in decoded)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"a": "../secret.png"}, "leaves the folder"),
        ({"a": "/etc/hostname"}, "leaves the folder"),
        ({"a": "link.png"}, "link that leaves"),
        ({"a": "d/up/secret.png"}, "link that leaves"),
        ({"a": "gone.png"}, "there is no file"),
        ({"a": "d"}, "there is no file"),
        ({"a": "pipe"}, "there is no file"),
        ({"a": "x\0y"}, "leaves the folder"),
        ({"a": "n" * 5000}, "not a valid path"),
        ({"a": 7}, "holds a int"),
        ({"a": {"path": ["b.png"]}}, "holds a list"),
        ({"a": None}, "no value in column 'a'"),
        ({"b": "../secret.png"}, "leaves the folder"),
        ({"say": 3}, "where a text is mapped"),
        ({"say": ""}, "no instruction"),
        ({"say": "\ud800"}, "not valid Unicode"),
        ({"say": "y" * 9000}, "longer than 8192"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "not a JSON object"),
        (
            '{"a": "a.png", "a": "b.png", "b": "b.png", "say": "x"}',
            "'a' is given twice",
        ),
        ({"a": ["a.png"] * 17}, "at most 16"),
    ],
)
def test_a_line_that_lies(tmp_path, line, message):
    (tmp_path / "secret.png").write_bytes(GOOD)
    root = sets.write_files(
        tmp_path / "in", {"a.png": GOOD, "b.png": OTHER, "d/x": "x"}
    )
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "d" / "up").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    good = {"a": "a.png", "b": "b.png", "say": "first"}
    bad = line if isinstance(line, str) else json.dumps({**good, **line})
    sets.write_jsonl(root / "m.jsonl", [good, bad, {**good, "say": "last"}])
    records, (reject,) = sets.collect(spec(root, "jsonl"))
    assert_rest_arrives(records, 2)
    assert reject.row == "m.jsonl line 2"
    assert message in reject.reason
    assert "\n" not in reject.reason


def test_a_line_and_a_file_without_end(tmp_path, monkeypatch):
    from tbstar_jax.data_engine.collect import jsonl_rows, rows

    monkeypatch.setattr(jsonl_rows, "_MAX_LINE_BYTES", 1000)
    monkeypatch.setattr(rows, "MAX_FILE_BYTES", len(OTHER) + 10)
    files = {"a.png": GOOD, "b.png": OTHER, "c.png": OTHER + b"\0" * 100}
    sets.write_files(tmp_path, files)
    good = {"a": "a.png", "b": "b.png", "say": "first"}
    lines = [
        good,
        {**good, "say": "y" * 5000},
        {**good, "b": "c.png"},
        {**good, "say": "x"},
    ]
    sets.write_jsonl(tmp_path / "m.jsonl", lines)
    records, (long, large) = sets.collect(spec(tmp_path, "jsonl"))
    assert_rest_arrives(records, 2)
    assert (long.row, large.row) == ("m.jsonl line 2", "m.jsonl line 3")
    assert "more than 1000" in long.reason
    assert "more than the limit" in large.reason


def test_a_table_with_broken_records(tmp_path):
    sets.write_files(tmp_path, {"a.png": GOOD, "b.png": OTHER})
    lines = [
        b"a,b,say",
        b"a.png,b.png,first",
        b"a.png,b.png,NUL \0 inside",
        b"a.png,b.png," + b"y" * 200_000,
        b"a.png,b.png",
        b"a.png,b.png,one,two",
        b"a.png,b.png,\xff\xfe",
        b"a.png,b.png," + b"z" * 3_000_000,
        b'a.png,b.png,"last, quoted"',
    ]
    (tmp_path / "m.csv").write_bytes(b"\n".join(lines) + b"\n")
    for rows_per_unit in (1, 3, 100):
        records, rejects = sets.collect(
            spec(tmp_path, "csv"), rows_per_unit=rows_per_unit
        )
        assert_rest_arrives(records, 2)
        assert [r.instructions_en[0] for r in records] == ["first", "last, quoted"]
        assert [reject.row for reject in rejects] == [
            f"m.csv record {k}" for k in range(1, 7)
        ]
        assert "NUL" in rejects[0].reason
        assert "field limit" in rejects[1].reason
        assert "it has 2 fields, but the header 3" in rejects[2].reason
        assert "not UTF-8" in rejects[4].reason


def test_a_quote_that_is_never_closed_costs_a_bounded_part(tmp_path):
    sets.write_files(tmp_path, {"a.png": GOOD, "b.png": OTHER})
    filler = "a.png,b.png,say %d\n"
    text = 'a,b,say\na.png,b.png,"open\n'
    text += "".join(filler % k for k in range(20_000))
    (tmp_path / "m.csv").write_text(text)
    source = spec(tmp_path, "csv")
    from tbstar_jax.data_engine.collect.source import open_part
    from tbstar_jax.data_engine.stage import Reject

    found = list(open_part(source, "m.csv").read(0, 10**6))
    assert isinstance(found[0], Reject)
    good = [row for row in found if not isinstance(row, Reject)]
    assert good[-1].values == {"a": "a.png", "b": "b.png", "say": "say 19999"}
    # 131,072 characters of about 19 each, at most, were taken for the open field.
    assert len(good) > 20_000 - 131_072 / 17


@pytest.mark.parametrize(
    ("column", "value", "kind", "message"),
    [
        ("a", 3, pa.int64(), "holds a int"),
        ("a", "a.png", pa.string(), None),
        ("a", [[1, 2]], pa.list_(pa.list_(pa.int64())), "holds a int"),
        ("a", {"bytes": 3}, pa.struct([("bytes", pa.int64())]), "holds a int"),
        ("b", True, pa.bool_(), "holds a bool"),
        ("say", 2.5, pa.float64(), "where a text is mapped"),
        ("say", b"x", pa.binary(), "where a text is mapped"),
        ("a", None, pa.null(), "no value in column 'a'"),
    ],
)
def test_a_parquet_file_of_other_types(tmp_path, column, value, kind, message):
    sets.write_files(tmp_path, {"a.png": GOOD, "b.png": OTHER})
    good = {"a": "a.png", "b": "b.png", "say": "first"}
    sets.write_parquet(tmp_path / "0.parquet", [good])
    columns = {name: pa.array([text]) for name, text in good.items()}
    columns["say"] = pa.array(["second"])
    columns[column] = pa.array([value], kind)
    pq.write_table(pa.table(columns), tmp_path / "1.parquet")
    records, rejects = sets.collect(spec(tmp_path, "parquet"))
    if message is None:
        assert_rest_arrives(records, 2)
        return
    assert_rest_arrives(records, 1)
    (reject,) = rejects
    assert reject.row == "1.parquet row 0"
    assert message in reject.reason


def test_parquet_files_that_are_damaged(tmp_path):
    row = {"a": sets.as_struct(GOOD), "b": sets.as_struct(OTHER)}
    for k in range(3):
        rows = [{**row, "say": f"{k} {i}"} for i in range(4)]
        sets.write_parquet(tmp_path / f"{k}.parquet", rows)
    # The first page of the second row group; the footer stays.
    place = pq.read_metadata(tmp_path / "1.parquet").row_group(1).column(0)
    offset = place.dictionary_page_offset or place.data_page_offset
    data = bytearray((tmp_path / "1.parquet").read_bytes())
    data[offset : offset + 20] = b"\xff" * 20
    (tmp_path / "1.parquet").write_bytes(data)
    (tmp_path / "2.parquet").write_bytes(b"PAR1" + b"\0" * 100 + b"PAR1")
    records, rejects = sets.collect(spec(tmp_path, "parquet"))
    assert_rest_arrives(records, 6)
    assert [reject.row for reject in rejects] == ["1.parquet rows 2 to 3", "2.parquet"]
    assert "damaged or no parquet" in rejects[1].reason


def test_text_that_is_not_utf8_in_parquet_costs_its_row(tmp_path):
    buffers = [
        None,
        pa.py_buffer(np.array([0, 1, 2], np.int32)),
        pa.py_buffer(b"\xffx"),
    ]
    say = pa.StringArray.from_buffers(2, buffers[1], buffers[2])
    table = pa.table({"a": [GOOD, GOOD], "b": [OTHER, OTHER], "say": say})
    pq.write_table(table, tmp_path / "t.parquet")
    records, (reject,) = sets.collect(spec(tmp_path, "parquet"))
    assert_rest_arrives(records, 1)
    assert reject.row == "t.parquet row 0"


def test_a_row_that_is_there_twice(tmp_path):
    sets.write_files(tmp_path, {"a.png": GOOD, "b.png": OTHER})
    good = {"a": "a.png", "b": "b.png", "say": "first"}
    sets.write_jsonl(tmp_path / "m.jsonl", [good, good, {**good, "say": "second"}])
    for rows_per_unit in (1, 100):
        records, rejects = sets.collect(
            spec(tmp_path, "jsonl"), rows_per_unit=rows_per_unit
        )
        assert_rest_arrives(records, 3)
        assert rejects == []
        # The set takes both, whichever units they are in, and dedup sees that.
        assert len({record.key for record in records}) == 3
        assert records[0].key[:32] == records[1].key[:32] != records[2].key[:32]
        decisions = decide(hash_records(records))
        assert decisions.duplicate_of.tolist() == [-1, 0, -1]


def test_a_json_list_with_foreign_items(tmp_path):
    sets.write_files(tmp_path, {"a.png": GOOD, "b.png": OTHER})
    good = {"a": "a.png", "b": "b.png", "say": "first"}
    (tmp_path / "m.json").write_text(json.dumps([good, 3, {**good, "say": "second"}]))
    records, (reject,) = sets.collect(spec(tmp_path / "m.json", "json"))
    assert_rest_arrives(records, 2)
    assert reject.row == "m.json item 1"
    for text in ("{}", "[[", "[" * 100_000):
        (tmp_path / "m.json").write_text(text)
        records, (reject,) = sets.collect(spec(tmp_path / "m.json", "json"))
        assert records == []
        assert reject.row == "m.json"


def test_a_caption_that_cannot_be_read(tmp_path):
    files = {"a.png": GOOD, "a.txt": b"\xff", "b.png": OTHER, "c.png": GOOD}
    sets.write_files(tmp_path / "in", {**files, "c.txt": "x" * 70_000})
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "in" / "b.txt").symlink_to(tmp_path / "secret")
    source = SourceSpec(path=str(tmp_path / "in"), format="folder")
    records, rejects = sets.collect(source)
    assert records == []
    assert [reject.row for reject in rejects] == ["a.png", "b.png", "c.png"]
    assert "not UTF-8" in rejects[0].reason
    assert "link that leaves" in rejects[1].reason
    assert "longer than" in rejects[2].reason


def test_nothing_is_read_into_memory_for_its_size(tmp_path):
    """A sparse file of a terabyte is refused by its size."""
    sets.write_files(tmp_path, {"a.png": GOOD, "b.png": OTHER})
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(2**40)
    good = {"a": "a.png", "b": "b.png", "say": "first"}
    sets.write_jsonl(tmp_path / "m.jsonl", [good, {**good, "a": "huge.png"}])
    records, (reject,) = sets.collect(spec(tmp_path, "jsonl"))
    assert_rest_arrives(records, 1)
    assert "more than the limit" in reject.reason


def test_names_that_are_not_utf8_can_be_written_down(tmp_path):
    folder = tmp_path / "photos"
    sets.write_files(folder, {"a.png": GOOD})
    for name, data in ((b"\xff\xfe.png", OTHER), (b"\xfd.png", OTHER[:300])):
        path = os.path.join(os.fsencode(folder), name)
        with open(path, "wb") as file:
            file.write(data)
    lines = [{"a": "a.png", "b": "a.png", "say": "x", "note": "\ud800", "\udfff": 1}]
    sets.write_jsonl(
        tmp_path / "photos" / "m.jsonl", map(json.dumps, [*lines, {"\ud801": 0}])
    )
    archive = tmp_path / "t.tar"
    member = tarfile.TarInfo("\udcff")
    member.name = "\udcff.png"
    sets.write_tar(archive, [(member, GOOD), ("../\udcfe", b"x")])
    fields = parse_field_map("source=a,target=b,instruction=say,notes=note,chain=note")
    made = []
    for source in (
        SourceSpec(path=str(folder), format="folder"),
        spec(archive, "tar", parse_field_map("source=png")),
        spec(folder, "jsonl", fields),
    ):
        records, rejects = sets.collect(source)
        assert len(rejects) == 1
        made += [record.provenance for record in records]
        made += [vars(reject) for reject in rejects]
    assert len(made) == 7
    for notes in made:
        json.dumps(notes, ensure_ascii=False).encode()


CONTAINERS = ("jsonl", "csv", "parquet", "tar", "json")


def container(kind):
    """Three good rows in one file, and how they are mapped."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        rows = [{"a": "a.png", "b": "b.png", "say": f"say {k}"} for k in range(3)]
        if kind == "jsonl":
            sets.write_jsonl(root / "m.jsonl", rows)
        elif kind == "json":
            (root / "m.json").write_text(json.dumps(rows))
        elif kind == "csv":
            lines = [",".join(row.values()) for row in rows]
            (root / "m.csv").write_text("\n".join(["a,b,say", *lines]))
        elif kind == "parquet":
            images = {"a": sets.as_struct(GOOD), "b": OTHER}
            sets.write_parquet(root / "m.parquet", [{**row, **images} for row in rows])
        else:
            members = [
                (f"{k}.{suffix}", data)
                for k in range(3)
                for suffix, data in (("a", GOOD), ("b", OTHER), ("txt", b"say"))
            ]
            sets.write_tar(root / "m.tar", members)
        return (root / f"m.{kind}").read_bytes()


@pytest.mark.parametrize("kind", CONTAINERS)
def test_any_damage_is_named_and_nothing_else_is_raised(kind, tmp_path):
    data = container(kind)
    fields = parse_field_map("source=a,target=b,instruction=txt|say")
    sets.write_files(tmp_path, {"a.png": GOOD, "b.png": OTHER})
    rng = np.random.default_rng(7)
    for _ in range(40):
        damaged = bytearray(data)
        start = int(rng.integers(0, len(data)))
        length = int(rng.integers(1, 40))
        choice = rng.integers(0, 3)
        if choice == 0:
            damaged[start : start + length] = rng.bytes(length)
        elif choice == 1:
            del damaged[start : start + length]
        else:
            damaged[start:start] = bytes(length)
        (tmp_path / f"m.{kind}").write_bytes(damaged)
        try:
            records, rejects = sets.collect(spec(tmp_path / f"m.{kind}", kind, fields))
        except UserError:
            continue
        for record in records:
            json.dumps(record.provenance, ensure_ascii=False).encode()
            record.image_sizes()
        for reject in rejects:
            json.dumps(vars(reject), ensure_ascii=False).encode()
