import dataclasses

import numpy as np
import pytest

from tbstar_jax.data_engine.render.renderer import draw_layers
from tbstar_jax.data_engine.render.sampling import generator
from tbstar_jax.data_engine.render.scene import color_by_id
from tbstar_jax.data_engine.templates import (
    CHANGED_PARTS,
    EDIT_TASKS,
    expected_region,
    render_pair,
    sample_edit,
)

PER_TASK = 40


def edits(task, count=PER_TASK, size=(64, 64)):
    for index in range(count):
        rng = generator("tests", 0, index, "scene")
        yield sample_edit(rng, task, size)


@pytest.mark.parametrize("task", EDIT_TASKS)
def test_nothing_changes_outside_the_mask_and_the_mask_is_expected(task):
    for before, after in edits(task):
        parts = CHANGED_PARTS[task]
        pair = render_pair(before, after, parts)
        changed = pair.change_mask == 255
        assert set(np.unique(pair.change_mask)) == {0, 255}
        assert np.array_equal(pair.source[~changed], pair.target[~changed])
        region = expected_region(draw_layers(before), draw_layers(after), parts)
        assert not np.any(changed & ~region)


def test_identity_changes_no_pixel():
    for before, after in edits("identity", 5):
        pair = render_pair(before, after, CHANGED_PARTS["identity"])
        assert np.array_equal(pair.source, pair.target)
        assert not pair.change_mask.any()


def test_white_background_keeps_the_inside_of_the_product():
    for before, after in edits("bg_white", 10):
        pair = render_pair(before, after, CHANGED_PARTS["bg_white"])
        product = draw_layers(before).parts["product"]
        rows, columns = product.alpha.shape
        inside = np.zeros((64, 64), dtype=bool)
        inside[
            product.top : product.top + rows, product.left : product.left + columns
        ] = product.alpha == 1.0
        assert inside.any()
        assert not pair.change_mask[inside].any()
        assert pair.target[0, 0].tolist() == [255, 255, 255]


def test_recolor_leaves_the_shadow_alone():
    for before, after in edits("recolor", 10):
        layers = draw_layers(before)
        pair = render_pair(before, after, CHANGED_PARTS["recolor"])
        shadow = layers.reach("product_shadow") & ~layers.reach("product")
        assert shadow.any()
        assert not pair.change_mask[shadow].any()


def test_removing_an_object_removes_its_shadow_too():
    shadows = []
    for before, after in edits("object_remove", 10):
        layers = draw_layers(before)
        pair = render_pair(before, after, CHANGED_PARTS["object_remove"])
        shadow = layers.reach("prop_shadow") & ~layers.reach("prop")
        shadows.append((pair.change_mask[shadow] == 255).any())
    assert all(shadows)


def test_the_target_equals_a_render_from_nothing():
    for task in EDIT_TASKS:
        ((before, after),) = edits(task, 1)
        pair = render_pair(before, after, CHANGED_PARTS[task])
        assert np.array_equal(pair.target, draw_layers(after).picture())
        assert np.array_equal(pair.source, draw_layers(before).picture())


def test_an_edit_that_reaches_further_than_it_says_is_refused():
    ((before, _),) = edits("watermark_remove", 1)
    color = color_by_id("red" if before.color.id != "red" else "blue")
    after = dataclasses.replace(before, watermark=None, color=color)
    with pytest.raises(AssertionError, match="also changes product"):
        render_pair(before, after, CHANGED_PARTS["watermark_remove"])
