"""Lines survive a kill; a second writer and foreign files are refused."""

import resource

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.journal import MAX_LINE_BYTES, Journal, read_journal


def test_what_is_appended_is_read(tmp_path):
    path = tmp_path / "deep" / "lines.jsonl"
    assert list(read_journal(path)) == []
    with Journal(path) as journal:
        journal.append({"text": "蓝\n色", "number": 0.1})
    with Journal(path) as journal:
        journal.append({"two": 2})
    assert list(read_journal(path)) == [{"text": "蓝\n色", "number": 0.1}, {"two": 2}]


def test_a_torn_last_line_is_left_out_and_then_dropped(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"one": 1}\n{"two": ')
    assert list(read_journal(path)) == [{"one": 1}]
    with Journal(path) as journal:
        journal.append({"three": 3})
    assert path.read_bytes() == b'{"one": 1}\n{"three": 3}\n'


def test_a_second_writer_is_refused(tmp_path):
    path = tmp_path / "lines.jsonl"
    with Journal(path), pytest.raises(UserError, match="another process"):
        Journal(path)
    with Journal(path) as journal:
        journal.append({})


@pytest.mark.parametrize("line", [b"nonsense", b"[1]", b"\xff"])
def test_foreign_lines_are_named(tmp_path, line):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b"{}\n" + line + b"\n")
    with pytest.raises(UserError, match="line 2"):
        list(read_journal(path))


def test_an_endless_line_is_refused(tmp_path):
    path = tmp_path / "lines.jsonl"
    with path.open("wb") as file:
        file.truncate(MAX_LINE_BYTES + 1)
    with pytest.raises(UserError, match="16 MiB"):
        list(read_journal(path))


def test_numbers_that_json_lacks_are_a_mistake_of_the_caller(tmp_path):
    with (
        Journal(tmp_path / "lines.jsonl") as journal,
        pytest.raises(ValueError, match="JSON compliant"),
    ):
        journal.append({"value": float("nan")})


def test_a_journal_that_cannot_be_written_is_one_sentence(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(UserError, match="cannot be written"):
        Journal(path / "lines.jsonl")


def test_a_full_disk_is_one_sentence(tmp_path):
    place = tmp_path / "lines.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        with Journal(place) as journal:
            journal.append({"one": 1})
            resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
            journal.append({"text": "x" * 1000})

    try:
        with pytest.raises(UserError, match=r"cannot be written \(File too large"):
            fill()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with Journal(place) as journal:
        journal.append({"three": 3})
    assert list(read_journal(place)) == [{"one": 1}, {"three": 3}]
