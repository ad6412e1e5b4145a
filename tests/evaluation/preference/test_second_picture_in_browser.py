"""A second picture in a real browser: beside the photo, of its own item only."""

import dataclasses
import itertools
import json
from pathlib import Path

import pytest
from PIL import Image

from tbstar_jax.evaluation.preference.page import PageConfig, build_page
from tests.evaluation.preference.studies import pairs
from tests.evaluation.preference.visits import (
    DESKTOP,
    PHONE,
    begin,
    on_screen,
    opened,
    ready,
)
from tests.support.browser import CHROMIUM, NO_BROWSER

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)

WITH = (0, 2, 3)
SHORT = "Put the mug of the second picture on the left."
WIDE, TALL = (640, 480), (480, 640)


def built(folder, size):
    """A study of pictures as large as real ones; returns address and key."""
    made = [
        dataclasses.replace(pair, instruction=SHORT)
        for pair in pairs(folder / "made", 6, objects=WITH)
    ]
    for path in (folder / "made").glob("*.png"):
        with Image.open(path) as image:
            color = image.convert("RGB").getpixel((0, 0))
        Image.new("RGB", size, color).save(path)
    page = folder / "page"
    key = build_page(made, page, folder / "key.json", 5, PageConfig())
    return (page / "index.html").as_uri(), key


@pytest.fixture(name="wide", scope="module")
def _wide(tmp_path_factory):
    return built(tmp_path_factory.mktemp("wide"), WIDE)


@pytest.fixture(name="tall", scope="module")
def _tall(tmp_path_factory):
    return built(tmp_path_factory.mktemp("tall"), TALL)


def number_of(page, key):
    """Which prompt is on the screen."""
    left, _ = on_screen(page)
    (item,) = (one for one in key.items if left in (one.first.id, one.second.id))
    return int(item.prompt.split("/")[2])


def walk(page, key):
    """Yields the number of the prompt of every item, and votes on it."""
    for _ in key.items:
        ready(page)
        yield number_of(page, key)
        page.keyboard.press("2")
    page.wait_for_selector("#done:visible")


def goto(page, key, numbers):
    """Votes until one of these prompts is on the screen."""
    for number in walk(page, key):
        if number in numbers:
            return
    raise AssertionError(f"none of {numbers} was shown")


def box(page, selector):
    found = page.locator(selector).bounding_box()
    return {
        **found,
        "right": found["x"] + found["width"],
        "bottom": found["y"] + found["height"],
    }


def test_it_is_shown_with_its_item_and_hidden_with_the_next(browser, wide):
    address, key = wide
    folder = Path(address.removeprefix("file://")).parent
    seen = []
    with opened(browser, address) as page:
        begin(page)
        items = json.loads(page.text_content("#study"))["items"]
        for number in walk(page, key):
            seen.append(page.is_visible("#object"))
            assert seen[-1] == (number in WITH)
            assert page.is_visible("#source img")
            if not seen[-1]:
                continue
            assert page.inner_text("#object span") == "Second picture"
            (told,) = (one for one in items if on_screen(page)[0] in str(one))
            shown = page.get_attribute("#object img", "src")
            assert shown == told["object"]
            made = folder.parent / "made" / f"object-{number}.png"
            with Image.open(folder / shown) as ours, Image.open(made) as given:
                assert ours.convert("RGB").tobytes() == given.convert("RGB").tobytes()
    assert {(True, False), (False, True)} <= set(itertools.pairwise(seen))


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("shape", ["wide", "tall"])
def test_all_pictures_have_their_place(browser, request, shape, size):
    address, key = request.getfixturevalue(shape)
    with opened(browser, address, size) as page:
        begin(page)
        goto(page, key, WITH)
        photo, second = box(page, "#source > button img"), box(page, "#object img")
        label, choices = box(page, "#object span"), box(page, "#choices")
        if shape == "tall" and size == PHONE:
            assert second["x"] >= photo["right"]  # beside it, in one line
            assert second["y"] == photo["y"]
        else:
            assert second["y"] >= label["bottom"] - 1
            assert label["y"] >= photo["bottom"]
            assert second["right"] <= box(page, "#left img")["x"]
        for one in (photo, second):
            assert one["x"] >= 0
            assert one["right"] <= size[0]
            assert one["bottom"] <= choices["y"]
            assert min(one["width"], one["height"]) >= 50
            ratio = one["width"] / one["height"]
            assert ratio == pytest.approx(4 / 3 if shape == "wide" else 3 / 4, abs=0.05)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_it_is_enlarged_and_one_turns_through_all_four(browser, wide, size):
    address, key = wide
    with opened(browser, address, size) as page:
        begin(page)
        for number in walk(page, key):
            files = [
                page.locator(f"{place} img").evaluate("image => image.src")
                for place in ("#source > button", "#object", "#left", "#right")
            ]
            if number not in WITH:
                del files[1]
            first = "#object button" if number in WITH else "#source > button"
            page.click(first)
            tabs = page.locator(".tabs button:visible").all()
            assert len(tabs) == len(files) + 1
            for tab in tabs:
                found = tab.bounding_box()
                assert 0 <= found["x"] <= size[0] - found["width"]
                assert tab.evaluate("tab => tab.scrollWidth <= tab.clientWidth")
            turned = []
            for _ in files:
                turned.append(page.get_attribute("#large", "src"))
                page.click("#large")
            assert page.get_attribute("#large", "src") == turned[0]
            start = 1 if number in WITH else 0
            assert turned == files[start:] + files[:start]
            assert page.is_visible("[data-view=object]") == (number in WITH)
            page.click("#close")


def test_its_label_is_in_the_language_of_the_page(browser, wide):
    address, key = wide
    with opened(browser, address, locale="zh-CN") as page:
        begin(page)
        goto(page, key, WITH)
        assert page.inner_text("#object span") == "第二张图"
        assert page.get_attribute("#object img", "alt") == "第二张图"
        assert page.get_by_role("button", name="第二张图: 放大").count() == 1
        page.click("#language")
        assert page.inner_text("#object span") == "Second picture"
        assert page.get_by_role("button", name="Second picture: enlarge").count() == 1
        page.click("#object button")
        assert page.inner_text("[data-view=object]") == "Second picture"


def test_one_that_is_gone_is_not_voted_on(browser, tmp_path):
    address, _ = built(tmp_path, (48, 40))
    with opened(browser, address) as page:
        items = json.loads(page.text_content("#study"))["items"]
        with_one = [item for item in items if "object" in item]
    (Path(address.removeprefix("file://")).parent / with_one[0]["object"]).unlink()
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    begin(page)
    skipped = []
    for _ in items:
        page.wait_for_selector("[data-choice=left]:enabled, #skip:visible")
        if page.is_visible("#skip"):
            skipped.append(on_screen(page))
            page.click("#skip")
        else:
            page.keyboard.press("1")
    page.wait_for_selector("#done:visible")
    context.close()
    ids = [answer["id"] for answer in with_one[0]["answers"]]
    assert [sorted(one) for one in skipped] == [sorted(ids)]
