"""Every reader gives the same rows whatever the range they are asked for in."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tbstar_jax.data_engine.annotate import is_photo, scores_of, status_of
from tbstar_jax.data_engine.collect.field_map import FieldMap, parse_field_map
from tbstar_jax.data_engine.collect.folder_rows import FolderLayout
from tbstar_jax.data_engine.collect.source import (
    SourceSpec,
    guess_format,
    open_part,
    parts,
)
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import write_shards
from tests.support import foreign_sets as sets

PAIR = "source=a,target=b,instruction=say"
NUM = 7


def source_of(kind, tmp_path):
    """Seven pairs in one format: `a` becomes `b`, request `say`."""
    pairs = [(sets.jpeg(k), sets.png(k + 50), f"request {k}") for k in range(NUM)]
    names = [(f"i/{k}.jpg", f"i/{k}.png", say) for k, (_, _, say) in enumerate(pairs)]
    fields, layout = parse_field_map(PAIR), FolderLayout()
    files = {}
    for (a, b, _), (name_a, name_b, _) in zip(pairs, names, strict=True):
        files |= {name_a: a, name_b: b}
    rows = [dict(zip(("a", "b", "say"), row, strict=True)) for row in names]
    if kind in ("jsonl", "csv", "json"):
        sets.write_files(tmp_path, files)
    if kind == "jsonl":
        sets.write_jsonl(tmp_path / "m.jsonl", [*rows[:3], "", *rows[3:]])
    elif kind == "csv":
        lines = [f"{a},{b},{say}" for a, b, say in names]
        lines[2] = '"i/2.jpg","i/2.png","request\n2"'
        lines.insert(4, "")
        text = "a,b,say\r\n" + "\r\n".join(lines)
        (tmp_path / "m.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    elif kind == "parquet":
        rows = [{"a": sets.as_struct(a), "b": b, "say": [say]} for a, b, say in pairs]
        sets.write_parquet(tmp_path / "m.parquet", rows, rows_per_group=3)
    elif kind == "tar":
        fields = parse_field_map("source=in.jpg,target=out.png,instruction=txt")
        members = [
            (f"d/{k}.{suffix}", data)
            for k, (a, b, say) in enumerate(pairs)
            for suffix, data in (("in.jpg", a), ("out.png", b), ("txt", say.encode()))
        ]
        sets.write_tar(tmp_path / "m.tar", members)
    elif kind == "folder":
        fields = parse_field_map("source=in,target=out,instruction=caption")
        layout = FolderLayout(columns=(("out", "out"), ("in", "in")))
        for k, (a, b, say) in enumerate(pairs):
            one = {f"in/{k}.jpg": a, f"out/{k}.png": b, f"out/{k}.txt": say}
            sets.write_files(tmp_path, one)
    return SourceSpec(
        path=str(tmp_path), format=kind, fields=fields, layout=layout, origin="o"
    )


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "tar", "folder"])
def test_rows_do_not_depend_on_the_range(tmp_path, kind):
    source = source_of(kind, tmp_path)
    (part,) = parts(source)
    rows = open_part(source, part)
    assert len(rows) == NUM
    whole = list(rows.read(0, NUM))
    assert not any(isinstance(row, Reject) for row in whole)
    assert len({row.place for row in whole}) == NUM
    again = open_part(source, part)
    for start in range(NUM):
        for stop in range(start, NUM + 1):
            assert list(again.read(start, stop)) == whole[start:stop]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "tar", "folder"])
@pytest.mark.parametrize("rows_per_unit", [2, 100])
def test_pairs_pass_with_their_bytes(tmp_path, kind, rows_per_unit):
    source = source_of(kind, tmp_path)
    records, rejects = sets.collect(source, rows_per_unit=rows_per_unit)
    assert rejects == []
    for k, record in enumerate(records):
        assert record.source_images == (sets.jpeg(k),)
        assert record.target_image == sets.png(k + 50)
        assert record.instructions_en == (f"request {k}",)
        assert record.provenance["codecs"] == ["jpeg", "png"]
    assert len(records) == NUM


def test_the_same_content_has_the_same_keys_in_every_format(tmp_path):
    kinds = ("jsonl", "csv", "parquet", "tar", "folder")
    keys = []
    for kind in kinds:
        records, _ = sets.collect(source_of(kind, tmp_path / kind))
        keys.append([record.key[:32] for record in records])
    assert keys[1:] == keys[:-1]
    assert len(set(keys[0])) == NUM


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "tar", "folder"])
def test_the_format_is_guessed(tmp_path, kind):
    source_of(kind, tmp_path)
    assert guess_format(tmp_path) == kind


def test_what_cannot_be_guessed_is_named(tmp_path):
    with pytest.raises(UserError, match="there is no file or folder"):
        guess_format(tmp_path / "absent")
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(UserError, match="name the format"):
        guess_format(tmp_path)


def test_a_folder_of_photos(tmp_path):
    files = {
        "shoes/b.jpg": sets.jpeg(1),
        "a.png": sets.png(2),
        "shoes/b.txt": "a red shoe",
        "readme.md": "x",
        ".hidden.png": b"x",
    }
    sets.write_files(tmp_path, files)
    source = SourceSpec(path=str(tmp_path), format="folder", licence="CC0-1.0")
    (first, second), rejects = sets.collect(source)
    assert rejects == []
    assert is_photo(first)
    assert first.source_images == (sets.png(2),)
    assert first.instructions_en == first.instructions_zh == ()
    assert first.provenance["licence"] == "CC0-1.0"
    assert second.provenance["columns"] == {"folder": "shoes", "caption": "a red shoe"}
    assert second.provenance["row"] == "shoes/b.jpg"


def test_several_files_of_a_format_are_read_in_order(tmp_path):
    for name, seeds in (("b/0.tar", (0, 1)), ("a/0.tar", (2,))):
        members = [(f"{seed}.jpg", sets.jpeg(seed)) for seed in seeds]
        sets.write_tar(tmp_path / name, members)
    fields = FieldMap(source=("jpg",))
    source = SourceSpec(path=str(tmp_path), format="tar", fields=fields)
    records, _ = sets.collect(source)
    assert [r.provenance["row"] for r in records] == [
        "a/0.tar sample '2'",
        "b/0.tar sample '0'",
        "b/0.tar sample '1'",
    ]


def test_a_set_of_tfds(tmp_path):
    features = tfds.features.FeaturesDict(
        {
            "before": tfds.features.Image(),
            "after": tfds.features.Image(),
            "score": tfds.features.Scalar(np.float32),
            "say": tfds.features.Sequence(tfds.features.Text()),
        }
    )
    examples = [
        {
            "before": sets.jpeg(k),
            "after": sets.png(k + 9),
            "score": k / 2,
            "say": [f"do {k}", "去除水印"],
        }
        for k in range(3)
    ]
    path = tmp_path / "pairs"
    write_shards(path, "pairs", "train", features, examples, 2, {})
    assert guess_format(path) == "tfds"
    fields = parse_field_map("source=before,target=after,instruction=say,scores=score")
    source = SourceSpec(path=str(path), format="tfds", fields=fields)
    records, rejects = sets.collect(source, rows_per_unit=2)
    assert rejects == []
    for k, record in enumerate(records):
        assert record.source_images == (sets.jpeg(k),)
        assert record.target_image == sets.png(k + 9)
        assert record.instructions_en == (f"do {k}",)
        assert record.instructions_zh == ("去除水印",)
        assert scores_of(record) == {"origin/score": k / 2}
        assert record.provenance["row"] == f"pairs split train example {k}"
    assert len(records) == 3
    (lost,) = path.glob("*00001-of-00002")
    lost.unlink()
    records, (reject,) = sets.collect(source)
    assert records == []
    assert "misses 1 of 2 shards" in reject.reason


def test_pairs_of_leaking_codecs_are_rejected_though_converted(tmp_path):
    kinds = {
        "lossy": sets.encoded(sets.photo(1), "WEBP", quality=90),
        "lossless": sets.encoded(sets.photo(1), "WEBP", lossless=True),
        "avif": sets.encoded(sets.photo(1), "AVIF"),
    }
    rows = [{"a": data, "b": sets.png(2), "say": kind} for kind, data in kinds.items()]
    sets.write_parquet(tmp_path / "m.parquet", rows)
    fields = parse_field_map(PAIR)
    source = SourceSpec(path=str(tmp_path), format="parquet", fields=fields)
    records, _ = sets.collect(source)
    assert {r.instructions_en[0]: status_of(r) for r in records} == {
        "lossy": "rejected:codec",
        "lossless": "kept",
        "avif": "rejected:codec",
    }
    assert records[2].provenance["codecs"] == ["avif", "png"]
    assert records[2].source_images[0].startswith(b"\x89PNG")
    photos = SourceSpec(
        path=str(tmp_path), format="parquet", fields=parse_field_map("source=a")
    )
    assert [status_of(r) for r in sets.collect(photos)[0]] == ["kept"] * 3
