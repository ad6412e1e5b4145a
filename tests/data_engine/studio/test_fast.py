import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.data_engine.render.sampling import generator
from tbstar_jax.data_engine.studio.backends import NumpyBackend
from tbstar_jax.data_engine.studio.fast import JaxBackend
from tbstar_jax.data_engine.studio.renderer import render_all
from tbstar_jax.data_engine.studio.sampling import LOGO_FORMS, Needs, sample_scene


def labelled(index, logo, material):
    """A scene of a product with a text and a logo."""
    rng = generator("tests", 1, index, "labels")
    scene, _ = sample_scene(
        rng, (48, 40), 2, Needs(label=True, num_props=0, is_white=True)
    )
    (item,) = scene.items
    label = dataclasses.replace(item.label, logo=logo)
    item = dataclasses.replace(item, label=label, material=material)
    return dataclasses.replace(scene, items=(item,))


@pytest.fixture(scope="module")
def compared():
    scenes = [
        sample_scene(generator("tests", 1, k, "fast"), (48, 40), 2, Needs())[0]
        for k in range(8)
    ]
    # What the last has in common with the first is not drawn again.
    scenes.append(dataclasses.replace(scenes[0], items=scenes[0].items[-1:]))
    scenes += [
        labelled(k, logo, material)
        for k, (logo, material) in enumerate(
            zip(LOGO_FORMS, ("satin", "metal", "glass") * 2, strict=True)
        )
    ]
    return render_all(scenes, NumpyBackend()), render_all(scenes, JaxBackend())


def test_jax_agrees_with_the_reference_to_one_level(compared):
    levels = np.array(
        [
            np.abs(slow.image.astype(int) - fast.image.astype(int)).max(axis=2)
            for slow, fast in zip(*compared, strict=True)
        ]
    )
    assert levels.max() <= 1
    assert np.mean(levels > 0) < 1e-3


def test_jax_agrees_on_ids_masks_and_depth(compared):
    for slow, fast in zip(*compared, strict=True):
        assert np.array_equal(slow.ids, fast.ids)
        assert np.array_equal(slow.coverage, fast.coverage)
        assert np.mean(slow.influence != fast.influence) < 1e-3
        np.testing.assert_allclose(fast.depth, slow.depth, rtol=1e-6)
        np.testing.assert_allclose(fast.ink, slow.ink, atol=1e-6)
        np.testing.assert_allclose(fast.text, slow.text, atol=1e-6)
        assert np.array_equal(fast.room, slow.room)
    # Labels with a logo each are among them.
    assert sum(slow.text.any() and slow.room.max() == 1 for slow in compared[0]) >= 6


def test_float64_stays_inside_the_renderer(compared):
    # The switch is a context: what runs afterwards has JAX's usual precision.
    del compared
    assert jnp.zeros(1).dtype == jnp.float32
