"""The benchmark's subset: which prompts it asks, and what known answers score."""

import dataclasses
import functools

import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation import in_training
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.heldout import HeldoutEdit, copy_of_input
from tbstar_jax.evaluation.in_training import Subset, draw_subset, is_due
from tbstar_jax.model.presets import tiny
from tbstar_jax.training.train_config import BenchmarkConfig
from tests.support.benchmark_cases import case, prompts

TASKS = [task for task in BENCHMARK_TASKS if task != "outpaint"]
MODEL = tiny()


@pytest.fixture(scope="module", autouse=True)
def drawn_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_training, "make_case", functools.cache(make_case))
        yield


@pytest.fixture(scope="module")
def subset():
    return draw_subset(BenchmarkConfig(), MODEL, show_progress=False)


def references(pairs):
    return [HeldoutEdit(pair.target, None) for pair in pairs]


def test_copying_the_input_keeps_all_and_edits_nothing(subset):
    scalars = dict(subset.scalars(copy_of_input(subset.pairs)))
    assert scalars["benchmark/preservation"] == 1
    assert scalars["benchmark/edit"] == 0
    assert scalars["benchmark/consistency"] == 0
    asked = {prompt.case.task for prompt in subset.prompts}
    by_task = {
        name.removeprefix("benchmark/consistency/"): value
        for name, value in scalars.items()
        if name.startswith("benchmark/consistency/")
    }
    assert by_task == dict.fromkeys(asked, 0)


def test_the_references_score_one(subset):
    scalars = dict(subset.scalars(references(subset.pairs)))
    assert {v for k, v in scalars.items() if "/num_" not in k} == {1}


def test_one_solved_task_counts_as_one_of_them_however_often_it_was_asked():
    asked = prompts(case("recolor"), case("material"))[:3]
    subset = Subset(prompts=tuple(asked), num_left_out=1)
    right, wrong = references(subset.pairs), copy_of_input(subset.pairs)
    scalars = dict(subset.scalars([*right[:2], wrong[2]]))
    assert scalars == {
        "benchmark/consistency": 0.5,
        "benchmark/edit": 0.5,
        "benchmark/preservation": 1,
        "benchmark/consistency/material": 0,
        "benchmark/consistency/recolor": 1,
        "benchmark/num_answers": 3,
        "benchmark/num_left_out": 1,
    }


def test_an_answer_per_prompt_is_needed():
    subset = Subset(prompts=tuple(prompts(case())), num_left_out=0)
    with pytest.raises(ValueError, match="shorter"):
        list(subset.scalars(copy_of_input(subset.pairs)[:1]))


def test_the_subset_is_every_task_in_both_languages_but_what_cannot_be_asked(subset):
    # `tiny` takes 94 bytes.
    reader = dataclasses.replace(MODEL.conditioner, max_tokens=402)
    model = dataclasses.replace(MODEL, conditioner=reader)
    whole = draw_subset(BenchmarkConfig(), model, show_progress=False)
    assert [prompt.id for prompt in whole.prompts] == [
        f"smoke/{task}/000/{language}" for task in TASKS for language in ("en", "zh")
    ]
    assert whole.num_left_out == 0
    fitting = [p.id for p in whole.prompts if len(p.instruction.encode()) <= 94]
    assert [prompt.id for prompt in subset.prompts] == fitting
    assert 0 < subset.num_left_out == 30 - len(fitting)
    for first, second in zip(
        subset.pairs, [p for p in whole.pairs if p.key in fitting], strict=True
    ):
        np.testing.assert_array_equal(first.source, second.source)
        np.testing.assert_array_equal(first.target, second.target)


@pytest.fixture
def hand_made(monkeypatch):
    """Cases that cost nothing to draw."""

    def make(split, task, index):
        return case(task, index, split=split)

    monkeypatch.setattr(in_training, "make_case", make)


def test_more_cases_and_one_language(hand_made):
    model = dataclasses.replace(MODEL, pixel_budget=256 * 256)
    config = BenchmarkConfig(split="mini", cases_per_task=2, languages=("zh",))
    subset = draw_subset(config, model, show_progress=False)
    assert [prompt.id for prompt in subset.prompts] == [
        f"mini/{task}/00{index}/zh" for task in TASKS for index in (0, 1)
    ]


def test_a_pair_is_the_prompt(hand_made):
    config = BenchmarkConfig(languages=("zh",))
    pair = draw_subset(config, MODEL, show_progress=False).pairs[2]
    expected = case("recolor", 0)
    assert (pair.key, pair.task) == ("smoke/recolor/000/zh", "recolor")
    assert pair.instruction == "把盒子改成蓝色"
    np.testing.assert_array_equal(pair.source, expected.source)
    np.testing.assert_array_equal(pair.target, expected.reference)
    np.testing.assert_array_equal(pair.change_mask, expected.masks.edit)


def test_a_second_picture_goes_with_the_pair_where_the_model_takes_two(monkeypatch):
    shown = np.full((64, 64, 3), 9, np.uint8)

    def make(split, task, index):
        picture = shown if task == "object_add" else None
        return case(task, index, split=split, object_photo=picture)

    monkeypatch.setattr(in_training, "make_case", make)
    subset = draw_subset(BenchmarkConfig(), MODEL, show_progress=False)
    assert [pair.task for pair in subset.pairs if pair.references] == ["object_add"] * 2
    assert all(
        pair.pictures[1] is shown for pair in subset.pairs if pair.task == "object_add"
    )
    shifting = dataclasses.replace(MODEL.pattern_shifting, num_source_embeddings=1)
    of_one = dataclasses.replace(MODEL, pattern_shifting=shifting)
    fewer = draw_subset(BenchmarkConfig(), of_one, show_progress=False)
    assert "object_add" not in {prompt.case.task for prompt in fewer.prompts}
    assert fewer.num_left_out == subset.num_left_out + 2


@pytest.mark.parametrize(
    ("config", "changes", "sentence"),
    [
        (
            BenchmarkConfig(split="mini"),
            {},
            r"split=mini has pictures of 256x256 pixels, .* of 16384 pixels; take a "
            "smaller split: smoke$",
        ),
        (
            BenchmarkConfig(split="dev"),
            {"pixel_budget": 256 * 256},
            "take a smaller split: smoke or mini$",
        ),
        (BenchmarkConfig(), {"pixel_budget": 64 * 64}, "no split is small enough"),
        (
            BenchmarkConfig(cases_per_task=2),
            {},
            "cases_per_task is 2, but the split smoke has 1 of every task",
        ),
        (
            BenchmarkConfig(),
            {"conditioner": dataclasses.replace(MODEL.conditioner, max_tokens=12)},
            "none of the 30 instructions of evaluation.benchmark fits into the 10",
        ),
    ],
)
def test_what_does_not_suit_the_model_is_one_sentence(
    hand_made, config, changes, sentence
):
    with pytest.raises(UserError, match=sentence):
        draw_subset(config, dataclasses.replace(MODEL, **changes), show_progress=False)


def test_it_is_due_every_so_many_steps_and_at_the_last():
    assert [step for step in range(1, 8) if is_due(step, 3, 7)] == [3, 6, 7]
