"""Whole pipelines against diffusers: loaded from what it saved, same noise, same edit.

Four steps, true guidance 4 against the prompt " ", PIL image processing on both sides,
float32. Areas are reduced where the pipelines let them be: constants of the module, or
the function that computes sizes from them. With `sequential` positions, for diffusers
0.42 does not tell transformers 5 which tokens are images.
"""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.inference.cli import run
from tbstar_jax.inference.loaded_model import load_model
from tbstar_jax.inference.pipeline import EditPipeline
from tbstar_jax.inference.text_to_image import TextToImage
from tbstar_jax.model.conditioner import qwen25_prompt
from tests.support import qwen_vl
from tests.support.public_pipeline import (
    GUIDANCE,
    NUM_STEPS,
    noise_of,
    run_reference,
    with_budget,
    write_pipeline,
)

AREA = 128 * 128
INSTRUCTION = "把杯子换成哑光黑 make the mug matte black"
# Width to height 1.6 and 0.43: 160 x 96 and 96 x 192 at the reduced area.
WIDE, TALL = qwen_vl.photo(130, 208, 1), qwen_vl.photo(333, 143, 2)

pytestmark = pytest.mark.filterwarnings(
    # Torch warns of its own uses of what numpy and it have deprecated.
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
)


def _relative(latent, reference):
    return np.abs(latent - reference).max() / np.abs(reference).max()


def _assert_same(found, latent, image):
    pixels = np.abs(found.image.astype(int) - image.astype(int)).max()
    print(f"latent {_relative(found.latent, latent):.1e}, image {pixels} of 255")
    assert _relative(found.latent, latent) < 1e-3
    assert found.image.shape == image.shape
    assert pixels <= 2


@pytest.fixture(scope="module")
def edit_plus(tmp_path_factory):
    """The reference and ours, by `zero_cond_t`."""

    @functools.cache
    def load(zero_cond_t):
        directory = tmp_path_factory.mktemp("edit_plus")
        pipeline = write_pipeline(directory, "QwenImageEditPlusPipeline", zero_cond_t)
        return pipeline, load_model(directory, positions="sequential")

    return load


@pytest.mark.parametrize(
    ("zero_cond_t", "photos"),
    [(False, (WIDE,)), (False, (WIDE, TALL)), (True, (TALL, WIDE))],
    ids=["2509-one", "2509-two", "2511-two"],
)
def test_edit_plus_is_the_public_pipeline(edit_plus, zero_cond_t, photos, monkeypatch):
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as public
    from PIL import Image

    monkeypatch.setattr(public, "VAE_IMAGE_SIZE", AREA)
    pipeline, model = edit_plus(zero_cond_t)
    height, width = qwen25_prompt.picture_size(*photos[-1].shape[:2], AREA)
    noise = noise_of(height * width // 256)
    latent, image = run_reference(
        pipeline,
        noise,
        INSTRUCTION,
        image=[Image.fromarray(photo) for photo in photos],
        height=height,
        width=width,
    )
    edit = functools.partial(
        EditPipeline(with_budget(model, AREA)),
        references=photos[1:],
        geometry="diffusers",
        num_steps=NUM_STEPS,
        guidance=GUIDANCE,
        noise=noise,
    )
    assert image.shape == (height, width, 3)
    _assert_same(edit(photos[0], INSTRUCTION), latent, image)
    # The tolerance means something: words and photos are felt far above it.
    others = [edit(photos[0], "换成纯白背景"), edit(255 - photos[0], INSTRUCTION)]
    if len(photos) == 2:
        others.append(edit(photos[0], INSTRUCTION, references=[255 - photos[1]]))
    for other in others:
        assert _relative(other.latent, latent) > 0.01


def test_edit_is_the_public_pipeline(tmp_path, monkeypatch):
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit as public
    from PIL import Image

    pipeline = write_pipeline(tmp_path, "QwenImageEditPipeline")
    sizes = public.calculate_dimensions
    monkeypatch.setattr(public, "calculate_dimensions", lambda _, r: sizes(AREA, r))
    reduced = dataclasses.replace(qwen25_prompt.EDIT, picture_area=AREA)
    monkeypatch.setattr(qwen25_prompt, "EDIT", reduced)
    height, width = qwen25_prompt.picture_size(*TALL.shape[:2], AREA)
    noise = noise_of(height * width // 256)
    latent, image = run_reference(
        pipeline, noise, INSTRUCTION, image=Image.fromarray(TALL)
    )
    edit = EditPipeline(with_budget(load_model(tmp_path, positions="sequential"), AREA))
    arguments = {
        "geometry": "diffusers",
        "num_steps": NUM_STEPS,
        "guidance": GUIDANCE,
        "noise": noise,
    }
    _assert_same(edit(TALL, INSTRUCTION, **arguments), latent, image)
    with pytest.raises(UserError, match="at most 1 of the 2 photos"):
        edit(TALL, INSTRUCTION, references=[TALL], **arguments)


def test_text_to_image_is_the_public_pipeline(tmp_path):
    pipeline = write_pipeline(tmp_path, "QwenImagePipeline")
    size, caption = (80, 144), "一只杯子 a mug on a table"
    noise = noise_of(size[0] * size[1] // 256)
    latent, image = run_reference(
        pipeline, noise, caption, height=size[0], width=size[1]
    )
    found = TextToImage.from_checkpoint(tmp_path)(
        caption, size=size, num_steps=NUM_STEPS, guidance=GUIDANCE, noise=noise
    )
    _assert_same(found, latent, image)
    with pytest.raises(UserError, match="text-to-image checkpoint"):
        EditPipeline.from_checkpoint(tmp_path)


def test_the_command_edits_with_a_public_checkpoint(tmp_path, capsys):
    """On the photo's own canvas, in bfloat16: what the mask keeps, bit for bit."""
    from PIL import Image

    checkpoint = tmp_path / "checkpoint"
    write_pipeline(checkpoint, "QwenImageEditPlusPipeline")
    photo, mask = TALL[:70, :61], np.zeros((70, 61), np.uint8)
    mask[20:50, 10:40] = 255
    for name, image in (("in", photo), ("mask", mask), ("other", WIDE[:40, :40])):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    out = tmp_path / "out.png"
    arguments = f"--reference={tmp_path}/other.png --mask={tmp_path}/mask.png"
    run(
        [
            f"{tmp_path}/in.png",
            INSTRUCTION,
            f"--weights={checkpoint}",
            f"-o={out}",
            *arguments.split(),
            *"--steps=1 --guidance=1".split(),
        ],
        lambda loading: EditPipeline.from_checkpoint(
            loading.checkpoint, loading.loras, dtype=jnp.bfloat16
        ),
    )
    assert "bit-identical" in capsys.readouterr().out
    edited = np.asarray(Image.open(out))
    np.testing.assert_array_equal(edited[mask == 0], photo[mask == 0])
    assert np.any(edited != photo)


@pytest.mark.slow
def test_edit_plus_at_the_public_area_is_the_public_pipeline(edit_plus):
    """Nothing patched: 1248 x 832 pixels of a photo, and as many to draw."""
    from PIL import Image

    pipeline, model = edit_plus(False)
    photo = WIDE[:, :195]  # 3 : 2
    noise = noise_of(1248 * 832 // 256)
    latent, image = run_reference(
        pipeline, noise, INSTRUCTION, image=Image.fromarray(photo)
    )
    found = EditPipeline(model)(
        photo,
        INSTRUCTION,
        geometry="diffusers",
        num_steps=NUM_STEPS,
        guidance=GUIDANCE,
        noise=noise,
    )
    assert image.shape == (832, 1248, 3)
    _assert_same(found, latent, image)
