"""What reference programs would have reported: bounds and counts, nothing drawn."""

import math
import statistics
import time

import pytest

from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.quirk_parsers import read_imgedit, read_vie
from tbstar_jax.evaluation.judge.quirks import reference_number, reference_outcome
from tests.evaluation.judge.judged import answering, config, item, picture
from tests.evaluation.judge.test_parse import REPLIES
from tests.support.loopback import Answer, completion

ROOTS = statistics.fmean(math.sqrt(guess) for guess in range(11))

# What VIEScore's own reader does with the 32 replies: executed, not read off.
AT_ONCE = {
    "valid": [8, 9],
    "fenced": [8, 9],
    "raw newline": [8, 9],
    "scalar": [8],
    "score as a text": ["8"],
    "list as a text": ["[8, 9]"],
    "list of texts": ["8", "9"],
    "floats": [7.5, 8.5],
    "eleven": [11, 9],
    "minus one": [-1, 9],
    "three entries": [8, 9, 7],
    "one entry": [8],
    "empty list": [],
    "bare list of 0 to 100": [80, 90],
    "unquoted keys, scalar": [8],
    "bare list": [8, 9],
    "list in prose": [8, 9],
    "cut off after the list": [8, 9],
    "bare integer": [8],
    "no list in the score": [{"a": 8, "b": 9}],
}
GUESSED_LATER = {
    "bare list of 0 to 100",
    "bare list",
    "list in prose",
    "cut off after the list",
    "bare integer",
    "empty",
    "refusal",
    "bare eleven",
    "list of three",
    "list of floats",
}


@pytest.mark.parametrize(("name", "text"), [row[:2] for row in REPLIES])
def test_viescores_reader_does_what_it_does(name, text):
    first, later = read_vie(text, is_first=True), read_vie(text, is_first=False)
    expected = ("scores", AT_ONCE[name]) if name in AT_ONCE else ("again", None)
    assert (first.outcome, first.scores) == expected
    if name in GUESSED_LATER:
        expected = ("guess", None)
    assert (later.outcome, later.scores) == expected


@pytest.mark.parametrize(
    ("text", "outcome", "scores"),
    [
        ('||V^=^V||{"score": [1, 2]}||V^=^V||', "scores", [1, 2]),
        ("[08, 9]", "error", None),
        ("{}", "scores", None),
        ('{"a": 8}', "scores", None),
        ("{score: true}", "scores", True),
        ("{score: 7.5, why: it is so}", "scores", [7.5]),
        ("} {", "again", None),
        (" +7\n", "scores", [7]),
    ],
)
def test_its_repairs_and_its_oddities(text, outcome, scores):
    found = read_vie(text, is_first=True)
    assert (found.outcome, found.scores) == (outcome, scores)


@pytest.mark.parametrize("unit", ['"', '":', "a", "a:", "{", '{"a":', "[", ",}"])
def test_a_hostile_reply_costs_little_time(unit):
    text = "{" + unit * (20_000 // len(unit)) + "}"
    start = time.monotonic()
    read_vie(text, is_first=True)
    assert time.monotonic() - start < 1


def judged(mode, *replies, answer=True, **fields):
    with answering(*replies) as (url, _):
        judge = Judge(config(url, mode=mode, concurrency=1, **fields))
        return judge.judge("ours", item(), picture(200) if answer else None)


def outcome(mode, *replies, **fields):
    found = reference_outcome(judged(mode, *replies, **fields))
    return found.kind, found.lowest, found.highest, found.expected


GOOD = '{"score": [4, 9], "reasoning": ""}'
REFUSED = "I'm sorry, but I can't assist with that."
BROKEN = '{"score": [8, 9], "reasoning": "a "b" c"}'


def test_a_reply_that_is_read_gives_the_same_number():
    one = judged("vie-2024", GOOD)
    found = reference_outcome(one)
    assert (found.kind, found.expected) == ("scored", one.overall)
    assert found.lowest == found.highest == 4


def test_a_guess_has_bounds_and_an_expectation():
    # A refusal is not asked again here; the program would get it twice.
    assert outcome("gedit-gpt", REFUSED, GOOD) == (
        "guessed",
        0.0,
        pytest.approx(math.sqrt(40)),
        pytest.approx(2 * ROOTS),
    )
    kind, low, high, mean = outcome("vie-2024", REFUSED)
    assert (kind, low, high) == ("guessed", 0.0, 10.0)
    assert mean == pytest.approx(ROOTS**2)


def test_a_good_score_is_guessed_anew_when_the_other_question_fails():
    """Both are asked again, and a list without braces is a guess from then on."""
    kind, low, high, _ = outcome("vie-2024", "[8, 9]", REFUSED)
    assert (kind, low, high) == ("guessed", 0.0, 10.0)


def test_the_second_reply_counts_where_there_is_one():
    assert outcome("vie-2024", "hm", GOOD, GOOD)[0] == "scored"
    assert outcome("vie-2024", BROKEN, GOOD, GOOD)[3] == 4.0
    assert outcome("vie-2024", BROKEN) == ("loops", 0.0, 10.0, None)


def test_qwens_guesses_are_constants():
    assert outcome("gedit-qwen", REFUSED, GOOD) == (
        "guessed",
        *[pytest.approx(math.sqrt(40))] * 3,
    )
    assert outcome("gedit-qwen", GOOD, REFUSED)[3] == pytest.approx(math.sqrt(40))
    assert outcome("gedit-qwen", REFUSED)[1:] == (*[pytest.approx(math.sqrt(10))] * 3,)


@pytest.mark.parametrize(
    "score", ['"8"', '["8", "9"]', "[-1, 9]", "[]", '{"a": 8}', "[[8, 9]]", "[1e999]"]
)
def test_scores_without_a_root_are_an_exception(score):
    reply = f'{{"score": {score}, "reasoning": ""}}'
    assert outcome("gedit-gpt", reply, GOOD) == ("crashes", 0.0, 10.0, None)


def test_scores_off_the_scale_are_taken_as_they_are():
    assert outcome("vie-2024", '{"score": [80, 90]}')[3] == 80


def test_errors_of_a_service_are_empty_replies_and_silence_is_not_known():
    filtered = Answer(status=400, body=b'{"error": {"code": "content_filter"}}')
    assert outcome("vie-2024", filtered, GOOD)[0] == "guessed"
    assert outcome("vie-2024", Answer(status=429), GOOD)[0] == "guessed"
    assert outcome("vie-2024", Answer(status=500), GOOD)[0] == "unknown"
    assert outcome("vie-2024", completion_cut("x" * 30_000), GOOD)[0] == "unknown"
    assert outcome("imgedit", filtered) == ("crashes", 1.0, 5.0, None)


def completion_cut(text):
    return Answer(body=completion(text))


def test_a_missing_picture_is_skipped_or_stops_the_script():
    assert outcome("gedit-gpt", GOOD, answer=False) == ("skipped", None, None, None)
    assert outcome("imgedit", GOOD, answer=False)[0] == "crashes"


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("Fine.\nA: 4\nB: 3\nC: 5", [4, 3, 5]),
        ("A: 4/5\nB: 4.5\nC: 4 (good)\nD： 3\nE: 2", [2]),
        ("A: 9\n B: 0 \nTotal: 12", [9, 0, 12]),
        ("Note: A: 4\nB:3\nC: -1", []),
    ],
)
def test_imgedits_reader_takes_the_lines_it_can(text, marks):
    assert read_imgedit(text) == marks


def test_imgedit_averages_what_is_left_and_drops_what_is_empty():
    found = reference_outcome(judged("imgedit", "A: 4\nB: 3\nC: 4.5"))
    assert (found.kind, found.expected, found.is_partial) == ("scored", 3.5, True)
    whole = "Compliance: 4\nSeamlessness: 3\nIntegrity: 3"
    found = reference_outcome(judged("imgedit", whole))
    assert (found.expected, found.is_partial) == (3.33, False)
    assert outcome("imgedit", "Good.") == ("skipped", None, None, None)
    assert outcome("imgedit", "A: \u00b2")[0] == "crashes"


def judgement_of(prompt, task, mode, *replies, **fields):
    with answering(*replies) as (url, _):
        judge = Judge(config(url, mode=mode, concurrency=1, **fields))
        return judge.judge("ours", item(prompt, task=task), picture(200))


def test_a_systems_number_lies_between_its_bounds():
    made = [
        judgement_of("a/1/en", "a", "gedit-gpt", '{"score": [9, 9]}'),
        judgement_of("a/2/en", "a", "gedit-gpt", REFUSED, '{"score": [4, 4]}'),
        judgement_of("b/1/en", "b", "gedit-gpt", '{"score": [5, 5]}'),
    ]
    expected = {"a/1/en": "a", "a/2/en": "a", "b/1/en": "b"}
    found = reference_number(made, expected, "gedit-gpt")
    assert found.lowest == pytest.approx((9 / 2 + 5) / 2)
    assert found.highest == pytest.approx(((9 + math.sqrt(40)) / 2 + 5) / 2)
    assert found.expected == pytest.approx(((9 + 2 * ROOTS) / 2 + 5) / 2)
    assert found.kinds == {"scored": 2, "guessed": 1}
    # Not all were judged: bounds, and no number.
    found = reference_number(made[:2], expected, "gedit-gpt")
    assert (found.expected, found.kinds["unknown"]) == (None, 1)
    assert found.lowest == pytest.approx(9 / 4)


def test_what_is_skipped_is_not_zero_and_an_empty_task_is_no_number():
    expected = {"a/1/en": "a", "a/2/en": "a"}
    with answering(GOOD) as (url, _):
        judge = Judge(config(url, mode="gedit-gpt"))
        made = [
            judge.judge("ours", item("a/1/en", task="a"), picture(9)),
            judge.judge("ours", item("a/2/en", task="a"), None),
        ]
    found = reference_number(made, expected, "gedit-gpt")
    assert (found.expected, found.kinds) == (4.0, {"scored": 1, "skipped": 1})
    found = reference_number(made[1:], {"a/2/en": "a"}, "gedit-gpt")
    assert (found.expected, found.lowest, found.highest) == (None, None, None)


def test_imgedits_types_are_rounded_means_of_rounded_means():
    marks = {"a/1/en": "A: 1\nB: 1\nC: 2", "a/2/en": "A: 5", "b/1/en": "no"}
    made = [judgement_of(p, p[0], "imgedit", text) for p, text in marks.items()]
    found = reference_number(made, {p: p[0] for p in marks}, "imgedit")
    assert found.expected == 3.17  # (1.33 + 5) / 2 = 3.165, which Python rounds up
    assert (found.kinds, found.num_partial) == ({"scored": 2, "skipped": 1}, 1)
