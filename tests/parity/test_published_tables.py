"""The presets at full size, on shapes alone, against the published key tables.

The reference implementation gives the tables on torch's meta device: 20,430,401,088
parameters in the transformer and 126,892,531 in the autoencoder, as published.
"""

import dataclasses
import inspect
import math

import pytest

from tbstar_jax.config import from_json, to_json
from tbstar_jax.convert.parts import abstract_part, layout_of
from tbstar_jax.model.presets import PUBLIC_PRESETS, preset, qwen_image_edit_2511
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.trees import flatten


def _published(name):
    """Key to shape, of a model of the reference implementation at its defaults."""
    import diffusers
    import torch

    with torch.device("meta"):
        state = getattr(diffusers, name)().state_dict()
    return {key: tuple(tensor.shape) for key, tensor in state.items()}


def _ours(part, names):
    """The same from our abstract tree through the key map."""
    config = qwen_image_edit_2511()
    layout = layout_of(part, config, names)
    leaves = flatten(abstract_part(part, config))
    assert leaves.keys() == {leaf.ours for leaf in layout.leaves}
    table = {
        name: leaf.their_shape(leaves[leaf.ours].shape)
        for leaf in layout.leaves
        for name in leaf.theirs
    }
    unused = {name for name in names if layout.unused and name.endswith(layout.unused)}
    return table, unused


@pytest.mark.parametrize(
    ("part", "name", "num_tensors", "num_parameters"),
    [
        ("params", "QwenImageTransformer2DModel", 1933, 20_430_401_088),
        ("vae", "AutoencoderKLQwenImage", 194, 126_892_531),
    ],
)
def test_every_published_tensor_has_its_place(part, name, num_tensors, num_parameters):
    published = _published(name)
    assert len(published) == num_tensors
    assert sum(math.prod(shape) for shape in published.values()) == num_parameters
    ours, unused = _ours(part, published)
    assert {**ours, **{name: published[name] for name in unused}} == published


def test_what_is_unused_are_the_convolutions_in_time():
    _, unused = _ours("vae", _published("AutoencoderKLQwenImage"))
    where = (
        "encoder.down_blocks.5",
        "encoder.down_blocks.8",
        "decoder.up_blocks.0.upsamplers.0",
        "decoder.up_blocks.1.upsamplers.0",
    )
    ends = ("weight", "bias")
    assert unused == {f"{place}.time_conv.{end}" for place in where for end in ends}


@pytest.mark.parametrize("name", PUBLIC_PRESETS)
def test_a_preset_survives_its_json(name):
    assert from_json(ModelConfig, to_json(preset(name))) == preset(name)


def test_presets_differ_only_in_how_sources_are_treated():
    choices = {
        name: (
            preset(name).transformer.source_time,
            preset(name).transformer.source_attention,
            preset(name).conditioner.edit_prompt,
        )
        for name in PUBLIC_PRESETS
    }
    assert choices == {
        "qwen-image": ("zero", "cached", "edit_plus"),
        "qwen-image-2512": ("zero", "cached", "edit_plus"),
        "qwen-image-edit": ("same", "full", "edit"),
        "qwen-image-edit-2509": ("same", "full", "edit_plus"),
        "qwen-image-edit-2511": ("zero", "full", "edit_plus"),
    }
    sizes = {
        dataclasses.replace(
            preset(name).transformer, source_time="zero", source_attention="full"
        )
        for name in PUBLIC_PRESETS
    }
    assert len(sizes) == 1
    assert len({preset(name).vae for name in PUBLIC_PRESETS}) == 1


def test_the_autoencoder_has_the_published_statistics():
    from diffusers import AutoencoderKLQwenImage

    signature = inspect.signature(AutoencoderKLQwenImage.__init__)
    defaults = {n: p.default for n, p in signature.parameters.items()}
    config = qwen_image_edit_2511().vae
    assert list(config.latents_mean) == defaults["latents_mean"]
    assert list(config.latents_std) == defaults["latents_std"]
