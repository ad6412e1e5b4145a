"""Tesseract on texts printed with the project's typeface; crops; its absence."""

import dataclasses
import shutil

import numpy as np
import pytest

from tbstar_jax.evaluation.cases.case import TargetText
from tbstar_jax.evaluation.text.crop import num_lines, text_crop
from tbstar_jax.evaluation.text.distance import cer
from tbstar_jax.evaluation.text.measures import text_measures, text_skill
from tbstar_jax.evaluation.text.price import price_exact
from tbstar_jax.evaluation.text.reader import Reader, Tesseract, find_reader
from tbstar_jax.evaluation.text.reading import written_texts
from tbstar_jax.geometry import Box
from tests.evaluation.text.written import (
    DARK_ON_LIGHT,
    RED_ON_YELLOW,
    WHITE_ON_RED,
    plate,
)

TEXTS = {
    "zh": "新品上市 限时特惠 天猫精选 包邮到家 买一送一 "
    "全场五折 品质保证 夏季清仓 会员专享 进口好物".split(),
    "en": [
        "New Arrival",
        "Summer Sale",
        "Best Seller",
        "Free Shipping",
        "Limited Offer",
        "Hot Deal",
        "Premium Quality",
        "Buy One Get One",
        "Members Only",
        "Made of Linen",
    ],
    None: "¥59.9 ¥129 ¥1,299 ¥9.90 ¥39.5 ¥88.00 ¥2,499.00 ¥15.8 ¥699 ¥19.99".split(),
}
PLATES = {16: (RED_ON_YELLOW, 0.0), 24: (WHITE_ON_RED, 0.25), 36: (DARK_ON_LIGHT, 0.0)}
"""Colours, and how much darker one end of the ground is, by the size of the print."""


def crop_of(text, language, pixels=24, colors=DARK_ON_LIGHT, **options):
    image, box = plate(text, pixels, colors, **options)
    return text_crop(image, box, text, language)


@pytest.fixture(scope="module")
def tesseract():
    reader = find_reader()
    if reader is None or not {"eng", "chi_sim"} <= reader.languages:
        pytest.skip("Tesseract with eng and chi_sim is not installed")
    return reader


@pytest.mark.parametrize("language", ["zh", "en", None])
@pytest.mark.parametrize("pixels", [16, 24, 36])
def test_printed_texts_are_read_without_error(tesseract, language, pixels):
    texts = TEXTS[language]
    colors, fade = PLATES[pixels]
    crops = [crop_of(text, language, pixels, colors, fade=fade) for text in texts]
    pairs = list(zip(texts, tesseract.read(crops), strict=True))
    assert [cer(*pair) for pair in pairs] == [0] * 10
    if language is None:
        assert [price_exact(*pair) for pair in pairs] == [1] * 10


def test_a_mirrored_text_is_not_read_as_the_text(tesseract):
    crops = [crop_of("天猫精选", "zh"), crop_of("Summer Sale", "en")]
    mirrored = [dataclasses.replace(x, image=x.image[:, ::-1].copy()) for x in crops]
    chinese, latin = tesseract.read(mirrored)
    assert cer("天猫精选", chinese) >= 0.5
    assert cer("Summer Sale", latin) >= 0.5


@pytest.mark.parametrize(("language", "limit"), [("zh", 0.05), ("en", 0), (None, 0.05)])
def test_small_blurred_texts_are_read_nearly_without_error(tesseract, language, limit):
    texts = TEXTS[language]
    reads = tesseract.read([crop_of(text, language, 16, blur=1.0) for text in texts])
    rates = [cer(*pair) for pair in zip(texts, reads, strict=True)]
    assert np.mean(rates) <= limit


def test_two_lines_are_read_as_two(tesseract):
    first, second = (plate(text, 30, size=(38, 260))[0] for text in ("NEW", "ARRIVAL"))
    image = np.concatenate([first, second])
    box = Box(top=8, left=60, height=60, width=140)
    crop = text_crop(image, box, "NEWARRIVAL", "en")
    assert crop.num_lines == 2
    assert tesseract.read([crop])[0].split() == ["NEW", "ARRIVAL"]


def test_a_blank_plate_says_nothing(tesseract):
    assert tesseract.read([crop_of("", "zh"), crop_of("", "en")]) == ["", ""]


def test_a_reading_is_remembered(tesseract):
    fresh = dataclasses.replace(tesseract)
    crop = crop_of("SALE", "en")
    assert [text.strip() for text in fresh.read([crop, crop])] == ["SALE"] * 2
    # The program is gone, what it read is not.
    object.__setattr__(fresh, "program", "/nonexistent/tesseract")
    assert fresh.read([crop])[0].strip() == "SALE"


def test_a_language_that_is_not_installed_is_not_read(tesseract):
    english = dataclasses.replace(tesseract, languages=frozenset({"eng"}))
    chinese, latin = english.read([crop_of("新品", "zh"), crop_of("SALE", "en")])
    assert chinese is None
    assert latin.strip() == "SALE"


def test_measures_with_the_real_reader(tesseract):
    source, box = plate("¥129", 24, size=(72, 240))
    reference, new_box = plate("¥59.9", 24, size=(72, 240))
    assert new_box.left <= box.left
    text = TargetText(
        old="¥129", new="¥59.9", language=None, box=new_box, ink=(0, 0, 0)
    )
    pictures = {"source": source, "reference": reference, "reader": tesseract}
    wrong, _ = plate("¥599", 24, size=(72, 240))
    for answer, price, skill in ((source, 0, 0), (reference, 1, 1), (wrong, 0, 2 / 3)):
        told = {**pictures, "target_texts": (text,)}
        zone = np.zeros(source.shape[:2], bool)
        forms = {"registered": answer, "raw": answer}
        found = text_measures(**told, **forms, kept_texts=(), zone=zone)
        assert found["price_exact"] == price
        assert found["text_cer_ceiling"] == 0
        told["answer"] = answer
        written = written_texts(**told, zone=zone)
        assert text_skill(**told, written=written) == pytest.approx(skill)


def test_a_program_that_fails_is_not_a_misreading(tmp_path):
    for body in ("exit 3", "echo one page for two crops", "sleep 5"):
        program = tmp_path / "tesseract"
        program.write_text(f"#!/bin/sh\ncat > /dev/null\n{body}\n")
        program.chmod(0o755)
        broken = Tesseract(
            program=str(program), version="", languages=frozenset({"eng"}), seconds=0.2
        )
        assert broken.read([crop_of("SALE", "en"), crop_of("NEW", "en")]) == [None] * 2
    gone = dataclasses.replace(broken, program=str(tmp_path / "removed"))
    assert gone.read([crop_of("SALE", "en")]) == [None]


@pytest.mark.parametrize("num_failures", [1, 2])
def test_a_failed_call_is_tried_once_more_and_never_remembered(tmp_path, num_failures):
    program, calls = tmp_path / "tesseract", tmp_path / "calls"
    program.write_text(
        f"#!/bin/sh\ncat > /dev/null\necho called >> {calls}\n"
        f"[ $(wc -l < {calls}) -gt {num_failures} ] || exit 3\necho SALE\n"
    )
    program.chmod(0o755)
    reader = Tesseract(program=str(program), version="", languages=frozenset({"eng"}))
    crop = crop_of("SALE", "en")
    assert reader.read([crop]) == (["SALE"] if num_failures == 1 else [None])
    assert reader.read([crop]) == ["SALE"]
    # The reading is remembered: no further call.
    assert reader.read([crop]) == ["SALE"]
    assert calls.read_text().count("called") == num_failures + 1


def test_where_no_line_was_found_a_failed_second_look_is_not_a_blank(tmp_path):
    program = tmp_path / "tesseract"
    program.write_text(
        '#!/bin/sh\ncat > /dev/null\ncase "$*" in *"--psm 13"*) exit 3;; esac\necho\n'
    )
    program.chmod(0o755)
    reader = Tesseract(program=str(program), version="", languages=frozenset({"eng"}))
    assert reader.read([crop_of("SALE", "en")]) == [None]


def test_the_reader_is_named_with_its_version(tesseract):
    assert isinstance(tesseract, Reader)
    assert tesseract.name.startswith("tesseract ")
    assert tesseract.name.endswith("(chi_sim, eng)")


def test_without_the_program_there_is_no_reader(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert shutil.which("tesseract") is None
    assert find_reader() is None


def test_a_crop_shows_the_ink_at_one_height():
    for pixels in (12, 24, 96):
        crop = crop_of("SALE", "en", pixels)
        rows = np.flatnonzero((crop.image.mean(axis=-1) < 135).any(axis=1))
        assert rows[-1] - rows[0] + 1 == pytest.approx(40, abs=6)
        assert crop.num_lines == 1


def test_crops_of_odd_boxes_stay_small():
    image = np.zeros((64, 64, 3), np.uint8)
    for box in (
        Box(top=-9, left=-9, height=99, width=99),
        Box(top=500, left=500, height=5, width=5),
        Box(top=10, left=0, height=1, width=64),
    ):
        crop = text_crop(image, box, "SALE", "en")
        assert crop.image.shape[0] * crop.image.shape[1] < 400_000


@pytest.mark.parametrize(
    ("text", "height", "width", "lines"),
    [
        ("新品上市", 22, 96, 1),
        ("¥59.9", 18, 66, 1),
        ("夏季清仓限时特惠", 50, 96, 2),
        ("Buy One Get One Free", 24, 260, 1),
        ("Buy One Get One Free", 84, 140, 3),
        ("一", 3, 24, 1),
        ("", 20, 20, 1),
    ],
)
def test_the_number_of_lines_follows_the_box(text, height, width, lines):
    assert num_lines(text, Box(top=0, left=0, height=height, width=width)) == lines
