import dataclasses
import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from tbstar_jax.data_engine.render.sampling import generator
from tbstar_jax.data_engine.studio.backends import NumpyBackend
from tbstar_jax.data_engine.studio.edits import sample_edit
from tbstar_jax.data_engine.studio.families import FAMILIES, family_of
from tbstar_jax.data_engine.studio.fields import distance
from tbstar_jax.data_engine.studio.materials import MATERIALS, material_of
from tbstar_jax.data_engine.studio.packing import pack
from tbstar_jax.data_engine.studio.renderer import render, render_all
from tbstar_jax.data_engine.studio.sampling import Needs, sample_scene
from tbstar_jax.data_engine.studio.scene import (
    Backdrop,
    Camera,
    Item,
    Label,
    Light,
    Scene,
    scene_digest,
)
from tbstar_jax.data_engine.studio.tracing import TOUCH, box_span
from tbstar_jax.errors import UserError

LIGHT = Light(
    azimuth=-45.0,
    elevation=45.0,
    warmth=0.0,
    softness=0.15,
    key=0.9,
    fill=0.55,
    shadow=0.8,
)
CAMERA = Camera(pitch=10.0, distance=4.8, height=0.4, field_of_view=17.0)
WHITE = Backdrop(kind="white", tone=(255, 255, 255))


def item(family="bottle", **changes):
    fields = {
        "family": family,
        "color": "red",
        "material": "matte",
        "accent": "black",
        "accent_material": "plastic",
        "proportions": (0.5, 0.5, 0.5, 0.6),
        "x": 0.0,
        "z": 0.0,
        "turn": 10.0,
        "scale": 1.0,
        "grain": 0.4,
    }
    return Item(**fields | changes)


def scene(*items, size=(48, 48), **changes):
    fields = {"light": LIGHT, "backdrop": WHITE, "camera": CAMERA}
    return Scene(size=size, items=items, **fields | changes)


def scenes(count, size=(48, 48), **needs):
    for index in range(count):
        rng = generator("tests", 0, index, "studio")
        yield sample_scene(rng, size, 1, Needs(**needs))[0]


@pytest.mark.parametrize("family", [family.id for family in FAMILIES])
def test_every_family_stands_on_the_floor_inside_the_picture(family):
    for proportions in ((0.0,) * 4, (1.0,) * 4):
        one = item(family, proportions=proportions)
        frame = render(dataclasses.replace(scene(one), supersampling=1))
        seen = frame.ids == 1
        assert 0.02 < seen.mean() < 0.5
        assert not seen[0].any()
        assert not seen[-1].any()
        assert not seen[:, 0].any()
        assert not seen[:, -1].any()
        # Nothing leaks out of the box that rays are clipped to: no side is flat and
        # the silhouette is one piece per row, handles and leaves aside.
        assert np.isfinite(frame.depth[seen]).all()
        assert frame.depth[seen].min() > 3


def test_the_products_are_those_of_the_benchmark():
    assert [one.id for one in FAMILIES if one.is_product] == [
        *("bottle", "jar", "tube", "box", "bag", "mug", "shoe", "lamp"),
        *("can", "phone", "watch", "tshirt"),
    ]
    for one in FAMILIES:
        # An edit of material needs another one that is not wood.
        assert len(set(one.materials) - {"wood"}) >= 2
        assert one.accent is None or material_of(one.accent[1])


@pytest.mark.parametrize("family", [one.id for one in FAMILIES])
def test_no_ray_walks_through_a_thing(family):
    for proportions in ((0.0,) * 4, (1.0,) * 4):
        body = pack(scene(item(family, proportions=proportions))).bodies[0]
        side = np.linspace(-0.6, 0.6, 60)
        x, y = (axis.ravel() for axis in np.meshgrid(side, side + 0.55))
        z = np.full_like(x, 2.0)
        way = [np.full_like(x, one) for one in (0.28, -0.36, -math.sqrt(0.792))]
        margin = np.zeros_like(x)
        enter, leave = box_span(np, body, (x, y, z), tuple(way), margin)
        rays = (x, y, z, *way)
        jobs = [((body,), (*rays, enter, leave))]
        ((along, near),) = NumpyBackend().march(jobs)
        is_hit = (near <= TOUCH) & (along < leave)
        assert 0.01 < is_hit.mean() < 0.6
        stop = np.where(is_hit, along, leave)
        # Up to where it stopped no ray was ever inside, and none began inside.
        for share in np.linspace(0.0, 0.999, 300):
            at = enter + share * (stop - enter)
            points = [o + at * w for o, w in zip(rays[:3], way, strict=True)]
            inside = (distance(np, body, *points)[0] < -2 * TOUCH) & (leave > enter)
            assert not inside.any()


@pytest.mark.parametrize("family", ["can", "phone", "watch", "tshirt"])
def test_each_proportion_of_the_newer_products_changes_their_shape(family):
    middle = (0.4,) * 4
    plain = render(scene(item(family, proportions=middle)))
    for k in range(4):
        other = tuple(1.0 if n == k else one for n, one in enumerate(middle))
        frame = render(scene(item(family, proportions=other)))
        seen = (plain.ids == 1) & (frame.ids == 1)
        moved = np.abs(plain.depth[seen] - frame.depth[seen]) > 5e-3
        assert np.sum(plain.ids != frame.ids) + np.sum(moved) > 15


@pytest.mark.parametrize("family", ["can", "phone", "tshirt"])
def test_the_newer_products_are_printed_on_all_of_their_plate(family):
    label = Label(text="", plate=(10, 200, 10), ink=(10, 200, 10))
    one = item(family, turn=0.0, label=label)
    frame = render(scene(one, size=(96, 96)))
    green = (frame.image[:, :, 1] > 2 * frame.image[:, :, 0].astype(int)) & (
        frame.ids == 1
    )
    rows, columns = (np.flatnonzero(green.any(axis=k)) for k in (1, 0))
    box = green[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert box.mean() > 0.9
    assert box.size > 150
    middle = (columns[0] + columns[-1]) / 2
    assert abs(middle - 47.5) <= 1


def test_some_products_have_an_accent_of_their_own():
    seen = {}
    for index in range(120):
        rng = generator("tests", 5, index, "accent")
        one = sample_scene(rng, (16, 16), 1, Needs(num_props=0))[0].items[0]
        seen.setdefault(one.family, set()).add((one.accent, one.accent_material))
    assert len(seen) == 12
    assert seen["phone"] == {("black", "plastic")}
    assert seen["tshirt"] == {("white", "fabric")}
    assert len(seen["watch"]) > 2


def test_materials_look_different():
    pictures = [
        render(scene(item("jar", material=one.id))).image.astype(int)
        for one in MATERIALS
    ]
    for k, picture in enumerate(pictures):
        for other in pictures[:k]:
            # On average over the picture, whose smaller part is the jar.
            assert np.abs(picture - other).mean() > 0.5


def test_a_tshirt_is_of_cloth_and_never_becomes_plastic():
    assert family_of("tshirt").materials == ("fabric", "satin")
    asked = set()
    for index in range(250):
        rng = generator("tests", 5, index, "cloth")
        edit = sample_edit(rng, "material", (16, 16))
        if edit.before.items[0].family == "tshirt":
            facts = edit.facts
            asked.add((facts.material_en, facts.new_material_en, facts.new_material_zh))
    assert asked == {
        ("cotton fabric", "shiny satin", "亮面绸缎"),
        ("shiny satin", "cotton fabric", "棉布"),
    }


@pytest.mark.parametrize("color", ["black", "red"])
def test_satin_shines_in_folds_and_its_print_is_flat(color):
    label = Label(text="", plate=(10, 200, 10), ink=(10, 200, 10))
    shirt = item("tshirt", color=color, material="fabric", turn=0.0, label=label)
    satin = dataclasses.replace(shirt, material="satin")
    dull, shiny = (render(scene(one, size=(96, 96))) for one in (shirt, satin))
    printed = dull.room[0] == 1
    cloth = (dull.coverage[0] == 1) & (dull.ink[0] == 0) & (dull.room[0] == 0)
    inner = ndimage.binary_erosion(cloth, iterations=6)
    change = np.abs(dull.image.astype(int) - shiny.image).max(axis=2)
    assert np.mean(change[cloth] >= 16) > 0.3
    # Folds are broad; threads, which cotton has, are not.
    broad = [
        ndimage.gaussian_filter(one.image.mean(axis=2), 3)[inner]
        for one in (dull, shiny)
    ]
    assert broad[1].std() > 1.4 * broad[0].std()
    assert change[printed].max() <= 1


def test_the_backdrop_is_pure_white_beside_the_shadow():
    frame = render(scene(item()))
    untouched = (frame.ids == 0) & (frame.coverage[0] == 0) & ~frame.influence[0]
    assert untouched.mean() > 0.5
    assert (frame.image[untouched] == 255).all()
    shadow = frame.influence[0] & (frame.coverage[0] == 0)
    assert frame.image[shadow].min() < 200


def test_a_shadow_falls_away_from_the_light_and_can_be_switched_off():
    columns = np.arange(48)
    weights = {}
    for azimuth in (-60.0, 60.0):
        light = dataclasses.replace(LIGHT, azimuth=azimuth)
        frame = render(scene(item(), light=light))
        dark = (255.0 - frame.image.mean(axis=2)) * (frame.coverage[0] == 0)
        weights[azimuth] = (dark.sum(axis=0) * columns).sum() / dark.sum()
    assert weights[-60] > 28  # light from the left
    assert weights[60] < 20
    off = render(scene(item(), light=dataclasses.replace(LIGHT, shadow=0.0)))
    assert (off.image[off.coverage[0] == 0] == 255).all()


def test_ids_and_coverage_agree():
    for one in scenes(4, num_props=2):
        frame = render(dataclasses.replace(one, supersampling=2))
        total = frame.coverage.sum(axis=0)
        assert total.max() <= 1
        assert len(frame.coverage) == 3
        assert set(np.unique(frame.ids)) == {0, 1, 2, 3}
        for k in range(3):
            full = frame.coverage[k] == 1
            assert (frame.ids[full] == k + 1).all()
            assert (frame.coverage[k][frame.ids == k + 1] > 0).all()
        assert (frame.ids[total == 0] == 0).all()


def test_the_nearer_thing_hides_the_further_one():
    near = item("cube", color="blue", z=0.6)
    far = item("bottle", z=-0.6, scale=1.2)
    frame = render(scene(near, far))
    assert (frame.ids == 1).any()
    assert (frame.ids == 2).any()
    assert frame.depth[frame.ids == 1].max() < frame.depth[frame.ids == 2].min()


def test_a_thing_out_of_sight_and_reach_changes_no_bit():
    # Each item is traced alone, so a far one leaves the others' values as they were.
    alone = render(scene(item()))
    far = item("ball", color="blue", x=9.0)
    both = render(scene(item(), far))
    assert np.array_equal(alone.image, both.image)


def test_a_label_is_printed_on_the_front_in_both_scripts():
    blank = Label(text="", plate=(250, 250, 250), ink=(20, 20, 20))
    pictures = []
    for text in ("", "SALE", "新品"):
        one = item("box", turn=0.0, label=dataclasses.replace(blank, text=text))
        pictures.append(render(scene(one, size=(64, 64))))
    plain, english, chinese = pictures
    assert not np.array_equal(english.image, chinese.image)
    changed = np.any(english.image != plain.image, axis=2)
    assert changed.sum() > 20
    assert (english.ink[0][changed] > 0).all()
    turned = item("box", turn=180.0, label=dataclasses.replace(blank, text="SALE"))
    assert not render(scene(turned)).ink.any()


def test_the_same_bytes_in_another_process_and_under_another_hash_seed():
    program = (
        "import hashlib\n"
        "from tbstar_jax.data_engine.render.sampling import generator\n"
        "from tbstar_jax.data_engine.studio.sampling import Needs, sample_scene\n"
        "from tbstar_jax.data_engine.studio.renderer import render\n"
        "from tbstar_jax.data_engine.studio.scene import scene_digest\n"
        "for k in range(4):\n"
        "    rng = generator('tests', 0, k, 'studio')\n"
        "    scene = sample_scene(rng, (48, 48), 1, Needs())[0]\n"
        "    print(scene_digest(scene))\n"
        "    print(hashlib.sha256(render(scene).image.tobytes()).hexdigest())\n"
    )
    here = []
    for one in scenes(4):
        here.append(scene_digest(one))
        here.append(hashlib.sha256(render(one).image.tobytes()).hexdigest())
    for seed in ("1", "2"):
        printed = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        assert printed == here


def test_the_picture_does_not_depend_on_how_rays_are_cut_into_pieces():
    small = NumpyBackend()
    small.chunk = 97
    (one,) = scenes(1, num_props=1)
    assert np.array_equal(render_all([one], small)[0].image, render(one).image)


def test_digests_name_exact_parameters():
    one = scene(item())
    assert len(scene_digest(one)) == 64
    assert scene_digest(one) == scene_digest(scene(item()))
    other = scene(item(grain=0.4000001))
    assert scene_digest(one) != scene_digest(other)


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(UserError, match="has 0 items, but 1 to 4"):
        render(scene())
    with pytest.raises(UserError, match="has 5 items"):
        render(scene(*[item()] * 5))
    with pytest.raises(UserError, match=r"\(0, 8\) pixels"):
        render(scene(item(), size=(0, 8)))
    with pytest.raises(UserError, match="scale must be positive"):
        render(scene(item(scale=0.0)))
    label = Label(text="\u0e01", plate=(1, 1, 1), ink=(2, 2, 2))
    with pytest.raises(UserError, match="no glyph"):
        render(scene(item(label=label)))
    with pytest.raises(UserError, match="unknown family 'sofa'"):
        family_of("sofa")
    with pytest.raises(UserError, match="unknown material 'gold'"):
        material_of("gold")
    with pytest.raises(UserError, match="unknown colour 'beige'"):
        render(scene(item(color="beige")))
