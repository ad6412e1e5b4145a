"""Files of votes: what they say, and what is refused."""

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.preference.votes import MAX_VOTES_BYTES, read_votes
from tests.evaluation.preference.studies import build, vote, vote_file


@pytest.fixture(name="key")
def _key(tmp_path):
    return build(tmp_path)[1]


@pytest.mark.parametrize(
    ("choice", "is_first_left", "outcome"),
    [
        ("left", True, "first"),
        ("left", False, "second"),
        ("right", True, "second"),
        ("right", False, "first"),
        ("same", True, "same"),
        ("bad", False, "bad"),
    ],
)
def test_a_side_is_unblinded_by_the_answer_that_was_there(
    tmp_path, key, choice, is_first_left, outcome
):
    item = key.items[1]
    votes = [vote(item, choice, is_first_left=is_first_left)]
    (read,) = read_votes([vote_file(tmp_path / "v.json", key, votes)], key).votes
    assert (read.outcome, read.is_first_left) == (outcome, is_first_left)
    assert (read.first, read.second) == key.systems
    assert (read.rater, read.item, read.prompt) == ("anna", item.id, item.prompt)
    assert (read.case, read.task, read.language) == (item.case, item.task, "zh")
    assert (read.kind, read.milliseconds) == ("pair", 2000)


def test_the_latest_vote_on_an_item_counts_and_the_others_are_counted(tmp_path, key):
    one, two = key.items[:2]
    early = vote_file(
        tmp_path / "1.json", key, [vote(one, "left", at=5), vote(two, "left", at=9)]
    )
    late = vote_file(
        tmp_path / "2.json", key, [vote(one, "same", at=7), vote(two, "bad", at=8)]
    )
    other = vote_file(tmp_path / "3.json", key, [vote(one, "right")], rater="李")
    for order in ([early, late, other], [other, late, early]):
        votes = read_votes(order, key)
        found = {(one.rater, one.item): one.outcome for one in votes.votes}
        assert found == {
            ("anna", one.id): "same",
            ("anna", two.id): "first",
            ("李", one.id): "second",
        }
        assert (votes.num_files, votes.num_repeated) == (3, 2)
        assert (votes.num_items, votes.num_unseen) == (4, 2)


def test_of_votes_at_one_moment_the_last_counts(tmp_path, key):
    item = key.items[0]
    votes = [vote(item, "left"), vote(item, "right")]
    (read,) = read_votes([vote_file(tmp_path / "v.json", key, votes)], key).votes
    assert read.outcome == "second"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"item": "0" * 12}, "unknown item '000000000000'"),
        ({"left": "x" * 12}, "other answers than the page"),
        ({"right": None}, "is no file of votes"),
        ({"choice": "A"}, "is no file of votes"),
        ({"at": -1}, "below 0"),
        ({"at": 1.5}, "is no file of votes"),
        ({"at": True}, "is no file of votes"),
        ({"note": "hello"}, "unknown key 'note'"),
    ],
)
def test_a_changed_vote_is_refused(tmp_path, key, changed, message):
    votes = [{**vote(key.items[0], "left"), **changed}]
    path = vote_file(tmp_path / "v.json", key, votes)
    with pytest.raises(UserError, match=message) as error:
        read_votes([path], key)
    assert str(path) in str(error.value)


def test_a_vote_for_one_answer_on_both_sides_is_refused(tmp_path, key):
    wrong = vote(key.items[0], "left")
    wrong["right"] = wrong["left"]
    with pytest.raises(UserError, match="other answers than the page"):
        read_votes([vote_file(tmp_path / "v.json", key, [wrong])], key)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"study": "other"}, "study 'other'"),
        ({"version": 2}, "version 2 is not 1"),
        ({"format": "x"}, "is no file of votes"),
        ({"rater": " "}, "rater is empty"),
        ({"rater": "x" * 41}, "rater is empty or has over 40"),
        ({"rater": "a\x1b[2J"}, "cannot be printed"),
        ({"interface": "fr"}, "is no file of votes"),
        ({"votes": {}}, "is no list"),
    ],
)
def test_a_changed_file_is_refused(tmp_path, key, changed, message):
    path = vote_file(tmp_path / "v.json", key, [], **changed)
    with pytest.raises(UserError, match=message):
        read_votes([path], key)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"votes": NaN}',
        b'{"rater": "a", "rater": "b"}',
    ],
)
def test_bytes_that_are_no_votes_are_refused(tmp_path, key, data):
    (tmp_path / "v.json").write_bytes(data)
    with pytest.raises(UserError, match="is no file of votes"):
        read_votes([tmp_path / "v.json"], key)


def test_missing_large_and_no_files_are_refused(tmp_path, key):
    with pytest.raises(UserError, match="No such file"):
        read_votes([tmp_path / "gone.json"], key)
    (tmp_path / "v.json").write_bytes(b" " * (MAX_VOTES_BYTES + 1))
    with pytest.raises(UserError, match="more than 4194304 bytes"):
        read_votes([tmp_path / "v.json"], key)
    with pytest.raises(UserError, match="no file of votes"):
        read_votes([], key)
