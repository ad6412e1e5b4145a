import hashlib
from importlib import resources

import pytest
from PIL import ImageFont

from tbstar_jax.data_engine.fonts.loader import (
    font,
    missing_characters,
    require_coverage,
)
from tbstar_jax.data_engine.layout import vocabulary
from tbstar_jax.errors import UserError


def gb2312_level_1():
    codes = [bytes((r, c)) for r in range(0xB0, 0xD8) for c in range(0xA1, 0xFF)]
    return "".join(dict.fromkeys(code.decode("gb2312", "ignore") for code in codes))


def test_common_chinese_and_ascii_are_printed():
    characters = gb2312_level_1()
    assert len(characters) == 3755
    assert missing_characters(characters) == ""
    assert missing_characters("".join(map(chr, range(0x20, 0x7F)))) == ""
    assert missing_characters("，。！？、：；（）《》【】“”¥￥€£…·—") == ""


def test_what_would_be_an_empty_box_is_named():
    assert (
        missing_characters("限时龘特惠\U0001f600龘\u200b\n") == "龘\U0001f600\u200b\n"
    )
    with pytest.raises(UserError, match=r"no glyph for '龘' \(U\+9F98\)"):
        require_coverage("限时龘特惠")


def test_the_bold_weight_has_the_same_glyphs_and_more_ink():
    box = bytes(font("bold", 32).getmask("\U0010ffff"))
    for character in gb2312_level_1()[::25]:
        bold = font("bold", 32).getmask(character)
        assert bytes(bold) != box
        assert sum(bytes(bold)) > sum(bytes(font("regular", 32).getmask(character)))


@pytest.mark.parametrize(
    ("weight", "digest"),
    [("regular", "d42166aeed1d532e"), ("bold", "e3c3c84062838752")],
)
def test_letters_have_the_same_pixels_whatever_freetype_draws_them(weight, digest):
    # FreeType 2.13.2 to 2.14.3 (Pillow 10.4 to 13.0) agree: the outlines have no hints.
    total = hashlib.sha256()
    for pixels in (11, 32, 93, 200):
        face = font(weight, pixels)
        step = 1 if pixels == 32 else 25
        characters = "".join(map(chr, range(0x21, 0x7F))) + gb2312_level_1()
        for text in (*characters[::step], "AVATAR To ¥59.90"):
            mask = face.getmask(text)
            total.update(repr((mask.size, face.getbbox(text))).encode() + bytes(mask))
    assert total.hexdigest()[:16] == digest


def test_layout_needs_no_library_of_the_system():
    assert font("regular", 20).layout_engine == ImageFont.Layout.BASIC


def test_the_files_are_small_renamed_and_licensed():
    folder = resources.files("tbstar_jax.data_engine.fonts")
    files = [file for file in folder.iterdir() if file.name.endswith(".otf")]
    assert len(files) == 2
    assert sum(len(file.read_bytes()) for file in files) <= 4_000_000
    licence = folder.joinpath("OFL.txt").read_text()
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    assert "2014-2021 Adobe" in licence
    assert font("bold", 20).getname() == ("TBStar Layout Sans", "Bold")


def test_everything_written_on_cards_can_be_printed():
    for words in (
        *vocabulary.HEADLINES,
        *vocabulary.NOTES,
        *vocabulary.BADGES,
        *vocabulary.MARKS,
        *vocabulary.BRANDS,
    ):
        assert missing_characters(words.en + words.zh) == ""
    assert missing_characters("¥$" + "".join(vocabulary.PRICES)) == ""
