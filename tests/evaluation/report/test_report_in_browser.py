"""The page in a real browser: no word to the network, no error, nothing too wide."""

import time

import pytest

from tbstar_jax.evaluation.report.write import write_report
from tests.evaluation.report.contents import HOSTILE, content, judged, records
from tests.support.browser import CHROMIUM, NO_BROWSER

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)

DESKTOP, PHONE = 1280, 390
SECONDS_TO_SCROLL = 10.0


@pytest.fixture(name="address", scope="module")
def _address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    name = HOSTILE * 3  # long, and without a place to break it
    made, summaries = judged(reason=HOSTILE, system=name)
    given = content(
        rows={name: records(name), "copy input": records("copy input", -0.2)},
        notes=[HOSTILE],
        judges=summaries,
        judgements=made,
    )
    write_report(given, folder)
    return (folder / "report.html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_it_opens_without_a_request_or_an_error(browser, address, width, scheme):
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    page = context.new_page()
    wrong, asked = [], []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    assert wrong == []
    assert [one for one in asked if not one.startswith("data:")] == [address]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    broken = "[...document.images].filter(one => !one.naturalWidth).length"
    assert page.evaluate(broken) == 0
    assert page.evaluate("document.images.length") == 36
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 22, 24)"}[scheme]
    context.close()


def test_galleries_open_and_tables_scroll_by_keyboard(browser, address):
    page = browser.new_page(viewport={"width": PHONE, "height": 800})
    page.goto(address)
    opened = "[...document.querySelectorAll('#gallery details')].map(one => one.open)"
    assert page.evaluate(opened) == [True, False, False]
    page.locator("#gallery summary").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.evaluate(opened) == [True, True, False]
    board = page.locator("#leaderboard .wide")
    board.focus()
    page.keyboard.press("ArrowRight")
    # The page's security policy forbids the browser's own waiting for an expression.
    scrolled = "document.querySelector('#leaderboard .wide').scrollLeft"
    until = time.monotonic() + SECONDS_TO_SCROLL
    while not page.evaluate(scrolled):
        assert time.monotonic() < until, "The arrow key did not scroll the table."
        page.wait_for_timeout(20)
    page.close()


def test_the_first_stop_of_the_keyboard_skips_to_the_results(browser, address):
    page = browser.new_page(viewport={"width": DESKTOP, "height": 800})
    page.goto(address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    page.close()
