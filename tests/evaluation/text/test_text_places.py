"""Where an answer wrote a text that may stand anywhere in a zone."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.data_engine.layout.typesetting import text_layer
from tbstar_jax.evaluation.cases.case import TargetText
from tbstar_jax.evaluation.text.places import other_places
from tbstar_jax.evaluation.text.reading import written_texts
from tbstar_jax.geometry import Box
from tests.evaluation.text.written import box_of

SIZE = (160, 240)
INK = (40, 30, 110)
TEXT = "Fresh Tea"
ZONE = np.zeros(SIZE, bool)
ZONE[:120] = True


def ground():
    """Light, a little brighter below."""
    rows = np.linspace(190, 220, SIZE[0])[:, None, None]
    return np.rint(np.broadcast_to(rows, (*SIZE, 3)).copy()).astype(np.uint8)


def write(image, text, top, left, height=24, width=120, ink=INK):
    """Prints a text into a box; returns the picture and the box of its ink."""
    place = (float(top), float(left), float(height), float(width))
    layer = text_layer(text, ink, box=place, size=SIZE, weight="bold", max_lines=2)
    rows, columns = layer.alpha.shape
    here = np.s_[layer.top : layer.top + rows, layer.left : layer.left + columns]
    printed = image.astype(float)
    printed[here] = 255 * layer.color + (1 - layer.alpha[..., None]) * printed[here]
    marked = np.zeros(SIZE, bool)
    marked[here] = layer.alpha > 0.1
    return np.rint(printed).astype(np.uint8), box_of(marked)


SOURCE = ground()
REFERENCE, BOX = write(SOURCE, TEXT, 8, 12)


def places(answer, zone=ZONE, reference=REFERENCE, box=BOX):
    return other_places(
        source=SOURCE, reference=reference, answer=answer, zone=zone, text=TEXT, box=box
    )


def is_near(found, expected, pixels=2):
    return all(
        abs(getattr(found, side) - getattr(expected, side)) <= pixels
        for side in ("top", "left", "height", "width")
    )


def test_source_and_reference_have_no_other_place():
    assert places(SOURCE) == places(REFERENCE) == ()


def test_a_text_is_found_where_it_was_written():
    answer, box = write(SOURCE, TEXT, 70, 90)
    first, *_ = places(answer)
    assert is_near(first, box)
    assert (first.height, first.width) == (BOX.height, BOX.width)


@pytest.mark.parametrize(("height", "width"), [(40, 200), (16, 80), (56, 70)])
def test_larger_smaller_and_broken_texts_are_found(height, width):
    answer, box = write(SOURCE, TEXT, 50, 20, height, width)
    assert any(is_near(place, box) for place in places(answer))


def jpeg(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=75)
    return np.array(Image.open(file))


def test_a_jpeg_and_specks_hide_nothing():
    answer, box = write(SOURCE, TEXT, 70, 90)
    noisy = jpeg(answer)
    noisy[10:12, 200:202] = 0
    assert any(is_near(place, box) for place in places(noisy))
    assert places(jpeg(SOURCE)) == ()


def test_a_change_of_the_ground_is_no_text():
    answer, box = write(SOURCE, TEXT, 70, 90)
    warm = np.clip(answer + np.array([24, 0, -24]), 0, 255).astype(np.uint8)
    assert is_near(places(warm)[0], box)
    assert places(np.clip(SOURCE.astype(int) - 60, 0, 255).astype(np.uint8)) == ()


def test_outside_the_zone_nothing_is_looked_for():
    below, _ = write(SOURCE, TEXT, 130, 60)
    assert places(below) == ()
    assert places(below, zone=np.zeros(SIZE, bool)) == ()


def test_the_whole_zone_is_never_a_place():
    rng = np.random.default_rng(0)
    noise = SOURCE.copy()
    noise[ZONE] = rng.integers(0, 256, (ZONE.sum(), 3))
    assert places(noise) == ()
    for place in places(np.zeros_like(SOURCE)):
        assert max(place.height / BOX.height, place.width / BOX.width) <= 3


def test_a_plate_under_the_text_is_no_ink():
    def on_plate(top, left):
        plated = SOURCE.copy()
        plated[top : top + 40, left : left + 130] = (250, 210, 60)
        return write(plated, TEXT, top + 8, left + 5)

    reference, box = on_plate(6, 6)
    assert places(reference, reference=reference, box=box) == ()
    answer, there = on_plate(70, 90)
    assert is_near(places(answer, reference=reference, box=box)[0], there)
    bare, there = write(SOURCE, TEXT, 70, 90)
    found = places(bare, reference=reference, box=box)
    assert any(is_near(place, there) for place in found)


@dataclasses.dataclass
class Told:
    """Reads what it is told to, in order, and the last of it again and again."""

    texts: list
    name: str = "told"

    def read(self, crops):
        rest = len(crops) - len(self.texts)
        return self.texts[: len(crops)] + self.texts[-1:] * rest


def written(answer, reads=None, old=None):
    text = TargetText(old=old, new=TEXT, language="en", box=BOX, ink=INK)
    (found,) = written_texts(
        source=SOURCE,
        reference=REFERENCE,
        answer=answer,
        target_texts=(text,),
        zone=ZONE,
        reader=None if reads is None else Told(reads),
    )
    return found


def test_the_place_with_fewer_errors_is_the_texts():
    answer, box = write(SOURCE, TEXT, 70, 90)
    found = written(answer, ["", "Fresh Tee"])
    assert found.read == "Fresh Tee"
    assert is_near(found.place, box)
    assert written(answer, ["Fresh Tea", "Fresh Tee"]).place == BOX


def test_less_than_half_of_the_text_is_another_text():
    answer, _ = write(SOURCE, "Quick Owl", 70, 90)
    assert written(answer, ["", "Fr"]).place == BOX
    assert written(answer, [None, None]).place == BOX


def test_without_a_reader_the_ink_tells():
    answer, box = write(SOURCE, TEXT, 70, 90)
    assert is_near(written(answer).place, box)
    other, _ = write(SOURCE, "Quick Owl", 70, 90)
    bar = SOURCE.copy()
    bar[box.slices] = INK
    assert written(other).place == written(bar).place == BOX


def test_a_text_that_takes_anothers_place_is_read_there_alone():
    answer, _ = write(SOURCE, TEXT, 70, 90)
    assert written(answer, ["none"], old="Old Tea").place == BOX
    assert written(answer, ["none"], old="Old Tea").read == "none"


def test_a_place_lies_in_the_picture():
    corner = Box(top=0, left=0, height=BOX.height, width=BOX.width)
    answer = SOURCE.copy()
    answer[corner.slices] = REFERENCE[BOX.slices]
    for place in places(answer):
        assert place.top >= 0
        assert place.left >= 0
