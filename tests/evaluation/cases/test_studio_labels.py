"""Cases about texts on products: the logo beside a text is none of their business."""

import dataclasses

import numpy as np
import pytest

from tbstar_jax.data_engine.render.sampling import generator
from tbstar_jax.data_engine.studio.renderer import render
from tbstar_jax.data_engine.studio.sampling import LOGO_FORMS
from tbstar_jax.evaluation.cases.draft import box_of
from tbstar_jax.evaluation.cases.from_studio import (
    TEXT_TASKS,
    sample_shot_edit,
    shoot,
    still,
    studio_draft,
)
from tbstar_jax.evaluation.cases.from_studio import kept_texts as kept_texts_of
from tbstar_jax.evaluation.cases.make import finish, is_sound
from tbstar_jax.evaluation.scores.editing import edit_score

SIZE = (192, 192)


def shot_of(task, index=0):
    """The first rendered edit of a label with a logo from an index on."""
    while True:
        rng = generator("tests", 2, index, task)
        edit = sample_shot_edit(rng, task, SIZE)
        index += 1
        if edit.before.items[0].label.logo:
            shot = shoot(edit)
            assert shot is not None
            return shot


def without_text(scene):
    """The scene with a label that has its logo alone."""
    item = scene.items[0]
    blank = dataclasses.replace(item.label, text="")
    item = dataclasses.replace(item, label=blank)
    return dataclasses.replace(scene, items=(item, *scene.items[1:]))


@pytest.mark.parametrize("index", [0, 20])
@pytest.mark.parametrize("task", TEXT_TASKS)
def test_what_is_known_of_a_text_leaves_the_logo_out(task, index):
    shot = shot_of(task, index)
    draft = studio_draft(shot, task)
    assert draft is not None
    assert is_sound(draft)
    blank = render(without_text(shot.edit.before))
    # What is printed without the text: the logo and the frame.
    rest = blank.ink[0] > 0.3
    assert rest.sum() > 20
    assert not (draft.masks.text & rest).any()
    assert not (draft.masks.edit & rest).any()
    assert np.array_equal(draft.source[rest], draft.reference[rest])
    assert np.array_equal(draft.source[rest], blank.image[rest])
    (text,) = draft.target_texts
    changed = box_of(np.any(draft.source != draft.reference, axis=2))
    assert changed is not None
    gaps = [
        abs(getattr(text.box, name) - getattr(changed, name))
        for name in ("top", "left", "height", "width")
    ]
    assert max(gaps) <= 3
    assert text.ink == pytest.approx(shot.edit.before.items[0].label.ink, abs=70)
    # Of the plate around the text all may change that is neither logo nor frame.
    assert draft.masks.edit[text.box.slices].mean() > 0.85
    case = finish(draft, "dev", task, 0, generator("tests", 2, index, "words"))
    for answer, value in ((case.source, 0.0), (case.reference, 1.0)):
        score = edit_score(case, answer, reader=None, is_size_right=True)
        assert score.value == value


def test_a_kept_text_is_boxed_without_its_logo():
    shot = shot_of("text_add")
    scene = shot.edit.after
    for logo in LOGO_FORMS[:2]:
        item = scene.items[0]
        label = dataclasses.replace(item.label, logo=logo)
        item = dataclasses.replace(item, label=label)
        one = dataclasses.replace(scene, items=(item, *scene.items[1:]))
        (kept,) = kept_texts_of(still(one), np.zeros(SIZE, bool))
        assert kept.text == label.text
        (target,) = studio_draft(shot, "text_add").target_texts
        assert kept.box == target.box


def test_no_case_speaks_of_a_blank_label():
    """A label without a text may still have its logo."""
    for task in ("text_remove", "text_add"):
        shot = shot_of(task)
        draft = studio_draft(shot, task)
        for index in range(8):
            words = generator("tests", 2, index, "words")
            case = finish(draft, "dev", task, index, words)
            said = " ".join(
                [*case.instructions.values(), *(one.en for one in case.questions),
                 *(one.zh for one in case.questions)]
            )  # fmt: skip
            assert not {"blank", "empty", "空白"} & set(said.split())
            assert "空白" not in said
