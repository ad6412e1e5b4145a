"""The transformer against diffusers' QwenImageTransformer2DModel, fp32, 5e-5."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.convert.huggingface import tensors_from_tree, tree_from_tensors
from tbstar_jax.convert.key_map import transformer_rows
from tbstar_jax.model.presets import tiny
from tbstar_jax.model.tbstar import TBStar

TOLERANCE = 5e-5
NUM_LAYERS, HEADS, HEAD_DIM, CONTEXT = 3, 2, 128, 24
TARGET_GRID = (5, 3)
SOURCE_GRIDS = ((3, 7), (4, 5))
CONTEXT_LENGTHS = (9, 6)


def _ours(source_time: str, remat: str = "none") -> TBStar:
    config = tiny()
    transformer = dataclasses.replace(
        config.transformer,
        num_layers=NUM_LAYERS,
        num_attention_heads=HEADS,
        attention_head_dim=HEAD_DIM,
        joint_attention_dim=CONTEXT,
        axes_dims_rope=(16, 56, 56),
        source_time=source_time,
        source_attention="full",
        remat=remat,
    )
    return TBStar(dataclasses.replace(config, transformer=transformer))


def _reference(zero_cond_t: bool):
    import torch
    from diffusers import QwenImageTransformer2DModel

    torch.manual_seed(0)
    model = QwenImageTransformer2DModel(
        num_layers=NUM_LAYERS,
        attention_head_dim=HEAD_DIM,
        num_attention_heads=HEADS,
        joint_attention_dim=CONTEXT,
        zero_cond_t=zero_cond_t,
    )
    # The default initialisation leaves norms at one and outputs near zero; every
    # parameter is drawn so that each one matters.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 0.5 if parameter.ndim == 1 else parameter.shape[-1] ** -0.5
            centre = 1.0 if "norm" in name and parameter.ndim == 1 else 0.0
            parameter.normal_(centre, spread)
    return model.eval()


def _inputs(grids):
    rng = np.random.default_rng(1)
    tokens = [rng.standard_normal((2, h * w, 64), dtype=np.float32) for h, w in grids]
    context = rng.standard_normal((2, max(CONTEXT_LENGTHS), CONTEXT), np.float32)
    return tokens, context, np.asarray([0.83, 0.21], np.float32)


def _reference_velocity(model, tokens, context, time, grids):
    import torch

    mask = np.arange(context.shape[1])[None] < np.asarray(CONTEXT_LENGTHS)[:, None]
    with torch.no_grad():
        output = model(
            hidden_states=torch.from_numpy(np.concatenate(tokens, axis=1)),
            encoder_hidden_states=torch.from_numpy(context),
            encoder_hidden_states_mask=torch.from_numpy(mask),
            timestep=torch.from_numpy(time),
            img_shapes=[[(1, h, w) for h, w in grids]] * 2,
            return_dict=False,
        )[0]
    return output.numpy()[:, : tokens[0].shape[1]]


def _tree(model):
    tensors = {name: t.numpy() for name, t in model.state_dict().items()}
    return tree_from_tensors(tensors, transformer_rows(), num_layers=NUM_LAYERS)


def _velocity(ours, params, tokens, context, time, grids):
    output = jax.jit(
        lambda p: ours.apply(
            {"params": p},
            jnp.asarray(tokens[0]),
            jnp.asarray(time),
            jnp.asarray(context),
            jnp.asarray(CONTEXT_LENGTHS, jnp.int32),
            tuple(jnp.asarray(x) for x in tokens[1:]),
            target_grid=grids[0],
            source_grids=tuple(grids[1:]),
        )
    )(params)
    return np.asarray(output.velocity)


@pytest.mark.parametrize("source_time", ["zero", "same"])
@pytest.mark.parametrize("source_grids", [(), SOURCE_GRIDS])
def test_velocity_equals_the_reference_implementation(source_time, source_grids):
    grids = (TARGET_GRID, *source_grids)
    reference = _reference(zero_cond_t=source_time == "zero")
    tokens, context, time = _inputs(grids)
    expected = _reference_velocity(reference, tokens, context, time, grids)
    params = _tree(reference)
    actual = _velocity(_ours(source_time), params, tokens, context, time, grids)
    assert np.abs(expected).mean() > 0.1
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE)


def test_recomputing_blocks_changes_no_bit():
    grids = (TARGET_GRID, *SOURCE_GRIDS)
    params = _tree(_reference(zero_cond_t=True))
    inputs = _inputs(grids)
    plain = _velocity(_ours("zero"), params, *inputs, grids)
    recomputed = _velocity(_ours("zero", remat="block"), params, *inputs, grids)
    np.testing.assert_array_equal(plain, recomputed)


def test_conversion_and_back_gives_every_tensor_bit_for_bit():
    reference = _reference(zero_cond_t=False)
    back = tensors_from_tree(_tree(reference), transformer_rows())
    state = reference.state_dict()
    assert sorted(back) == sorted(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(back[name], tensor.numpy())


def test_the_wrong_time_of_the_sources_is_visible():
    """The negative control of the parity test: `zero_cond_t` cannot be forgotten."""
    grids = (TARGET_GRID, *SOURCE_GRIDS)
    params = _tree(_reference(zero_cond_t=True))
    inputs = _inputs(grids)
    zero = _velocity(_ours("zero"), params, *inputs, grids)
    same = _velocity(_ours("same"), params, *inputs, grids)
    assert np.abs(zero - same).max() > 1e-2
