"""Where a second picture shows the thing to add, another thing is not that thing."""

import dataclasses
import functools

import numpy as np
import pytest

from tbstar_jax.data_engine.studio.families import FAMILIES
from tbstar_jax.data_engine.studio.renderer import render
from tbstar_jax.evaluation.cases.draft import box_of
from tbstar_jax.evaluation.cases.from_studio import (
    sample_shot_edit,
    shoot,
    studio_draft,
)
from tbstar_jax.evaluation.cases.make import finish
from tbstar_jax.evaluation.cases.shown import with_object
from tbstar_jax.evaluation.scores.editing_matching import Match, aligned
from tests.evaluation.scores.answers import edit, jpeg

TASKS = ("object_add", "object_replace")


@functools.cache
def scene_and_case(task):
    """A case with a second picture, and the scene of its reference."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        sampled = sample_shot_edit(rng, task, (160, 160))
        (number,) = sampled.touched_after
        # One with drawing on all sides: a ball is a ball from wherever it is seen.
        if sampled.after.items[number].family != "plant":
            continue
        shot = shoot(sampled)
        draft = studio_draft(shot, task) if shot else None
        if draft is None:
            continue
        case = finish(with_object(draft, shot), "mini", task, 0, rng)
        box = case.target_objects[-1].after
        if min(box.height, box.width) >= 24:
            return sampled.after, number, case
    raise AssertionError("no case with a plant")


def drawn_with(task, **changes):
    """The reference with the thing changed; only within the edit region."""
    scene, number, case = scene_and_case(task)
    items = list(scene.items)
    items[number] = dataclasses.replace(items[number], **changes)
    image = render(dataclasses.replace(scene, items=tuple(items))).image
    return case, np.where(case.masks.edit[..., None], image, case.source)


@pytest.mark.parametrize("task", TASKS)
def test_the_source_is_nothing_and_the_reference_all(task):
    _, _, case = scene_and_case(task)
    assert edit(case, case.source).value == 0.0
    right = edit(case, case.reference)
    assert right.value == 1.0
    assert right.parts["identity"] == 1.0
    assert edit(case, jpeg(case.reference)).parts["identity"] > 0.85


@pytest.mark.parametrize("task", TASKS)
def test_the_same_thing_elsewhere_or_smaller_is_still_that_thing(task):
    scene, number, _ = scene_and_case(task)
    item = scene.items[number]
    for changes in ({"x": item.x + 0.03}, {"scale": item.scale * 0.9}):
        assert edit(*drawn_with(task, **changes)).parts["identity"] > 0.7


@pytest.mark.parametrize("task", TASKS)
def test_another_thing_is_not(task):
    scene, number, case = scene_and_case(task)
    own = scene.items[number]
    others = [
        {"family": family.id, "color": color}
        for family in FAMILIES
        for color in ("yellow", "blue")
        if not family.is_product and family.id != own.family and color != own.color
    ]
    assert len(others) >= 4
    for changes in others:
        found = edit(*drawn_with(task, **changes))
        assert found.parts["identity"] < 0.45, changes
        without = edit(
            dataclasses.replace(case, object_photo=None), drawn_with(task, **changes)[1]
        )
        assert found.value <= without.value


@pytest.mark.parametrize("task", TASKS)
def test_without_a_second_picture_it_is_not_asked(task):
    _, _, case = scene_and_case(task)
    words_alone = dataclasses.replace(case, object_photo=None)
    assert "identity" not in edit(words_alone, jpeg(case.reference)).parts


def test_what_was_found_is_put_where_it_belongs():
    rng = np.random.default_rng(0)
    lab = rng.normal(50, 10, (40, 48, 3))
    mask = np.zeros((40, 48), bool)
    mask[10:20, 12:26] = True
    box = box_of(mask)
    moved = np.roll(lab, (3, -5), axis=(0, 1))
    back = aligned(moved, Match(likeness=1.0, rows=3, columns=-5), box)
    np.testing.assert_allclose(back[mask], lab[mask], rtol=0, atol=1e-9)
    # A ramp about the box's middle is a ramp of another slope, at another size.
    middle = box.top + box.height / 2 - 0.5
    ramp = np.repeat((np.arange(40.0) - middle)[:, None, None], 48, 1).repeat(3, 2)
    wide = aligned(ramp, Match(likeness=1.0, rows=0, columns=0, scale=1.25), box)
    np.testing.assert_allclose(wide[mask], 1.25 * ramp[mask], rtol=0, atol=1e-9)
