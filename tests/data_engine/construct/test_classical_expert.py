"""The expert as a whole: light, protocol, and the same bytes wherever it runs."""

import concurrent.futures
import hashlib
import os
import pickle  # noqa: TID251, what workers are sent by
import subprocess
import sys

import numpy as np
import pytest

from tbstar_jax.data_engine.construct.classical.expert import TASKS, ClassicalExpert
from tbstar_jax.data_engine.construct.classical.inpaint import InpaintSettings
from tbstar_jax.data_engine.construct.classical.relight import LIGHTS
from tbstar_jax.data_engine.construct.protocol import CannotEdit, Expert
from tests.data_engine.construct.classical_photos import BOX, ask, real, studio

REQUESTS = [
    ask("object_remove", BOX),
    ask("recolor", BOX, new_color="blue"),
    ask("bg_scene", BOX, background="marble counter"),
    ask("light_shadow", light="warmer"),
]


def edit(image, request, **settings):
    return ClassicalExpert(**settings).edit(image, request, np.random.default_rng(0))


def digests(expert):
    with expert.open() as run:
        made = [run(studio(), one, np.random.default_rng(5)) for one in REQUESTS]
    return [hashlib.sha256(one.image.tobytes()).hexdigest() for one in made]


def roomy():
    return ClassicalExpert(inpaint=InpaintSettings(max_share=0.5))


@pytest.mark.parametrize("light", LIGHTS)
def test_the_mask_of_a_change_of_light_is_exact(light):
    photo = real("coffee.png", 64)
    made = edit(photo, ask("light_shadow", light=light))
    np.testing.assert_array_equal(made.mask > 0, np.any(made.image != photo, axis=2))
    assert (made.mask > 0).mean() > 0.6


def test_light_changes_what_it_says():
    photo = real("coffee.png", 64)
    made = {
        light: edit(photo, ask("light_shadow", light=light)).image.astype(float)
        for light in LIGHTS
    }
    assert (made["brighter"] >= photo).all()
    assert (made["darker"] <= photo).all()
    change = made["warmer"].mean(axis=(0, 1)) - photo.mean(axis=(0, 1))
    assert change[0] > 3
    assert change[2] < -3
    left = (made["from_left"] - photo).mean(axis=(0, 2))
    assert left[:16].mean() > 5
    assert left[-16:].mean() < -5
    fall = (made["vignette"] - photo).mean(axis=2)
    assert fall[0, 0] < fall[20, 32] <= 0


def test_a_bright_photo_does_not_get_brighter():
    with pytest.raises(CannotEdit, match="cannot become brighter"):
        edit(np.full((32, 32, 3), 245, np.uint8), ask("light_shadow", light="brighter"))


def test_light_stays_inside_a_mask():
    mask = np.zeros((96, 96), np.uint8)
    mask[:40] = 255
    made = edit(studio(), ask("light_shadow", mask=mask, light="darker"))
    assert not made.mask[40:].any()
    assert made.mask[:40].all()


def test_an_unknown_light_or_task_is_declined():
    with pytest.raises(CannotEdit, match="no light 'disco'"):
        edit(studio(), ask("light_shadow", light="disco"))
    with pytest.raises(CannotEdit, match="no edit for task 'material'"):
        edit(studio(), ask("material", material="glass"))


def test_an_edit_without_effect_is_declined():
    with pytest.raises(CannotEdit, match="as it was"):
        edit(np.zeros((32, 32, 3), np.uint8), ask("light_shadow", light="warmer"))


def test_a_mask_of_another_size_is_declined():
    mask = np.full((10, 10), 255, np.uint8)
    with pytest.raises(CannotEdit, match=r"the mask is \(10, 10\)"):
        edit(studio(), ask("object_remove", mask=mask))


def test_the_expert_says_which_tasks_it_takes():
    expert = pickle.loads(pickle.dumps(ClassicalExpert()))
    assert expert == ClassicalExpert()
    assert isinstance(expert, Expert)
    assert expert.name == "classical"
    assert expert.tasks == TASKS
    assert len(set(TASKS)) == 9


def test_another_setting_is_another_fingerprint():
    prints = {
        ClassicalExpert().fingerprint,
        ClassicalExpert(shadow=0.1).fingerprint,
        roomy().fingerprint,
    }
    assert len(prints) == 3


def test_threads_give_the_same_bytes():
    expert = roomy()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: digests(expert), range(3)))
    assert results == [digests(expert)] * 3


def test_another_process_and_hash_seed_give_the_same_bytes():
    code = (
        "from tests.data_engine.construct import test_classical_expert as t;"
        "print(*t.digests(t.roomy()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == digests(roomy())
