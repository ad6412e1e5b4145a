"""The expert method: by rule, by a model on loopback, and from its cached replies."""

import dataclasses
import hashlib
import json
import pickle  # noqa: TID251, what workers are sent by
import subprocess
import sys

import numpy as np
import pytest

from tbstar_jax.data_engine.construct.classical.expert import ClassicalExpert
from tbstar_jax.data_engine.construct.expert import ExpertMethod, TaskShare
from tbstar_jax.data_engine.stage import Method, Reject, record_generator
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, decode_mask, encode_png
from tbstar_jax.vlm.client import VlmConfig
from tbstar_jax.vlm.cost import Prices
from tbstar_jax.vlm.server import ServerConfig
from tests.data_engine.construct.photos import (
    HEIGHT,
    WIDTH,
    BoxExpert,
    coffee,
    photo,
)
from tests.support.loopback import Answer, completion, serving
from tests.support.written import DRAFT, FINE

CUP = {"label": "mug", "top": 10, "left": 20, "bottom": 50, "right": 70}
CANDLE = {"label": "candle", "top": 0, "left": 80, "bottom": 20, "right": 96}
KNOWN = {
    "auxiliary": {
        "category": "drinkware",
        "counts": {"mug": 1, "candle": 1},
        "regions": [CUP, CANDLE],
    },
    "facts": {"object_en": "mug", "object_zh": "马克杯", "color_en": "white"},
}


BOX = (BoxExpert(),)


def method(experts=BOX, tasks=("recolor",), vlm=None, **options):
    shares = tuple(TaskShare(task=task, weight=1.0) for task in tasks)
    return ExpertMethod(experts=experts, shares=shares, vlm=vlm, **options)


def made(method, record, seed=0):
    with method.open() as transform:
        rng = record_generator(seed, method.name, record.key)
        return list(transform(record, rng))


def images(pair):
    return (
        decode_image(pair.source_images[0]),
        decode_image(pair.target_image),
        decode_mask(pair.change_mask),
    )


def test_it_is_a_method_and_travels_to_other_processes():
    one = method()
    assert isinstance(one, Method)
    again = pickle.loads(pickle.dumps(one))
    assert again == one
    assert again.fingerprint == one.fingerprint


def test_a_photo_becomes_a_pair_by_rule():
    (pair,) = made(method(), photo(**KNOWN))
    source, target, mask = images(pair)
    assert np.array_equal(source, coffee())
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[10:50, 20:70] = True
    assert np.array_equal(mask == 255, (source != target).any(axis=-1))
    assert np.array_equal(mask == 255, inside)
    assert pair.key == "coffee-expert0"
    assert pair.task == "recolor"
    notes = pair.provenance
    assert notes["method"] == "expert"
    assert notes["expert"] == "box"
    assert notes["instructions_by"] == "rules"
    assert notes["mask_from"] == "expert"
    assert notes["parents"] == ["coffee"]
    assert notes["transform"] == "construct"
    assert (notes["licence"], notes["origin"]) == ("CC0-1.0", "scikit-image")
    assert "vlm" not in notes
    new_color = notes["facts"]["new_color_en"]
    assert new_color != "white"
    assert new_color in pair.instructions_en[0]
    assert notes["facts"]["new_color_zh"].removesuffix("色") in pair.instructions_zh[0]
    assert notes["coarse"] == {
        "en": pair.instructions_en[0],
        "zh": pair.instructions_zh[0],
    }


def test_the_same_photo_and_seed_give_the_same_bytes_and_another_seed_others():
    one, again = (made(method(), photo(**KNOWN))[0] for _ in range(2))
    assert one == again
    others = [made(method(), photo(**KNOWN), seed)[0] for seed in range(1, 6)]
    assert len({other.target_image for other in others} | {one.target_image}) > 1


def test_tasks_are_drawn_by_their_shares():
    shares = (
        TaskShare(task="recolor", weight=3.0),
        TaskShare(task="object_remove", weight=1.0),
    )
    one = ExpertMethod(experts=(BoxExpert(),), shares=shares, vlm=None)
    tasks = []
    with one.open() as transform:
        for index in range(80):
            record = photo(f"coffee{index}", **KNOWN)
            (pair,) = transform(record, record_generator(0, "expert", record.key))
            tasks.append(pair.task)
    # 60 of 80 expected, standard deviation 3.9.
    assert 48 <= tasks.count("recolor") <= 72
    assert tasks.count("recolor") + tasks.count("object_remove") == 80


def test_hints_bound_the_tasks_and_several_pairs_are_of_different_tasks():
    hinted = {**KNOWN, "auxiliary": {**KNOWN["auxiliary"], "tasks": ["object_remove"]}}
    tasks = ("recolor", "object_remove")
    assert [p.task for p in made(method(tasks=tasks), photo(**hinted))] == [
        "object_remove"
    ]
    both = made(method(tasks=tasks, pairs_per_photo=3), photo(**KNOWN))
    assert sorted(pair.task for pair in both) == ["object_remove", "recolor"]
    assert [pair.key for pair in both] == ["coffee-expert0", "coffee-expert1"]


def test_the_next_expert_is_asked_where_one_declines():
    experts = (BoxExpert(name="shy", declines=True), BoxExpert(name="able"))
    (pair,) = made(method(experts), photo(**KNOWN))
    assert pair.provenance["expert"] == "able"


@pytest.mark.parametrize(
    ("experts", "record", "reason"),
    [
        ((BoxExpert(declines=True),), photo(**KNOWN), "not today"),
        ((BoxExpert(levels=0),), photo(**KNOWN), "nothing changed"),
        ((BoxExpert(), BoxExpert(name="b")), photo(auxiliary=3), "JSON object"),
        ((BoxExpert(),), photo(facts={"colour": "red"}), "no field 'colour'"),
        (
            (BoxExpert(),),
            photo(auxiliary={"regions": [{**CUP, "bottom": 65}]}),
            "ends at row 65",
        ),
        (
            (BoxExpert(),),
            photo(auxiliary={"tasks": ["bg_white"]}),
            "no task with an expert suits it",
        ),
        (
            (BoxExpert(),),
            dataclasses.replace(photo(), source_images=(b"GIF89a",)),
            "not a readable",
        ),
        (
            (BoxExpert(),),
            dataclasses.replace(photo(), target_image=encode_png(coffee())),
            "already",
        ),
    ],
)
def test_what_cannot_become_a_pair_says_why(experts, record, reason):
    (reject,) = made(method(experts), record)
    assert isinstance(reject, Reject)
    assert reject.row == "coffee"
    assert reason in reject.reason


def test_what_an_expert_spills_beyond_its_mask_is_put_back():
    clean, spilt = (
        made(method((BoxExpert(spills=spills),)), photo(**KNOWN))[0]
        for spills in (False, True)
    )
    assert spilt.target_image == clean.target_image
    assert spilt.change_mask == clean.change_mask


def test_without_a_mask_the_difference_is_taken():
    expert = BoxExpert(gives_mask=False)
    (pair,) = made(method((expert,)), photo(**KNOWN))
    source, target, mask = images(pair)
    assert pair.provenance["mask_from"] == "difference"
    levels = np.abs(source.astype(int) - target.astype(int)).max(axis=-1)
    assert np.array_equal(mask == 255, levels >= 12)
    assert (mask == 255).any()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"tasks": ("light_shadow",)}, "no expert does any"),
        ({"tasks": ("recolor", "recolor")}, "twice"),
        ({"experts": (BoxExpert(), BoxExpert(levels=9))}, "one name: box, box"),
        ({"max_tries": 0}, "max_tries is 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(options, what):
    with pytest.raises(UserError, match=what):
        method(**options)


def test_a_share_is_of_a_known_task_and_positive():
    with pytest.raises(UserError, match="identity"):
        TaskShare(task="identity", weight=1.0)
    with pytest.raises(UserError, match="recolor is 0"):
        TaskShare(task="recolor", weight=0.0)


@pytest.mark.parametrize("task", ["recolor", "light_shadow"])
def test_the_classical_expert_edits_a_real_photo_by_rule(task):
    one = method((ClassicalExpert(),), (task,))
    results = made(one, photo(**KNOWN)), made(one, photo(**KNOWN))
    assert results[0] == results[1]
    (pair,) = results[0]
    assert not isinstance(pair, Reject), pair
    source, target, mask = images(pair)
    assert np.array_equal(mask == 255, (source != target).any(axis=-1))
    if task == "recolor":
        assert mask[10:50, 20:70].any()
        assert not mask[:, :15].any()
        assert not mask[:, 75:].any()


def scripted(drafts=(DRAFT,), fines=(FINE,)):
    """Answers the n-th question of a kind with the n-th of its answers, then the last.

    A kind of question is told by its number of images.
    """
    counts = {1: 0, 2: 0}

    def answer(request, _):
        content = request.json()["messages"][1]["content"]
        num_images = sum(part["type"] == "image_url" for part in content)
        answers = {1: drafts, 2: fines}[num_images]
        index = min(counts[num_images], len(answers) - 1)
        counts[num_images] += 1
        one = answers[index]
        if isinstance(one, Answer):
            return one
        return Answer(body=completion(one if isinstance(one, str) else json.dumps(one)))

    return answer


def vlm(url, cache=None, replay_only=False):
    return VlmConfig(
        server=ServerConfig(base_url=url, num_retries=0),
        model="writer",
        prices=Prices(input_per_million=1.0, output_per_million=10.0, currency="USD"),
        cache=cache,
        replay_only=replay_only,
    )


def test_a_model_writes_the_request_and_says_it_finely():
    with serving(scripted()) as (url, server):
        (pair,) = made(method(vlm=vlm(url)), photo(**KNOWN))
    assert pair.instructions_en == (*FINE["en"], DRAFT["instruction_en"])
    assert pair.instructions_zh == (*FINE["zh"], DRAFT["instruction_zh"])
    _, _, mask = images(pair)
    rows, columns = np.nonzero(mask)
    # 150 to 800 of 64 rows, 200 to 750 of 96 columns, grown to whole pixels.
    assert (rows.min(), rows.max() + 1) == (9, 52)
    assert (columns.min(), columns.max() + 1) == (19, 72)
    notes = pair.provenance
    assert notes["instructions_by"] == "vlm"
    assert notes["coarse"]["en"] == DRAFT["instruction_en"]
    assert notes["fine"] == FINE
    assert notes["facts"]["new_color_en"] == "navy blue"
    assert notes["vlm"] == {
        "model": "writer",
        "served_model": "judge-2026-11-01",
        "request_statuses": ["ok"],
        "fine_statuses": ["ok"],
        "input_tokens": 200,
        "output_tokens": 20,
        "cost": 0.0004,
        "currency": "USD",
    }
    assert "status" not in notes
    first, second = (request.json()["messages"] for request in server.requests)
    text = first[1]["content"][0]["text"]
    for known in ("drinkware", '"mug": 1', '"top": 156', "马克杯", "product colour"):
        assert known in text
    assert DRAFT["instruction_zh"] in second[1]["content"][0]["text"]
    assert first[0]["role"] == "system"


def test_cached_replies_give_the_same_pair_without_a_server(tmp_path):
    with serving(scripted()) as (url, server):
        (live,) = made(method(vlm=vlm(url, tmp_path)), photo(**KNOWN))
        (again,) = made(method(vlm=vlm(url, tmp_path)), photo(**KNOWN))
        assert len(server.requests) == 2
    assert again == live
    replay = method(vlm=vlm(url, tmp_path, replay_only=True))
    (replayed,) = made(replay, photo(**KNOWN))
    assert replayed.provenance["instructions_by"] == "replay"
    assert replayed.instructions_en == live.instructions_en
    assert replayed.target_image == live.target_image
    with pytest.raises(UserError, match="not_cached"):
        made(replay, photo("another", **KNOWN))


def test_what_fails_its_checks_is_asked_for_again():
    bad = {**DRAFT, "instruction_zh": "把白色马克杯改成红色"}
    with serving(scripted(drafts=("Sorry?", bad, DRAFT))) as (url, _):
        (pair,) = made(method(vlm=vlm(url)), photo(**KNOWN))
    assert pair.provenance["vlm"]["request_statuses"] == [
        "unparsed",
        "out_of_range",
        "ok",
    ]
    assert pair.provenance["vlm"]["input_tokens"] == 400


def test_a_pair_whose_request_was_not_said_finely_is_kept_and_flagged():
    worse = {**FINE, "en": [text.replace("navy", "sky") for text in FINE["en"]]}
    with serving(scripted(fines=(worse,))) as (url, _):
        (pair,) = made(method(vlm=vlm(url)), photo(**KNOWN))
    assert pair.instructions_en == (DRAFT["instruction_en"],)
    assert pair.provenance["status"] == "flagged:fine_instruction"
    assert pair.provenance["vlm"]["fine_statuses"] == ["out_of_range"] * 3


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        ("I would rather not.", "unparsed"),
        (Answer(body=completion(None, refusal="no")), "refused"),
        (Answer(status=400), "bad_request"),
        (
            {
                **DRAFT,
                "is_possible": False,
                "instruction_en": "",
                "instruction_zh": "",
            },
            "does not allow it",
        ),
    ],
)
def test_a_photo_the_model_writes_nothing_for_is_given_up_with_the_reason(
    draft, reason
):
    with serving(scripted(drafts=(draft,))) as (url, _):
        (reject,) = made(method(vlm=vlm(url)), photo(**KNOWN))
    assert isinstance(reject, Reject)
    assert reason in reject.reason


@pytest.mark.parametrize("status", [401, 429, 500])
def test_an_outage_stops_the_run_and_gives_no_photo_up(status):
    with (
        serving(Answer(status=status)) as (url, _),
        pytest.raises(UserError, match="run again"),
    ):
        made(method(vlm=vlm(url)), photo(**KNOWN))


_OTHER_PROCESS = """
import sys
sys.path.insert(0, "")
from tests.data_engine.construct.test_expert import digest_of_a_pair
print(digest_of_a_pair())
"""


def digest_of_a_pair():
    (pair,) = made(method(tasks=("recolor", "object_remove")), photo(**KNOWN))
    return hashlib.sha256(repr(pair).encode()).hexdigest()


def test_another_process_and_hash_seed_make_the_same_pair(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "12345")
    command = [sys.executable, "-c", _OTHER_PROCESS]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == digest_of_a_pair()
