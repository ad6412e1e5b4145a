"""One drawing, two renderings; axes and labels."""

import numpy as np
import pytest

from tbstar_jax.evaluation.report.axes import Scale, limit_of, spread, ticks
from tbstar_jax.evaluation.report.drawing import (
    Dot,
    Drawing,
    Line,
    Rect,
    Text,
    beside,
    cut,
)
from tbstar_jax.evaluation.report.markup import Html, number, shown, tag
from tbstar_jax.evaluation.report.raster import raster, text_width
from tbstar_jax.evaluation.report.svg import svg

BOX = Drawing(
    title="a <box>",
    width=10,
    height=6,
    shapes=(
        Rect(x=2, y=1, width=4, height=3, color="#ff0000", hint='"2" < 3'),
        Rect(x=7, y=1, width=2, height=2, color="ink"),
    ),
)


def test_pixels_are_where_the_shapes_are():
    found = raster(BOX, scale=1)
    red = (found == (255, 0, 0)).all(axis=2)
    expected = np.zeros((6, 10), bool)
    expected[1:4, 2:6] = True
    np.testing.assert_array_equal(red, expected)
    assert found[2, 8].tolist() == [0x1D, 0x1D, 0x1F]
    assert found[5, 0].tolist() == [255, 255, 255]
    assert raster(BOX, scale=3).shape == (18, 30, 3)


def test_the_svg_has_the_same_shapes_and_escapes_words():
    assert svg(BOX) == (
        '<svg viewBox="0 0 10 6" width="10" height="6" role="img" '
        'aria-label="a &lt;box&gt;">'
        '<rect x="2" y="1" width="4" height="3" fill="#ff0000">'
        "<title>&quot;2&quot; &lt; 3</title></rect>"
        '<rect x="7" y="1" width="2" height="2" class="f-ink"/></svg>'
    )


def test_every_kind_of_shape_leaves_ink_in_both():
    for shape in (
        Line(points=((1, 1), (9, 5)), color="#00aa00"),
        Dot(x=5, y=3, radius=2, color="#00aa00"),
        Dot(x=5, y=3, radius=2, color="#00aa00", is_filled=False),
        Text(x=1, y=5, text="x<", size=6, color="#00aa00"),
    ):
        drawing = Drawing(title="", width=10, height=6, shapes=(shape,))
        assert (raster(drawing) != 255).any()
        assert "#00aa00" in svg(drawing)
    assert "x&lt;" in svg(drawing)


def test_drawings_stand_side_by_side():
    both = beside("two", (BOX, BOX), gap=5)
    assert (both.width, both.height) == (25, 6)
    found = raster(both, scale=1)
    np.testing.assert_array_equal(found[:, :10], found[:, 15:])


def test_text_is_escaped_unless_it_is_markup():
    assert tag("b", "<i>") == "<b>&lt;i&gt;</b>"
    assert tag("b", tag("i", "&")) == "<b><i>&amp;</i></b>"
    assert tag("a", href='"><script>') == '<a href="&quot;&gt;&lt;script&gt;"></a>'
    assert tag("p", Html("<br>"), open=True, hidden=False) == "<p open><br></p>"


def test_numbers_carry_what_they_round():
    assert number(1 / 3, 2, "a|b") == (
        f'<data value="{1 / 3!r}" data-key="a|b">0.33</data>'
    )
    assert "n/a" in number(float("nan"), 2, "k")
    assert shown(-0.0004, 3) == "0.000"
    assert shown(float("inf"), 1) == "∞"


def test_scales_clip_and_ticks_are_round():
    scale = Scale(low=0, high=2, start=100, end=0)
    assert [scale(value) for value in (-1, 0, 0.5, 2, 9)] == [100, 100, 75, 0, 0]
    assert ticks(0.0, 1.0) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert ticks(-1.5, 1.5) == pytest.approx([-1, 0, 1])


def test_bounds_hold_the_values_but_not_one_that_is_far_out():
    assert limit_of([0.1, -0.2], 1.0) == 1.0
    assert limit_of([1.0, -2.0], 0.5) == 3.0
    assert limit_of([1.0] * 99 + [50.0], 0.5) == 1.5


def test_labels_keep_their_order_and_distance():
    found = spread([5.0, 50.0, 51.0, 52.0], 10.0, 0.0, 100.0)
    assert found == [5.0, 41.0, 51.0, 61.0]
    assert spread([99.0, 98.0], 10.0, 0.0, 100.0) == [100.0, 90.0]
    assert spread([], 1.0, 0.0, 1.0) == []


def test_long_names_are_cut_and_say_so():
    assert cut("a  b\nc", 9) == "a b c"
    assert cut("abcdefghij", 5) == "abcd…"
    assert text_width("ΔE…", 12) > 0
