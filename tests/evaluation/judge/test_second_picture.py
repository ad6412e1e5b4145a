"""Where the editor was given a second picture, judges see it or are told that not."""

import base64
import json

import numpy as np
import pytest

from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.pairwise import compare
from tbstar_jax.evaluation.judge.rubrics import OwnRubric
from tbstar_jax.input_pipeline.images import decode_image
from tests.evaluation.judge.judged import VIE, config, item, strict_answer
from tests.support.loopback import Answer, completion, serving

# Noise, so that each is another picture after JPEG, too.
SOURCE, EDIT, OTHER, SECOND, THIRD = (
    np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    for seed, size in enumerate([(16, 24, 3)] * 3 + [(8, 12, 3)] * 2)
)
REPLIES = {
    "imgedit": "Compliance: 2\nSeamlessness: 5\nIntegrity: 3",
    "checklist": json.dumps({"answers": ["yes", "no"]}),
    "pairwise": json.dumps({"reason": "so", "winner": "tie"}),
}
PARTS = {"imgedit": ["imgedit"], "checklist": ["checklist"], "pairwise": ["pair"] * 2}
SHOWING = ("strict", "checklist", "pairwise")
OF_OTHERS = ("vie-2024", "gedit-gpt", "gedit-qwen", "imgedit")
IS_SHOWN = "The last picture is what the request calls the second one"
IS_NOT_SHOWN = "the second picture is not among these"


def asked(mode, second):
    """Part, words and pictures of each request."""

    def answer(request, _):
        if mode == "strict":
            return Answer(body=completion(strict_answer(request)))
        return Answer(body=completion(REPLIES.get(mode, VIE)))

    one = item(task="object_add", source=SOURCE, object_photo=second)
    with serving(answer) as (url, server):
        judge = Judge(config(url, mode=mode))
        if mode == "pairwise":
            found = compare(judge, one, "ours", EDIT, "theirs", OTHER)
        else:
            found = judge.judge("ours", one, EDIT)
    assert found.status == "ok"
    parts = PARTS.get(mode, ["sc", "pq"])
    return [
        (part, *_read(request))
        for part, request in zip(parts, server.requests, strict=True)
    ]


def _read(request):
    parts = request.json()["messages"][-1]["content"]
    (text,) = (part["text"] for part in parts if part["type"] == "text")
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    return text, [base64.b64decode(url.partition(",")[2]) for url in urls]


def are(images, pictures):
    """Whether these are the pictures, bit for bit."""
    decoded = [decode_image(one) for one in images]
    return len(decoded) == len(pictures) and all(map(np.array_equal, decoded, pictures))


@pytest.mark.parametrize("mode", [*SHOWING, *OF_OTHERS])
def test_without_one_the_words_are_the_rubrics_and_the_pictures_the_edits(mode):
    one = item(task="object_add")
    for number, (part, text, images) in enumerate(asked(mode, None)):
        assert text == OwnRubric(mode=mode).text(part, one)
        assert "second one" not in text
        assert IS_NOT_SHOWN not in text
        shown = {
            "pq": [EDIT],
            "pair": [SOURCE, OTHER, EDIT] if number else [SOURCE, EDIT, OTHER],
        }.get(part, [SOURCE, EDIT])
        # Both modes without PNG send these pictures as JPEG.
        if mode in ("vie-2024", "gedit-gpt"):
            assert len(images) == len(shown)
        else:
            assert are(images, shown)


@pytest.mark.parametrize("mode", SHOWING)
def test_our_own_modes_show_it_last_and_say_so(mode):
    pairs = zip(asked(mode, SECOND), asked(mode, None), strict=True)
    for (part, text, images), (_, words, pictures) in pairs:
        if part == "pq":  # which is about the edit alone
            assert (text, images) == (words, pictures)
            continue
        assert text.startswith(words)
        assert IS_SHOWN in text.removeprefix(words)
        assert IS_NOT_SHOWN not in text
        assert images[:-1] == pictures
        assert are(images[-1:], [SECOND])


@pytest.mark.parametrize("mode", OF_OTHERS)
def test_modes_of_other_programs_say_that_it_is_not_shown(mode):
    pairs = zip(asked(mode, SECOND), asked(mode, None), strict=True)
    for (part, text, images), (_, words, pictures) in pairs:
        assert images == pictures
        if part == "pq":
            assert text == words
        else:
            assert text.startswith(words)
            assert IS_NOT_SHOWN in text.removeprefix(words)
            assert IS_SHOWN not in text


def test_another_second_picture_is_another_question(tmp_path):
    def answer(request, _):
        return Answer(body=completion(strict_answer(request)))

    with serving(answer) as (url, server):
        judge = Judge(config(url, mode="strict", cache=tmp_path))
        found = [
            judge.judge("ours", item(object_photo=second), EDIT)
            for second in (None, SECOND, THIRD, SECOND)
        ]
    # The quality of the same edit is paid once.
    assert len(server.requests) == 4
    contents = [one.content for one in found]
    assert contents[1] == contents[3]
    assert len(set(contents)) == 3
