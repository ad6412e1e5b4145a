"""Hostile archives: a member costs itself, it is named, nothing is unpacked."""

import dataclasses
import os
import struct
import tarfile
import zipfile

import pytest

from tbstar_jax.data_engine.collect import rows as rows_module
from tbstar_jax.data_engine.collect import zip_files
from tbstar_jax.data_engine.collect.field_map import parse_field_map
from tbstar_jax.data_engine.collect.source import SourceSpec
from tbstar_jax.errors import UserError
from tests.support import foreign_sets as sets

FIELDS = parse_field_map("source=a,target=b,instruction=say")
GOOD, OTHER = sets.png(1), sets.png(2)


def spec(path, kind, fields=FIELDS):
    return SourceSpec(path=str(path), format=kind, fields=fields)


def assert_rest_arrives(records, num):
    assert len(records) == num
    assert all(record.target_image == OTHER for record in records)


def test_an_archive_that_wants_to_write_elsewhere(tmp_path):
    def info(name, kind=tarfile.REGTYPE, link=""):
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        return member

    secret = tmp_path / "secret.png"
    secret.write_bytes(GOOD)
    members = [
        ("ok.a", GOOD),
        ("ok.b", OTHER),
        ("ok.txt", b"say"),
        ("../up.a", GOOD),
        ("/abs.a", GOOD),
        (info("sym.a", tarfile.SYMTYPE, str(secret)), b""),
        (info("hard.a", tarfile.LNKTYPE, "ok.a"), b""),
        (info("dev.a", tarfile.CHRTYPE), b""),
        (info("fifo.a", tarfile.FIFOTYPE), b""),
        ("x/../../y.a", GOOD),
        ("ok.a", OTHER),
        ("ok2.a", GOOD),
        ("ok2.b", OTHER),
        ("ok2.txt", b"say it"),
        ("bad.a", GOOD),
        ("bad.json", b"{"),
    ]
    archive = tmp_path / "in" / "t.tar"
    sets.write_tar(archive, members)
    fields = parse_field_map("source=a,target=b,instruction=txt")
    before = sorted(os.listdir(tmp_path)), secret.stat().st_mtime_ns
    records, rejects = sets.collect(spec(archive.parent, "tar", fields))
    assert_rest_arrives(records, 2)
    assert [record.source_images for record in records] == [(GOOD,), (GOOD,)]
    reasons = {reject.row: reject.reason for reject in rejects}
    assert set(reasons) == {
        "t.tar sample 'bad'",
        *(
            f"t.tar member {name!r}"
            for name in ("../up.a", "/abs.a", "sym.a", "hard.a", "dev.a", "fifo.a")
        ),
        "t.tar member 'x/../../y.a'",
        "t.tar member 'ok.a'",
    }
    assert "links are not followed" in reasons["t.tar member 'sym.a'"]
    assert "used before" in reasons["t.tar member 'ok.a'"]
    assert (sorted(os.listdir(tmp_path)), secret.stat().st_mtime_ns) == before


@pytest.mark.parametrize("damage", ["cut", "header", "size"])
def test_an_archive_that_breaks_off(tmp_path, damage):
    members = [
        (f"{k}.{suffix}", data)
        for k in range(3)
        for suffix, data in (("a", GOOD), ("b", OTHER), ("txt", f"say {k}".encode()))
    ]
    path = tmp_path / "t.tar"
    sets.write_tar(path, members)
    with tarfile.open(path) as archive:
        last = archive.getmember("2.a")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: last.offset_data + 100]
    elif damage == "header":
        data[last.offset : last.offset + 200] = b"\xff" * 200
    else:
        # A valid header that declares more than there is.
        last.size = 10**10
        data[last.offset : last.offset + 512] = last.tobuf(tarfile.GNU_FORMAT)[:512]
    path.write_bytes(data)
    fields = parse_field_map("source=a,target=b,instruction=txt")
    records, rejects = sets.collect(spec(path, "tar", fields))
    assert_rest_arrives(records, 2)
    assert rejects
    assert all(reject.row.startswith("t.tar") for reject in rejects)


def test_a_compressed_archive_is_named(tmp_path):
    with tarfile.open(tmp_path / "t.tar", "w:gz"):
        pass
    fields = parse_field_map("source=a")
    records, (reject,) = sets.collect(spec(tmp_path, "tar", fields))
    assert records == []
    assert reject.row == "t.tar"
    assert "not an uncompressed tar archive" in reject.reason


def test_images_in_a_zip_archive(tmp_path):
    archive = tmp_path / "i.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("d/a.png", GOOD)
        file.writestr("b.png", OTHER)
        file.writestr("bomb.png", bytes(2 * 10**6))
        file.writestr("lie.png", GOOD)
    data = bytearray(archive.read_bytes())
    # The directory at the end declares less than there is.
    place = data.rindex(b"lie.png") - 46 + 24
    data[place : place + 4] = struct.pack("<I", 10)
    archive.write_bytes(data)
    good = {"a": "d/a.png", "b": "b.png", "say": "first"}
    names = ["./d/a.png", "../a.png", "gone.png", "bomb.png", "lie.png", "d/"]
    lines = [good, *({**good, "a": name, "say": name} for name in names)]
    sets.write_jsonl(tmp_path / "m.jsonl", lines)
    source = dataclasses.replace(spec(tmp_path, "jsonl"), images=str(archive))
    records, rejects = sets.collect(source)
    assert_rest_arrives(records, 2)
    assert [record.source_images for record in records] == [(GOOD,), (GOOD,)]
    assert [reject.row for reject in rejects] == [
        f"m.jsonl line {k}" for k in range(3, 8)
    ]
    archive.write_bytes(b"PK\3\4 and nothing else")
    records, (reject,) = sets.collect(source)
    assert records == []
    assert "no readable zip archive" in reject.reason


def test_a_zip_member_is_never_read_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_files, "MAX_FILE_BYTES", 1000)
    monkeypatch.setattr(rows_module, "MAX_FILE_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "i.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb", bytes(10**6))
    with pytest.raises(UserError, match="more than the limit of 1000"):
        zip_files.ZipFiles(tmp_path / "i.zip").read("bomb")
