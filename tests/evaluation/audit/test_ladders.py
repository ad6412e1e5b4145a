"""What is drawn is what is said: order, amounts, and nothing else touched."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from tbstar_jax.evaluation.audit.ladders import (
    COPY,
    DEFECTS,
    EXACT,
    FAINT,
    REDRAWN,
    case_ladder,
)
from tbstar_jax.evaluation.audit.local import DoesNotApplyError
from tbstar_jax.evaluation.audit.wording import misspelt
from tbstar_jax.evaluation.cases.kept import kept_region
from tbstar_jax.metrics.color import lab_drift, srgb_to_lab
from tbstar_jax.metrics.registration import register
from tbstar_jax.metrics.similarity import ciede2000_mean, psnr
from tests.evaluation.audit.ladders_of import (
    PLATE,
    printed_case,
    smoke_ladder,
    square_case,
    square_ladder,
)

WHOLE = {
    "shift": ("0.5 px", "2 px", "6 px"),
    "zoom": ("1 %", "3 %"),
    "warm cast": ("4 levels", "12 levels"),
    "cold cast": ("4 levels", "12 levels"),
    "darker": ("3 %", "15 %"),
    "blur": ("0.7 px", "2 px"),
    "jpeg": ("q75", "q25"),
    "noise": ("3 levels", "12 levels"),
}
LOCAL = {
    "kept region redone": ("10 %", "33 %"),
    "lost text": ("1",),
    "wrong colour": ("60 deg", "180 deg"),
    "over-edit": ("1 %", "4 %"),
    "extra object": ("1 %", "4 %"),
}


def changed(ladder, step, clean=EXACT):
    return np.any(ladder.image(step) != ladder.image(clean), axis=2)


def test_the_order_is_the_stated_one_and_no_more():
    expected = set()
    for defect, levels in {**WHOLE, **LOCAL}.items():
        steps = [f"{defect} {level}" for level in levels]
        expected |= {(EXACT, step) for step in steps}
        if defect not in ("wrong colour", "over-edit", "extra object"):
            expected |= set(itertools.pairwise(steps))
    expected |= {
        (f"{defect} {levels[0]}", "half edit") for defect, levels in WHOLE.items()
    }
    expected |= {
        (EXACT, "half edit"),
        (EXACT, "no change"),
        ("half edit", "no change"),
    }
    pairs = square_ladder().pairs
    assert set(pairs) == expected
    assert len(pairs) == len(expected)


def test_a_text_is_compared_with_the_right_one_by_the_same_hand():
    wrong = {pair for pair in case_ladder(printed_case()).pairs if "text" in pair[1]}
    assert wrong == {
        (REDRAWN, "wrong text 1 character"),
        (REDRAWN, "wrong text all"),
        ("wrong text 1 character", "wrong text all"),
    }


def test_what_does_not_apply_is_left_out_with_its_reason():
    assert square_ladder().left_out == {
        REDRAWN: "the edit writes no text",
        "lost text all": "only one text is kept",
        "wrong text 1 character": "the edit writes no text",
        "wrong text all": "the edit writes no text",
        "wrong shadow 50 %": "the edit moves no shadow",
        "wrong shadow 100 %": "the edit moves no shadow",
    }
    names = {defect.step(level) for defect in DEFECTS for level in defect.levels}
    steps = {step.name for step in square_ladder().steps}
    assert steps | set(square_ladder().left_out) == names | {
        EXACT,
        COPY,
        FAINT,
        REDRAWN,
    }


def test_a_rearrangement_has_no_half_and_damage_is_not_set_against_light():
    assert "half edit" in smoke_ladder("layout").left_out
    pairs = smoke_ladder("light_shadow").pairs
    assert ("half edit", "no change") in pairs
    assert not any(worse == "half edit" for better, worse in pairs if better != EXACT)


def test_a_ladder_is_a_function_of_the_case():
    again = case_ladder(square_case())
    assert [one.name for one in again.steps] == [
        one.name for one in square_ladder().steps
    ]
    for step in again.steps:
        np.testing.assert_array_equal(step.image, square_ladder().image(step.name))


def test_the_ends_are_source_and_reference():
    ladder = square_ladder()
    np.testing.assert_array_equal(ladder.image(EXACT), ladder.case.reference)
    np.testing.assert_array_equal(ladder.image(COPY), ladder.case.reference)
    np.testing.assert_array_equal(ladder.image("no change"), ladder.case.source)
    assert psnr(ladder.case.reference, ladder.image(FAINT)) > 30


@pytest.mark.parametrize(
    ("level", "pixels"), [("0.5 px", 0.5), ("2 px", 2), ("6 px", 6)]
)
def test_a_shift_has_its_length(level, pixels):
    ladder = smoke_ladder("text_remove")
    found = register(ladder.image(EXACT), ladder.image(f"shift {level}"))
    assert found.shift == pytest.approx(pixels, abs=0.1)
    assert found.zoom == pytest.approx(1, abs=0.002)


@pytest.mark.parametrize(("level", "zoom"), [("1 %", 1.01), ("3 %", 1.03)])
def test_a_zoom_has_its_scale(level, zoom):
    ladder = smoke_ladder("text_remove")
    found = register(ladder.image(EXACT), ladder.image(f"zoom {level}"))
    assert found.zoom == pytest.approx(zoom, abs=0.002)
    assert found.shift < 0.1


def drift(step):
    ladder = square_ladder()
    everywhere = np.ones(ladder.case.size, bool)
    labs = (srgb_to_lab(ladder.image(name)) for name in (EXACT, step))
    return lab_drift(*labs, everywhere)


def test_casts_are_yellow_and_blue_and_three_times_as_strong():
    warm, cold = drift("warm cast 12 levels"), drift("cold cast 12 levels")
    assert warm[2] > 5
    assert cold[2] < -5
    assert drift("warm cast 4 levels")[2] == pytest.approx(warm[2] / 3, rel=0.15)


def test_darkness_is_a_share_of_every_level():
    ladder = square_ladder()
    exact = ladder.image(EXACT).astype(float)
    np.testing.assert_allclose(ladder.image("darker 15 %"), 0.85 * exact, atol=0.51)
    assert drift("darker 15 %")[0] < drift("darker 3 %")[0] < 0


def test_noise_has_its_deviation_and_blur_takes_detail_away():
    ladder = square_ladder()
    exact = ladder.image(EXACT).astype(float)
    rest = ladder.image("noise 3 levels") - exact
    assert rest.std() == pytest.approx(3, rel=0.05)
    detail = [
        np.abs(np.diff(ladder.image(step).astype(float), axis=1)).mean()
        for step in (EXACT, "blur 0.7 px", "blur 2 px")
    ]
    assert detail[0] > 2 * detail[1] > 4 * detail[2]


def test_a_lower_quality_costs_more():
    ladder = smoke_ladder("recolor")
    found = [
        psnr(ladder.image(EXACT), ladder.image(step))
        for step in (FAINT, "jpeg q75", "jpeg q25")
    ]
    assert found == sorted(found, reverse=True)


def test_a_third_of_the_kept_region_is_redone_and_nothing_else():
    ladder = smoke_ladder("recolor")
    kept = kept_region(ladder.case.masks.edit)
    region = changed(ladder, "kept region redone 33 %")
    assert not region[~kept].any()
    assert region[kept].mean() == pytest.approx(0.33, abs=0.03)


def test_a_lost_text_leaves_its_plate():
    ladder = square_ladder()
    image = ladder.image("lost text 1")
    region = changed(ladder, "lost text 1")
    assert region[PLATE.slices].mean() > 0.3
    region[PLATE.top - 1 : PLATE.top + PLATE.height + 1, PLATE.left - 1 : 71] = False
    assert not region.any()
    # The fill extrapolates, by some levels where strokes are near.
    np.testing.assert_allclose(image[PLATE.slices], 240, atol=6)


@pytest.mark.parametrize(("level", "turn"), [("60 deg", 60), ("180 deg", 180)])
def test_a_wrong_colour_is_another_hue_of_the_edited_thing(level, turn):
    ladder = square_ladder()
    square = ladder.case.masks.edit
    assert not changed(ladder, f"wrong colour {level}")[~square].any()
    hues = []
    for step in (EXACT, f"wrong colour {level}"):
        _, a, b = srgb_to_lab(ladder.image(step)[square]).mean(axis=0)
        hues.append(math.degrees(math.atan2(b, a)))
    away = (hues[1] - hues[0] + 180) % 360 - 180
    assert abs(away) == pytest.approx(turn, abs=12)  # the gamut bends some hues


def test_an_over_edit_is_a_disc_beside_the_edit_and_an_extra_object_is_far():
    ladder = square_ladder()
    for step in ("over-edit 4 %", "extra object 4 %"):
        region = changed(ladder, step)
        assert not region[ladder.case.masks.edit].any()
        assert region.mean() == pytest.approx(0.04, rel=0.15)
    square = np.argwhere(ladder.case.masks.edit).mean(axis=0)
    near, far = (
        np.linalg.norm(np.argwhere(changed(ladder, step)).mean(axis=0) - square)
        for step in ("over-edit 1 %", "extra object 1 %")
    )
    assert near < 30 < 50 < far


def test_a_shadow_is_left_out_as_in_the_source():
    ladder = smoke_ladder("object_add")
    case = ladder.case
    whole = changed(ladder, "wrong shadow 100 %")
    assert whole.any()
    assert not whole[~case.masks.shadow].any()
    np.testing.assert_array_equal(
        ladder.image("wrong shadow 100 %")[whole], case.source[whole]
    )
    cost = [
        ciede2000_mean(case.reference, ladder.image(f"wrong shadow {share} %"))
        for share in (50, 100)
    ]
    assert 0 < cost[0] < cost[1]


def test_half_an_edit_is_half_of_its_pixels():
    ladder = square_ladder()
    half, case = ladder.image("half edit"), ladder.case
    done = changed(ladder, "half edit", "no change")
    assert done[case.masks.edit].mean() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_array_equal(half[done], case.reference[done])
    np.testing.assert_array_equal(half[~done], case.source[~done])


def test_an_edit_of_the_whole_picture_is_halved_in_strength():
    case = square_case()
    everywhere = np.ones(case.size, bool)
    masks = dataclasses.replace(case.masks, edit=everywhere)
    case = dataclasses.replace(case, masks=masks)
    ladder = case_ladder(case)
    mean = (case.source.astype(float) + case.reference) / 2
    np.testing.assert_allclose(ladder.image("half edit"), mean, atol=0.5)


def test_wrong_texts_stay_in_their_place():
    ladder = case_ladder(printed_case())
    (text,) = ladder.case.target_texts
    outside = np.ones(ladder.case.size, bool)
    box = text.box
    outside[
        box.top - 3 : box.top + box.height + 3, box.left - 5 : box.left + box.width + 5
    ] = False
    few, many = (
        changed(ladder, f"wrong text {level}", REDRAWN)
        for level in ("1 character", "all")
    )
    assert 0 < few.sum() < many.sum()
    assert not (few | many)[outside].any()


def test_misspellings():
    assert misspelt("¥24.9", 1.0) == "¥28.9"
    assert misspelt("¥24.9", math.inf) == "¥68.3"
    assert misspelt("Aa", 1.0) == "Ha"
    assert misspelt("慢生活", 1.0) == "慢新活"
    assert misspelt("新", math.inf) == "好"
    for text in ("!", ""):
        with pytest.raises(DoesNotApplyError):
            misspelt(text, math.inf)
    with pytest.raises(DoesNotApplyError):
        misspelt("A", 1.0)
