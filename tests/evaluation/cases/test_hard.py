"""Hard cases: several exact edits at once, tiny, faint, crowded."""

import dataclasses
import functools

import numpy as np
import pytest

from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, AskedEdit, Case
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.cases.draft import Draft
from tbstar_jax.evaluation.cases.hard import NUM_EDITS, hard_draft, hard_kind
from tbstar_jax.evaluation.cases.make import finish, is_sound
from tbstar_jax.evaluation.cases.seeds import case_generator
from tbstar_jax.evaluation.cases.wording import STYLES, instructions
from tbstar_jax.evaluation.scores.editing import edit_score

_SIZE = (144, 144)
_TWO, _THREE, _FOUR = 0, 2, 4
_TINY, _FAINT, _DENSE = 1, 3, 5
"""Indices of cases by kind."""

_SEVERAL = [
    ("bg_scene", _TWO),
    ("object_replace", _TWO),
    ("outpaint", _THREE),
    ("text_replace_zh", _THREE),
    ("watermark_remove", _FOUR),
    ("layout", _FOUR),
]


@functools.cache
def _drawn(task: str, index: int) -> Draft:
    for attempt in range(20):
        rng = case_generator("hard", 0, task, index, f"test-{attempt}")
        draft = hard_draft(rng, task, index, _SIZE)
        if draft is not None and is_sound(draft):
            return draft
    raise AssertionError(f"no hard case of {task}")


def _case(task: str, index: int) -> Case:
    return finish(_drawn(task, index), "hard", task, index, np.random.default_rng(0))


def _e(case: Case, answer: np.ndarray) -> float:
    return edit_score(case, answer, reader=None, is_size_right=True).value


@pytest.mark.parametrize("task", BENCHMARK_TASKS)
def test_every_task_is_asked_for_with_others_first_of_all(task: str) -> None:
    case = _case(task, _THREE)
    assert len(case.asked) == 3
    assert case.asked[0].task == task
    assert len({one.task for one in case.asked}) == 3
    differs = np.any(case.source != case.reference, axis=2)
    assert not (differs & ~case.masks.edit).any()
    assert case.tags["difficulty"] == "three"


@pytest.mark.parametrize(("task", "index"), _SEVERAL)
def test_both_languages_name_every_edit_in_every_style(task: str, index: int) -> None:
    draft = _drawn(task, index)
    assert len(draft.asks) == NUM_EDITS[hard_kind(task, index)]
    for style in STYLES:
        said = instructions(draft.asks, style, np.random.default_rng(0))
        for ask in draft.asks:
            facts = ask.facts
            for language in ("en", "zh"):
                if facts.text_kind_en:
                    assert (facts.text or "") in said[language]
                    assert (facts.new_text or "") in said[language]
                if ask.wording not in ("outpaint", "bg_scene"):
                    noun = f"{'new_color' if facts.new_color_en else 'object'}_"
                    assert (getattr(facts, noun + language) or "") in said[language]
        assert "{" not in said["en"] + said["zh"]
    case = _case(task, index)
    assert len(case.questions) == 2 * len(case.asked) + bool(case.kept_texts)
    for kept in case.kept_texts:
        assert not case.masks.edit[kept.box.slices].any()


@pytest.mark.parametrize(("task", "index"), _SEVERAL)
def test_none_of_several_edits_can_be_left_out(task: str, index: int) -> None:
    case = _case(task, index)
    assert _e(case, case.source) == 0.0
    assert _e(case, case.reference) == 1.0
    for one in case.asked:
        # All others, as they were drawn, and as they are cut out of the reference.
        assert _e(case, one.undone) == 0.0
        cut = np.where(one.masks.edit[..., None], case.source, case.reference)
        assert _e(case, cut) <= 0.05
        change = np.abs(one.undone.astype(int) - case.reference).max(axis=2)
        assert np.mean(change >= 16) >= 0.001
        assert not ((change > 0) & ~one.masks.edit).any()
    # Every one is seen in the picture that lacks another.
    for one in case.asked:
        for other in case.asked:
            assert one is other or not np.array_equal(one.undone, other.undone)


def test_each_of_four_edits_counts_by_its_own_measures() -> None:
    case = _case("text_remove", _FOUR)
    values = []
    for number, one in enumerate(case.asked):
        half = ((one.undone.astype(int) + case.reference) // 2).astype(np.uint8)
        score = edit_score(case, half, reader=None, is_size_right=True)
        alone = _e(_alone(case, one), half)
        assert 0.1 < alone < 0.9
        assert score.value == pytest.approx(alone**0.25, abs=0.02)
        prefix = ("", "second_", "third_", "fourth_")[number]
        assert score.weakest.startswith(prefix)
        # How it was made spoils no part of the others.
        others = {
            name: value
            for name, value in score.parts.items()
            if not _is_of(name, prefix)
        }
        assert set(others.values()) == {1.0}
        values.append(score.value)
    assert len(values) == 4


def _alone(case: Case, one: AskedEdit) -> Case:
    return dataclasses.replace(
        case,
        task=one.task,
        source=one.undone,
        masks=one.masks,
        target_texts=one.target_texts,
        target_objects=one.target_objects,
        asked=(),
    )


def _is_of(part: str, prefix: str) -> bool:
    if prefix:
        return part.startswith(prefix)
    return not part.startswith(("second_", "third_", "fourth_"))


def test_a_case_of_four_edits_is_drawn_the_same_again() -> None:
    first = _case("object_add", _FOUR)
    _drawn.cache_clear()
    assert case_digest(first) == case_digest(_case("object_add", _FOUR))


def test_what_may_change_is_what_one_of_the_edits_may_change() -> None:
    case = _case("material", _FOUR)
    regions = [one.masks.edit for one in case.asked]
    assert np.array_equal(np.any(regions, axis=0), case.masks.edit)
    for one in regions:
        assert one.any()
        assert not one.all()


def test_an_outpainting_shows_all_else_that_is_edited() -> None:
    case = _case("outpaint", _FOUR)
    assert case.photo_box is not None
    inside = np.zeros(case.size, bool)
    inside[case.photo_box.slices] = True
    for one in case.asked[1:]:
        assert inside[one.masks.product].all()
        for text in one.target_texts:
            assert inside[text.box.slices].all()
    assert np.array_equal(case.asked[0].masks.edit, ~inside)


def test_dense_cases_have_overlays_that_are_kept() -> None:
    draft = _drawn("object_remove", _DENSE)
    assert draft.kept_texts
    assert len(draft.asks) == 1
    assert not draft.asked


def test_faint_marks_are_fainter() -> None:
    strengths = []
    for index in (_TWO, _FAINT):
        draft = _drawn("watermark_remove", index)
        masks = draft.asked[0].masks if draft.asked else draft.masks
        change = np.abs(draft.source.astype(int) - draft.reference).max(axis=2)
        strengths.append(float(np.percentile(change[masks.text], 90)))
    assert strengths[1] < 0.8 * strengths[0]


def test_tiny_things_are_small() -> None:
    for seed in range(4):
        far, near = (
            hard_draft(np.random.default_rng(seed), "recolor", index, _SIZE)
            for index in (_TINY, _FAINT)
        )
        assert far is not None
        assert near is not None
        # The same things from further away: 1.7 times as small in both directions.
        share = far.masks.product.mean() / near.masks.product.mean()
        assert 0.8 / 1.7**2 < share < 1.2 / 1.7**2


def test_every_task_has_two_three_and_four_edits_in_six_of_ten_cases() -> None:
    for task in BENCHMARK_TASKS:
        kinds = [hard_kind(task, index) for index in range(10)]
        assert [kinds.count(kind) for kind in ("two", "three", "four")] == [2, 2, 2]
        assert {"tiny", "contrast", "dense"} & {*kinds}
    plain = [hard_kind("recolor", index) for index in range(10)]
    assert [plain.count(kind) for kind in ("tiny", "contrast", "dense")] == [2, 1, 1]
