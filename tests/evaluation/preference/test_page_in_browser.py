"""The page in a real browser: voting, resuming, saving, and no word to the network."""

import collections
import functools
import http.server
import json
import threading
from pathlib import Path

import pytest

from tbstar_jax.evaluation.preference.votes import read_votes
from tests.evaluation.preference.studies import HOSTILE, build
from tests.evaluation.preference.visits import (
    DESKTOP,
    PHONE,
    begin,
    on_screen,
    opened,
    ready,
    saved,
)
from tests.support.browser import CHROMIUM, NO_BROWSER

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)

CHOICE = {"1": "left", "2": "same", "3": "right", "4": "bad"}
ARROW = {
    "ArrowLeft": "left",
    "ArrowUp": "same",
    "ArrowRight": "right",
    "ArrowDown": "bad",
}


@pytest.fixture(name="study", scope="module")
def _study(tmp_path_factory):
    folder, key = build(
        tmp_path_factory.mktemp("study"), identical_checks=1, reference_checks=1
    )
    return (folder / "index.html").as_uri(), key


@pytest.mark.parametrize(("size", "keys"), [(DESKTOP, CHOICE), (PHONE, ARROW)])
def test_the_keyboard_votes_through_all_items(browser, study, tmp_path, size, keys):
    address, key = study
    requests = []
    with opened(browser, address, size) as page:
        page.on("request", lambda sent: requests.append(sent.url))
        begin(page)
        pressed = []
        for number in range(len(key.items)):
            ready(page)
            assert page.inner_text("#progress") == f"{number} / {len(key.items)}"
            for selector in ("#left img", "#right img", "[data-choice=bad]"):
                box = page.locator(selector).bounding_box()
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= size[0]
                assert box["y"] + box["height"] <= size[1]
            press = list(keys)[number % 4]
            pressed.append((on_screen(page), keys[press]))
            page.keyboard.press(press)
        page.wait_for_selector("#done:visible")
        with page.expect_download() as download:
            page.click("#download")
        path = tmp_path / "votes.json"
        download.value.save_as(path)
        assert download.value.suggested_filename == f"votes-{key.study}-anna.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content == saved(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    votes = content["votes"]
    assert [((one["left"], one["right"]), one["choice"]) for one in votes] == pressed
    assert [one["place"] for one in votes] == list(range(len(key.items)))
    assert sorted(one["item"] for one in votes) == sorted(item.id for item in key.items)
    read = read_votes([path], key)
    assert (len(read.votes), read.num_unseen, read.num_repeated) == (6, 0, 0)
    assert {url.split(":")[0] for url in requests} <= {"file", "blob"}


def test_order_and_sides_are_random_by_rater_and_the_same_after_a_reload(
    browser, tmp_path
):
    folder, key = build(tmp_path, num_prompts=8)
    first = {item.first.id for item in key.items}
    orders, sides = {}, collections.Counter()
    with opened(browser, (folder / "index.html").as_uri()) as page:
        for rater in ("anna", "ben", "李雷", "anna"):
            page.evaluate("localStorage.clear()")
            page.reload()
            begin(page, rater)
            seen = []
            for _ in key.items:
                ready(page)
                seen.append(on_screen(page))
                page.keyboard.press("2")
            page.wait_for_selector("#done:visible")
            votes = saved(page)["votes"]
            assert [(one["left"], one["right"]) for one in votes] == seen
            assert orders.setdefault(rater, seen) == seen
            sides.update(left in first for left, _ in seen)
    sequences = {tuple(frozenset(pair) for pair in seen) for seen in orders.values()}
    assert len(sequences) == 3
    assert 0.3 < sides[True] / sides.total() < 0.7
    lefts = {
        frozenset(pair): {
            seen_left for seen in orders.values() for seen_left, _ in seen
        }
        & set(pair)
        for pair in orders["anna"]
    }
    assert sum(len(ids) == 2 for ids in lefts.values()) >= 3  # both sides were seen


def test_a_rater_resumes_after_a_reload_and_another_starts_anew(browser, study):
    with opened(browser, study[0]) as page:
        begin(page)
        for press in "123":
            ready(page)
            page.keyboard.press(press)
        ready(page)
        waiting = on_screen(page)
        page.reload()
        assert page.input_value("#rater") == "anna"
        page.keyboard.press("Enter")
        ready(page)
        assert page.inner_text("#progress") == "3 / 6"
        assert on_screen(page) == waiting
        for _ in range(3):
            ready(page)
            page.keyboard.press("4")
        page.wait_for_selector("#done:visible")
        choices = [one["choice"] for one in saved(page)["votes"]]
        assert choices == ["left", "same", "right", "bad", "bad", "bad"]
        page.reload()
        begin(page, "ben")
        ready(page)
        assert page.inner_text("#progress") == "0 / 6"


def test_undo_takes_the_last_vote_back(browser, study):
    with opened(browser, study[0]) as page:
        begin(page)
        ready(page)
        assert page.is_disabled("#undo")
        first = on_screen(page)
        page.keyboard.press("1")
        ready(page)
        second = on_screen(page)
        page.keyboard.press("u")
        ready(page)
        assert on_screen(page) == first != second
        page.keyboard.press("3")
        ready(page)
        assert on_screen(page) == second
        for _ in range(5):
            ready(page)
            page.keyboard.press("2")
        page.wait_for_selector("#done:visible")
        assert [one["choice"] for one in saved(page)["votes"]] == ["right"] + [
            "same"
        ] * 5
        page.click("#back")
        ready(page)
        assert page.inner_text("#progress") == "5 / 6"


def test_a_held_key_or_a_second_tap_votes_once(browser, study):
    with opened(browser, study[0], pause=True) as page:
        begin(page)
        ready(page)
        page.keyboard.down("1")
        page.keyboard.press("2")  # the next item is not yet to be voted on
        ready(page)
        page.keyboard.down("1")  # still held: the keyboard repeats it
        page.keyboard.up("1")
        assert page.inner_text("#progress") == "1 / 6"


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_chinese_browser_gets_a_chinese_page_and_can_switch(browser, study, size):
    with opened(browser, study[0], size, locale="zh-CN") as page:
        assert page.inner_text("#start h1") == "哪个修改更好？"
        assert page.get_attribute("html", "lang") == "zh-CN"
        begin(page, "安娜")
        ready(page)
        choices = page.locator("[data-choice] span").all_inner_texts()
        assert choices == ["A 更好", "差不多", "B 更好", "都不好"]
        page.click("#language")
        choices = page.locator("[data-choice] span").all_inner_texts()
        assert choices == [
            "A is better",
            "About the same",
            "B is better",
            "Both are bad",
        ]
        assert page.get_attribute("html", "lang") == "en"
        empty = page.evaluate(
            "[...document.querySelectorAll('[data-text]')]"
            ".filter(node => !node.textContent.trim()).length"
        )
        assert empty == 0


def test_a_tap_enlarges_and_turns_in_place(browser, study):
    with opened(browser, study[0], PHONE) as page:
        begin(page)
        ready(page)
        left, right = on_screen(page)
        page.tap("#left button")
        assert left in page.get_attribute("#large", "src")
        page.tap("#large")
        assert right in page.get_attribute("#large", "src")
        page.keyboard.press("ArrowLeft")
        assert left in page.get_attribute("#large", "src")
        page.keyboard.press("1")  # no vote while it is open
        page.tap("#close")
        assert page.inner_text("#progress") == "0 / 6"


def test_a_hostile_instruction_is_shown_as_written(browser, study):
    address, key = study
    with opened(browser, address) as page:
        begin(page)
        for _ in key.items:
            ready(page)
            if page.text_content("#instruction") == HOSTILE:
                break
            page.keyboard.press("2")
        assert page.text_content("#instruction") == HOSTILE
        assert page.locator("#instruction *").count() == 0
        assert page.title() == "A / B"


def test_a_picture_that_is_gone_is_skipped_and_never_voted_on(browser, tmp_path):
    folder, key = build(tmp_path)
    gone = key.items[0]
    (folder / "images" / f"{gone.first.id}.webp").unlink()
    context = browser.new_context()
    page = context.new_page()
    page.goto((folder / "index.html").as_uri())
    begin(page)
    for _ in range(4):
        page.wait_for_selector("[data-choice=left]:enabled, #skip:visible")
        if page.is_visible("#skip"):
            page.keyboard.press("1")
            page.click("#skip")
        else:
            page.keyboard.press("1")
    page.wait_for_selector("#done:visible")
    voted = {one["item"] for one in saved(page)["votes"]}
    assert voted == {item.id for item in key.items[1:]}
    assert page.inner_text("#count") == "3 of 4 comparisons have your vote."
    context.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_on_a_host_it_asks_for_its_own_files_and_may_not_call_elsewhere(browser, study):
    folder = Path(study[0].removeprefix("file://")).parent
    handler = functools.partial(_Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host = f"http://127.0.0.1:{server.server_port}/"
        context = browser.new_context()
        page = context.new_page()
        requests = []
        page.on("request", lambda sent: requests.append(sent.url))
        page.goto(host)
        begin(page)
        for _ in study[1].items:
            ready(page)
            page.keyboard.press("1")
        page.wait_for_selector("#done:visible")
        assert {url for url in requests if not url.startswith(host)} == set()
        assert len(requests) > 10
        blocked = page.evaluate(
            """host => new Promise(resolve => {
              const seen = [];
              setTimeout(() => resolve(seen.sort()), 3000);
              document.addEventListener("securitypolicyviolation", event => {
                seen.push(event.effectiveDirective);
                if (seen.length === 3) resolve(seen.sort());
              });
              fetch(host).catch(() => {});
              new Image().src = "http://127.0.0.2/x.png";
              const script = document.createElement("script");
              script.textContent = "document.title = 'owned'";
              document.body.append(script);
            })""",
            host,
        )
        assert blocked == ["connect-src", "img-src", "script-src-elem"]
        assert page.title() == "A / B"
        context.close()
        server.shutdown()
        thread.join()
