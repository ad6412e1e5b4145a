"""Visits to the page in a headless browser."""

import contextlib
import json

DESKTOP, PHONE = (1280, 800), (360, 740)
NO_PAUSE = """
const wait = window.setTimeout;
window.setTimeout = (done, ms) => wait(done, ms === 300 ? 0 : ms);
"""


@contextlib.contextmanager
def opened(browser, address, size=DESKTOP, locale="en-US", *, pause=False):
    """A page in a profile of its own, on which nothing may go wrong.

    Without `pause`, an item can be voted on as soon as its pictures are there.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        locale=locale,
        has_touch=size == PHONE,
        is_mobile=size == PHONE,
    )
    page = context.new_page()
    if not pause:
        page.add_init_script(NO_PAUSE)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    page.goto(address)
    try:
        yield page
    finally:
        context.close()
    assert errors == []


def begin(page, rater="anna"):
    page.fill("#rater", rater)
    page.click("#begin")


def ready(page):
    page.wait_for_selector("[data-choice=left]:enabled", timeout=10_000)


def on_screen(page):
    """Which answers are left and right: the ids in the names of their files."""
    return tuple(
        page.get_attribute(f"#{side} img", "src").split("/")[-1].removesuffix(".webp")
        for side in ("left", "right")
    )


def saved(page):
    return json.loads(page.input_value("#text"))
