"""Drawings of texts compared without reading them."""

import math

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.data_engine.layout.typesetting import text_layer
from tbstar_jax.evaluation.text.glyphs import (
    glyph_overlap,
    ink_color_error,
    ink_height_ratio,
    ink_left,
    structure_left,
)
from tbstar_jax.evaluation.text.ink import find_ink, window_of
from tbstar_jax.geometry import Box
from tests.evaluation.text.written import (
    DARK_ON_LIGHT,
    RED_ON_YELLOW,
    WHITE_ON_RED,
    plate,
)

SIZE = (72, 240)


def printed(text, pixels=24, colors=DARK_ON_LIGHT, **options):
    return plate(text, pixels, colors, SIZE, **options)


@pytest.mark.parametrize(
    ("text", "other", "pixels", "colors", "fade"),
    [
        ("天猫精选", "新品上市", 24, DARK_ON_LIGHT, 0.0),
        ("天猫精选", "新品上市", 16, WHITE_ON_RED, 0.3),
        ("Summer Sale", "Winter Deal", 16, RED_ON_YELLOW, 0.0),
        ("¥59.9", "¥49.8", 24, WHITE_ON_RED, 0.2),
    ],
)
def test_overlap_orders_answers(text, other, pixels, colors, fade):
    reference, box = printed(text, pixels, colors, fade=fade)

    def overlap(answer):
        return glyph_overlap(reference, answer, box)

    moved = overlap(np.roll(reference, 1, axis=1))
    inks = [((20, 60, 160), colors[1]), (colors[0], (120, 200, 160))]
    recolored = [overlap(printed(text, pixels, one, fade=fade)[0]) for one in inks]
    replaced = overlap(printed(other, pixels, colors, fade=fade)[0])
    assert overlap(reference) == 1
    assert moved == pytest.approx(0.98, abs=1e-3)  # one pixel's penalty, no more
    assert min(recolored) > 0.95
    assert replaced < 0.75
    assert overlap(printed("", pixels, colors, fade=fade)[0]) == 0
    assert overlap(np.roll(reference, 8, axis=1)) < 0.6  # not looked for so far off


def test_overlap_forgives_what_a_codec_does():
    reference, box = printed("天猫精选", 24)
    noise = np.random.default_rng(0).normal(0.0, 6.0, reference.shape)
    noisy = np.clip(reference + noise, 0, 255).astype(np.uint8)
    assert glyph_overlap(reference, noisy, box) > 0.95
    assert glyph_overlap(reference, printed("天猫精选", 24, blur=1.0)[0], box) > 0.75


def test_an_erased_stroke_shows():
    reference, box = printed("天猫", 40)
    erased = reference.copy()
    # The upper horizontal stroke of the first character.
    ink = find_ink(window_of(reference, box, 0)).mask
    row = int(np.argmax(ink[:, : box.width // 2 - 4].sum(axis=1)[: box.height // 3]))
    top = box.top + row
    here = np.s_[top - 3 : top + 5, box.left : box.left + box.width // 2 - 2]
    erased[here] = reference[0, 0]
    lost = np.any(erased != reference, axis=-1).sum() / ink.sum()
    assert 0.03 < lost < 0.3
    assert glyph_overlap(reference, erased, box) < 1 - 0.5 * lost


def test_without_ink_in_the_reference_there_is_no_overlap():
    empty, box = printed("")
    assert math.isnan(glyph_overlap(empty, printed("SALE")[0], box))
    assert math.isnan(ink_color_error(empty, printed("SALE")[0], box))
    assert math.isnan(ink_height_ratio(printed("SALE")[0], empty, box))


def test_ink_left_is_the_share_of_the_contrast():
    source, box = printed("限时特惠")
    clean, _ = printed("")
    other_plate, _ = printed("", colors=(DARK_ON_LIGHT[0], (120, 200, 160)))
    for ghost in (0.0, 0.2, 0.5, 1.0):
        answer = np.round((1 - ghost) * clean + ghost * source).astype(np.uint8)
        left = ink_left(source, clean, answer, box)
        assert left == pytest.approx(ghost, abs=0.01)
        assert structure_left(source, clean, answer, box) == pytest.approx(
            ghost**2, abs=0.01
        )
    assert ink_left(source, clean, source, box) == 1
    assert ink_left(source, clean, clean, box) == 0
    assert ink_left(source, clean, other_plate, box) < 1e-9
    assert math.isnan(ink_left(clean, clean, source, box))


def test_another_text_instead_of_none_is_structure():
    source, box = printed("限时特惠")
    clean, _ = printed("")
    other, _ = printed("新品上市")
    assert ink_left(source, clean, other, box) < 0.6
    assert structure_left(source, clean, other, box) > 0.8


def test_the_inks_colour_is_measured():
    reference, box = printed("SALE", 40, WHITE_ON_RED, fade=0.2)
    same_ink, _ = printed("SALE", 40, ((255, 255, 255), (20, 90, 60)))
    blue, _ = printed("SALE", 40, ((20, 60, 200), (196, 40, 44)))
    assert ink_color_error(reference, reference, box) == 0
    assert ink_color_error(reference, same_ink, box) < 3
    assert ink_color_error(reference, blue, box) > 40


def test_the_inks_colour_is_the_one_it_was_printed_in():
    image, box = printed("SALE", 40, ((200, 30, 30), (250, 214, 60)))
    # CIE Lab of (200, 30, 30), from its XYZ under D65.
    found = find_ink(window_of(image, box)).color
    np.testing.assert_allclose(found, [42.7, 62.7, 44.6], atol=1.5)


def test_the_inks_height_is_measured():
    size = (96, 320)
    reference, box = plate("SALE", 48, size=size)
    smaller, _ = plate("SALE", 24, size=size)
    assert ink_height_ratio(reference, reference, box) == 1
    assert ink_height_ratio(reference, smaller, box) == pytest.approx(0.5, abs=0.05)


def test_boxes_at_the_border_and_beyond_are_measured():
    image = np.full((40, 60, 3), 240, np.uint8)
    layer = text_layer(
        "SALE", (20, 20, 20), box=(0.0, 0.0, 16.0, 60.0), size=(40, 60), weight="bold"
    )
    rows, columns = layer.alpha.shape
    image[layer.top : layer.top + rows, layer.left : layer.left + columns] = np.round(
        240 - layer.alpha[..., None] * 220
    )
    for box in (
        Box(top=0, left=0, height=16, width=60),
        Box(top=-4, left=-4, height=30, width=80),
        Box(top=39, left=59, height=9, width=9),
        Box(top=100, left=100, height=4, width=4),
    ):
        overlap = glyph_overlap(image, image, box)
        assert overlap == 1 or math.isnan(overlap)
    assert glyph_overlap(image, image, Box(top=0, left=0, height=16, width=60)) == 1


def test_a_smooth_ground_is_no_ink():
    ramp = np.linspace(80, 200, 90)[None, :, None].repeat(40, 0).repeat(3, 2)
    image = Image.fromarray(ramp.astype(np.uint8))
    box = Box(top=10, left=10, height=20, width=60)
    assert find_ink(window_of(np.asarray(image), box)) is None
