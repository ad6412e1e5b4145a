"""Text outside the edit: lost, replaced, read by a reader, noted in provenance."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tbstar_jax.data_engine.filter.text import noted_texts, text_kept
from tbstar_jax.data_engine.text_reader import Text, tesseract_reader, words_of_tsv
from tbstar_jax.errors import UserError
from tests.data_engine.filter.photographs import square

BOX = (20, 10, 40, 80)


def labelled(word):
    image = Image.fromarray(square(2, 96))
    draw = ImageDraw.Draw(image)
    draw.rectangle((BOX[1], BOX[0], BOX[3] - 1, BOX[2] - 1), fill="white")
    draw.text((14, 22), word, fill="black", font=ImageFont.load_default(14))
    return np.array(image)


EVERYWHERE = np.ones((96, 96), bool)


@pytest.mark.parametrize("texts", [(), (Text(text="PRICE 19", box=BOX),)])
def test_a_lost_label_shows_with_and_without_its_box(texts):
    source = labelled("PRICE 19")
    assert text_kept(source, source, EVERYWHERE, texts) == 1
    lost = text_kept(source, labelled(""), EVERYWHERE, texts)
    assert lost < 0.4
    assert text_kept(source, labelled("OLD 2026"), EVERYWHERE, texts) < 0.5


def test_what_is_in_the_region_does_not_count():
    outside = EVERYWHERE.copy()
    outside[BOX[0] - 2 : BOX[2] + 2, BOX[1] - 2 : BOX[3] + 2] = False
    assert text_kept(labelled("PRICE"), labelled(""), outside) == 1
    noted = (Text(text="PRICE", box=BOX),)
    assert np.isnan(text_kept(labelled("PRICE"), labelled(""), outside, noted))


def test_a_picture_without_edges_has_no_text():
    flat = np.full((64, 64, 3), 90, np.uint8)
    assert np.isnan(text_kept(flat, flat, np.ones((64, 64), bool)))


def test_a_reader_is_believed_by_the_character():
    source, target = labelled("A"), labelled("B")
    read = {
        source.tobytes(): [
            Text(text="SALE", box=(10, 10, 20, 40)),
            Text(text="NEW", box=(50, 10, 60, 40)),
            Text(text="EDITED", box=(70, 10, 80, 40)),
        ],
        target.tobytes(): [
            Text(text="SALE", box=(11, 11, 21, 41)),
            Text(text="NEW", box=(80, 60, 90, 90)),
        ],
    }
    outside = EVERYWHERE.copy()
    outside[65:] = False
    kept = text_kept(source, target, outside, (), lambda image: read[image.tobytes()])
    assert kept == 4 / 7


def test_noted_boxes_that_are_none_are_passed_over():
    good = {"text": "SALE", "box": [0, 0, 10, 20]}
    bad = [
        {"box": [0, 0, 10, 2000]},
        {"box": [5, 0, 5, 20]},
        {"box": [0, 0, 10, "20"]},
        {"box": [0, 0, True, 20]},
        {"text": "no box"},
        "SALE",
        None,
    ]
    expected = (Text(text="SALE", box=(0, 0, 10, 20)),)
    assert noted_texts({"text_boxes": [*bad, good]}, (96, 96, 3)) == expected
    assert noted_texts({"text_boxes": "SALE"}, (96, 96, 3)) == ()
    assert noted_texts({}, (96, 96, 3)) == ()
    assert len(noted_texts({"text_boxes": [good] * 900}, (96, 96, 3))) == 200


def test_the_table_of_tesseract_is_read():
    table = (
        "level\tpage_num\tleft\ttop\twidth\theight\tconf\ttext\n"
        "4\t1\t0\t0\t90\t90\t-1\t\n"
        '5\t1\t12\t30\t40\t14\t96.2\t"SALE\n'
        "5\t1\t60\t30\t20\t14\t31.0\tblur\n"
    )
    assert words_of_tsv(table, 50.0) == (Text(text='"SALE', box=(30, 12, 44, 52)),)


def test_without_the_program_the_reader_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="tesseract is not installed"):
        tesseract_reader()
