"""Cut-outs: every opaque pixel of the product is in both pictures, bit for bit."""

import dataclasses
import io
import pickle  # noqa: TID251, what workers are sent by
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.data_engine.construct.cutout import (
    CUTOUT_TASKS,
    Asset,
    CutoutComposite,
)
from tbstar_jax.data_engine.construct.cutout_image import decode_cutout, fitted
from tbstar_jax.data_engine.facts import facts_of
from tbstar_jax.data_engine.language import language_of
from tbstar_jax.data_engine.stage import Method, Reject, record_generator
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import OUTPAINT_FILL
from tbstar_jax.input_pipeline.images import decode_image, decode_mask, encode_png
from tbstar_jax.input_pipeline.records import EditRecord, check_record
from tests.data_engine.construct.classical_photos import real

CANVAS = (96, 96)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def vase(rows=30, columns=22, seed=0):
    """A soft-edged ellipse of noise; no two pixels alike, transparent ones green."""
    y, x = (np.mgrid[: rows + 6, : columns + 6] + 0.5) - 3
    away = np.hypot((y - rows / 2) / (rows / 2), (x - columns / 2) / (columns / 2))
    alpha = np.clip((1 - away) * 8 + 0.5, 0, 1)
    color = np.random.default_rng(seed).integers(0, 256, (*alpha.shape, 3))
    color = np.where(alpha[:, :, None] > 0, color, (0, 255, 0))
    return np.dstack([color, np.rint(alpha * 255)]).astype(np.uint8)


def photo(pixels=None, **provenance):
    return EditRecord(
        key="vase",
        source_images=(png(vase() if pixels is None else pixels),),
        target_image=b"",
        change_mask=b"",
        instructions_en=(),
        instructions_zh=(),
        task="identity",
        scene="vase",
        provenance={
            "licence": "CC0-1.0",
            "origin": "mine",
            "facts": {"object_en": "vase", "object_zh": "花瓶"},
            **provenance,
        },
    )


@pytest.fixture
def candle(tmp_path):
    path = tmp_path / "candle.png"
    path.write_bytes(png(vase(20, 12, seed=1)))
    return Asset(path=str(path), name_en="candle", name_zh="蜡烛", licence="MIT")


def made(method, record=None, seed=0):
    with method.open() as transform:
        record = photo() if record is None else record
        return list(transform(record, record_generator(seed, method.name, record.key)))


def pairs(task, candle, count=6, **settings):
    method = CutoutComposite(
        canvas=CANVAS,
        tasks=(task,),
        pairs_per_photo=count,
        companions=(candle,),
        **settings,
    )
    records = made(method)
    return [
        (
            record,
            decode_image(record.source_images[0]),
            decode_image(record.target_image),
            decode_mask(record.change_mask) > 0,
        )
        for record in records
    ]


def places(picture, pixels):
    """Where all opaque pixels of a cut-out stand in a picture, bit for bit."""
    cutout = decode_cutout(png(pixels), "vase")
    solid = cutout.alpha == 255
    rows, columns = cutout.size
    first = tuple(np.argwhere(solid)[0])
    found = []
    for top in range(picture.shape[0] - rows + 1):
        for left in range(picture.shape[1] - columns + 1):
            corner = picture[top + first[0], left + first[1]]
            if (corner == cutout.color[first]).all():
                window = picture[top : top + rows, left : left + columns]
                if (window[solid] == cutout.color[solid]).all():
                    found.append((top, left))
    return found


@pytest.mark.parametrize("task", CUTOUT_TASKS)
def test_the_product_is_in_both_pictures_bit_for_bit(task, candle):
    for record, source, target, _ in pairs(task, candle):
        before, after = places(source, vase()), places(target, vase())
        assert len(after) >= 1
        if task in ("layout", "outpaint"):
            continue
        assert len(before) == len(after) == 1
        if task == "move":
            way = "right" if after[0][1] > before[0][1] else "left"
            assert facts_of(record).direction == way
            assert after[0][0] == before[0][0]
            assert abs(after[0][1] - before[0][1]) > 15
        else:
            assert before == after


@pytest.mark.parametrize("task", CUTOUT_TASKS)
def test_the_mask_is_exactly_what_differs(task, candle):
    for record, source, target, mask in pairs(task, candle):
        assert source.shape == target.shape == (*CANVAS, 3)
        np.testing.assert_array_equal(mask, np.any(source != target, axis=2))
        assert mask.any()
        check_record(record, "pairs")


@pytest.mark.parametrize("task", CUTOUT_TASKS)
def test_a_request_is_put_in_four_ways_per_language(task, candle):
    for record, *_ in pairs(task, candle, count=3):
        assert record.task == task
        english, chinese = set(record.instructions_en), set(record.instructions_zh)
        assert min(len(english), len(chinese)) >= 4
        assert {language_of(text) for text in english} == {"en"}
        assert {language_of(text) for text in chinese} == {"zh"}


def test_only_the_named_thing_comes_or_goes(candle):
    companion = vase(20, 12, seed=1)
    for record, source, target, mask in pairs("object_add", candle):
        assert (len(places(source, companion)), len(places(target, companion))) == (
            0,
            1,
        )
        ((_, left),) = places(target, companion)
        side = "left" if left < CANVAS[1] / 2 - 6 else "right"
        assert facts_of(record).position == side
        assert facts_of(record).object_en == "candle"
        assert facts_of(record).other_object_en == "vase"
        ((top, left),) = places(source, vase())
        assert not mask[top : top + 20, left + 2 : left + 18].any()
    for _, source, target, _ in pairs("object_remove", candle):
        assert (len(places(source, companion)), len(places(target, companion))) == (
            1,
            0,
        )


def test_a_white_background_is_white_but_for_the_shadow(candle):
    for _, source, target, _ in pairs("bg_white", candle):
        assert (target[:30, :8] == 255).all()
        assert (source[:30, :8] != 255).any()
        assert (target[70:] < 255).any()


def test_a_scene_replaces_white(candle):
    for record, source, target, _ in pairs("bg_scene", candle):
        assert (source[:8] == 255).all()
        assert (target[:8] < 255).any()
        assert facts_of(record).new_background_en in " ".join(record.instructions_en)


def test_a_shadow_comes_or_goes(candle):
    seen = set()
    for record, source, target, mask in pairs("light_shadow", candle, count=8):
        darker = (target.astype(int) - source)[mask].max() <= 0
        lighter = (target.astype(int) - source)[mask].min() >= 0
        assert darker != lighter
        asks_for_one = "casts a shadow" in facts_of(record).new_light_en
        assert darker == asks_for_one
        seen.add(darker)
        assert np.flatnonzero(mask.any(axis=1)).min() > 48
    assert seen == {True, False}


def test_a_layout_ends_in_a_row_on_one_ground(candle):
    companion = vase(20, 12, seed=1)
    for _, source, target, _ in pairs("layout", candle, count=8):
        grounds = [
            {
                top + len(pixels) - 6
                for pixels in (vase(), companion)
                for top, _ in places(picture, pixels)
            }
            for picture in (source, target)
        ]
        assert len(grounds[1]) == 1
        assert len(grounds[0]) >= 2


def test_an_outpainted_band_is_grey_before(candle):
    for record, source, target, mask in pairs("outpaint", candle):
        way = facts_of(record).direction
        edge = {"left": mask[:, 0], "right": mask[:, -1], "up": mask[0]}[way]
        assert edge.mean() > 0.95
        assert (source[mask] == OUTPAINT_FILL).all()
        assert 0.05 < mask.mean() < 0.5
        assert places(source, vase()) == places(target, vase())


def test_a_product_that_is_too_large_is_shrunk_once_for_both(candle):
    method = CutoutComposite(canvas=CANVAS, tasks=("move",), pairs_per_photo=4)
    for record in made(method, photo(vase(200, 150))):
        source = decode_image(record.source_images[0])
        target = decode_image(record.target_image)
        mask = decode_mask(record.change_mask) > 0
        way = -1 if facts_of(record).direction == "left" else 1
        # A patch of the product, where only the target shows the product.
        row = int(np.median(np.flatnonzero(mask.any(axis=1)))) - 6
        column = np.flatnonzero(mask[row])[0 if way < 0 else -1] - way * 14
        patch = target[row : row + 8, column : column + 8]
        assert patch.std() > 10
        offsets = [
            left - column
            for left in range(CANVAS[1] - 8)
            if (source[row : row + 8, left : left + 8] == patch).all()
        ]
        assert len(offsets) == 1
        assert offsets[0] * way < -15


def test_a_cutout_that_fits_is_not_resampled():
    cutout = decode_cutout(png(vase()), "vase")
    assert fitted(cutout, (96.0, 96.0)) is cutout


def test_shrinking_brings_no_color_from_under_transparent_pixels():
    pixels = vase(80, 60)
    pixels[:, :, :3] = np.where(pixels[:, :, 3:] > 0, (200, 30, 60), (0, 255, 0))
    small = fitted(decode_cutout(png(pixels), "vase"), (40.0, 40.0))
    assert max(small.size) == 40
    seen = small.alpha > 16
    # Soft pixels have few levels of premultiplied colour: 255 / 17 apart.
    assert np.abs(small.color[seen] - np.array([200, 30, 60])).max() <= 15
    assert small.alpha[20, 15] == 255


def test_a_cutout_is_trimmed_to_what_is_visible():
    wide = np.pad(vase(), ((9, 4), (7, 11), (0, 0)))
    trimmed, cutout = decode_cutout(png(wide), "w"), decode_cutout(png(vase()), "v")
    np.testing.assert_array_equal(trimmed.color, cutout.color)
    np.testing.assert_array_equal(trimmed.alpha, cutout.alpha)


def test_the_photo_says_where_a_pair_comes_from():
    pixels = np.dstack([real("coffee.png", 60), np.zeros((40, 60), np.uint8)])
    pixels[5:35, 10:50, 3] = 255  # a real photo's middle, cut out
    method = CutoutComposite(canvas=CANVAS, tasks=("bg_white",), pairs_per_photo=1)
    (pair,) = made(method, photo(pixels))
    assert len(places(decode_image(pair.target_image), pixels)) == 1
    assert pair.scene == "vase"
    assert {
        name: pair.provenance[name] for name in ("licence", "parents", "method")
    } == {
        "licence": "CC0-1.0",
        "parents": ["vase"],
        "method": "cutout",
    }


OPAQUE = np.full((32, 32, 4), 255, np.uint8)
UNUSABLE = [
    (encode_png(OPAQUE[:, :, :3]), "has no alpha channel"),
    (png(OPAQUE), "opaque everywhere"),
    (png(np.zeros((32, 32, 4), np.uint8)), "0 opaque pixels"),
    (b"\x89PNG nothing", "not a readable"),
]


@pytest.mark.parametrize(("data", "reason"), UNUSABLE)
def test_a_photo_that_is_no_cutout_is_rejected_with_its_key(data, reason):
    method = CutoutComposite(canvas=CANVAS, tasks=("move",), pairs_per_photo=1)
    (reject,) = made(method, dataclasses.replace(photo(), source_images=(data,)))
    assert isinstance(reject, Reject)
    assert reject.row == "vase"
    assert reason in reject.reason


def test_a_pair_is_no_photo(candle):
    method = CutoutComposite(canvas=CANVAS, tasks=("move",), pairs_per_photo=1)
    (record, *_), *_ = pairs("move", candle, count=1)
    (reject,) = made(method, record)
    assert "this is a pair" in reject.reason


def test_a_users_background_is_used(candle, tmp_path):
    path = tmp_path / "wall.png"
    wall = np.zeros((40, 80, 3), np.uint8)
    wall[:, 20:60] = (10, 200, 90)  # what a square canvas shows of it
    path.write_bytes(encode_png(wall))
    backdrop = Asset(path=str(path), name_en="green wall", name_zh="绿墙", licence="X")
    seen = 0
    for record, _, target, _ in pairs("bg_scene", candle, 8, backdrops=(backdrop,)):
        if facts_of(record).new_background_en == "green wall":
            seen += 1
            assert (target[2:20, 12:-12] == (10, 200, 90)).all()
            assert record.provenance["licence"] == "CC0-1.0 AND MIT AND X"
    assert 1 <= seen <= 7


WRONG = [
    ({"tasks": ("object_add",)}, "needs a second cut-out"),
    ({"tasks": ("recolor",)}, "cut-outs make no pairs for task 'recolor'"),
    ({"tasks": ()}, "0 tasks make no pairs"),
    ({"canvas": (16, 96)}, "32 pixels per side"),
    ({"pairs_per_photo": 0}, "0 pairs per photo"),
]


@pytest.mark.parametrize(("settings", "reason"), WRONG)
def test_settings_that_make_no_pairs_are_refused(settings, reason):
    good = {"canvas": CANVAS, "tasks": ("move",), "pairs_per_photo": 1}
    with pytest.raises(UserError, match=reason):
        CutoutComposite(**{**good, **settings})


def test_an_asset_that_is_missing_is_named(tmp_path):
    asset = Asset(path=str(tmp_path / "no.png"), name_en="a", name_zh="a", licence="X")
    method = CutoutComposite(
        canvas=CANVAS, tasks=("move",), pairs_per_photo=1, companions=(asset,)
    )
    with pytest.raises(UserError, match=r"no\.png cannot be read"):
        made(method)


def test_the_method_is_picklable_and_the_same_every_time(candle):
    method = CutoutComposite(
        canvas=CANVAS, tasks=CUTOUT_TASKS, pairs_per_photo=9, companions=(candle,)
    )
    assert isinstance(method, Method)
    again = pickle.loads(pickle.dumps(method))
    assert made(again) == made(method)
    assert made(method, seed=1) != made(method)
    assert again.fingerprint == method.fingerprint


def test_another_file_behind_an_asset_is_another_fingerprint(candle):
    method = CutoutComposite(
        canvas=CANVAS, tasks=("move",), pairs_per_photo=1, companions=(candle,)
    )
    before = method.fingerprint
    Path(candle.path).write_bytes(png(vase(20, 12, seed=2)))
    assert method.fingerprint != before
