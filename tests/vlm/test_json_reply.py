"""JSON out of replies: what has one reading is read, everything else is refused."""

import json
import time

import hypothesis
import pytest
from hypothesis import strategies

from tbstar_jax.vlm.json_reply import object_in
from tbstar_jax.vlm.strict_json import NotJsonError, read_json

WANTED = {"score": [7, 9], "reasoning": "it's {fine}, \u201cok\u201d,]"}
PLAIN = '{"score": [7, 9], "reasoning": "it\'s {fine}, \u201cok\u201d,]"}'


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        f"```json\n{PLAIN}\n```",
        f"```\n{PLAIN}```",
        f"Here is my answer:\n{PLAIN}\nI hope it helps.",
        f'<think>maybe {{"score": 1}} or {{x}}</think>\n{PLAIN}',
        f"Use the form {{score}}: {PLAIN}",
        f"{PLAIN}\n{PLAIN}",
        PLAIN.replace("9]", "9,]"),
        PLAIN.replace("9]", "9 ,\n ]").replace(',]"}', ',]",}'),
    ],
)
def test_what_has_one_reading_is_read(text):
    assert object_in(text) == WANTED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{\u201ca\u201d: \u201cb\u201d}", {"a": "b"}),
        ("{'a': 'b, c', 'd': [1, 'e']}", {"a": "b, c", "d": [1, "e"]}),
        ("{'a': '',}", {"a": ""}),
        ('{"a": "one\ntwo"}', {"a": "one\ntwo"}),
        ('{"a": "\\"}{"}', {"a": '"}{'}),
        ('{"a": "x,}"}', {"a": "x,}"}),
        ('{"a": "他说“你好”"}', {"a": "他说“你好”"}),
    ],
)
def test_quotes_are_mended_when_they_are_unambiguous(text, expected):
    assert object_in(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would say 7.",
        "[7, 9]",
        '{"score": 1} {"score": true}',
        '{"score": [7, 9]',
        '{"score": 7} or rather {"score": 8}',
        '{"score": 7, "score": 9}',
        'For example {"score": 9}. My answer: {"score": 1',
        'For example {"score": 9}. My answer: {"score": one}',
        '{"score": NaN}',
        '{"score": -Infinity}',
        '{"score": 1e999}',
        '{"score": ' + "9" * 5000 + "}",
        '{"score": 7 "reason": "x"}',
        "{score: 7}",
        '{"score": 07}',
        '{"score": True}',
        "{'a': 'it's'}",
        "{'a': \"b\"}",
        "{'a': 'b\\'c'}",
        "{\u201ca\u201c: \u201cb\u201d}",
        "{\u201da\u201c: 1}",
        '{"a": "b"} // {"a": "c"}',
        '{"a": ,}',
        '{"a": [,]}',
        "{,}",
        '{"a":' * 100 + "1" + "}" * 100,
        '{"a":' * 30_000 + "1" + "}" * 30_000,
        '{"a": "' + "x" * 200_000 + '"}',
    ],
)
def test_what_would_have_to_be_guessed_is_refused(text):
    with pytest.raises(NotJsonError):
        object_in(text)


@pytest.mark.parametrize(
    "unit", ["{", "}", "{'", '{"', "{}", '{"a":[', "<think>", "\\"]
)
def test_hostile_text_takes_no_time(unit):
    text = unit * (190_000 // len(unit))
    start = time.monotonic()
    with pytest.raises(NotJsonError):
        object_in(text)
    assert time.monotonic() - start < 2


json_values = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats(allow_nan=False, allow_infinity=False)
    | strategies.text(max_size=8),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(strategies.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@hypothesis.settings(max_examples=60)
@hypothesis.given(strategies.dictionaries(strategies.text(), json_values, max_size=3))
def test_any_object_survives_fences_and_prose(value):
    text = json.dumps(value, ensure_ascii=False)
    assert object_in(f"Sure!\n```json\n{text}\n```\nDone.") == value


@hypothesis.settings(max_examples=100)
@hypothesis.given(strategies.text(alphabet="{}[]\"'\u201c\u201d,:\\a1 \n", max_size=40))
def test_no_text_raises_anything_else(text):
    try:
        assert isinstance(object_in(text), dict)
    except NotJsonError:
        pass


def test_strict_json_reads_what_the_standard_has():
    assert read_json(b'{"a": [1, 2.5, null, true, "\\u4f60"]}') == {
        "a": [1, 2.5, None, True, "\u4f60"]
    }
