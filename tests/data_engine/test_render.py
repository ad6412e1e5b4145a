import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.data_engine.render.layers import Layer, Pen, compose, ellipse
from tbstar_jax.data_engine.render.renderer import PARTS, draw_layers, render
from tbstar_jax.data_engine.render.sampling import (
    Needs,
    generator,
    sample_scene,
    stands_out,
)
from tbstar_jax.data_engine.render.scene import (
    COLORS,
    FAMILIES,
    SETTINGS,
    scene_digest,
)

DIGEST = """
import hashlib
from tbstar_jax.data_engine.render.renderer import render
from tbstar_jax.data_engine.render.sampling import Needs, generator, sample_scene
digest = hashlib.sha256()
for index in range(6):
    rng = generator("tests", 0, index, "scene")
    digest.update(render(sample_scene(rng, (64, 64), Needs())).tobytes())
print(digest.hexdigest())
"""


def scenes(count, size=(64, 64), needs=Needs()):  # noqa: B008
    for index in range(count):
        yield sample_scene(generator("tests", 0, index, "scene"), size, needs)


def test_the_same_scene_gives_the_same_bytes_in_any_process():
    digest = hashlib.sha256()
    for scene in scenes(6):
        digest.update(render(scene).tobytes())
    for hash_seed in ("0", "12345"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", DIGEST],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == digest.hexdigest()


def test_a_picture_has_the_size_of_its_scene():
    for size in ((128, 128), (144, 112), (64, 48)):
        (scene,) = scenes(1, size)
        picture = render(scene)
        assert picture.shape == (*size, 3)
        assert picture.dtype == np.uint8


def test_layers_drawn_like_an_equal_scene_are_the_same_objects():
    (scene,) = scenes(1)
    first = draw_layers(scene)
    second = draw_layers(scene, like=first)
    assert all(first.parts[part] is second.parts[part] for part in PARTS)


def test_a_pixel_with_zero_alpha_keeps_its_exact_value():
    background = np.random.default_rng(0).random((4, 4, 3))
    alpha = np.zeros((2, 2))
    alpha[0, 0] = 0.5
    layer = Layer(top=1, left=1, color=np.zeros((2, 2, 3)), alpha=alpha)
    with_layer = compose(background, [layer])
    without = compose(background, [])
    differs = np.any(with_layer != without, axis=2)
    assert np.argwhere(differs).tolist() == [[1, 1]]


def test_compositing_half_black_over_white_rounds_once():
    layer = Layer(top=0, left=0, color=np.zeros((1, 1, 3)), alpha=np.full((1, 1), 0.5))
    halves = compose(np.ones((1, 1, 3)), [layer, layer])
    assert halves.tolist() == [[[64, 64, 64]]]


def test_coverage_of_a_disc_has_its_area():
    pen = Pen((64, 64), center=32.0, ground=60.0, height=48.0, half_width=0.5)
    area = pen.polygon(ellipse(0.0, 0.5, 0.5, 0.5)).sum()
    # A polygon of 40 corners inside a circle of radius 24, its edge drawn at 4x.
    assert area == pytest.approx(np.pi * 24**2, rel=0.02)


def test_a_mirrored_pen_draws_the_mirror_image():
    pens = [
        Pen((64, 64), center=32.0, ground=60.0, height=40.0, half_width=0.6, flip=flip)
        for flip in (False, True)
    ]
    triangle = [(0.0, 0.1), (0.5, 0.9), (0.0, 0.9)]
    straight, mirrored = (pen.polygon(triangle) for pen in pens)
    assert np.abs(straight - mirrored[:, ::-1]).mean() < 0.02


def test_products_fill_the_photo_and_stay_inside():
    for scene in scenes(120, (128, 128)):
        layers = draw_layers(scene)
        reach = layers.reach("product")
        rows, columns = np.flatnonzero(reach.any(1)), np.flatnonzero(reach.any(0))
        tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert max(tall, wide) >= 0.45 * 128
        assert rows[0] > 0
        assert rows[-1] < 127
        assert columns[0] > 0
        assert columns[-1] < 127


def test_a_prop_is_mostly_visible():
    for scene in scenes(40, (144, 112), Needs(prop=True)):
        layers = draw_layers(scene)
        prop, product = layers.reach("prop"), layers.reach("product")
        assert (prop & ~product).sum() > 0.5 * prop.sum()


def test_every_family_and_background_can_be_drawn():
    drawn = {(s.family.id, s.background.setting.id) for s in scenes(400, (32, 32))}
    assert {family for family, _ in drawn} == {family.id for family in FAMILIES}
    assert {setting for _, setting in drawn} == {setting.id for setting in SETTINGS}


def test_a_white_background_is_pure_white():
    (scene,) = scenes(1, needs=Needs(white=True, watermark=False))
    assert render(scene)[0, 0].tolist() == [255, 255, 255]


def test_palette_colours_can_be_told_apart():
    for index, color in enumerate(COLORS):
        for other in COLORS[index + 1 :]:
            assert stands_out(color.rgb, other.rgb, distance=55.0), (color, other)


def test_scenes_of_two_spaces_or_seeds_differ():
    digests = {
        scene_digest(
            sample_scene(generator(space, seed, 0, "scene"), (64, 64), Needs())
        )
        for space in ("stage1", "stage2")
        for seed in (0, 1)
    }
    assert len(digests) == 4


def test_a_picture_survives_lossless_encoding(tmp_path):
    (scene,) = scenes(1)
    picture = render(scene)
    Image.fromarray(picture).save(tmp_path / "photo.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "photo.png")), picture)
