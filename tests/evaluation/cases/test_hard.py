"""Hard cases: two exact edits at once, tiny, faint, crowded."""

import dataclasses
import math

import numpy as np
import pytest

from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Case
from tbstar_jax.evaluation.cases.draft import Draft
from tbstar_jax.evaluation.cases.hard import hard_draft, hard_kind
from tbstar_jax.evaluation.cases.make import finish, is_sound
from tbstar_jax.evaluation.cases.seeds import case_generator
from tbstar_jax.evaluation.scores.editing import edit_score

_SIZE = (144, 144)


def _drawn(task: str, index: int) -> Draft:
    for attempt in range(20):
        rng = case_generator("hard", 0, task, index, f"test-{attempt}")
        draft = hard_draft(rng, task, index, _SIZE)
        if draft is not None and is_sound(draft):
            return draft
    raise AssertionError(f"no hard case of {task}")


@pytest.mark.parametrize("task", ["recolor", "text_replace_zh", "outpaint"])
def test_two_edits_are_asked_for_and_both_are_exact(task: str) -> None:
    draft = _drawn(task, 0)
    assert len(draft.asks) == 2
    case = finish(draft, "hard", task, 0, np.random.default_rng(0))
    differs = np.any(case.source != case.reference, axis=2)
    assert not (differs & ~case.masks.edit).any()
    assert case.tags["difficulty"] == "two"
    assert len(case.questions) >= 4
    for text in case.target_texts:
        assert (text.new or text.old or "") in case.instructions["zh"]
    for ask in draft.asks:
        named = ask.facts.new_color_zh or ask.facts.new_text or ask.facts.object_zh
        assert named is None or named in case.instructions["zh"]


def _two(task: str) -> Case:
    return finish(_drawn(task, 0), "hard", task, 0, np.random.default_rng(0))


@pytest.mark.parametrize(
    "task", ["bg_scene", "text_replace_zh", "outpaint", "object_replace"]
)
def test_neither_of_two_edits_can_be_left_out(task: str) -> None:
    case = _two(task)
    first, second = case.asked
    assert first.task == task != second.task
    assert _e(case, case.source) == 0.0
    assert _e(case, case.reference) == 1.0
    for one in case.asked:
        # Only the other edit, as it was drawn, and as it is cut out of the reference.
        assert _e(case, one.undone) == 0.0
        cut = np.where(one.masks.edit[..., None], case.source, case.reference)
        assert _e(case, cut) <= 0.05
        differs = np.any(one.undone != case.reference, axis=2)
        assert differs.any()
        assert not (differs & ~one.masks.edit).any()


def test_e_of_two_edits_is_the_geometric_mean_of_both() -> None:
    case = _two("text_replace_zh")
    _, second = case.asked
    half = (second.undone.astype(int) + case.reference) // 2
    score = edit_score(case, half.astype(np.uint8), reader=None, is_size_right=True)
    alone = dataclasses.replace(
        case,
        task=second.task,
        source=second.undone,
        masks=second.masks,
        target_texts=second.target_texts,
        target_objects=second.target_objects,
        asked=(),
    )
    assert 0.1 < _e(alone, half.astype(np.uint8)) < 0.9
    assert score.value == pytest.approx(
        math.sqrt(_e(alone, half.astype(np.uint8))), abs=0.02
    )
    assert score.weakest.startswith("second_")


def test_how_the_other_edit_was_made_spoils_no_part_of_the_first() -> None:
    case = _two("text_add")
    _, second = case.asked
    assert second.task == "recolor"
    half = ((second.undone.astype(int) + case.reference) // 2).astype(np.uint8)
    score = edit_score(case, half, reader=None, is_size_right=True)
    first = [name for name in score.parts if not name.startswith("second_")]
    assert "clear" in first
    assert all(score.parts[name] == 1.0 for name in first)


def _e(case: Case, answer: np.ndarray) -> float:
    return edit_score(case, answer, reader=None, is_size_right=True).value


def test_the_second_edit_shows_in_the_reference() -> None:
    draft = _drawn("material", 0)
    parts = np.any(draft.source != draft.reference, axis=2) & ~draft.masks.product
    texts = draft.masks.text
    if texts.any():
        assert (parts & texts).any()


def test_dense_cases_have_overlays_that_are_kept() -> None:
    draft = _drawn("object_remove", 4)
    assert draft.kept_texts
    assert len(draft.asks) == 1


def test_faint_marks_are_fainter() -> None:
    strengths = []
    for index in (0, 3):
        draft = _drawn("watermark_remove", index)
        change = np.abs(draft.source.astype(int) - draft.reference).max(axis=2)
        strengths.append(float(np.percentile(change[draft.masks.text], 90)))
    assert strengths[1] < 0.8 * strengths[0]


def test_tiny_things_are_small() -> None:
    far, near = _drawn("recolor", 1), _drawn("recolor", 3)
    assert far.masks.product.mean() < near.masks.product.mean()


def test_every_task_has_two_edits_in_four_of_ten_cases() -> None:
    for task in BENCHMARK_TASKS:
        kinds = [hard_kind(task, index) for index in range(10)]
        assert kinds.count("two") == 4
        assert len(set(kinds)) >= 2
