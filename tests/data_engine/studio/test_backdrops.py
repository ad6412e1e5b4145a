"""Floors and backdrops: what they are called, and what they look like."""

import itertools
import math
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from tbstar_jax.data_engine.render.sampling import generator, stands_out
from tbstar_jax.data_engine.render.scene import COLORS
from tbstar_jax.data_engine.studio.backdrops import LOOKS
from tbstar_jax.data_engine.studio.blender.request import request_of
from tbstar_jax.data_engine.studio.fast import JaxBackend
from tbstar_jax.data_engine.studio.packing import linear, pack
from tbstar_jax.data_engine.studio.sampling import Needs, sample_scene
from tbstar_jax.data_engine.studio.scene import (
    Backdrop,
    BackdropKind,
    Camera,
    Item,
    Light,
    Scene,
    color_of,
)
from tbstar_jax.data_engine.studio.settings import SETTINGS, WHITE, backdrop_of
from tbstar_jax.data_engine.studio.shading import (
    backdrop_color,
    kind_of,
    sheet_color,
)

ALL = (WHITE, *SETTINGS)
BY_KIND = {one.kind: one for one in reversed(ALL)}
EYE = (0.0, 1.36, 4.71)
PITCH, SPREAD = math.radians(11.0), math.tan(math.radians(11.0))


def rays(rows, columns):
    """Origins and directions through points of the picture, -1 to 1."""
    u, v = np.meshgrid(columns * SPREAD, -rows * SPREAD)
    u, v = u.ravel(), v.ravel()
    size = np.sqrt(1 + u * u + v * v)
    sine, cosine = math.sin(PITCH), math.cos(PITCH)
    way = (u / size, (v * cosine - sine) / size, (-v * sine - cosine) / size)
    return tuple(np.full_like(u, one) for one in EYE), way


def scene_of(backdrop):
    item = Item(
        family="mug",
        color="red",
        material="matte",
        accent="black",
        accent_material="plastic",
        proportions=(0.5, 0.5, 0.5, 0.5),
        x=0.0,
        z=0.0,
        turn=0.0,
        scale=1.0,
        grain=0.5,
    )
    light = Light(
        azimuth=-40.0,
        elevation=50.0,
        warmth=0.0,
        softness=0.1,
        key=0.9,
        fill=0.55,
        shadow=0.7,
    )
    camera = Camera(pitch=11.0, distance=4.8, height=0.44, field_of_view=22.0)
    return Scene(
        size=(8, 8), items=(item,), light=light, backdrop=backdrop, camera=camera
    )


def lamps_of(setting, phase=0.3):
    return pack(scene_of(backdrop_of(setting, phase))).lamps


def seen(setting, rows, columns, phase=0.3):
    """Linear colours `[n 3]`."""
    made = sheet_color(np, lamps_of(setting, phase), *rays(rows, columns))
    return np.stack(made[:3], axis=1)


def coded(light):
    return np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4)
        - 0.055
    )  # fmt: skip


def pixel_rows(rays_per_side, rows):
    """Pixels' rays in some rows of a picture of 256 pixels, then their mean."""
    steps = (np.arange(rays_per_side) + 0.5) / rays_per_side
    down = ((np.asarray(rows)[:, None] + steps).ravel() - 128) / 128
    right = ((np.arange(256)[:, None] + steps).ravel() - 128) / 128
    return down, right, (len(rows), rays_per_side, 256, rays_per_side, 3)


def test_there_are_many_settings_of_many_kinds():
    assert len(ALL) >= 80
    # Beside white, plain paper and its gradient.
    assert len({one.kind for one in ALL}) >= 40 + 3
    assert set(LOOKS) == set(typing.get_args(BackdropKind)) == {s.kind for s in ALL}


def test_all_settings_are_called_differently_in_both_languages():
    assert len({one.name_en for one in ALL}) == len(ALL)
    assert len({one.name_zh for one in ALL}) == len(ALL)
    for one in ALL:
        # They stand in the middle of sentences, after an article.
        assert one.name_en == one.name_en.lower()
        assert one.name_en.replace(" ", "").replace("-", "").isalpha()
        assert all("一" <= sign <= "鿿" for sign in one.name_zh)


@pytest.mark.parametrize("kind", [k for k in BY_KIND if k != "white"])
def test_light_is_finite_and_within_white_even_at_the_horizon(kind):
    edge = np.linspace(-0.6, 0.02, 60)
    rows = -np.tan(PITCH + np.append(edge, [-1e-5, 0.0, 1e-5])) / SPREAD
    for phase in (0.0, 0.5, 1.0):
        light = seen(BY_KIND[kind], rows, np.linspace(-2, 2, 41), phase)
        assert np.isfinite(light).all()
        assert light.min() >= 0.0
        assert light.max() <= 1.0
        assert light.max() > 0.01


def test_white_is_exactly_white():
    light = seen(WHITE, np.linspace(-3, 3, 31), np.linspace(-3, 3, 31))
    assert np.array_equal(light, np.ones_like(light))


def test_paper_shows_its_tone_in_the_pool_of_light():
    # Straight at the floor's brightest point (0, 0, 0.2).
    way = np.array([0.0, -EYE[1], 0.2 - EYE[2]])
    way = tuple(np.array([one]) for one in way / np.linalg.norm(way))
    origin = tuple(np.array([one]) for one in EYE)
    setting = BY_KIND["plain"]
    *light, along = sheet_color(np, lamps_of(setting), origin, way)
    np.testing.assert_allclose(np.stack(light)[:, 0], linear(setting.tone), rtol=1e-12)
    np.testing.assert_allclose(along[0], math.hypot(EYE[1], 0.2 - EYE[2]))


def test_any_two_kinds_of_the_same_colours_are_different_pictures():
    at = np.linspace(-1, 1, 40)
    colors = {"tone": (200, 150, 110), "accent": (60, 90, 140), "wall": (150, 190, 160)}
    shown = {}
    for kind in BY_KIND:
        scene = scene_of(Backdrop(kind=kind, **colors, phase=0.3))
        light = sheet_color(np, pack(scene).lamps, *rays(at, at))[:3]
        shown[kind] = 255 * coded(np.stack(light))
    differences = {
        (a, b): np.abs(shown[a] - shown[b]).mean()
        for a, b in itertools.combinations(shown, 2)
    }
    nearest = min(differences, key=differences.get)
    assert differences[nearest] > 2.5, nearest


def test_any_two_settings_differ_visibly():
    at = np.linspace(-1, 1, 40)
    shown = [rgb2lab(coded(seen(one, at, at)).reshape(40, 40, 3)) for one in ALL]
    differences = {
        (a.name_en, b.name_en): deltaE_ciede2000(x, y).mean()
        for (a, x), (b, y) in itertools.combinations(zip(ALL, shown, strict=True), 2)
    }
    nearest = min(differences, key=differences.get)
    # 1 is a just noticeable difference of large patches.
    assert differences[nearest] > 2.5, nearest


@pytest.mark.parametrize(
    "kind", [k for k in BY_KIND if k not in ("white", "plain", "gradient", "duo")]
)
def test_detail_is_not_finer_than_two_rays_per_pixel_resolve(kind):
    rows = [row + step for row in range(4, 254, 24) for step in (0, 1)]
    means = []
    for per_side in (2, 6):
        down, right, shape = pixel_rows(per_side, rows)
        light = seen(BY_KIND[kind], down, right).reshape(shape)
        means.append(255 * coded(light.mean(axis=(1, 3))))
    difference = np.abs(means[0] - means[1])
    assert difference.mean() < 2.0
    # There is detail: neighbours differ, or it would be a plain backdrop.
    across, down = np.diff(means[1], axis=1), means[1][1::2] - means[1][::2]
    assert max(np.abs(across).max(), np.abs(down).max()) > 4.0


@pytest.mark.parametrize(
    "kind",
    [k for k in BY_KIND if k not in ("white", "plain", "gradient", "shelf", "duo")],
)
def test_the_phase_moves_the_pattern(kind):
    at = np.linspace(-1, 1, 48)
    one, other = (seen(BY_KIND[kind], at, at, phase) for phase in (0.2, 0.65))
    assert np.mean(np.abs(coded(one) - coded(other)).max(axis=1) > 0.02) > 0.01


def test_jax_paints_what_numpy_paints_also_in_single_precision():
    at = np.linspace(-1.2, 1.2, 24)
    for kind, setting in BY_KIND.items():
        lamps = lamps_of(setting)
        arrays = rays(at, at)
        expected = np.stack(sheet_color(np, lamps, *arrays)[:3])
        cast = jax.tree.map(lambda one: jnp.asarray(one, "float32"), (lamps, arrays))
        found = np.stack(backdrop_color(jnp, kind, cast[0], *cast[1])[:3])
        assert found.dtype == np.float32
        # A tenth of one of 255 levels: single precision moves borders of cells.
        assert np.abs(found - expected).mean() < 4e-4, kind


def test_jax_paints_what_numpy_paints_to_the_last_digits_in_double_precision():
    at = np.linspace(-1.2, 1.2, 24)
    arrays = rays(at, at)
    for kind, setting in BY_KIND.items():
        lamps = lamps_of(setting)
        expected = sheet_color(np, lamps, *arrays)
        with jax.enable_x64(True):
            cast = jax.tree.map(jnp.asarray, (lamps, arrays))
            found = backdrop_color(jnp, kind, cast[0], *cast[1])
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12, err_msg=kind)


def test_the_fast_path_keeps_the_order_of_scenes_of_several_kinds():
    settings = [BY_KIND[kind] for kind in ("dots", "white", "dots", "duo")]
    arrays = rays(np.linspace(-1, 1, 8), np.linspace(-1, 1, 8))
    jobs = [
        ((lamps_of(one, 0.1 * k),), (*arrays[0], *arrays[1]))
        for k, one in enumerate(settings)
    ]
    made = JaxBackend(chunk=64, group=2).sheet(jobs)
    for ((lamps,), _), found in zip(jobs, made, strict=True):
        np.testing.assert_allclose(found, sheet_color(np, lamps, *arrays), atol=1e-9)
    assert [kind_of(job[0][0]) for job in jobs] == [one.kind for one in settings]


def test_before_every_setting_there_are_colours_that_stand_out():
    for one in ALL:
        shown = [color.id for color in COLORS if one.shows(color.rgb)]
        assert len(shown) >= 4, (one.name_en, shown)
        assert not one.shows(one.tone)
        assert one.wall is None or not one.shows(one.wall)


def test_colours_that_stand_out_are_seen_before_most_of_the_picture():
    at = np.linspace(-1, 1, 40)
    for one in ALL:
        shown = 255 * coded(seen(one, at, at))
        for color in COLORS:
            if one.shows(color.rgb):
                far = np.linalg.norm(shown - np.array(color.rgb), axis=1)
                assert np.mean(far < 40) < 0.4, (one.name_en, color.id)


def test_products_do_not_have_a_second_colour_that_covers_much():
    at = np.linspace(-1, 1, 60)
    covered = set()
    for one in ALL:
        if one.accent is None:
            continue
        far = np.linalg.norm(
            255 * coded(seen(one, at, at)) - np.array(one.accent), axis=1
        )
        is_other = all(
            stands_out(one.accent, rgb, 60.0) for rgb in (one.tone, one.wall) if rgb
        )
        if is_other and np.mean(far < 40) > 0.15:
            covered.add(one.kind)
            assert not one.shows(one.accent), one.name_en
    assert {"stripes", "dots", "chevron", "waves", "pebbles"} <= covered


def test_drawn_products_stand_out_from_floor_and_wall():
    distances = []
    for index in range(60):
        scene, setting = sample_scene(
            generator("tests", 3, index, "ground"), (8, 8), 1, Needs()
        )
        rgb = color_of(scene.items[0].color).rgb
        assert all(stands_out(rgb, ground, 60.0) for ground in setting.grounds)
        distances += [setting.name_en]
    assert len(set(distances)) > 30


def test_seamless_paper_has_no_wall_of_another_colour():
    # The benchmark turns backdrops into plain ones, whatever they were before.
    turned = Backdrop(
        kind="plain", tone=(200, 80, 60), accent=(0, 0, 0), wall=(0, 255, 0), phase=0.3
    )
    bare = Backdrop(kind="plain", tone=(200, 80, 60), phase=0.3)
    at = rays(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9))
    found, expected = (
        sheet_color(np, pack(scene_of(one)).lamps, *at) for one in (turned, bare)
    )
    assert np.array_equal(found, expected)


def test_blender_gets_the_patterns_of_floor_and_wall():
    _, plain = request_of(scene_of(backdrop_of(BY_KIND["plain"], 0.3)))
    assert plain["floor"].shape == plain["wall"].shape == (192, 192, 3)
    document, slats = request_of(scene_of(backdrop_of(BY_KIND["slats"], 0.3)))
    assert slats["floor"].shape == slats["wall"].shape == (1024, 1024, 3)
    assert document["wall"] == {"x": [-6.0, 6.0], "y": [0.0, 12.0]}
    # Battens are 0.17 apart on a wall at 6.2 from the camera; the texture shows the 12
    # of a wall at 10.7, behind which there are 12 * 6.2 / 10.7 / 0.17 = 41.
    row = slats["wall"][100].mean(axis=1)
    is_batten = row > 0.5 * (row.min() + row.max())
    assert 39 <= np.count_nonzero(np.diff(is_batten.astype(int)) > 0) <= 43
