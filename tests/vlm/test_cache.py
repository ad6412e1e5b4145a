"""The cache: the first answer stays, damage is a miss, many may write at once."""

import concurrent.futures
import json

import pytest

from tbstar_jax.vlm.cache import ReplyCache, request_key

QUESTION = {"model": "m", "seed": 1, "messages": ["你好"]}


def test_the_name_is_the_sha256_of_the_canonical_question():
    assert request_key({"a": 1}) == (
        "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    )
    assert request_key({"a": 1, "b": "é"}) == request_key({"b": "é", "a": 1})


def test_the_first_answer_stays(tmp_path):
    cache = ReplyCache(tmp_path)
    assert cache.get(QUESTION) is None
    assert cache.put(QUESTION, {"text": "first"}) == {"text": "first"}
    assert cache.put(QUESTION, {"text": "second"}) == {"text": "first"}
    assert ReplyCache(tmp_path).get(QUESTION) == {"text": "first"}
    names = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert names == [f"{request_key(QUESTION)}.json"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: b"",
        lambda entry: json.dumps(entry).encode()[:-5],
        lambda entry: b"[" * 100_000,
        lambda entry: json.dumps(entry | {"key": "other"}).encode(),
        lambda entry: json.dumps(entry | {"reply": "text"}).encode(),
    ],
)
def test_a_damaged_answer_is_none_and_is_replaced(tmp_path, damage):
    cache = ReplyCache(tmp_path)
    cache.put(QUESTION, {"text": "first"})
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(damage(json.loads(path.read_text())))
    assert cache.get(QUESTION) is None
    assert cache.put(QUESTION, {"text": "second"}) == {"text": "second"}
    assert cache.get(QUESTION) == {"text": "second"}


def test_all_who_store_at_once_get_the_same_answer(tmp_path):
    cache = ReplyCache(tmp_path)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        kept = list(pool.map(lambda k: cache.put(QUESTION, {"by": k}), range(64)))
    assert kept == [kept[0]] * 64
    assert cache.get(QUESTION) == kept[0]


def test_half_a_surrogate_pair_in_an_answer_does_no_harm(tmp_path):
    cache = ReplyCache(tmp_path)
    cache.put(QUESTION, {"text": "\ud83d"})
    assert cache.get(QUESTION) == {"text": "\ud83d"}
