"""Replies read tolerantly: each has a status, and none gets a score it did not give."""

import dataclasses
import pathlib
import re
import time

import hypothesis
import pytest
from hypothesis import strategies

import tbstar_jax.evaluation.judge
from tbstar_jax.evaluation.judge.parse import (
    MAX_REASON,
    read_marks,
    read_object,
    read_scores,
)
from tbstar_jax.vlm.asking import NotAnAnswerError

# Name, reply, status, scores. What the reference program makes of them: the first 15
# parsed at once, the next 3 become random numbers when asked twice, and so on; in no
# case does a status here depend on how often was asked.
REPLIES = [
    ("valid", '{"score": [8, 9], "reasoning": "good"}', "ok", (8, 9)),
    ("fenced", '```json\n{"score": [8, 9], "reasoning": ""}\n```', "ok", (8, 9)),
    ("raw newline", '{"score": [8, 9], "reasoning": "one\ntwo"}', "ok", (8, 9)),
    ("scalar", '{"score": 8, "reasoning": "good"}', "unparsed", None),
    ("score as a text", '{"score": "8", "reasoning": ""}', "unparsed", None),
    ("list as a text", '{"score": "[8, 9]", "reasoning": ""}', "unparsed", None),
    ("list of texts", '{"score": ["8", "9"], "reasoning": ""}', "ok", (8, 9)),
    ("floats", '{"score": [7.5, 8.5], "reasoning": ""}', "ok", (7.5, 8.5)),
    ("eleven", '{"score": [11, 9], "reasoning": ""}', "out_of_range", None),
    ("minus one", '{"score": [-1, 9], "reasoning": ""}', "out_of_range", None),
    ("three entries", '{"score": [8, 9, 7], "reasoning": ""}', "unparsed", None),
    ("one entry", '{"score": [8], "reasoning": ""}', "unparsed", None),
    ("empty list", '{"score": [], "reasoning": ""}', "unparsed", None),
    ("bare list of 0 to 100", "[80, 90]", "out_of_range", None),
    ("unquoted keys, scalar", "{score: 8, reasoning: good}", "unparsed", None),
    ("bare list", "[8, 9]", "ok", (8, 9)),
    ("list in prose", "I would give [8, 9] for this edit.", "ok", (8, 9)),
    ("cut off after the list", '{"score": [8, 9], "reasoning": "It', "unparsed", None),
    ("bare integer", "8", "unparsed", None),
    ("empty", "", "unparsed", None),
    ("refusal", "I'm sorry, but I can't assist with that.", "refused", None),
    ("bare eleven", "11", "unparsed", None),
    ("list of three", "[8, 9, 7]", "unparsed", None),
    ("list of floats", "[7.5, 8.5]", "ok", (7.5, 8.5)),
    ("inner quotes", '{"score": [8, 9], "reasoning": "a "b" c"}', "unparsed", None),
    ("trailing comma", '{"score": [8, 9], "reasoning": "good",}', "ok", (8, 9)),
    ("single quotes", "{'score': [8, 9], 'reasoning': 'good'}", "ok", (8, 9)),
    (
        "smart quotes",
        "{\u201cscore\u201d: [8, 9], \u201creasoning\u201d: \u201cgood\u201d}",
        "ok",
        (8, 9),
    ),
    ("unquoted keys, list", "{score: [8, 9], reasoning: good}", "unparsed", None),
    ("two objects", '{"score": [8, 9]}\n{"score": [7, 9]}', "unparsed", None),
    ("no score", '{"reasoning": "good", "scores": [8, 9]}', "unparsed", None),
    ("no list in the score", '{"score": {"a": 8, "b": 9}}', "unparsed", None),
]

MORE = [
    ("scale in prose", "On a scale of [0, 10] it is good.", "unparsed", None),
    ("the ends of the scale as scores", "[0, 10]", "ok", (0, 10)),
    ("two lists", "First [8, 9], no: [7, 9].", "unparsed", None),
    ("a list of words", "[good, bad] then [8, 9]", "ok", (8, 9)),
    ("booleans", '{"score": [true, false]}', "unparsed", None),
    ("null", '{"score": [8, null]}', "unparsed", None),
    ("not a number", '{"score": [NaN, 9]}', "unparsed", None),
    ("huge", '{"score": [' + "9" * 4000 + ", 9]}", "out_of_range", None),
    ("huger", '{"score": [' + "9" * 5000 + ", 9]}", "unparsed", None),
    ("huge as a text", '{"score": ["' + "9" * 400 + '", "9"]}', "unparsed", None),
    ("fraction as a text", '{"score": ["8/10", "9/10"]}', "unparsed", None),
    ("a thought", '<think>[1, 2] {"score": [1, 2]}</think>[8, 9]', "ok", (8, 9)),
    ("apology with scores", 'Sorry. {"score": [8, 9]}', "ok", (8, 9)),
    ("typographic refusal", "I can\u2019t help with this image.", "refused", None),
    ("Chinese refusal", "抱歉，我无法评价这张图片。", "refused", None),
    ("refusal with a brace", "I am unable to answer in {this} form", "refused", None),
]

# Without scores each of these; what comes back is the status.
DECLINED = [
    ("As an AI, I cannot evaluate the quality of these images.", "refused"),
    ("As an AI language model, I'm unable to view images.", "refused"),
    ("I apologize, but I can't assist with that request.", "refused"),
    ("My apologies, I won't be able to rate this picture.", "refused"),
    ("Unfortunately, I am not able to help with this.", "refused"),
    ("I'm sorry, but I can't identify people in images.", "refused"),
    ("Sorry.", "refused"),
    ("I must decline to judge this image.", "refused"),
    ("I do not have the ability to view images.", "refused"),
    ("We cannot provide an assessment on a scale of 0 to 10.", "refused"),
    ("<think>People, hm.</think>I can't help with that.", "refused"),
    ("很遗憾，我不能评价这张图片。", "refused"),
    ("作为AI，我无法对这张图片进行评分。", "refused"),
    ("作为一个人工智能语言模型，我不能提供此类评价。", "refused"),
    ("非常抱歉，无法协助。", "refused"),
    ("對不起，我無法評估這張圖片。", "refused"),
    ("我无法查看图片。", "refused"),
    ("I cannot see any difference between the two images.", "unparsed"),
    ("I cannot find the watermark any more, well done.", "unparsed"),
    ("I cannot see the watermark in the image, so it was removed well.", "unparsed"),
    ("I do not see the logo in this picture anymore; well edited.", "unparsed"),
    ("I can't see any visible differences in images.", "unparsed"),
    ("Unfortunately, I don't think the edit succeeded.", "unparsed"),
    ("Sorry, I cannot see the attached picture.", "refused"),
    ("Sorry, I don't see the price tag: success 8, restraint 9.", "unparsed"),
    ("As an AI, I would rate both highly.", "unparsed"),
    ("I cannot assess the seam, but success: 8", "unparsed"),
    ("The edit cannot be assessed as good; I'd say eight and nine.", "unparsed"),
    ("我无法看出两张图的区别，很好。", "unparsed"),
    ("无法评价边缘，整体得8分。", "unparsed"),
    ('{"score": [8, 9, "reasoning": "I cannot evaluate the text"}', "unparsed"),
]


@pytest.mark.parametrize(("text", "status"), DECLINED)
def test_a_refusal_is_told_from_an_answer_that_cannot_be_read(text, status):
    assert scores_of(text) == (status, None)
    with pytest.raises(NotAnAnswerError) as caught:
        read_object(text, _Verdict, lambda value: None)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "reason",
    ["I cannot evaluate the text", "As an AI, I cannot assess it", "抱歉，我无法评价"],
)
def test_a_reason_that_speaks_of_inability_takes_no_score_away(reason):
    text = f'{{"score": [8, 9], "reasoning": "{reason}"}}'
    assert scores_of(text) == ("ok", (8, 9))
    assert scores_of(f"{reason}. [8, 9]") == ("ok", (8, 9))
    told = f'{reason}. {{"reason": "{reason}", "success": 8}}'
    assert read_object(told, _Verdict, lambda value: None).success == 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Verdict:
    reason: str
    success: int


def scores_of(text):
    """Status and scores."""
    try:
        scores, _ = read_scores(text, count=2, lowest=0.0, highest=10.0)
    except NotAnAnswerError as error:
        return error.status, None
    return "ok", scores


def test_the_table_has_32_replies():
    assert len(REPLIES) == 32


@pytest.mark.parametrize(
    ("text", "status", "scores"), [row[1:] for row in REPLIES + MORE]
)
def test_every_reply_has_its_status_and_only_scores_it_gave(text, status, scores):
    assert scores_of(text) == (status, scores)


def test_the_reason_comes_along_on_one_short_line():
    text = '{"score": [8, 9], "reasoning": "one\\n\\ud83d two' + "x" * 5000 + '"}'
    _, reason = read_scores(text, count=2, lowest=0.0, highest=10.0)
    assert reason.startswith("one two")
    assert len(reason) == MAX_REASON
    reason.encode()


NAMES = ("Compliance", "Seamlessness", "Integrity")


@pytest.mark.parametrize(
    ("text", "status", "marks"),
    [
        ("Good.\nCompliance: 4\nSeamlessness: 3\nIntegrity: 5", "ok", (4, 3, 5)),
        ("Integrity: 5\nCompliance: 4\nSeamlessness: 3", "ok", (4, 3, 5)),
        (
            "**Compliance**: 4\n- seamlessness： 3/5\n3. Integrity: 5 (good)",
            "ok",
            (4, 3, 5),
        ),
        ("Compliance: 4\nSeamlessness: 3", "unparsed", None),
        ("Compliance: 4.5\nSeamlessness: 3\nIntegrity: 5", "unparsed", None),
        ("Compliance: four\nSeamlessness: 3\nIntegrity: 5", "unparsed", None),
        (
            "Compliance: 4\nCompliance: 5\nSeamlessness: 3\nIntegrity: 5",
            "unparsed",
            None,
        ),
        ("Compliance: 6\nSeamlessness: 3\nIntegrity: 5", "out_of_range", None),
        ("Compliance: 0\nSeamlessness: 3\nIntegrity: 5", "out_of_range", None),
        ("Beauty: 4\nSeamlessness: 3\nIntegrity: 5", "unparsed", None),
        ("Compliance: 4\nSeamlessness: 3\nIntegrity: 5\nTotal: 12", "ok", (4, 3, 5)),
        ("I'm sorry, I can't.", "refused", None),
        ("", "unparsed", None),
    ],
)
def test_marks_stand_in_three_lines_of_known_names(text, status, marks):
    if status == "ok":
        found, reason = read_marks(text, names=NAMES, lowest=1, highest=5)
        assert found == marks
        assert reason.startswith(text[:5])
    else:
        with pytest.raises(NotAnAnswerError) as caught:
            read_marks(text, names=NAMES, lowest=1, highest=5)
        assert caught.value.status == status


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("Prompt Fit: 4\nRealism: 3\nDetail: 5", (4, 3, 5)),
        ("Prompt Fit: 4\nRealism: 3\nDetail: 5\nTotal: 12", None),
        ("Prompt Fit: 4\nRealism: 3", None),
    ],
)
def test_marks_of_unknown_names_are_three_lines_in_their_order(text, marks):
    if marks is None:
        with pytest.raises(NotAnAnswerError):
            read_marks(text, names=None, lowest=1, highest=5)
    else:
        assert read_marks(text, names=None, lowest=1, highest=5)[0] == marks


@pytest.mark.parametrize(
    "text",
    [
        "[" * 190_000,
        "[1]" * 60_000,
        "[8, 9] " * 28_000,
        "[8, " * 45_000,
        '{"score": ' * 19_000,
        "{" * 190_000,
        "<think>" * 25_000,
        "a: " * 60_000,
        ":\n" * 90_000,
        "*" * 190_000,
        "I am sorry " * 17_000,
        "as an ai " * 20_000,
        "我无法" * 60_000,
        "Compliance: " + "4" * 180_000,
        "x" * 10**7,
        '{"score": ["' + "1" * 180_000 + '", 1]}',
    ],
)
def test_a_hostile_reply_costs_little_time(text):
    start = time.monotonic()
    assert scores_of(text)[1] is None
    with pytest.raises(NotAnAnswerError):
        read_marks(text, names=NAMES, lowest=1, highest=5)
    assert time.monotonic() - start < 2


@hypothesis.given(strategies.text(alphabet="{}[]\":,'0189.-score \n", max_size=60))
@hypothesis.settings(max_examples=300, deadline=None)
def test_no_text_gives_a_score_that_is_not_in_it(text):
    status, scores = scores_of(text)
    assert (scores is None) == (status != "ok")
    for score in scores or ():
        numbers = {float(found) for found in re.findall(r"\d+(?:\.\d+)?", text)}
        assert 0 <= score <= 10
        assert score in numbers


def test_nothing_here_draws_random_numbers():
    folder = pathlib.Path(tbstar_jax.evaluation.judge.__file__).parent
    sources = {path.name: path.read_text() for path in folder.glob("*.py")}
    assert "parse.py" in sources
    drawing = re.compile(r"import random|from random|np\.random|default_rng|secrets")
    assert [name for name, text in sources.items() if drawing.search(text)] == []
