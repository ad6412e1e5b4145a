"""Photos and requests in a folder, answers to them, and pairs for the blind page."""

import json

import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.preference.page import PageConfig, build_page
from tbstar_jax.evaluation.public.export import export_suite
from tbstar_jax.evaluation.public.outputs import open_outputs
from tbstar_jax.evaluation.public.preference import preference_pairs
from tbstar_jax.evaluation.public.read import read_suite
from tbstar_jax.input_pipeline.images import decode_image
from tests.evaluation.public import copies


def lines_of(folder):
    text = (folder / "prompts.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_item_is_a_line_with_its_photos(tmp_path):
    suite = read_suite("kwai", copies.kwai(tmp_path / "copy", {"on": [2], "pose": [1]}))
    assert export_suite(suite, tmp_path / "out") == ()
    first, second = lines_of(tmp_path / "out")
    assert first == {
        "suite": "kwai",
        "id": "on/0000",
        "task": "on",
        "language": "zh",
        "instruction": "换颜色",
        "photos": ["photos/on/0000.png", "photos/on/0000.2.png"],
        "answer": "on/0000.png",
    }
    assert second["photos"] == ["photos/pose/0000.png"]
    for item, line in zip(suite.items, (first, second), strict=True):
        for photo, name in zip(item.photos, line["photos"], strict=True):
            data = (tmp_path / "out" / name).read_bytes()
            np.testing.assert_array_equal(decode_image(data), photo())


def test_exported_photos_are_answers_that_can_be_read(tmp_path):
    """A system that gives the photo back: what is exported is what is asked."""
    rows = [copies.gedit_row(number, "ps_human", "cn") for number in (1, 2)]
    suite = read_suite("gedit", copies.gedit_parquet(tmp_path / "copy", rows))
    export_suite(suite, tmp_path / "out")
    outputs = open_outputs(tmp_path / "out" / "photos", suite)
    for item in suite.items:
        np.testing.assert_array_equal(outputs.read(item), item.photos[0]())


def test_a_photo_that_cannot_be_read_is_named_and_left_out(tmp_path):
    rows = [copies.gedit_row(number) for number in (1, 2)]
    rows[0]["input_image"] = {"bytes": b"no picture", "path": None}
    suite = read_suite("gedit", copies.gedit_parquet(tmp_path / "copy", rows))
    (skipped,) = export_suite(suite, tmp_path / "out")
    assert skipped.row == "color_alter/en/k1"
    assert [line["id"] for line in lines_of(tmp_path / "out")] == ["color_alter/en/k2"]


def test_another_suites_folder_is_refused(tmp_path):
    imgedit = read_suite("imgedit", copies.imgedit(tmp_path / "i", {"1": "add"}))
    kontext = read_suite("kontext", copies.kontext(tmp_path / "k", ["0000_00"]))
    for _ in range(2):
        export_suite(imgedit, tmp_path / "out")
    with pytest.raises(UserError, match="another suite"):
        export_suite(kontext, tmp_path / "out")
    assert [line["id"] for line in lines_of(tmp_path / "out")] == ["1"]


def test_kontext_answers_of_two_systems_become_a_blind_page(tmp_path):
    keys = ["0000_00", "0000_01", "0001_00"]
    suite = read_suite("kontext", copies.kontext(tmp_path / "copy", keys))
    export_suite(suite, tmp_path / "out")
    for key in keys[:2]:
        copies.save(tmp_path / "a" / f"{key}.png", copies.picture(50, 32, 32))
    for key in keys[1:]:
        copies.save(tmp_path / "b" / f"{key}.png", copies.picture(90, 32, 32))
    systems = ("ours", tmp_path / "a"), ("theirs", tmp_path / "b")
    pairs = preference_pairs(suite, tmp_path / "out", *systems)
    assert [pair.prompt for pair in pairs] == ["0000_01"]
    assert pairs[0].task == "Text Editing"
    build_page(pairs, tmp_path / "page", tmp_path / "key.json", 0, PageConfig())
    assert (tmp_path / "page" / "index.html").is_file()
    with pytest.raises(UserError, match="export kontext there first"):
        preference_pairs(suite, tmp_path / "elsewhere", *systems)
