"""Columns by expression, and the language of a request."""

import pytest

from tbstar_jax.data_engine.collect.field_map import FieldMap, lookup, parse_field_map
from tbstar_jax.data_engine.language import language_of
from tbstar_jax.errors import UserError

ROW = {
    "image": ["a.png", "b.png", "c.png"],
    "talk": [{"value": "one"}, {"value": ["two", None, "three"]}],
    "1.0.jpg": {"path": "x"},
    "none": None,
    "empty": [],
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("image", ["a.png", "b.png", "c.png"]),
        ("image.0", ["a.png"]),
        ("image.-1", ["c.png"]),
        ("image.3", []),
        ("talk.0.value", ["one"]),
        ("talk.value", ["one", "two", "three"]),
        ("1.0.jpg", [{"path": "x"}]),
        ("1.0.jpg.path", ["x"]),
        ("none", []),
        ("none|empty|image.1", ["b.png"]),
        ("absent.deep", []),
        ("", []),
    ],
)
def test_an_expression_names_values(expression, expected):
    assert lookup(ROW, expression) == expected


def test_a_map_is_read_from_text():
    fields = parse_field_map(
        "source=src+ref, target=out, instruction=a|b+c, mask=m, mask_kind=rle,"
        "first_turn=1, chain=id"
    )
    assert fields == FieldMap(
        source=("src", "ref"),
        target="out",
        instruction=("a|b", "c"),
        mask="m",
        mask_kind="rle",
        first_turn=1,
        chain="id",
    )
    changed = parse_field_map("target=other,mask=", fields)
    assert changed.target == "other"
    assert changed.mask == ""
    assert changed.source == ("src", "ref")
    assert parse_field_map("", fields) == fields


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source", "is not a field"),
        ("sauce=a", "is not a field"),
        ("mask=a", "needs a source"),
        ("source=a,target=b", "needs an instruction"),
        ("source=a,mask_kind=grey", "must be one of white, black, painted, rle"),
        ("source=a,first_turn=2", "must be 0 or 1"),
    ],
)
def test_a_bad_map_is_named(text, message):
    with pytest.raises(UserError, match=message):
        parse_field_map(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Replace the text '促销价' with 'SALE'", "en"),
        ("Replace 促销 with SALE on the label", "en"),
        ("把文字“SALE 50% OFF TODAY ONLY”改成“NEW”", "zh"),
        ("把logo换成Nike", "zh"),
        ("去除水印", "zh"),
        ("'促销'", "zh"),
        ("Don't change the dog's collar", "en"),
        ("123", None),
        ("背景を白にしてください", None),
        ("배경을 흰색으로 바꿔주세요", None),
        ("Сделай фон белым", None),
    ],
)
def test_language_is_told_by_script(text, language):
    assert language_of(text) == language
