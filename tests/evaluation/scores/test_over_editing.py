"""What a region permits to change is not free: the right edit among garbage is none."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from tests.evaluation.scores.answers import case_of, edit

_CASES = [
    ("object_add", "smoke", 0, "extent"),
    ("object_add", "mini", 1, "extent"),
    ("text_add", "mini", 0, "extent"),
    ("text_add", "dev", 9, "once"),
    ("object_replace", "smoke", 0, "around"),
    ("object_replace", "mini", 2, "around"),
    ("recolor", "mini", 4, "intact"),
    ("material", "smoke", 0, "intact"),
    ("material", "mini", 0, "intact"),
    ("material", "mini", 4, "intact"),
]


@pytest.mark.parametrize(("task", "split", "index", "part"), _CASES)
def test_noise_in_the_permitted_region_beside_the_edit_costs(task, split, index, part):
    case = case_of(task, index, split)
    changed = (case.source != case.reference).any(axis=2)
    free = case.masks.edit & (ndimage.distance_transform_edt(~changed) >= 6)
    assert free.mean() > 0.015
    answer = case.reference.copy()
    rng = np.random.default_rng(0)
    answer[free] = rng.integers(0, 256, (np.count_nonzero(free), 3))
    score = edit(case, answer)
    assert score.value < 0.7
    assert score.weakest == part


def test_a_larger_thing_beside_its_place_is_no_over_editing():
    case = case_of("object_add", 1, "mini")
    box = case.target_objects[0].after
    shown = np.zeros(case.size, bool)
    shown[box.slices] = (case.source != case.reference).any(axis=2)[box.slices]
    rows, columns = round(1.4 * box.height), round(1.4 * box.width)
    larger = Image.fromarray(case.reference[box.slices]).resize((columns, rows))
    stencil = Image.fromarray(shown[box.slices]).resize((columns, rows))
    zone_rows, zone_columns = np.nonzero(case.masks.edit)
    top = int(np.clip(box.top, zone_rows.min(), zone_rows.max() - rows))
    left = int(np.clip(box.left + 8, zone_columns.min(), zone_columns.max() - columns))
    answer = Image.fromarray(case.source)
    answer.paste(larger, (left, top), stencil)
    assert edit(case, np.array(answer)).parts["extent"] == 1.0


def test_another_shape_of_what_replaces_a_thing_may_reach_beyond_the_reference():
    case = case_of("object_replace", 2, "mini")
    changed = (case.source != case.reference).any(axis=2)
    wider = ndimage.binary_dilation(changed, iterations=12) & case.masks.edit
    answer = case.reference.copy()
    answer[wider & ~changed] = np.median(case.reference[changed], axis=0)
    assert edit(case, answer).parts["around"] == 1.0
