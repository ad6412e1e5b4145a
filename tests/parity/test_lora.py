"""LoRAs to and from diffusers and PEFT, fp32, against the reference transformer.

The fixtures are written by PEFT and diffusers themselves, and what we write is read by
their own loaders.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.convert.folder import Weights
from tbstar_jax.convert.huggingface import tree_from_tensors
from tbstar_jax.convert.key_map import transformer_rows
from tbstar_jax.convert.lora import read_lora
from tbstar_jax.convert.lora_collection import (
    collection_from_loras,
    save_lora,
    tensors_of_collection,
)
from tbstar_jax.convert.lora_file import LoraFile
from tbstar_jax.convert.lora_merge import merge_loras
from tbstar_jax.model.pattern_shifting import MODULATION_LINEARS
from tbstar_jax.model.presets import tiny
from tbstar_jax.model.tbstar import TBStar, compatible_with_diffusers

TOLERANCE = 5e-5
NUM_LAYERS, HEADS, HEAD_DIM, CONTEXT, RANK, ALPHA = 2, 2, 32, 24, 4, 6.0
AXES = (8, 12, 12)
GRIDS = ((5, 3), (3, 7))
CONTEXT_LENGTHS = (9, 6)
BLOCK_LINEARS = (
    *("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"),
    *("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"),
    *("img_mlp.net.0.proj", "img_mlp.net.2", "txt_mlp.net.0.proj", "txt_mlp.net.2"),
    *("img_mod.1", "txt_mod.1"),
)
OTHER_LINEARS = (
    *("img_in", "txt_in", "norm_out.linear", "proj_out"),
    *(f"time_text_embed.timestep_embedder.linear_{i}" for i in (1, 2)),
)


@functools.cache
def _ours():
    config = tiny()
    transformer = dataclasses.replace(
        config.transformer,
        num_layers=NUM_LAYERS,
        num_attention_heads=HEADS,
        attention_head_dim=HEAD_DIM,
        joint_attention_dim=CONTEXT,
        axes_dims_rope=AXES,
    )
    adapters = dataclasses.replace(
        config.pattern_shifting,
        rank=RANK,
        alpha=ALPHA,
        targets=config.pattern_shifting.targets + MODULATION_LINEARS,
    )
    config = dataclasses.replace(
        config, transformer=transformer, pattern_shifting=adapters
    )
    return TBStar(compatible_with_diffusers(config))


def _reference():
    import torch
    from diffusers import QwenImageTransformer2DModel

    torch.manual_seed(0)
    model = QwenImageTransformer2DModel(
        num_layers=NUM_LAYERS,
        attention_head_dim=HEAD_DIM,
        num_attention_heads=HEADS,
        joint_attention_dim=CONTEXT,
        axes_dims_rope=AXES,
        zero_cond_t=True,
    )
    # Every parameter is drawn so that each one matters.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 0.5 if parameter.ndim == 1 else parameter.shape[-1] ** -0.5
            centre = 1.0 if "norm" in name and parameter.ndim == 1 else 0.0
            parameter.normal_(centre, spread)
    return model.eval()


@functools.cache
def _base():
    tensors = {name: t.numpy() for name, t in _reference().state_dict().items()}
    return tree_from_tensors(tensors, transformer_rows(), num_layers=NUM_LAYERS)


@functools.cache
def _inputs():
    rng = np.random.default_rng(1)
    tokens = [rng.standard_normal((2, h * w, 64), np.float32) for h, w in GRIDS]
    context = rng.standard_normal((2, max(CONTEXT_LENGTHS), CONTEXT), np.float32)
    return tokens, context, np.asarray([0.83, 0.21], np.float32)


def _theirs(model):
    import torch

    tokens, context, time = _inputs()
    mask = np.arange(context.shape[1])[None] < np.asarray(CONTEXT_LENGTHS)[:, None]
    with torch.no_grad():
        output = model(
            hidden_states=torch.from_numpy(np.concatenate(tokens, axis=1)),
            encoder_hidden_states=torch.from_numpy(context),
            encoder_hidden_states_mask=torch.from_numpy(mask),
            timestep=torch.from_numpy(time),
            img_shapes=[[(1, h, w) for h, w in GRIDS]] * 2,
            return_dict=False,
        )[0]
    return output.numpy()[:, : tokens[0].shape[1]]


@jax.jit
def _apply(variables):
    tokens, context, time = _inputs()
    output = _ours().apply(
        variables,
        jnp.asarray(tokens[0]),
        jnp.asarray(time),
        jnp.asarray(context),
        jnp.asarray(CONTEXT_LENGTHS, jnp.int32),
        (jnp.asarray(tokens[1]),),
        target_grid=GRIDS[0],
        source_grids=GRIDS[1:],
    )
    return output.velocity


def _require_equal(ours, expected):
    plain = np.asarray(_apply({"params": _base()}))
    assert np.abs(plain - expected).max() > 0.1  # the LoRA is not lost
    assert np.abs(expected).mean() < 4  # what the tolerance is for
    np.testing.assert_allclose(np.asarray(ours), expected, rtol=0, atol=TOLERANCE)


def _with_lora(targets, **config):
    """The reference with a LoRA of PEFT's in which no number is 0."""
    import torch
    from peft import LoraConfig

    model = _reference()
    settings = {"r": RANK, "lora_alpha": ALPHA, "target_modules": list(targets)}
    model.add_adapter(LoraConfig(**(settings | config)))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.3 * parameter.shape[-1] ** -0.5)
    return model


def _read(path, scale=1.0):
    return read_lora(LoraFile(path=path, scale=scale), NUM_LAYERS)


def _merged(lora):
    identities = dict.fromkeys(("params", "vae", "conditioner"), "0" * 64)
    base = Weights(
        config=_ours().config, parts={"params": _base()}, identities=identities
    )
    return {"params": merge_loras(base, [lora]).parts["params"]}


def _collection(*loras):
    tree = collection_from_loras(loras, _ours().config, seed=0)
    return {"params": _base(), "pattern_shifting": tree}


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"use_rslora": True},
        {"rank_pattern": {"attn.to_q": 2}, "alpha_pattern": {"attn.to_q": 3.0}},
    ],
)
def test_a_lora_saved_by_diffusers_is_the_same_here_merged(tmp_path, config):
    model = _with_lora(BLOCK_LINEARS + OTHER_LINEARS, **config)
    model.save_lora_adapter(tmp_path)
    lora = _read(tmp_path / "pytorch_lora_weights.safetensors")
    assert len(lora.updates) == NUM_LAYERS * len(BLOCK_LINEARS) + len(OTHER_LINEARS)
    _require_equal(_apply(_merged(lora)), _theirs(model))


def test_a_lora_saved_by_diffusers_is_the_same_here_as_modules(tmp_path):
    model = _with_lora(BLOCK_LINEARS)
    model.save_lora_adapter(tmp_path)
    lora = _read(tmp_path / "pytorch_lora_weights.safetensors")
    _require_equal(_apply(_collection(lora)), _theirs(model))


def test_a_smaller_lora_of_one_block_is_the_same_here_as_modules(tmp_path):
    targets = ["transformer_blocks.1.attn.to_q", "transformer_blocks.0.img_mod.1"]
    model = _with_lora(targets, r=2)
    model.save_lora_adapter(tmp_path)
    lora = _read(tmp_path / "pytorch_lora_weights.safetensors")
    assert sorted(lora.updates) == sorted(targets)
    _require_equal(_apply(_collection(lora)), _theirs(model))


def test_a_lora_saved_by_peft_is_the_same_here(tmp_path):
    import torch
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules=["attn.to_q", "proj_out"]
    )
    model = get_peft_model(_reference(), settings)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.3 * parameter.shape[-1] ** -0.5)
    model.save_pretrained(tmp_path)
    lora = _read(tmp_path / "adapter_model.safetensors")
    _require_equal(_apply(_merged(lora)), _theirs(model))


def test_a_lora_saved_by_a_pipeline_is_the_same_here_at_half_strength(tmp_path):
    from diffusers import QwenImagePipeline
    from peft.utils import get_peft_model_state_dict

    model = _with_lora(BLOCK_LINEARS, lora_alpha=RANK)
    layers = get_peft_model_state_dict(model)
    QwenImagePipeline.save_lora_weights(tmp_path, transformer_lora_layers=layers)
    model.set_adapters("default", 0.5)
    lora = _read(tmp_path / "pytorch_lora_weights.safetensors", scale=0.5)
    _require_equal(_apply(_merged(lora)), _theirs(model))


def _trained():
    """A collection in which no number is 0, and it as LoRA tensors."""
    rng = np.random.default_rng(3)
    tree = collection_from_loras([], _ours().config, seed=0)
    tree = jax.tree.map(
        lambda leaf: (0.1 * rng.standard_normal(leaf.shape)).astype(np.float32), tree
    )
    return tree, tensors_of_collection(tree, _ours().config.pattern_shifting)


def test_our_export_is_the_same_in_diffusers(tmp_path):
    tree, tensors = _trained()
    path = tmp_path / "ours.safetensors"
    save_lora(path, tensors, "diffusers", {"software": "tbstar_jax"})
    model = _reference()
    model.load_lora_adapter(tmp_path, weight_name=path.name, prefix="transformer")
    ours = _apply({"params": _base(), "pattern_shifting": tree})
    _require_equal(ours, _theirs(model))


def test_our_export_for_comfyui_is_the_same_in_diffusers(tmp_path):
    from diffusers import QwenImagePipeline

    tree, tensors = _trained()
    path = tmp_path / "ours.safetensors"
    save_lora(path, tensors, "comfyui", {"software": "tbstar_jax"})
    state, metadata = QwenImagePipeline.lora_state_dict(
        tmp_path, weight_name=path.name, return_lora_metadata=True
    )
    model = _reference()
    QwenImagePipeline.load_lora_into_transformer(state, model, metadata=metadata)
    ours = _apply({"params": _base(), "pattern_shifting": tree})
    _require_equal(ours, _theirs(model))


def test_our_export_for_comfyui_is_the_same_by_its_rule(tmp_path):
    """ComfyUI adds `up @ down` to the weight whose name stands behind its prefix."""
    import torch
    from safetensors.torch import load_file

    tree, tensors = _trained()
    path = tmp_path / "ours.safetensors"
    save_lora(path, tensors, "comfyui", {})
    model = _reference()
    weights = dict(model.named_parameters())
    stored = load_file(path)
    with torch.no_grad():
        for key in [key for key in stored if key.endswith(".lora_B.weight")]:
            module = key.removesuffix(".lora_B.weight")
            name = module.removeprefix("diffusion_model.") + ".weight"
            weights[name] += stored[key] @ stored[f"{module}.lora_A.weight"]
    ours = _apply({"params": _base(), "pattern_shifting": tree})
    _require_equal(ours, _theirs(model))


@pytest.mark.parametrize("style", ["diffusers", "comfyui"])
def test_our_export_comes_back(tmp_path, style):
    tree, tensors = _trained()
    path = tmp_path / "ours.safetensors"
    save_lora(path, tensors, style, {})
    back = collection_from_loras([_read(path)], _ours().config, seed=0)
    for name, leaf in jax.tree_util.tree_leaves_with_path(tree):
        found = functools.reduce(lambda node, key: node[key.key], name, back)
        np.testing.assert_allclose(found, leaf, rtol=1e-6, atol=0)
