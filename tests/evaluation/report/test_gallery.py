"""The gallery's pictures of a case with a second picture."""

import base64
import dataclasses
import io

import numpy as np
from PIL import Image

from tbstar_jax.evaluation.report.album import Album
from tbstar_jax.evaluation.report.content import pictures_of
from tbstar_jax.evaluation.report.figures import figures
from tbstar_jax.evaluation.report.page import report_html
from tests.evaluation.report.contents import content, pictures, record
from tests.evaluation.report.pages import Page
from tests.support.benchmark_cases import case

SECOND = np.full((20, 16, 3), (30, 160, 90), np.uint8)


def with_second(found):
    """Of the task `text_add` alone, as if it had one."""
    second = SECOND if found.task == "text_add" else None
    return dataclasses.replace(pictures(found), object_photo=second)


def page_of(rows):
    made = content(rows={"ours": rows}, pictures=with_second)
    return Page(report_html(made, figures(made), Album()))


def images_of(page, task):
    found = [one for tag, one in page.tags if tag == "img"]
    return [one for one in found if one["alt"].startswith(f"{task}, ")]


def kinds(images):
    return [one["alt"].rpartition(": ")[2] for one in images]


def test_the_second_picture_stands_beside_the_source_where_there_is_one():
    rows = [record("ours", task, 0, "en", 0.5) for task in ("recolor", "text_add")]
    page = page_of(rows)
    assert kinds(images_of(page, "recolor")) == [
        "source",
        "reference",
        "output",
        "error map",
    ]
    shown = images_of(page, "text_add")
    assert kinds(shown) == [
        "source",
        "second picture",
        "reference",
        "output",
        "error map",
    ]
    assert page.text.count("second picture") == 1  # its caption
    with Image.open(io.BytesIO(_data(shown[1]))) as image:
        assert image.size == (16, 20)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(pixels - SECOND).max() < 6  # JPEG
    columns = [one["class"] for tag, one in page.tags if tag == "div" and _is_row(one)]
    assert columns == ["row", "row five"]


def test_it_is_shown_where_the_answer_is_missing():
    page = page_of([record("ours", "text_add", 0, "en", 0.0, status="missing")])
    shown = kinds(images_of(page, "text_add"))
    assert shown == ["source", "second picture", "reference"]


def test_the_pictures_of_a_prompt_have_that_of_its_case():
    for second in (None, SECOND):
        found = pictures_of(case("object_add", object_photo=second), None)
        assert found.object_photo is second


def _data(image):
    return base64.b64decode(image["src"].partition(",")[2])


def _is_row(values):
    return "row" in values.get("class", "").split()
