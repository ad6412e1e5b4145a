import numpy as np
import pytest

from tbstar_jax.data_engine.render.sampling import generator
from tbstar_jax.data_engine.studio.edits import EDIT_TASKS, sample_edit
from tbstar_jax.data_engine.studio.pairs import declared_region, render_pair
from tbstar_jax.data_engine.studio.renderer import render
from tbstar_jax.errors import UserError
from tbstar_jax.tasks import TASK_IDS

PER_TASK = 7
# What these change has no light of its own colour to throw, or throws it inside the
# region anyway: a new render agrees outside without any compositing.
LOCAL_BY_ITSELF = (
    "text_remove",
    "text_replace_en",
    "text_replace_zh",
    "text_add",
    "object_add",
    "object_remove",
    "object_replace",
    "layout",
    "move",
)


def edits(task, count=PER_TASK, size=(48, 48), seed=0):
    for index in range(count):
        rng = generator("tests", seed, index, f"studio-{task}")
        yield sample_edit(rng, task, size, 2 if index == 0 else 1)


def test_twelve_tasks_and_more_are_rendered():
    assert len(EDIT_TASKS) >= 12
    assert set(EDIT_TASKS) <= set(TASK_IDS)


@pytest.mark.parametrize("task", EDIT_TASKS)
def test_strict_pairs_differ_only_inside_the_declared_region(task):
    num_changed = 0
    for edit in edits(task):
        pair = render_pair(edit)
        changed = pair.change_mask == 255
        assert set(np.unique(pair.change_mask)) <= {0, 255}
        assert np.array_equal(changed, np.any(pair.source != pair.target, axis=2))
        assert np.array_equal(pair.source, pair.before.image)
        assert np.array_equal(pair.source[~pair.region], pair.target[~pair.region])
        assert np.array_equal(pair.target[pair.region], pair.after.image[pair.region])
        assert not np.any(changed & ~pair.region)
        num_changed += changed.any()
        if task in LOCAL_BY_ITSELF:
            differs = np.any(pair.before.image != pair.after.image, axis=2)
            assert not np.any(differs & ~pair.region)
            assert not pair.region.all()
    assert num_changed == 0 if task == "identity" else num_changed >= PER_TASK - 2


def test_the_region_of_a_recolour_is_the_product_and_the_floor_is_tinted_beside_it():
    tinted = 0
    for edit in edits("recolor", 4):
        pair = render_pair(edit, is_strict=False)
        region = declared_region(edit, pair.before, pair.after)
        assert np.array_equal(region, pair.before.coverage[0] > 0)
        assert pair.region.all()
        assert np.array_equal(pair.target, pair.after.image)
        tinted += np.any((pair.change_mask == 255) & ~region)
    # The physical variant is another picture than the strict one.
    assert tinted >= 3


def test_a_new_background_keeps_the_inside_of_opaque_things():
    for edit in edits("bg_white", 4):
        pair = render_pair(edit)
        inside = ~pair.region
        assert np.array_equal(pair.target[inside], pair.source[inside])
        assert pair.target[0, 0].tolist() == [255, 255, 255]
        assert pair.source[0, 0].tolist() != [255, 255, 255]


def test_removing_a_thing_removes_its_shadow_too():
    shadows = 0
    for edit in edits("object_remove", 4):
        pair = render_pair(edit)
        (number,) = edit.touched_before
        shadow = pair.before.influence[number] & (pair.before.coverage[number] == 0)
        shadows += np.any(shadow & (pair.change_mask == 255))
        assert np.array_equal(pair.target, render(edit.after).image)
    assert shadows == 4


def test_text_edits_touch_only_ink():
    for edit in edits("text_replace_zh", 3, size=(64, 64)):
        pair = render_pair(edit)
        inked = (pair.before.ink[0] > 0) | (pair.after.ink[0] > 0)
        assert not np.any((pair.change_mask == 255) & ~inked)


def test_counting_shows_more_or_fewer_of_the_same():
    found = [e for e in edits("layout", 30) if e.facts.new_count is not None]
    assert found
    for edit in found:
        assert len(edit.before.items) == edit.facts.count
        assert len(edit.after.items) == edit.facts.new_count
        assert (
            len({item.scale for item in (*edit.before.items, *edit.after.items)}) == 1
        )


def test_moved_things_move_as_the_facts_say():
    for edit in edits("move", 5):
        pair = render_pair(edit)
        columns = np.arange(48)
        places = [
            (frame.coverage[0].sum(axis=0) * columns).sum() / frame.coverage[0].sum()
            for frame in (pair.before, pair.after)
        ]
        step = places[1] - places[0]
        assert step > 3 if edit.facts.direction == "right" else step < -3
        # All of it is seen in both pictures.
        for frame in (pair.before, pair.after):
            assert not frame.coverage[0][:, [0, -1]].any()
            assert not frame.coverage[0][[0, -1]].any()


def test_edits_are_drawn_from_the_generator_alone():
    for task in EDIT_TASKS:
        first, second = (next(edits(task, 1)) for _ in range(2))
        assert first == second


def test_a_task_that_is_not_rendered_is_refused():
    with pytest.raises(UserError, match="does not render the task 'outpaint'"):
        sample_edit(np.random.default_rng(0), "outpaint", (48, 48))
