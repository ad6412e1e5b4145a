"""The sheet of cases: which three pictures stand under which words."""

import numpy as np
import pytest
from PIL import ImageDraw

from tbstar_jax.evaluation.cases.sheet import cases_sheet
from tbstar_jax.evaluation.cases.wording import STYLES
from tests.support.benchmark_cases import case

SIDE = 66  # a picture of 64 pixels fits with its frame
GAP = 8
SECOND = np.random.default_rng(5).integers(0, 256, (64, 64, 3)).astype(np.uint8)


@pytest.fixture(name="written")
def _written(monkeypatch):
    """All lines that are drawn."""
    lines = []
    drawn = ImageDraw.ImageDraw.text

    def text(self, place, line, **options):
        lines.append(line)
        return drawn(self, place, line, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return lines


def pictures(sheet, column):
    """The three of a tile of a sheet of one row."""
    left = column * (3 * SIDE + GAP)
    row = sheet[-SIDE - GAP : -GAP, left : left + 3 * SIDE]
    return [row[1:-1, k * SIDE + 1 : (k + 1) * SIDE - 1] for k in range(3)]


def mask_of(one):
    return np.where(one.masks.edit[..., None], [255] * 3, 0)


def test_a_case_is_shown_with_its_reference_and_mask(written):
    one = case("object_add")
    sheet = cases_sheet([one], SIDE)
    shown = (one.source, one.reference, mask_of(one))
    assert all(map(np.array_equal, pictures(sheet, 0), shown))
    assert (pictures(sheet, 1)[0] == 255).all()  # the rest of the row is empty
    assert written[0] == "object_add  (studio, imperative)"


def test_a_second_picture_takes_the_masks_place_and_the_title_says_so(written):
    one = case("object_add", object_photo=SECOND)
    plain = case("recolor", index=1)
    sheet = cases_sheet([one, plain], SIDE)
    shown = (one.source, SECOND, one.reference)
    assert all(map(np.array_equal, pictures(sheet, 0), shown))
    shown = (plain.source, plain.reference, mask_of(plain))
    assert all(map(np.array_equal, pictures(sheet, 1), shown))
    titles = [line for line in written if "studio" in line]
    assert titles == [
        "object_add  (studio, imperative): source, second picture, reference",
        "recolor  (studio, imperative)",
    ]


@pytest.mark.parametrize("style", STYLES)
def test_the_longest_title_fits(style):
    one = case("object_replace", style=style, object_photo=SECOND)
    head = cases_sheet([one], 160)[:15]  # the title's line
    assert (head[:, 300:400] < 128).any()
    assert (head[:, 3 * 160 - 3 :] == 255).all()
