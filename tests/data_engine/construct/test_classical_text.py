"""Text: strokes are found and erased, new ones take ink and place of the old."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tbstar_jax.data_engine.construct.classical.expert import ClassicalExpert
from tbstar_jax.data_engine.construct.protocol import CannotEdit
from tbstar_jax.data_engine.fonts import loader
from tests.data_engine.construct.classical_photos import ask, real, sky

HEIGHT, WIDTH = 64, 128
BOX = (12, 8, 52, 120)
INK = (170, 30, 40)


def plate():
    """Paper, lit from the left, with grain."""
    rng = np.random.default_rng(3)
    light = np.linspace(238, 205, WIDTH)[None, :, None] * np.array([1.0, 0.99, 0.95])
    paper = np.broadcast_to(light, (HEIGHT, WIDTH, 3)) + rng.normal(
        0, 1.5, (HEIGHT, WIDTH, 3)
    )
    return np.rint(paper.clip(0, 255)).astype(np.uint8)


def coverage(text, left=20, pixels=26):
    canvas = Image.new("L", (WIDTH, HEIGHT))
    font = loader.font("bold", pixels)
    ImageDraw.Draw(canvas).text((left, 16), text, fill=255, font=font)
    return np.asarray(canvas, float)[:, :, None] / 255


def printed(text="SALE", opacity=1.0, ink=INK, on=None):
    share = coverage(text) * opacity
    paper = plate() if on is None else on
    return np.rint(paper * (1 - share) + np.array(ink) * share).astype(np.uint8)


def edit(image, request):
    return ClassicalExpert().edit(image, request, np.random.default_rng(0))


@pytest.mark.parametrize("opacity", [1.0, 0.4])
@pytest.mark.parametrize("task", ["text_remove", "watermark_remove"])
def test_erasing_strokes_brings_the_paper_back(task, opacity):
    image = printed(opacity=opacity)
    made = edit(image, ask(task, BOX))
    glyphs = coverage("SALE")[:, :, 0] > 0.3
    assert (made.mask[glyphs] > 0).mean() > 0.98
    rest = np.abs(made.image.astype(float) - plate())[glyphs]
    assert rest.mean() < 3
    assert (made.mask > 0).mean() < 0.25
    np.testing.assert_array_equal(made.mask > 0, np.any(made.image != image, axis=2))


def test_a_watermark_on_a_smooth_part_of_a_real_photo_is_erased():
    photo = sky(400)[:HEIGHT, 200:328]
    share = coverage("SHOP") * 0.6
    marked = np.rint(photo * (1 - share) + 20 * share).astype(np.uint8)
    made = edit(marked, ask("watermark_remove", BOX))
    glyphs = share[:, :, 0] > 0.3
    before = np.abs(marked.astype(float) - photo)[glyphs].mean()
    after = np.abs(made.image.astype(float) - photo)[glyphs].mean()
    assert before > 50
    assert after < 0.15 * before


@pytest.mark.parametrize(
    ("task", "text"), [("text_replace_en", "NEW"), ("text_replace_zh", "特价")]
)
def test_new_text_has_the_old_ink_and_place(task, text):
    image = printed()
    made = edit(image, ask(task, BOX, new_text=text))
    dark = made.image[:, :, 1] < 110
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    old = coverage("SALE")[:, :, 0] > 0.5
    old_rows = np.flatnonzero(old.any(axis=1))
    assert abs(rows[0] - old_rows[0]) <= 2
    assert abs(rows[-1] - old_rows[-1]) <= 2
    assert columns[0] >= BOX[1]
    assert columns[-1] < BOX[3]
    inked = made.image[made.image[:, :, 1] < 50]
    assert len(inked) > 30
    np.testing.assert_allclose(np.median(inked, axis=0), INK, atol=12)


def test_nothing_of_the_old_text_is_left_beside_the_new():
    made = edit(printed("WWW"), ask("text_replace_en", BOX, new_text="I"))
    drawn = made.image[:, :, 1] < 180
    assert np.flatnonzero(drawn.any(axis=0)).size < 12
    away = ~np.isin(np.arange(WIDTH), np.flatnonzero(drawn.any(axis=0)))
    assert np.abs(made.image.astype(float) - plate())[:, away].mean() < 2


def test_outside_the_box_a_replaced_text_changes_nothing():
    made = edit(printed(), ask("text_replace_en", BOX, new_text="A longer text"))
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[BOX[0] : BOX[2], BOX[1] : BOX[3]] = True
    assert not made.mask[~inside].any()


DECLINED = [
    ("text_remove", plate(), BOX, {}, "looks like strokes"),
    ("text_remove", printed(), (30, 8, 52, 120), {}, "cuts the text"),
    ("text_replace_en", printed(), BOX, {}, "needs the parameter 'new_text'"),
    ("text_replace_en", printed(), BOX, {"new_text": "\N{SNOWMAN}"}, "no glyph"),
    ("text_replace_en", printed(), BOX, {"new_text": "m" * 60}, "nobody can read"),
]


@pytest.mark.parametrize(("task", "image", "box", "parameters", "reason"), DECLINED)
def test_what_cannot_be_done_is_declined(task, image, box, parameters, reason):
    with pytest.raises(CannotEdit, match=reason):
        edit(image, ask(task, box, **parameters))


def test_text_on_an_uneven_surface_is_not_replaced():
    photo = real("coffee.png", WIDTH)[:HEIGHT]
    image = printed(on=photo, ink=(255, 255, 255))
    with pytest.raises(CannotEdit, match="not an even surface"):
        edit(image, ask("text_replace_en", BOX, new_text="NEW"))


def test_detail_of_a_photo_is_not_taken_for_text():
    photo = real("chelsea.png", 128)
    with pytest.raises(CannotEdit, match="text"):
        edit(photo, ask("watermark_remove", (4, 4, 80, 124)))


def test_text_that_fades_away_is_not_half_erased():
    fade = np.linspace(1.0, 0.08, WIDTH)[None, :, None] ** 2
    share = coverage("SALE SALE", left=10, pixels=20) * fade
    image = np.rint(plate() * (1 - share) + np.array(INK) * share).astype(np.uint8)
    with pytest.raises(CannotEdit, match="cannot be told apart"):
        edit(image, ask("text_remove", BOX))


def test_two_boxes_are_no_place_for_one_text():
    with pytest.raises(CannotEdit, match="needs one box around it"):
        edit(printed(), ask("text_replace_en", BOX, BOX, new_text="NEW"))
