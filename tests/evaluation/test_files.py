"""A file is whole or not there; JSON is JSON."""

import errno
import json
import math
import os

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.files import file_digest, json_text, write_whole


def test_a_file_is_replaced_as_a_whole(tmp_path, monkeypatch):
    path = tmp_path / "new" / "file"
    write_whole(path, b"old")

    def killed(_source, _target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_json_has_no_nan():
    text = json_text({1: (math.nan, -math.inf, 0.5, "文")})
    values = json.loads(text, parse_constant=pytest.fail)
    assert values == {"1": [None, "-inf", 0.5, "文"]}


def test_files_are_digested_in_order(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    assert file_digest([one, two]) != file_digest([two, one])


def test_what_cannot_be_written_is_one_sentence(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(UserError, match=r"inside cannot be written \(.*make room"):
        write_whole(path / "inside", b"new")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full(_source, _target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(UserError, match="No space left on device"):
            write_whole(path, b"new")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"
