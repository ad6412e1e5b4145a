"""The conditioner against transformers' Qwen2_5_VLForConditionalGeneration, fp32, 1e-4.

Outputs have a scale of 1. Positions, windows and pixels are compared exactly.
"""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.convert.config_vl import conditioner_config
from tbstar_jax.convert.huggingface import tensors_from_tree
from tbstar_jax.convert.key_map_vl import (
    HEAD,
    key_generation,
    language_rows,
    vision_rows,
)
from tbstar_jax.model.conditioner.qwen25_batch import PromptShape
from tbstar_jax.model.conditioner.qwen25_config import qwen25_vl_7b
from tbstar_jax.model.conditioner.qwen25_positions import (
    image_windows,
    patch_position_ids,
)
from tbstar_jax.model.conditioner.qwen25_prompt import (
    EDIT,
    EDIT_PLUS,
    TEXT_TO_IMAGE,
    picture_size,
)
from tbstar_jax.model.conditioner.qwen25_vl import Qwen25VL, abstract_conditioner
from tbstar_jax.trees import count_parameters, flatten
from tests.support import qwen_vl

TOLERANCE = 1e-4

WIDE, TALL = qwen_vl.photo(301, 457), qwen_vl.photo(520, 250, seed=1)
SQUARE = qwen_vl.photo(333, 333, seed=2)
SHORT, LONG = "变红", "make the mug blue and remove the label"

# One program for all prompts with images: three windows and some tokens to spare.
SHAPE = PromptShape(num_tokens=896, num_images=2, num_windows=19)


@pytest.fixture(scope="module")
def small():
    """Config, reference and our tree of one random checkpoint."""
    config = qwen_vl.small_config()
    model = qwen_vl.reference_model(config)
    return config, model, qwen_vl.tree_of(qwen_vl.state_of(model), config)


@pytest.fixture(scope="module")
def process():
    return qwen_vl.processor(qwen_vl.small_config())


def _apply(config, dtype=jnp.float32):
    model = Qwen25VL(config, dtype=dtype)

    def hidden(params, inputs):
        return model.apply({"params": params}, inputs, method=Qwen25VL.hidden_states)

    return jax.jit(hidden)


HIDDEN = _apply(qwen_vl.small_config())


def _tensors(inputs, sources, process, config):
    """What the reference reads, from what we read."""
    import torch

    index = np.arange(inputs.token_ids.shape[1])[None]
    mask = index < inputs.num_tokens[:, None]
    tensors = {
        "input_ids": inputs.token_ids.astype(np.int64),
        "attention_mask": mask.astype(np.int64),
    }
    if inputs.images is not None:
        area = EDIT_PLUS.picture_area
        photos = [process.pixel_values(p, area) for row in sources for p in row]
        is_cell = mask & (inputs.token_ids == config.image_token_id)
        tensors |= {
            "pixel_values": np.concatenate([pixels for pixels, _ in photos]),
            "image_grid_thw": np.asarray([(1, 2 * r, 2 * c) for _, (r, c) in photos]),
            "mm_token_type_ids": is_cell.astype(np.int32),
        }
    return {name: torch.from_numpy(array) for name, array in tensors.items()}


def _difference(model, tree, inputs, tensors, hidden=HIDDEN):
    """Largest absolute difference over the tokens that count."""
    import torch

    with torch.no_grad():
        expected = model.model(**tensors).last_hidden_state.numpy()
    actual = np.asarray(hidden(tree, inputs))
    counts = tensors["attention_mask"].numpy().astype(bool)
    assert np.abs(expected[counts]).mean() > 0.5
    return np.abs(actual - expected)[counts].max()


@pytest.mark.parametrize(
    "sources",
    [((WIDE,),), ((WIDE, TALL),), ((TALL, WIDE), (SQUARE,))],
    ids=["one image", "two odd sizes", "padded batch"],
)
def test_hidden_states_equal_the_reference(small, process, sources):
    config, model, tree = small
    inputs = process((LONG, SHORT)[: len(sources)], sources, shape=SHAPE)
    tensors = _tensors(inputs, sources, process, config)
    assert _difference(model, tree, inputs, tensors) < TOLERANCE


def test_hidden_states_of_text_alone_equal_the_reference(small, process):
    config, model, tree = small
    inputs = process((SHORT, LONG), ((), ()))
    assert inputs.images is None
    tensors = _tensors(inputs, (), process, config)
    assert _difference(model, tree, inputs, tensors) < TOLERANCE


def test_layers_with_a_sliding_window_equal_the_reference(process):
    config = qwen_vl.small_config(sliding_window=7, max_window_layers=1)
    model = qwen_vl.reference_model(config)
    tree = qwen_vl.tree_of(qwen_vl.state_of(model), config)
    inputs = process((SHORT, LONG), ((), ()))
    tensors = _tensors(inputs, (), process, config)
    assert _difference(model, tree, inputs, tensors, _apply(config)) < TOLERANCE
    assert _difference(model, tree, inputs, tensors) > 0.1


def test_bf16_stays_near_the_reference_in_fp32(small, process):
    """2e-2 relative, the bar of bf16; the reference in bf16 is 1.1e-2 off itself."""
    import torch

    config, model, tree = small
    inputs = process((LONG,), ((WIDE,),), shape=SHAPE)
    tensors = _tensors(inputs, ((WIDE,),), process, config)
    with torch.no_grad():
        expected = model.model(**tensors).last_hidden_state.numpy()
    narrow = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), tree)
    actual = _apply(config, jnp.bfloat16)(narrow, inputs)
    assert actual.dtype == jnp.bfloat16
    num = int(inputs.num_tokens[0])
    error = np.asarray(actual, np.float32)[0, :num] - expected[0, :num]
    relative = np.linalg.norm(error) / np.linalg.norm(expected[0, :num])
    assert relative < 2e-2


def _pipeline(name, model):
    import diffusers

    return getattr(diffusers, name)(
        scheduler=None,
        vae=None,
        text_encoder=model,
        tokenizer=qwen_vl.tokenizer(),
        transformer=None,
        **(
            {}
            if name == "QwenImagePipeline"
            else {"processor": qwen_vl.reference_processor()}
        ),
    )


def _assert_same_context(config, tree, inputs, embeddings, mask):
    context, num_context = jax.jit(Qwen25VL(config).apply)({"params": tree}, inputs)
    np.testing.assert_array_equal(num_context, mask.sum(1).numpy())
    context, longest = np.asarray(context), embeddings.shape[1]
    expected = embeddings.numpy()
    np.testing.assert_allclose(context[:, :longest], expected, rtol=0, atol=TOLERANCE)
    assert not context[:, longest:].any()


def test_context_of_text_is_that_of_the_public_pipeline(small, process):
    import torch

    config, model, tree = small
    pipeline = _pipeline("QwenImagePipeline", model)
    with torch.no_grad():
        embeddings, mask = pipeline._get_qwen_prompt_embeds([SHORT, LONG], "cpu")
    inputs = process((SHORT, LONG), ((), ()))
    _assert_same_context(config, tree, inputs, embeddings, mask)


def test_context_of_an_edit_is_that_of_the_public_pipeline(small, process):
    """With the positions that diffusers 0.42 gives on transformers 5."""
    import torch
    from PIL import Image

    config, model, tree = small
    pipeline = _pipeline("QwenImageEditPlusPipeline", model)
    # Width 480 and height 320; width 256 and height 544.
    resized = [
        pipeline.image_processor.resize(Image.fromarray(image), *size)
        for image, size in ((WIDE, (320, 480)), (TALL, (544, 256)))
    ]
    with torch.no_grad():
        embeddings, mask = pipeline._get_qwen_prompt_embeds([LONG], resized, "cpu")
    inputs = process((LONG,), ((WIDE, TALL),), positions="sequential")
    _assert_same_context(config, tree, inputs, embeddings, mask)


def test_context_of_the_first_edit_checkpoint_is_that_of_its_pipeline(small):
    """One picture at the autoencoder's size: 1,350 cells in 96 windows."""
    import torch
    from PIL import Image

    config, model, tree = small
    pipeline = _pipeline("QwenImageEditPipeline", model)
    resized = pipeline.image_processor.resize(Image.fromarray(WIDE), 832, 1248)
    with torch.no_grad():
        embeddings, mask = pipeline._get_qwen_prompt_embeds([LONG], resized, "cpu")
    process = qwen_vl.processor(dataclasses.replace(config, edit_prompt="edit"))
    inputs = process((LONG,), ((WIDE,),), positions="sequential")
    assert inputs.images.patches.shape[:3] == (1, 1, 96)
    _assert_same_context(config, tree, inputs, embeddings, mask)


def test_the_two_countings_of_positions_are_visibly_different(small, process):
    _, _, tree = small
    sources = ((WIDE, TALL),)
    trained = process((LONG,), sources, shape=SHAPE)
    sequential = process((LONG,), sources, shape=SHAPE, positions="sequential")
    difference = HIDDEN(tree, trained) - HIDDEN(tree, sequential)
    assert np.abs(np.asarray(difference)).max() > 0.1


@pytest.mark.parametrize("template", [TEXT_TO_IMAGE, EDIT, EDIT_PLUS])
def test_templates_are_letter_by_letter_those_of_the_pipelines(template):
    name = {
        TEXT_TO_IMAGE: "QwenImagePipeline",
        EDIT: "QwenImageEditPipeline",
        EDIT_PLUS: "QwenImageEditPlusPipeline",
    }[template]
    pipeline = _pipeline(name, None)
    num_pictures = 1 if template == EDIT else 0
    expected = pipeline.prompt_template_encode.format("{braces}")
    assert template.render("{braces}", num_pictures) == expected
    assert template.num_dropped == pipeline.prompt_template_encode_start_idx


def test_picture_sizes_are_those_of_the_public_pipelines():
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as public

    rng = np.random.default_rng(0)
    for height, width in rng.integers(50, 4000, (200, 2)).tolist():
        for area in (384 * 384, 1024 * 1024):
            expected = public.calculate_dimensions(area, width / height)
            assert picture_size(height, width, area) == expected[::-1]


@pytest.mark.parametrize(
    ("prompt", "template"), [("edit", EDIT), ("edit_plus", EDIT_PLUS)]
)
def test_tokens_and_pixels_equal_those_of_the_processor(prompt, template):
    """Pixels are put back from the windows to the order of the processor."""
    from PIL import Image

    config = dataclasses.replace(qwen_vl.small_config(), edit_prompt=prompt)
    process = qwen_vl.processor(config)
    sources = ((WIDE,), (TALL,)) if prompt == "edit" else ((WIDE, TALL),)
    texts = (LONG, SHORT)[: len(sources)]
    inputs = process(texts, sources)
    size = {"edit": ((1248, 832), (704, 1472)), "edit_plus": ((480, 320), (256, 544))}
    expected = qwen_vl.reference_processor()(
        text=[
            template.render(text, len(row))
            for text, row in zip(texts, sources, strict=True)
        ],
        images=[
            Image.fromarray(image).resize(shape, Image.Resampling.LANCZOS)
            for image, shape in zip((WIDE, TALL), size[prompt], strict=True)
        ],
        padding=True,
        padding_side="right",
        return_tensors="np",
    )
    found = []
    for row, num_tokens in enumerate(inputs.num_tokens):
        ids = expected["input_ids"][row]
        ids = ids[expected["attention_mask"][row].astype(bool)]
        np.testing.assert_array_equal(inputs.token_ids[row, :num_tokens], ids)
        patches = inputs.images.patches[row]
        cells = patches.reshape(-1, 4, config.vision.patch_dim)
        found.append(cells[inputs.cell_index[row][inputs.cell_index[row] >= 0]])
    pixels = np.concatenate(found).reshape(-1, config.vision.patch_dim)
    np.testing.assert_array_equal(pixels, expected["pixel_values"])


GRIDS = ((14, 14), (11, 16), (4, 4), (1, 5), (9, 18))


def test_windows_equal_those_of_the_reference():
    import torch
    from transformers.vision_utils import get_vision_window_index

    config = qwen25_vl_7b().vision
    grid_thw = torch.tensor([(1, 2 * rows, 2 * columns) for rows, columns in GRIDS])
    index, boundaries = get_vision_window_index(grid_thw, 2, 112, 14)
    first, found, sizes = 0, [], []
    for grid in GRIDS:
        cells = image_windows(grid, config).cells
        found.append(first + cells[cells >= 0])
        sizes.append(4 * (cells >= 0).sum(axis=1))
        first += grid[0] * grid[1]
    np.testing.assert_array_equal(np.concatenate(found), index.numpy())
    np.testing.assert_array_equal(np.cumsum(np.concatenate(sizes)), boundaries[1:])


def test_positions_of_patches_equal_those_of_the_reference():
    import torch
    from transformers.vision_utils import get_vision_position_ids

    config = qwen25_vl_7b().vision
    grid_thw = torch.tensor([(1, 2 * rows, 2 * columns) for rows, columns in GRIDS])
    found = [patch_position_ids(grid, config).reshape(-1, 2) for grid in GRIDS]
    expected = get_vision_position_ids(grid_thw, 2).numpy()
    np.testing.assert_array_equal(np.concatenate(found), expected)


def test_positions_of_tokens_equal_those_of_the_reference(small, process):
    config, model, _ = small
    sources = ((TALL, WIDE), (SQUARE,))
    inputs = process((LONG, SHORT), sources, shape=SHAPE)
    tensors = _tensors(inputs, sources, process, config)
    expected, _ = model.model.get_rope_index(
        tensors["input_ids"],
        tensors["mm_token_type_ids"],
        image_grid_thw=tensors["image_grid_thw"],
        attention_mask=tensors["attention_mask"],
    )
    expected = np.moveaxis(expected.numpy(), 0, -1)
    np.testing.assert_array_equal(inputs.position_ids, expected)


def test_both_generations_of_names_give_the_same_tree(small, tmp_path):
    from safetensors.numpy import load_file

    config, model, tree = small
    model.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert key_generation(stored) == "old"
    assert key_generation(qwen_vl.state_of(model)) == "new"
    again = flatten(qwen_vl.tree_of(stored, config))
    assert again.keys() == flatten(tree).keys()
    for name, leaf in flatten(tree).items():
        np.testing.assert_array_equal(again[name], leaf)


@pytest.mark.parametrize("generation", ["old", "new"])
def test_conversion_and_back_gives_every_tensor_but_the_head(
    small, tmp_path, generation
):
    from safetensors.numpy import load_file

    _, model, tree = small
    expected = qwen_vl.state_of(model)
    if generation == "old":
        model.save_pretrained(tmp_path)
        expected = load_file(tmp_path / "model.safetensors")
    back = {
        **tensors_from_tree({"visual": tree["visual"]}, vision_rows(generation)),
        **tensors_from_tree(
            {"language_model": tree["language_model"]}, language_rows(generation)
        ),
    }
    assert sorted([*back, HEAD]) == sorted(expected)
    for name, tensor in back.items():
        np.testing.assert_array_equal(tensor, expected[name])


def test_the_config_is_read_from_the_checkpoint(small, tmp_path):
    config, model, _ = small
    model.save_pretrained(tmp_path)
    published = json.loads((tmp_path / "config.json").read_text())
    read = conditioner_config(
        published, edit_prompt="edit_plus", max_instruction_tokens=2048
    )
    assert read == config


def test_the_7b_tree_maps_one_to_one_onto_the_published_tensors():
    """729 tensors, 8,292,166,656 parameters; the head alone is not ours."""
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration

    config = qwen25_vl_7b()
    with torch.device("meta"):
        model = Qwen2_5_VLForConditionalGeneration(qwen_vl.published_config(config))
    published = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    assert len(published) == 729
    assert sum(int(np.prod(s)) for s in published.values()) == 8_292_166_656
    tree = flatten(abstract_conditioner(config))
    ours = {
        name: leaf.their_shape(tree[leaf.ours].shape)
        for leaf in qwen_vl.families_of(published, config)
        for name in leaf.theirs
    }
    assert published.pop(HEAD) == (152_064, 3584)
    assert ours == published


def test_the_7b_model_has_the_published_number_of_parameters():
    tree = abstract_conditioner(qwen25_vl_7b())
    assert count_parameters(tree) == 7_747_169_280
    assert count_parameters(tree) + 152_064 * 3584 == 8_292_166_656


def test_the_7b_model_in_bf16_gives_a_context_for_the_transformer(process):
    config = qwen25_vl_7b()
    inputs = process((LONG, SHORT), ((TALL, WIDE), (SQUARE,)), shape=SHAPE)
    params = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, jnp.bfloat16),
        abstract_conditioner(config),
    )
    context, num_context = jax.eval_shape(
        Qwen25VL(config, dtype=jnp.bfloat16).apply, {"params": params}, inputs
    )
    assert context.shape == (2, 896 - 64, 3584)
    assert context.dtype == jnp.bfloat16
    assert num_context.shape == (2,)
