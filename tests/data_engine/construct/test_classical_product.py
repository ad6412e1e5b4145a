"""The product: segmentation, another background, another colour."""

import numpy as np
import pytest

from tbstar_jax.data_engine.construct.classical.background import background_named
from tbstar_jax.data_engine.construct.classical.expert import ClassicalExpert
from tbstar_jax.data_engine.construct.classical.matte import foreground_colors
from tbstar_jax.data_engine.construct.classical.palette import color_named, lab_image
from tbstar_jax.data_engine.construct.classical.segment import (
    GrabCut,
    InjectedSegmenter,
)
from tbstar_jax.data_engine.construct.protocol import CannotEdit, Region
from tbstar_jax.errors import UserError
from tbstar_jax.metrics.color import ciede2000
from tests.data_engine.construct.classical_photos import (
    BOX,
    SIDE,
    ask,
    disc,
    product,
    real,
    studio,
)

PRIOR = Region(label="ball", top=18, left=18, bottom=78, right=78)


def edit(image, request, **settings):
    return ClassicalExpert(**settings).edit(image, request, np.random.default_rng(0))


def difference(image, color):
    """CIEDE2000 of the ball's middle from a colour."""
    middle = np.median(lab_image(image)[40:56, 40:56].reshape(-1, 3), axis=0)
    wanted = lab_image(np.array([[color]], np.uint8))[0, 0]
    return float(ciede2000(middle.astype(float), wanted.astype(float)))


@pytest.mark.parametrize("prior", [None, PRIOR])
def test_grabcut_finds_the_product(prior):
    alpha = GrabCut()(studio(), prior)
    truth = disc()
    assert np.abs(alpha - truth).mean() < 0.01
    assert (alpha[truth == 1] == 1).mean() > 0.9
    assert (alpha[disc(radius=34) == 0] == 0).all()


def test_grabcut_finds_the_cup_on_a_real_photo():
    photo = real("coffee.png", 150)
    cup = Region(label="cup", top=3, left=17, bottom=99, right=122)
    alpha = GrabCut()(photo, cup)
    assert 0.4 < alpha.mean() < 0.56
    assert alpha[50, 60] == alpha[80, 70] == 1
    assert alpha[5, 5] == alpha[95, 140] == alpha[10, 130] == 0


def test_grabcut_says_the_same_every_time():
    first, second = (GrabCut()(studio(), None) for _ in range(2))
    np.testing.assert_array_equal(first, second)


DECLINED = [
    (np.full((SIDE, SIDE, 3), 128, np.uint8), None, "segmented|stands out|colours"),
    (studio(), Region(label="ball", top=0, left=0, bottom=96, right=96), "whole photo"),
    (studio(), Region(label="ball", top=18, left=18, bottom=78, right=48), "cuts the"),
]


@pytest.mark.parametrize(("image", "prior", "reason"), DECLINED)
def test_what_is_no_product_is_declined(image, prior, reason):
    with pytest.raises(CannotEdit, match=reason):
        GrabCut()(image, prior)


def test_a_false_edge_through_fur_is_declined():
    photo = real("chelsea.png", 250)
    with pytest.raises(CannotEdit, match="a product's edge has"):
        GrabCut()(photo, Region(label="cat", top=5, left=13, bottom=163, right=236))


def in_bytes(image):
    return np.rint(disc() * 255).astype(np.uint8)


def with_alpha(image):
    return np.dstack([image, in_bytes(image)])


def in_shares(image):
    return disc()


@pytest.mark.parametrize("function", [in_bytes, with_alpha, in_shares])
def test_any_function_can_segment(function):
    segmenter = InjectedSegmenter(name="mine-1", function=function)
    np.testing.assert_allclose(segmenter(studio(), None), disc(), atol=1 / 255)


def too_small(image):
    return disc()[:10]


def too_bright(image):
    return disc() * 3


@pytest.mark.parametrize("function", [too_small, too_bright])
def test_a_segmenter_that_answers_wrongly_is_named(function):
    with pytest.raises(UserError, match="'mine-1' answered"):
        InjectedSegmenter(name="mine-1", function=function)(studio(), None)


def test_the_old_background_is_taken_out_of_soft_edges():
    truth = np.where(disc()[:, :, None] >= 0, product((200, 40, 36)), 0)
    share = disc(softness=8.0)[:, :, None]
    green = share * truth + (1 - share) * np.array([30, 180, 60])
    photo = np.rint(green.clip(0, 255)).astype(np.uint8)
    colors = foreground_colors(photo, share[:, :, 0]) * 255
    edge = (share[:, :, 0] > 0.3) & (share[:, :, 0] < 0.9)
    before = np.abs(photo - truth)[edge].mean()
    after = np.abs(colors - truth)[edge].mean()
    assert after < 0.25 * before
    np.testing.assert_array_equal(
        colors[share[:, :, 0] == 1], photo[share[:, :, 0] == 1]
    )


def test_a_white_background_leaves_the_product_bit_for_bit():
    made = edit(studio(), ask("bg_white", BOX), shadow=0.0)
    inside, outside = disc(radius=23) == 1, disc(radius=32) == 0
    assert not made.mask[inside].any()
    np.testing.assert_array_equal(made.image[inside], studio()[inside])
    assert (made.image[outside] == 255).all()


def test_soft_edges_take_the_new_background_alone():
    share = disc(softness=8.0)[:, :, None]
    ball, green = product((200, 40, 36)).clip(0, 255), np.array([30.0, 180.0, 60.0])
    photo = np.rint(share * ball + (1 - share) * green).astype(np.uint8)
    mask = np.rint(255 * (1 - share[:, :, 0])).astype(np.uint8)
    made = edit(photo, ask("bg_white", mask=mask), shadow=0.0)
    right = share * ball + (1 - share) * 255
    stained = share * photo + (1 - share) * 255
    edge = (share[:, :, 0] > 0.2) & (share[:, :, 0] < 0.9)
    error = np.abs(made.image - right)[edge].mean()
    assert error < 0.35 * np.abs(stained - right)[edge].mean()


def test_a_shadow_darkens_only_the_new_ground():
    plain = edit(studio(), ask("bg_white", BOX), shadow=0.0)
    shaded = edit(studio(), ask("bg_white", BOX), shadow=0.5)
    inside = disc(radius=23) == 1
    np.testing.assert_array_equal(plain.image[inside], shaded.image[inside])
    darker = plain.image.astype(int) - shaded.image
    assert darker.min() >= 0
    rows = np.flatnonzero(darker.max(axis=(1, 2)) > 60)
    assert rows.min() > 55
    assert rows.max() < 85


def test_a_mask_can_stand_for_the_segmentation():
    mask = np.where(disc() > 0, 0, 255).astype(np.uint8)
    made = edit(studio(), ask("bg_white", mask=mask), shadow=0.0)
    np.testing.assert_array_equal(made.mask > 0, mask > 0)
    assert (made.image[mask > 0] == 255).all()


@pytest.mark.parametrize(
    ("description", "setting", "tone"),
    [
        ("white", "plain", (255, 255, 255)),
        ("wooden table", "wood", (196, 142, 88)),
        ("a walnut wooden table", "wood", (132, 86, 54)),
        ("pink gradient", "gradient", (244, 200, 208)),
        ("大理石背景", "marble", (226, 226, 228)),
        ("蓝色背景", "plain", (164, 200, 232)),
        ("#102030", "plain", (16, 32, 48)),
        ("red background", "plain", (204, 34, 36)),
    ],
)
def test_backgrounds_are_found_by_name(description, setting, tone):
    found = background_named(description, seed=1)
    assert (found.setting.id, found.tone.rgb) == (setting, tone)


def test_a_background_nobody_can_draw_is_declined():
    with pytest.raises(CannotEdit, match="no background can be drawn for 'a beach"):
        background_named("a beach at sunset", seed=1)


@pytest.mark.parametrize("name", ["red", "红色", "红", " RED ", "#cc2224"])
def test_colors_are_found_by_name(name):
    assert color_named(name) == (204, 34, 36)


@pytest.mark.parametrize("name", ["blue", "green", "black", "yellow"])
@pytest.mark.parametrize("old", [(200, 40, 36), (215, 213, 210)])
def test_a_product_takes_the_wanted_color_and_keeps_its_shading(old, name):
    image = studio(old)
    segmenter = InjectedSegmenter(name="disc", function=in_shares)
    made = edit(image, ask("recolor", new_color=name), segmenter=segmenter)
    assert difference(made.image, color_named(name)) < 2
    inside = disc(radius=20) == 1
    before, after = lab_image(image)[inside][:, 0], lab_image(made.image)[inside][:, 0]
    assert np.corrcoef(before, after)[0, 1] > 0.9
    assert not made.mask[disc(radius=32) == 0].any()


def test_white_print_on_a_recolored_product_stays():
    image = studio()
    image[44:52, 38:58] = (250, 250, 248)
    made = edit(image, ask("recolor", BOX, new_color="blue"))
    np.testing.assert_array_equal(made.image[46:50, 40:56], image[46:50, 40:56])
    assert (made.mask[30:40, 40:56] > 0).all()


def test_a_small_patch_of_the_same_color_elsewhere_stays():
    image = studio()
    image[40:58, 40:58] = (250, 250, 248)  # a white cup ...
    image[46:52, 46:52] = (190, 44, 38)  # ... with something red in it
    made = edit(image, ask("recolor", BOX, new_color="green"))
    assert not made.mask[42:56, 42:56].any()
    assert (made.mask[30:37, 40:58] > 0).all()


def test_a_color_that_is_there_already_is_declined():
    with pytest.raises(CannotEdit, match="has that colour already"):
        edit(studio(), ask("recolor", BOX, new_color="red"))


def test_a_product_of_many_colors_is_declined():
    stripes = np.array([(200, 40, 40), (40, 170, 60), (40, 80, 200), (230, 200, 40)])
    columns = stripes[(np.arange(SIDE) // 6) % 4][None]
    image = np.where(disc()[:, :, None] == 1, columns, studio()).astype(np.uint8)
    segmenter = InjectedSegmenter(name="disc", function=in_shares)
    with pytest.raises(CannotEdit, match="not of one colour"):
        edit(image, ask("recolor", new_color="purple"), segmenter=segmenter)


def test_an_unknown_color_is_declined():
    with pytest.raises(CannotEdit, match="no colour 'mauve'"):
        edit(studio(), ask("recolor", BOX, new_color="mauve"))
