"""Which measure sees which defect: twelve answers to one recolouring, and their order.

The scene is a studio photo with a sticker in the kept region; the mask is exact.
"""

import dataclasses
import functools
import io
import itertools
import math

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.studio.edits import Edit
from tbstar_jax.data_engine.studio.pairs import render_pair
from tbstar_jax.data_engine.studio.scene import (
    Backdrop,
    Camera,
    Item,
    Label,
    Light,
    Scene,
)
from tbstar_jax.evaluation.scores.pixels import edit_pixels
from tbstar_jax.evaluation.scores.preservation import preservation

SIZE = (256, 256)
STICKER = np.s_[206:232, 12:244]


def levels(image):
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def with_sticker(image):
    picture = Image.fromarray(image)
    font = ImageFont.load_default(24)
    ImageDraw.Draw(picture).text((14, 202), "SALE 20% OFF NOW", (40, 30, 30), font)
    return np.asarray(picture)


def thing(family, color, material, accent, proportions, place, scale, label=None):
    x, z, turn = place
    return Item(
        family=family,
        color=color,
        material=material,
        accent=accent[0],
        accent_material=accent[1],
        proportions=proportions,
        x=x,
        z=z,
        turn=turn,
        scale=scale,
        grain=0.7,
        label=label,
    )


def product_scene():
    """A tube with a label between a plant and a glass ball, on pale pink paper."""
    label = Label(text="买一送一", plate=(250, 249, 246), ink=(178, 30, 36))
    sides = (0.49, 0.61, 0.89, 0.92)
    tube = thing(
        *("tube", "grey", "matte", ("brown", "metal")),
        *(sides, (0.149, 0.0, -19.5), 1.034, label),
    )
    plant = thing(
        *("plant", "orange", "ceramic", ("green", "matte")),
        *((0.17, 0.59, 0.14, 0.82), (-0.414, 0.19, -22.2), 0.855),
    )
    ball = thing(
        *("ball", "teal", "glass", ("grey", "plastic")),
        *((0.02, 0.12, 0.24, 0.29), (0.563, -0.029, 11.6), 0.681),
    )
    return Scene(
        size=SIZE,
        items=(tube, plant, ball),
        light=Light(
            azimuth=-38.1,
            elevation=51.6,
            warmth=0.18,
            softness=0.113,
            key=0.957,
            fill=0.558,
            shadow=0.82,
        ),
        backdrop=Backdrop(
            kind="plain", tone=(244, 208, 212), accent=None, wall=None, phase=0.13
        ),
        camera=Camera(pitch=9.6, distance=4.62, height=0.416, field_of_view=24.8),
        supersampling=1,
    )


@functools.cache
def scene():
    """Source, reference, edit mask."""
    before = product_scene()
    red = dataclasses.replace(before.items[0], color="red")
    edit = Edit(
        task="recolor",
        before=before,
        after=dataclasses.replace(before, items=(red, *before.items[1:])),
        extent="surface",
        touched_before=(0,),
        touched_after=(0,),
        facts=Facts(),
    )
    pair = render_pair(edit)
    assert not pair.region[STICKER].any()
    return with_sticker(pair.source), with_sticker(pair.target), pair.region


def moved(image, rows, columns, zoom=1.0):
    """Quintic splines; the border is repeated."""
    middle = (np.array(image.shape[:2]) - 1) / 2
    start = middle - (middle + np.array([rows, columns])) / zoom
    scale = np.full(2, 1 / zoom)
    planes = [
        ndimage.affine_transform(
            image[..., k].astype(float), scale, start, order=5, mode="nearest"
        )
        for k in range(3)
    ]
    return levels(np.stack(planes, axis=-1))


def jpeg(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=75)
    return np.asarray(Image.open(file))


def third_redone(image, edit):
    redone = image.copy()
    noise = np.random.default_rng(1).integers(-60, 60, (SIZE[0] // 8, 11, 3))
    left = np.s_[:, : SIZE[1] // 3]
    texture = noise.repeat(8, axis=0).repeat(8, axis=1)[left][:, : SIZE[1] // 3]
    redone[left] = levels(redone[left] + texture.astype(float))
    return np.where(edit[..., None], image, redone)


def wiped(image):
    without = image.copy()
    without[STICKER] = image[STICKER[0].start - 8, STICKER[1]]
    return without


@functools.cache
def table():
    """Preservation and edit measures of every answer."""
    source, exact, edit = scene()
    noise = np.random.default_rng(0).normal(0, 3, exact.shape)
    answers = {
        "copy": source,
        "exact": exact,
        "jpeg": jpeg(exact),
        "blur": levels(ndimage.gaussian_filter(exact.astype(float), (0.7, 0.7, 0))),
        "shift_1": np.roll(exact, 1, axis=1),
        "shift_4": moved(exact, 3.5, -2),
        "zoom": moved(exact, 0, 0, 1.01),
        "warm": levels(exact + np.array([6.0, 0, -6])),
        "exposure": levels(exact * 1.03),
        "noise": levels(exact + noise),
        "third": third_redone(exact, edit),
        "wiped": wiped(exact),
    }
    return {
        name: (
            preservation(source, exact, answer, edit),
            edit_pixels(source, exact, answer, edit),
        )
        for name, answer in answers.items()
    }


def consistency(name):
    """C with the edit's accuracy for E."""
    kept, landed = table()[name]
    return math.sqrt(landed["edit_accuracy_5"] * kept.score)


def test_a_copy_keeps_everything_and_edits_nothing():
    kept, landed = table()["copy"]
    assert kept.score == 1
    assert kept.psnr_keep == kept.psnr_keep_registered == math.inf
    assert kept.ssim_keep == kept.share_identical == 1
    assert kept.drift_norm == kept.shift == kept.tile95 == 0
    assert landed["iou_5"] == landed["edit_accuracy_5"] == 0
    assert landed["psnr_edit"] < 25
    assert consistency("copy") == 0


def test_the_reference_is_perfect():
    kept, landed = table()["exact"]
    assert consistency("exact") == 1
    assert kept.psnr_keep == landed["psnr_edit"] == math.inf
    assert landed["iou_5"] == landed["edit_accuracy_2"] == 1


@pytest.mark.parametrize("name", ["jpeg", "blur", "noise"])
def test_damage_in_place_is_not_taken_for_a_motion(name):
    kept, landed = table()[name]
    assert (kept.shift, kept.zoom) == (0, 1)
    assert kept.psnr_keep_registered == kept.psnr_keep
    assert 30 < kept.psnr_keep < 50
    assert kept.drift_norm < 0.5
    assert kept.score > 0.8
    assert landed["iou_5"] < landed["edit_accuracy_5"] <= 1


def test_a_shift_of_a_pixel_is_seen_raw_and_undone_registered():
    kept, landed = table()["shift_1"]
    assert (kept.shift_rows, kept.shift_columns, kept.zoom) == (0, 1, 1)
    assert kept.psnr_keep < 35
    assert kept.psnr_keep_registered > kept.psnr_keep + 20
    assert kept.ssim_keep < 0.99 < kept.ssim_keep_registered
    assert kept.within_registered == (1, 1, 1)
    assert kept.within[0] < 0.99
    assert kept.score == pytest.approx(7 / 7.5)  # linear from 0.5 px to 8 px
    assert landed["edit_accuracy_5"] > 0.9


def test_a_larger_motion_is_measured():
    kept, _ = table()["shift_4"]
    assert kept.shift_rows == pytest.approx(3.5, abs=0.1)
    assert kept.shift_columns == pytest.approx(-2, abs=0.1)
    assert kept.zoom == pytest.approx(1, abs=0.002)
    assert kept.psnr_keep < 25
    assert kept.psnr_keep_registered > kept.psnr_keep + 10
    assert kept.score == pytest.approx((8 - math.hypot(3.5, 2)) / 7.5, abs=0.03)


def test_a_zoom_is_measured():
    kept, _ = table()["zoom"]
    assert kept.zoom == pytest.approx(1.01, abs=0.002)
    assert kept.shift < 0.1
    assert kept.psnr_keep_registered > kept.psnr_keep + 10
    assert kept.score == pytest.approx((0.05 - 0.01) / 0.048, abs=0.03)


def test_a_cast_is_seen_by_colour_alone():
    kept, landed = table()["warm"]
    assert kept.ssim_keep >= 0.999
    assert kept.psnr_keep > 33
    assert kept.drift_norm > 4
    assert kept.drift[2] > 2  # towards yellow
    assert kept.within[0] < 0.05
    assert landed["iou_5"] > 0.95


def test_an_exposure_is_a_drift_of_lightness():
    kept, landed = table()["exposure"]
    assert kept.drift[0] == pytest.approx(kept.drift_norm, rel=0.1)
    assert 1 < kept.drift_norm < 4
    assert kept.ssim_keep >= 0.998
    assert landed["iou_5"] == 1


def test_a_redone_background_costs_the_iou():
    kept, landed = table()["third"]
    assert landed["edit_accuracy_5"] == 1
    assert landed["iou_5"] < 0.5
    assert kept.within_registered[1] < 0.75
    assert kept.tile95 > 10


def test_a_wiped_sticker_is_seen_by_the_worst_tiles_alone():
    kept, landed = table()["wiped"]
    assert landed["edit_accuracy_5"] == 1
    assert kept.ciede2000_keep < 1.5
    assert kept.drift_norm < 1.5
    assert kept.within[0] > 0.95
    assert kept.area > 0.95
    assert kept.score < 0.92
    assert kept.tile95 > 7
    others = [kept.tile95 for name, (kept, _) in table().items() if name != "third"]
    assert kept.tile95 == max(others)


def test_by_area_answers_are_ranked_by_how_much_they_kept():
    order = [
        ("exact", "copy"),
        ("exposure",),
        ("wiped",),
        ("blur", "jpeg"),
        ("shift_1",),
        ("noise", "zoom"),
        ("warm", "third"),
        ("shift_4",),
    ]
    scores = [[table()[name][0].area for name in names] for names in order]
    for better, worse in itertools.pairwise(scores):
        assert min(better) >= max(worse)
    assert scores[0] == [1, 1]


def test_p_ranks_every_answer_and_the_losses_last():
    """As by area, but for what took a thing away.

    The wiped label is 2 % of the pixels, which by area costs less than a blur, and all
    of the structure there: for a shop worse than any cast or motion of these. The
    redone third, which by area equals the cast, has the worst tile of all.
    """
    order = ["blur", "jpeg", "shift_1", "noise", "zoom", "warm", "shift_4"]
    scores = [table()[name][0].score for name in [*order, "wiped", "third"]]
    assert [table()[name][0].score for name in ("exact", "copy", "exposure")] == [1] * 3
    for better, worse in itertools.pairwise([1, *scores]):
        assert better > worse
    for name in (*order, "exact", "copy", "exposure"):
        assert table()[name][0].score == table()[name][0].area, name


def test_a_thing_that_is_lost_costs_more_than_its_area():
    lost = {name: kept.area - kept.score for name, (kept, _) in table().items()}
    assert lost["wiped"] > 0.05
    assert lost["third"] > 0.05
    assert lost["exact"] == lost["copy"] == lost["exposure"] == lost["shift_1"] == 0
    assert table()["wiped"][0].score < table()["jpeg"][0].score


def test_every_defect_costs_consistency():
    for name in table():
        if name not in ("exact", "exposure", "blur"):
            assert consistency(name) < 0.99
        assert consistency("copy") <= consistency(name) <= consistency("exact")
