"""EditPipeline and its compiled core on a reduced model with random weights."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.convert.folder import Weights
from tbstar_jax.errors import UserError
from tbstar_jax.inference.editor import Editor, SamplingOptions
from tbstar_jax.inference.pipeline import EditPipeline
from tests.support.drawn_weights import draw_parts
from tests.support.reduced import reduced_model

IDENTITIES = dict.fromkeys(("params", "vae", "conditioner"), "0" * 64)


@functools.cache
def _parts():
    """All five parts; the gate keeps some tokens of a random photo and edits others."""
    return draw_parts(reduced_model())


def _pipeline(*names):
    parts = {name: _parts()[name] for name in ("params", "vae", "conditioner", *names)}
    weights = Weights(config=reduced_model(), parts=parts, identities=IDENTITIES)
    return EditPipeline(weights)


@pytest.fixture(scope="module")
def editor_of_all():
    return _pipeline("pattern_shifting", "consistency")


@pytest.fixture(scope="module")
def without_gate():
    return _pipeline("pattern_shifting")


def _photo(height=70, width=50):
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_pixels_outside_the_edit_mask_are_the_photos(editor_of_all):
    photo = _photo()
    result = editor_of_all(photo, "make it blue", num_steps=2)
    kept = result.edit_mask == 0
    assert 0 < kept.mean() < 1
    np.testing.assert_array_equal(result.image[kept], photo[kept])
    assert np.any(result.image != photo)


def test_without_preserving_every_pixel_is_the_models(editor_of_all):
    result = editor_of_all(_photo(), "make it blue", num_steps=2, preserve="off")
    assert result.edit_mask.min() == 255


def test_an_estimated_mask_keeps_pixels_without_a_gate(without_gate):
    photo = np.full((60, 50, 3), 200, np.uint8)
    plain = without_gate(photo, "make it blue", num_steps=2)
    result = without_gate(photo, "make it blue", num_steps=2, preserve="estimated")
    np.testing.assert_array_equal(result.latent, plain.latent)
    kept = result.edit_mask == 0
    np.testing.assert_array_equal(result.image[kept], photo[kept])
    assert np.any(~kept)
    assert set(np.unique(result.edit_mask)) <= {0, 255}


def test_a_users_mask_is_kept_to_the_pixel(without_gate):
    photo = _photo()
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[20:41, 11:30] = 255
    result = without_gate(photo, "换成纯白背景", num_steps=2, mask=mask)
    np.testing.assert_array_equal(result.edit_mask, mask)
    np.testing.assert_array_equal(result.image[mask == 0], photo[mask == 0])
    assert np.any(result.image[mask == 255] != photo[mask == 255])


def test_a_second_instruction_reuses_the_photo_and_changes_no_bit(editor_of_all):
    photo = _photo()
    editor_of_all(photo, "remove the watermark", num_steps=2)
    warm = editor_of_all(photo, "make it blue", num_steps=2)
    cold = _pipeline("pattern_shifting", "consistency")(
        photo, "make it blue", num_steps=2
    )
    np.testing.assert_array_equal(warm.image, cold.image)
    np.testing.assert_array_equal(warm.keep_probability, cold.keep_probability)


def test_cached_sources_and_sources_at_every_step_give_the_same_latents():
    """Through the whole guided sampler, bit for bit."""
    editor = Editor(reduced_model())
    image = np.stack([_photo(64, 48)] * 2)
    cached = editor.prepare(_parts(), image)
    assert cached.cache is not None
    recomputed = dataclasses.replace(cached, cache=None)
    options = SamplingOptions(num_steps=3, guidance_scale=2.0, use_gate=True)
    keys = jax.random.split(jax.random.key(1), 2)
    texts = ("make the mug blue", "换成纯白背景")
    first, second = (
        editor.generate(_parts(), prepared, texts, keys, options)
        for prepared in (cached, recomputed)
    )
    np.testing.assert_array_equal(first.keep_probability, second.keep_probability)
    np.testing.assert_array_equal(first.image, second.image)
    assert np.any(np.asarray(first.image[0]) != np.asarray(first.image[1]))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"instruction": "  "}, "instruction is empty"),
        ({"instruction": "x" * 500}, "has 500 UTF-8 bytes"),
        ({"preserve": "pixel"}, "no keep gate"),
        ({"preserve": "most"}, "must be one of off, latent, pixel, estimated"),
        ({"num_steps": 0}, "at least 1"),
        ({"image": np.zeros((20, 100, 3), np.uint8)}, "too elongated"),
        (
            {"preserve": "off", "mask": np.zeros((70, 50), np.uint8)},
            "has no effect",
        ),
        (
            {"preserve": "estimated", "mask": np.zeros((70, 50), np.uint8)},
            "finds the edit mask itself",
        ),
        ({"mask": np.zeros((7, 7), np.uint8)}, "same size"),
        ({"geometry": "crop"}, "must be one of canvas, diffusers"),
        ({"geometry": "diffusers", "preserve": "latent"}, "none can be preserved"),
        ({"noise": np.zeros((3, 64), np.float32)}, r"this image needs \(15, 64\)"),
        ({"references": [_photo()] * 3}, "at most 3 of the 4 photos"),
    ],
)
def test_bad_input_gets_one_sentence(without_gate, arguments, sentence):
    call = {"image": _photo(), "instruction": "make it blue", "num_steps": 1}
    call.update(arguments)
    with pytest.raises(UserError, match=sentence) as error:
        without_gate(call.pop("image"), call.pop("instruction"), **call)
    assert "\n" not in str(error.value)


def test_the_seed_decides_the_noise(without_gate):
    photo = _photo()
    first, again, other = (
        without_gate(photo, "make it blue", num_steps=2, seed=seed).image
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_the_tree_of_a_pipeline_is_float32(without_gate):
    dtypes = {leaf.dtype for leaf in jax.tree.leaves(without_gate._model.parts)}
    assert dtypes == {jnp.dtype(jnp.float32)}
