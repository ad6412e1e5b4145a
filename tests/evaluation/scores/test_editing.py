"""E of every task: exact ends, monotone between, nothing for nothing or for damage."""

import dataclasses

import numpy as np
import pytest

from tbstar_jax.evaluation.scores.editing import PART_EXPONENTS, SHOWN_EXPONENTS
from tbstar_jax.metrics.resampling import Motion, moved_back
from tbstar_jax.metrics.similarity import ciede2000_mean
from tests.evaluation.scores.answers import (
    TASKS,
    blend,
    case_of,
    edit,
    flat,
    jpeg,
    noise,
    resized,
)

FAINT = {"text_replace_en": 0.5, "text_replace_zh": 0.5, "watermark_remove": 0.7}
"""What a JPEG leaves, at 128 px, of letters 8 px high and beside a faint mark."""


@pytest.mark.parametrize("task", TASKS)
def test_the_unchanged_source_scores_exactly_zero(task):
    score = edit(case_of(task), case_of(task).source)
    assert score.value == 0.0
    assert score.parts[score.weakest] == 0.0


@pytest.mark.parametrize("task", TASKS)
def test_the_reference_scores_exactly_one(task):
    score = edit(case_of(task), case_of(task).reference)
    assert score.value == 1.0
    assert set(score.parts.values()) == {1.0}
    assert score.weakest == ""


@pytest.mark.parametrize("task", TASKS)
def test_parts_have_the_names_of_the_table_and_lie_in_the_unit_interval(task):
    case = case_of(task)
    score = edit(case, blend(case, 0.5))
    shown = set() if case.object_photo is None else set(SHOWN_EXPONENTS)
    assert set(score.parts) <= set(PART_EXPONENTS[task]) | shown
    assert all(0 <= value <= 1 for value in score.parts.values())


@pytest.mark.parametrize("task", TASKS)
def test_e_grows_on_the_way_from_source_to_reference(task):
    # Half of one pattern and half of another are like neither.
    case = case_of(task, 0, "mini") if task == "bg_scene" else case_of(task)
    values = [edit(case, blend(case, share)).value for share in (0.25, 0.5, 0.75)]
    assert values == sorted(values)
    assert 0 < values[1] < values[2] < 1


@pytest.mark.parametrize("task", TASKS)
def test_noise_and_a_flat_picture_earn_nothing(task):
    case = case_of(task)
    assert edit(case, noise(case)).value < 0.35
    assert edit(case, flat(case)).value < 0.35


@pytest.mark.parametrize("task", TASKS)
def test_the_edits_of_other_photos_earn_nothing(task):
    # A can at the place of another photo's bottle is a little like it.
    case = case_of(task, 0, "mini") if task == "layout" else case_of(task)
    region = case.masks.edit
    scores = {}
    for other in (*TASKS[::3], *TASKS[1::3]):
        answer = resized(case_of(other).reference, case.size)
        # On plain ground a text, or its plate, is gone in many a picture.
        asked = ciede2000_mean(case.reference, case.source, region)
        shows_it = ciede2000_mean(case.reference, answer, region) < max(5, 0.4 * asked)
        if other != task and not shows_it and len(scores) < 6:
            scores[other] = edit(case, answer).value
    assert len(scores) >= 3
    # Plain sky goes on in many a picture's plain strip.
    most = 0.5 if task == "outpaint" else 0.35
    assert {other: value for other, value in scores.items() if value >= most} == {}


@pytest.mark.parametrize("task", TASKS)
def test_a_jpeg_of_the_reference_keeps_most(task):
    cases = [case_of(task)]
    if task in ("text_remove", "repair_zoom"):
        # On the ground of the smoke case a JPEG is no clean repair.
        cases = [case_of(task, index, "mini") for index in range(5)]
    values = [edit(case, jpeg(case.reference)).value for case in cases]
    assert min(values) >= FAINT.get(task, 0.8)


@pytest.mark.parametrize(
    "task",
    [task for task in TASKS if task not in ("watermark_remove", "repair_zoom")],
)
def test_a_reference_one_pixel_off_keeps_most_without_registration(task):
    # What is left of a watermark is fainter than what a pixel moves, what a repair
    # brings back finer: they need the registration that `prompt` does first.
    case = case_of(task)
    moved = moved_back(case.reference, Motion(zoom=1.0, rows=0.0, columns=-1.0))
    assert edit(case, moved).value >= 0.7


@pytest.mark.parametrize("task", ["recolor", "object_remove", "text_remove"])
def test_what_happens_far_from_the_edit_is_not_its_matter(task):
    case = case_of(task)
    far = np.zeros(case.size, bool)
    far[:8], far[-8:] = True, True
    masks = [case.masks.edit, case.masks.product, case.masks.product_after]
    far &= ~np.any([_near(mask) for mask in masks], axis=0)
    assert far.sum() > 200
    answer = case.reference.copy()
    answer[far] = 255 - answer[far]
    assert edit(case, answer).value == pytest.approx(1.0, abs=1e-3)


def _near(mask):
    rows, columns = np.nonzero(mask)
    near = np.zeros_like(mask)
    for row in range(-6, 7):
        for column in range(-6, 7):
            r = np.clip(rows + row, 0, mask.shape[0] - 1)
            near[r, np.clip(columns + column, 0, mask.shape[1] - 1)] = True
    return near


@pytest.mark.parametrize(
    "task",
    ["watermark_remove", "text_remove", "object_remove", "layout", "recolor"],
)
def test_painting_over_the_edit_region_is_not_an_edit(task):
    case = case_of(task)
    region, answer = case.masks.edit, case.reference.copy()
    # Magenta may be nearer to what is asked for than the source is.
    is_light = case.reference[region].mean() > 127
    answer[region] = 0 if is_light else 255
    assert edit(case, answer).value < 0.2


@pytest.mark.parametrize("split", ["smoke", "mini"])
def test_a_neighbouring_hue_is_a_good_recolour(split):
    case = case_of("recolor", 0, split)
    changed = (case.source != case.reference).any(axis=2)
    answer = case.reference.astype(float)
    answer[changed] = answer[changed] * (0.97, 1.0, 0.95) + (4, 0, 0)
    score = edit(case, np.clip(np.rint(answer), 0, 255).astype(np.uint8))
    assert 0.75 < score.value < 1
    assert score.weakest in ("color", "chroma", "hue")


def test_a_recolour_that_flattens_the_product_loses_its_structure():
    case = case_of("recolor", 4, "mini")
    changed = (case.source != case.reference).any(axis=2)
    answer = case.reference.copy()
    answer[changed] = np.median(case.reference[changed], axis=0).astype(np.uint8)
    score = edit(case, answer)
    assert score.parts["color"] > 0.5
    assert score.weakest == "structure"
    assert score.value < 0.6


def test_a_thing_may_stand_elsewhere_in_its_zone():
    case = case_of("object_add")
    box = case.target_objects[0].after
    reach = max(2, box.width // 8)
    change = (case.source != case.reference).any(axis=2)
    moved = np.roll(change, reach, axis=1)
    answer = case.source.copy()
    answer[moved] = np.roll(case.reference, reach, axis=1)[moved]
    score = edit(case, answer)
    assert score.value > 0.8
    assert score.parts["shape"] > 0.85


def test_half_a_shadow_is_half_an_edit_of_light():
    case = case_of("light_shadow")
    assert edit(case, blend(case, 0.5)).parts["field"] == pytest.approx(0.5, abs=0.12)


def test_a_colour_cast_lowers_the_chromaticity_of_an_edit_of_light():
    case = case_of("light_shadow")
    answer = np.clip(case.reference + np.array([25, -10, -25]), 0, 255)
    score = edit(case, answer.astype(np.uint8))
    assert score.parts["chromaticity"] < 0.5


def test_a_faint_mark_is_told_by_its_pattern():
    case = case_of("watermark_remove")
    score = edit(case, blend(case, 0.8))
    assert score.parts["mark"] == pytest.approx(0.8, abs=0.05)


def test_a_fringe_of_the_old_background_lowers_the_cut_edge():
    case = case_of("bg_white")
    edge = _ring(case.masks.product_after)
    answer = case.reference.copy()
    answer[edge] = case.source[edge]
    score = edit(case, answer)
    assert score.weakest == "cut_edge"
    assert score.parts["cut_edge"] < 0.7 < score.parts["background"]


def _ring(mask):
    grown = mask.copy()
    for axis in (0, 1):
        for step in (-2, -1, 1, 2):
            grown |= np.roll(mask, step, axis)
    return grown & ~mask


def test_a_shadow_that_stays_is_named():
    case = case_of("object_remove")
    shadow = case.masks.shadow & case.masks.edit & ~case.masks.product
    answer = case.reference.copy()
    answer[shadow] = case.source[shadow]
    score = edit(case, answer)
    assert score.weakest == "shadow"
    assert score.parts["shadow"] < 0.4 < score.parts["clean"]


def test_a_canvas_left_grey_is_not_filled():
    case = case_of("outpaint")
    assert edit(case, case.source).parts["filled"] == 0.0


def test_an_outpainting_of_another_size_scores_zero():
    case = case_of("outpaint")
    score = edit(case, case.reference, is_size_right=False)
    assert (score.value, score.weakest) == (0.0, "size")
    other = case_of("recolor")
    assert edit(other, other.reference, is_size_right=False).value == 1.0


def test_a_part_that_cannot_be_measured_is_left_out():
    case = case_of("object_remove")
    nothing = np.zeros(case.size, bool)
    masks = dataclasses.replace(case.masks, shadow=nothing)
    score = edit(dataclasses.replace(case, masks=masks), case.reference)
    assert "shadow" not in score.parts
    assert score.value == 1.0


def _added(split, index, rows):
    """A case, and its text as the reference has it, `rows` lower in the zone."""
    case = case_of("text_add", index, split)
    change = (case.source != case.reference).any(axis=2)
    moved = np.roll(change, rows, axis=0)
    assert case.masks.edit[moved].all()
    answer = case.source.copy()
    answer[moved] = np.roll(case.reference, rows, axis=0)[moved]
    return case, answer


@pytest.mark.parametrize(
    ("split", "index", "rows"),
    [
        *(("dev", 0, rows) for rows in (-10, -14, -30, -60)),
        *(("dev", 2, rows) for rows in (-10, -14)),
        *(("mini", 3, rows) for rows in (-10, -14, -30, -60)),
        *(("mini", 0, rows) for rows in (10, 14, 30)),
    ],
)
def test_a_text_may_stand_elsewhere_in_its_zone(split, index, rows):
    case, answer = _added(split, index, rows)
    assert edit(case, answer).value > 0.95
    # Letters from 17 px up outlast a JPEG, and are found where they are.
    assert edit(case, jpeg(answer, 90)).value > 0.85
    assert edit(case, jpeg(answer, 75)).value > 0.8


@pytest.mark.parametrize("rows", [10, 14, 30])
def test_a_label_may_stand_elsewhere_on_a_pattern(rows):
    # Its plate hides other rays than the reference's.
    case, answer = _added("dev", 8, rows)
    for shown in (answer, jpeg(answer, 90), jpeg(answer, 75)):
        assert edit(case, shown).value > 0.45


@pytest.mark.parametrize("index", [0, 2, 3])
def test_what_is_no_writing_of_the_text_earns_nothing_elsewhere(index):
    case = case_of("text_add", index, "mini")
    box = case.target_texts[0].box
    below = np.s_[box.top + 30 : box.top + 30 + box.height, box.left : box.left + 90]
    bar, garbage = case.source.copy(), case.source.copy()
    bar[below] = case.target_texts[0].ink
    shape = garbage[below].shape
    garbage[below] = np.random.default_rng(0).integers(0, 256, shape)
    for answer in (bar, garbage, jpeg(case.source, 50)):
        assert edit(case, answer).value == 0
