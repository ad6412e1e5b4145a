"""The page on disk: what is published, what is not."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.preference.page import PageConfig, build_page
from tbstar_jax.evaluation.preference.study import Answer, Pair, read_key
from tests.evaluation.preference.studies import HOSTILE, SYSTEMS, build, pairs, picture


def _study(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    (text,) = re.findall(
        r'<script type="application/json" id="study">(.*?)</script>', page, re.DOTALL
    )
    return json.loads(text)


def _pixels(path):
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def test_no_published_byte_or_name_tells_a_system(tmp_path):
    folder, _ = build(tmp_path, identical_checks=1, reference_checks=1)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    words = (*SYSTEMS, "reference", "identical", "unchanged", "recolor", "mini/")
    for path in files:
        data = path.read_bytes()
        if path.name == "index.html":
            # The page's own script may say "reference"; the study may not.
            data = json.dumps(_study(folder)).encode()
        for word in words:
            assert word.encode() not in data, (path, word)
            assert word not in path.name
    assert {path.suffix for path in files} == {".html", ".webp"}
    page = (folder / "index.html").read_bytes()
    assert not any(system.encode() in page for system in SYSTEMS)


def test_pictures_are_the_answers_pixel_for_pixel(tmp_path):
    folder, key = build(tmp_path)
    items = {item["id"]: item for item in _study(folder)["items"]}
    assert set(items) == {item.id for item in key.items}
    for item in key.items:
        number = int(item.prompt.split("/")[2])
        files = {one["id"]: one["file"] for one in items[item.id]["answers"]}
        for answer in (item.first, item.second):
            made = tmp_path / "made" / f"{answer.system}-{number}.png"
            assert (_pixels(folder / files[answer.id]) == _pixels(made)).all()
        source = tmp_path / "made" / f"source-{number}.png"
        shown = _pixels(folder / items[item.id]["source"])
        assert (shown == _pixels(source)).all()


def test_the_order_of_answers_and_items_in_the_page_tells_nothing(tmp_path):
    folder, key = build(tmp_path, num_prompts=40)
    shown = _study(folder)["items"]
    assert [item["id"] for item in shown] == sorted(item["id"] for item in shown)
    first = {item.id: item.first.id for item in key.items}
    share = np.mean([item["answers"][0]["id"] == first[item["id"]] for item in shown])
    assert 0.25 < share < 0.75
    assert {item.first.system for item in key.items} == {key.systems[0]}


def test_large_pictures_are_made_smaller_and_small_ones_are_kept(tmp_path):
    (pair,) = pairs(tmp_path / "made", 1)
    picture(pair.source, 0, (60, 90))
    config = PageConfig(max_side=45)
    build_page([pair], tmp_path / "page", tmp_path / "key.json", 0, config)
    (item,) = _study(tmp_path / "page")["items"]
    assert _pixels(tmp_path / "page" / item["source"]).shape == (30, 45, 3)
    answer = _pixels(tmp_path / "page" / item["answers"][0]["file"])
    assert answer.shape == (45, 38, 3)  # from 48 x 40


def test_an_instruction_is_data_and_never_markup(tmp_path):
    folder, _ = build(tmp_path, title="<i>A & B</i>")
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "owned'</script>" not in page
    assert page.count("<script") == page.count("</script>") == 2
    assert "<title>&lt;i&gt;A &amp; B&lt;/i&gt;</title>" in page
    assert HOSTILE in [item["instruction"] for item in _study(folder)["items"]]


def test_the_policy_allows_the_pages_own_script_and_no_network(tmp_path):
    folder, _ = build(tmp_path)
    page = (folder / "index.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "'self' file:"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert re.findall(r"https?://|//\w", page) == []


def test_a_build_is_repeatable_and_a_seed_renames_everything(tmp_path):
    made = pairs(tmp_path / "made")
    keys = [
        build_page(made, tmp_path / name, tmp_path / f"{name}.json", seed, PageConfig())
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    one, same, other = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in "abc"
    )
    assert one == same
    assert set(one) & set(other) == {"index.html"}
    assert keys[0] == keys[1]
    assert keys[0].study != keys[2].study


def test_other_pictures_are_another_study(tmp_path):
    made = pairs(tmp_path / "made")
    one = build_page(made, tmp_path / "a", tmp_path / "a.json", 1, PageConfig())
    picture(made[0].first.image, 999)
    other = build_page(made, tmp_path / "b", tmp_path / "b.json", 1, PageConfig())
    assert one.study != other.study
    assert one.items == other.items


def test_checks_are_identical_answers_and_right_edits(tmp_path):
    folder, key = build(tmp_path, identical_checks=2, reference_checks=3)
    kinds = [item.kind for item in key.items]
    assert [kinds.count(one) for one in ("pair", "identical", "reference")] == [4, 2, 3]
    shown = {item["id"]: item for item in _study(folder)["items"]}
    ids = [one["id"] for item in shown.values() for one in item["answers"]]
    assert len(ids) == len(set(ids)) == 18
    for item in key.items:
        files = {one["id"]: one["file"] for one in shown[item.id]["answers"]}
        first, second = (
            _pixels(folder / files[one.id]) for one in (item.first, item.second)
        )
        source = _pixels(folder / shown[item.id]["source"])
        assert (first == second).all() == (item.kind == "identical")
        assert (second == source).all() == (item.kind == "reference")
        if item.kind == "reference":
            number = int(item.prompt.split("/")[2])
            right = tmp_path / "made" / f"reference-{number}.png"
            assert (first == _pixels(right)).all()


def test_a_second_picture_is_published_under_a_name_that_tells_nothing(tmp_path):
    systems = (*SYSTEMS, "heron-v3")
    folder, key = build(tmp_path, systems=systems, objects=(0, 3))
    shown = {item["id"]: item for item in _study(folder)["items"]}
    files = {}
    for item in key.items:
        number = int(item.prompt.split("/")[2])
        assert ("object" in shown[item.id]) == (number in (0, 3))
        if number in (0, 3):
            files.setdefault(number, set()).add(shown[item.id]["object"])
            made = tmp_path / "made" / f"object-{number}.png"
            assert (_pixels(folder / shown[item.id]["object"]) == _pixels(made)).all()
    # One file for the three comparisons of a prompt.
    names = [name for found in files.values() for name in found]
    assert len(set(names)) == len(files) == 2
    assert all(re.fullmatch(r"images/[0-9a-f]{12}\.webp", name) for name in names)
    others = [one["source"] for one in shown.values()]
    others += [answer["file"] for one in shown.values() for answer in one["answers"]]
    assert not set(names) & set(others)


def test_checks_have_the_second_picture_under_names_of_their_own(tmp_path):
    folder, key = build(
        tmp_path, 1, objects=(0,), identical_checks=1, reference_checks=1
    )
    assert {item.kind for item in key.items} == {"pair", "identical", "reference"}
    shown = _study(folder)["items"]
    assert len({item["object"] for item in shown}) == 3
    made = _pixels(tmp_path / "made" / "object-0.png")
    for item in shown:
        assert (_pixels(folder / item["object"]) == made).all()


def test_another_second_picture_is_another_study(tmp_path):
    without = pairs(tmp_path / "made")
    made = pairs(tmp_path / "made", objects=(1,))
    keys = [
        build_page(without, tmp_path / "a", tmp_path / "a.json", 1, PageConfig()),
        build_page(made, tmp_path / "b", tmp_path / "b.json", 1, PageConfig()),
    ]
    picture(made[1].object_photo, 999, (44, 30))
    keys.append(build_page(made, tmp_path / "c", tmp_path / "c.json", 1, PageConfig()))
    assert len({key.study for key in keys}) == 3
    assert keys[0].items == keys[1].items == keys[2].items


def test_the_key_comes_back_as_written(tmp_path):
    _, key = build(tmp_path, identical_checks=1)
    assert read_key(tmp_path / "key.json") == key
    assert key.systems == (SYSTEMS[1], SYSTEMS[0])  # the first pair begins with it


def test_what_cannot_be_a_page_is_refused_in_one_sentence(tmp_path):
    made = pairs(tmp_path / "made", 2)
    page, key, config = tmp_path / "page", tmp_path / "key.json", PageConfig()
    with pytest.raises(UserError, match="would be published"):
        build_page(made, page, page / "key.json", 0, config)
    with pytest.raises(UserError, match="no pair to compare"):
        build_page([], page, key, 0, config)
    with pytest.raises(UserError, match="twice"):
        build_page([*made, made[0]], page, key, 0, config)
    with pytest.raises(UserError, match=r"5 identical checks .* 2 prompts"):
        build_page(made, page, key, 0, PageConfig(identical_checks=5))
    with pytest.raises(UserError, match="is not empty"):
        build_page(made, page, key, 0, config)  # left by the failure before
    key.write_text("{}")
    with pytest.raises(UserError, match="unlock other votes"):
        build_page(made, tmp_path / "second", key, 0, config)
    with pytest.raises(UserError, match="with itself"):
        Pair(**{**vars(made[0]), "second": made[0].first})
    gone = Pair(
        **{
            **vars(made[0]),
            "second": Answer(system="x", image=tmp_path / "made" / "gone.png"),
        }
    )
    with pytest.raises(UserError, match=r"gone\.png"):
        build_page([gone], tmp_path / "third", tmp_path / "key3.json", 0, config)
    lost = Pair(**{**vars(made[0]), "object_photo": tmp_path / "lost.png"})
    with pytest.raises(UserError, match=r"lost\.png"):
        build_page([lost], tmp_path / "fourth", tmp_path / "key4.json", 0, config)
    (tmp_path / "no.json").write_text("{}")
    with pytest.raises(UserError, match="is no key"):
        read_key(tmp_path / "no.json")
