import numpy as np
import pytest

from tbstar_jax.data_engine.fonts.loader import font
from tbstar_jax.data_engine.layout.typesetting import break_lines, fit, text_layer
from tbstar_jax.data_engine.render.layers import support
from tbstar_jax.errors import UserError

SIZE = (64, 128)
BLACK = (0, 0, 0)


def printed(text, **options):
    settings = {"box": (10.0, 8.0, 40.0, 100.0), "size": SIZE, "weight": "bold"}
    return text_layer(text, (200, 30, 30), **(settings | options))


def test_lines_break_between_words_and_between_characters():
    lines = break_lines("Buy one get one free", "bold", 2)
    assert lines == ("Buy one get", "one free")
    assert break_lines("买一送一", "bold", 2) == ("买一", "送一")
    assert break_lines("SALE", "bold", 2) == ("SALE",)


def test_no_line_begins_with_a_closing_mark_and_numbers_stay_whole():
    text = "全场包邮，24小时内发货。满199.50减30！"
    for count in range(2, 7):
        lines = break_lines(text, "regular", count)
        assert "".join(lines) == text
        assert not any(line[0] in "，。！" for line in lines)
        assert any("199.50" in line for line in lines)
        assert any("24" in line for line in lines)


def test_a_text_is_as_large_as_its_box_allows():
    lines, pixels = fit("限时特惠", "bold", 400, 400, 1)
    assert lines == ("限时特惠",)
    assert 380 <= font("bold", pixels).getlength(lines[0]) <= 400
    lines, larger = fit("限时特惠", "bold", 400, 400, 2)
    assert lines == ("限时", "特惠")
    assert larger > 1.7 * pixels


def test_ink_stays_in_its_box_and_coverage_is_exact_at_its_ends():
    layer = printed("Agjy 限时")
    inked = support([layer], SIZE)
    assert inked[10:50, 8:108].any()
    inked[10:50, 8:108] = False
    assert not inked.any()
    assert layer.alpha.min() == 0.0
    assert layer.alpha.max() == 1.0
    full = layer.alpha == 1.0
    assert np.array_equal(
        np.unique(layer.color[full], axis=0), np.array([[200, 30, 30]]) / 255.0
    )


def test_alignment_moves_the_ink():
    def middle(align):
        columns = np.flatnonzero(support([printed("I", align=align)], SIZE).any(axis=0))
        return columns.mean()

    assert middle("left") < 20 < 50 < middle("center") < 66 < 96 < middle("right")


def test_a_struck_text_has_a_line_through_it():
    plain, struck = printed("¥59"), printed("¥59", is_struck=True)
    row = np.argmax(struck.alpha.sum(axis=1))
    inside = struck.alpha[row][np.flatnonzero(plain.alpha.any(axis=0))]
    assert inside.min() > 0.9
    assert plain.alpha[row].min() == 0.0


def test_an_outline_surrounds_the_glyphs_without_changing_them():
    plain, outlined = printed("优惠"), printed("优惠", outline=BLACK)
    assert outlined.alpha.sum() > 1.2 * plain.alpha.sum()
    assert outlined.alpha.max() <= 1.0
    # The contour is black, so all colour is the glyphs' own.
    assert outlined.color.sum() == pytest.approx(plain.color.sum())


def test_text_beyond_the_canvas_is_cut():
    layer = printed("WWWW", box=(-20.0, -30.0, 40.0, 100.0), turn=20.0)
    assert (layer.top, layer.left) == (0, 0)
    assert layer.alpha.any()


def test_a_text_without_glyphs_is_refused():
    with pytest.raises(UserError, match="U\\+9F98"):
        printed("龘")
