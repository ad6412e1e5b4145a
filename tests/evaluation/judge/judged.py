"""A judge on the loopback, and small things for it to judge."""

import contextlib
import json

import numpy as np

from tbstar_jax.evaluation.judge.config import JudgeConfig
from tbstar_jax.evaluation.judge.item import Check, Item
from tbstar_jax.evaluation.judge.judgement import Asked, Judgement, Vote
from tests.support.loopback import Answer, completion, serving

VIE = '{"score": [8, 9], "reasoning": "fine"}'


def picture(level, height=6, width=8):
    return np.full((height, width, 3), level, np.uint8)


def item(prompt="mini/recolor/000/en", task="recolor", **fields):
    return Item(
        **{
            "prompt": prompt,
            "case": prompt.rpartition("/")[0],
            "task": task,
            "language": "en",
            "instruction": 'make the "mug" {red}',
            "source": picture(10),
            "checks": (
                Check(text="Is the mug red?", answer=True),
                Check(text="Is the price gone?", answer=False),
            ),
            **fields,
        }
    )


def config(url, **fields):
    return JudgeConfig(
        **{
            "base_url": url,
            "model": "judge",
            "retries": 0,
            "timeout": 5.0,
            "rpm": 60_000.0,
            "concurrency": 2,
            **fields,
        }
    )


@contextlib.contextmanager
def answering(*texts):
    """Answers these texts or `Answer`s, in turn; the last one for ever."""

    def answer(_, index):
        found = texts[min(index, len(texts) - 1)]
        return found if isinstance(found, Answer) else Answer(body=completion(found))

    with serving(answer) as (url, server):
        yield url, server


def sent(request):
    """The parts of a request's last message: texts, and media types of images."""
    content = request.json()["messages"][-1]["content"]
    return [
        part["text"]
        if part["type"] == "text"
        else part["image_url"]["url"].partition(";")[0].removeprefix("data:")
        for part in content
    ]


def judgement(overall, prompt="a/1/en", task="a", **fields):
    """An `ok` judgement of this score, or one of another status."""
    score = 0.0 if overall is None else float(overall)
    asked = [
        Asked(
            part=part,
            status="ok",
            detail="",
            scores=(score, 10.0),
            reason="",
            statuses=("ok",),
            keys=("k",),
            reply_sha256="",
            model="judge",
            input_tokens=100,
            output_tokens=10,
            num_cached=0,
        )
        for part in ("sc", "pq")
    ]
    return Judgement(
        **{
            "system": "ours",
            "prompt": prompt,
            "case": prompt,
            "task": task,
            "language": "en",
            "mode": "strict",
            "label": "strict (own rubric)",
            "judge": "j",
            "model": "judge",
            "is_mock": False,
            "content": prompt,
            "status": "ok",
            "detail": "",
            "votes": (Vote(asked=tuple(asked)),),
            "overall": overall,
            "semantic": overall,
            "quality": overall,
            "overall_range": 0.0,
            "cost": 0.5,
            **fields,
        }
    )


def strict_answer(request, success=8, restraint=6, naturalness=9, cleanness=9):
    """What a `strict` judge answers to either of its questions."""
    names = request.json()["response_format"]["json_schema"]["schema"]["required"]
    values = {
        "reason": "so",
        "success": success,
        "restraint": restraint,
        "naturalness": naturalness,
        "cleanness": cleanness,
    }
    return json.dumps({name: values[name] for name in names})
