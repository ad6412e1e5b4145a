"""The model as rewriter and judge, injected where the data engine wants them."""

import dataclasses
import json

import numpy as np
import pytest

from tbstar_jax.data_engine.annotate import scores_of
from tbstar_jax.data_engine.augment.paraphrase.rewrite import Paraphrase
from tbstar_jax.data_engine.filter.method import MeasurePairs
from tbstar_jax.data_engine.vlm_roles.pair_judge import VlmPairJudge
from tbstar_jax.data_engine.vlm_roles.rewriter import VlmRewriter
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.vlm.client import VlmConfig
from tbstar_jax.vlm.cost import Prices
from tbstar_jax.vlm.server import ServerConfig
from tests.data_engine.construct.photos import coffee, photo
from tests.support.loopback import Answer, completion, serving


def vlm(url):
    return VlmConfig(
        server=ServerConfig(base_url=url, num_retries=0),
        model="judge",
        prices=Prices(input_per_million=0.0, output_per_million=0.0, currency="USD"),
    )


def pair():
    target = coffee()
    target[20:40, 30:60] = 200, 30, 30
    return dataclasses.replace(
        photo(),
        task="recolor",
        target_image=encode_png(target),
        instructions_en=("make the mug red",),
        instructions_zh=("把杯子改成红色",),
    )


def says(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return Answer(body=completion(text))


VERDICT = {"success": 9, "restraint": 4, "naturalness": 9, "reason": "The saucer too."}


def judged(answer):
    with serving(answer) as (url, server), VlmPairJudge(vlm=vlm(url)).open() as judge:
        return judge(pair()), server.requests


def test_a_verdict_becomes_scores():
    scores, requests = judged(says(VERDICT))
    assert scores == {
        "success": 9.0,
        "restraint": 4.0,
        "naturalness": 9.0,
        "overall": 6.0,
    }
    (request,) = requests
    content = request.json()["messages"][1]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "image_url"]
    assert "make the mug red" in content[0]["text"]


@pytest.mark.parametrize(
    ("answer", "num_requests"),
    [
        (says("9 out of 10"), 3),
        (says({**VERDICT, "success": 11}), 3),
        (says({**VERDICT, "success": "9"}), 3),
        (Answer(body=completion(None, refusal="no")), 1),
    ],
)
def test_no_verdict_is_no_score(answer, num_requests):
    scores, requests = judged(answer)
    assert scores == {}
    assert len(requests) == num_requests


def test_an_outage_of_the_judge_stops_the_run():
    with pytest.raises(UserError, match="run again"):
        judged(Answer(status=503))


def test_the_filter_takes_the_judge():
    with serving(says(VERDICT)) as (url, _):
        method = MeasurePairs(judge=VlmPairJudge(vlm=vlm(url)))
        with method.open() as transform:
            (measured,) = transform(pair(), np.random.default_rng(0))
    assert scores_of(measured)["judge/overall"] == 6.0
    assert MeasurePairs().fingerprint != method.fingerprint


PHRASINGS = {
    "en": ["the mug in red, please", "mug -> green"],
    "zh": ["杯子要红色", "杯子改为红色"],
}


def test_the_paraphrase_takes_the_rewriter_and_checks_its_words():
    with serving(says(PHRASINGS)) as (url, server):
        rewriter = VlmRewriter(vlm=vlm(url), num_texts=2)
        method = Paraphrase(num_texts=4, max_bytes=94, rewriter=rewriter)
        with method.open() as transform:
            (more,) = transform(pair(), np.random.default_rng(0))
    assert "the mug in red, please" in more.instructions_en
    assert "mug -> green" not in more.instructions_en
    assert "杯子要红色" in more.instructions_zh
    requests = [request.json()["messages"][1]["content"] for request in server.requests]
    assert "make the mug red" in requests[0]
    assert "把杯子改成红色" in requests[1]


@pytest.mark.parametrize("answer", [says("No."), says({"en": [], "zh": []})])
def test_no_phrasings_are_an_error_that_names_the_request(answer):
    with (
        serving(answer) as (url, server),
        VlmRewriter(vlm=vlm(url)).open() as rewrite,
        pytest.raises(UserError, match="make the mug red"),
    ):
        rewrite("make the mug red")
    assert len(server.requests) == 3
