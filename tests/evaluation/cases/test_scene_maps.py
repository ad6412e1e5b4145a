"""What a case tells of its scene: which thing is where, and how far away it is."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
from scipy import ndimage

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.cases.draft import box_of
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.cases.scene_maps import NO_DEPTH
from tbstar_jax.evaluation.cases.store import load_cases, write_cases
from tbstar_jax.input_pipeline.images import decode_grey16, encode_png


@pytest.fixture(scope="module")
def by_task(smoke):
    return {case.task: case for case in smoke}


def test_renders_have_maps_and_cards_have_none(smoke):
    for case in smoke:
        assert case.generator in ("studio", "overlay")
        assert case.scene is not None
        assert case.scene.instances.shape == case.scene.depth.shape == case.size
    card = make_case("mini", "bg_white", 1)
    assert card.generator == "layout"
    assert card.scene is None
    several = make_case("hard", "watermark_remove", 0)
    assert several.asked
    assert several.scene is not None


def test_instances_are_the_things_of_the_record(by_task):
    case = by_task["object_remove"]
    (thing,) = case.target_objects
    number = int(thing.id.removeprefix("item-")) + 1
    box = box_of(case.scene.instances == number)
    for name in ("top", "left", "height", "width"):
        assert abs(getattr(box, name) - getattr(thing.before, name)) <= 2
    assert case.tags["num_objects"] == "2"
    assert case.scene.instances.max() == 2


def test_the_product_is_instance_one(by_task):
    for task in ("recolor", "material"):
        case = by_task[task]
        is_product = case.scene.instances == 1
        both = (is_product & case.masks.product).sum()
        assert both > 0.95 * (is_product | case.masks.product).sum()


def test_things_stand_on_a_ground_that_goes_away_from_the_camera(smoke):
    num_walls = 0
    for case in smoke:
        maps = case.scene
        assert (maps.depth[maps.instances > 0] < NO_DEPTH).all()
        assert 1000 < maps.depth.min() < 10_000
        # Beside all things, from the bottom of the picture upwards.
        is_thing = ndimage.binary_dilation(maps.instances > 0, iterations=3)
        ground = maps.depth[::-1, ~is_thing.any(axis=0)].astype(int)
        assert (np.diff(ground, axis=0) >= 0).all(), case.id
        num_walls += bool((maps.depth == NO_DEPTH).any())
    assert num_walls > 3


def test_maps_are_kept_in_files(by_task, tmp_path):
    cases = [by_task[task] for task in ("recolor", "outpaint", "object_add")]
    write_cases(cases, tmp_path)
    for case, again in zip(cases, load_cases(tmp_path), strict=True):
        for name in ("instances", "depth"):
            drawn, read = getattr(case.scene, name), getattr(again.scene, name)
            assert read.dtype == drawn.dtype
            assert np.array_equal(read, drawn)
    line = json.loads((tmp_path / "cases.jsonl").read_text().splitlines()[0])
    assert line["scene"]["depth"]["path"] == "pictures/smoke/recolor/000/depth.png"


def test_a_case_without_a_render_has_no_maps_in_its_record(by_task, tmp_path):
    case = dataclasses.replace(by_task["recolor"], scene=None)
    write_cases([case], tmp_path)
    assert "scene" not in json.loads(
        (tmp_path / "cases.jsonl").read_text().splitlines()[0]
    )
    (again,) = load_cases(tmp_path)
    assert again.scene is None


@pytest.mark.parametrize(
    ("name", "picture", "said"),
    [
        ("depth", np.zeros((128, 128), np.uint8), "only grey of 16 bits"),
        ("depth", np.zeros((128, 64), np.uint16), "64x128 pixels, but must have 128"),
        ("instances", np.zeros((64, 128), np.uint8), "128x64 pixels, but must have"),
        ("instances", np.zeros((128, 128), np.uint16), "has mode I;16, but only 8-bit"),
    ],
)
def test_another_picture_is_no_map(by_task, tmp_path, name, picture, said):
    write_cases([by_task["recolor"]], tmp_path)
    data = encode_png(picture)
    (tmp_path / f"pictures/smoke/recolor/000/{name}.png").write_bytes(data)
    path = tmp_path / "cases.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line["scene"][name]["sha256"] = hashlib.sha256(data).hexdigest()
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError, match=said):
        list(load_cases(tmp_path))


def test_a_damaged_map_is_refused():
    data = encode_png(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16)
    assert decode_grey16(data).max() == 65520
    with pytest.raises(UserError, match="depth is damaged or truncated"):
        decode_grey16(data[:-40], "depth")


def test_maps_are_no_part_of_what_is_asked(by_task):
    case = by_task["recolor"]
    assert case_digest(dataclasses.replace(case, scene=None)) == case_digest(case)
