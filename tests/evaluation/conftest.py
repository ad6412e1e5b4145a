"""A browser, opened once per file."""

import pytest

from tests.support.browser import CHROMIUM


@pytest.fixture(name="browser", scope="module")
def _browser():
    # Only where a page is opened: most of these tests need no browser.
    from playwright.sync_api import sync_playwright

    # Where root runs tests, Chromium has no sandbox; pages are the tests' own.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()
