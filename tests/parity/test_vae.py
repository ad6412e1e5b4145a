"""The autoencoder against diffusers' AutoencoderKLQwenImage on one frame, fp32."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.convert.huggingface import tensors_from_tree, tree_from_tensors
from tbstar_jax.convert.key_map import vae_rows
from tbstar_jax.model.presets import tiny
from tbstar_jax.model.vae import VAE

TOLERANCE = 5e-5
UNUSED = ("time_conv.weight", "time_conv.bias")


def _config(num_res_blocks: int):
    return dataclasses.replace(
        tiny().vae,
        base_dim=8,
        num_res_blocks=num_res_blocks,
        latents_mean=tuple(np.linspace(-1, 1, 16).tolist()),
        latents_std=tuple(np.linspace(0.5, 3, 16).tolist()),
    )


def _reference(config):
    import torch
    from diffusers import AutoencoderKLQwenImage

    torch.manual_seed(0)
    model = AutoencoderKLQwenImage(
        base_dim=config.base_dim,
        z_dim=config.z_dim,
        dim_mult=list(config.dim_mult),
        num_res_blocks=config.num_res_blocks,
    )
    # Slices and convolutions in time that one frame never reads are filled with noise:
    # were one of them read, the outputs would differ.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 5 and parameter.shape[2] == 3:
                parameter[:, :, :2].normal_(0, 1)
            if name.endswith("gamma"):
                parameter.uniform_(0.5, 1.5)
    return model.eval()


def _tree(model, config):
    tensors = {name: t.numpy() for name, t in model.state_dict().items()}
    return tree_from_tensors(tensors, vae_rows(config), num_layers=0, ignored=UNUSED)


@pytest.mark.parametrize("num_res_blocks", [1, 2])
def test_latent_and_image_equal_the_reference_implementation(num_res_blocks):
    import torch

    config = _config(num_res_blocks)
    reference = _reference(config)
    params = {"params": _tree(reference, config)}
    rng = np.random.default_rng(2)
    image = rng.uniform(-1, 1, (2, 40, 24, 3)).astype(np.float32)
    frames = torch.from_numpy(image.transpose(0, 3, 1, 2)[:, :, None].copy())
    with torch.no_grad():
        mode = reference.encode(frames).latent_dist.mode()
        decoded = reference.decode(mode).sample
    shape = (1, -1, 1, 1, 1)
    mean = np.asarray(config.latents_mean, np.float32).reshape(shape)
    std = np.asarray(config.latents_std, np.float32).reshape(shape)
    expected = ((mode.numpy() - mean) / std)[:, :, 0].transpose(0, 2, 3, 1)

    vae = VAE(config)
    latent = jax.jit(lambda p, x: vae.apply(p, x, method=VAE.encode))(
        params, jnp.asarray(image)
    )
    np.testing.assert_allclose(latent, expected, rtol=0, atol=TOLERANCE)
    ours = jax.jit(lambda p, x: vae.apply(p, x, method=VAE.decode))(
        params, jnp.asarray(expected)
    )
    np.testing.assert_allclose(
        ours, decoded.numpy()[:, :, 0].transpose(0, 2, 3, 1), rtol=0, atol=TOLERANCE
    )


def test_export_decodes_the_same_in_the_reference_implementation():
    import torch

    config = _config(1)
    reference = _reference(config)
    tree = _tree(reference, config)
    exported = tensors_from_tree(tree, vae_rows(config))
    latent = torch.randn(1, 16, 1, 3, 5, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        before = reference.decode(latent).sample
        state = reference.state_dict()
        state.update({name: torch.from_numpy(t) for name, t in exported.items()})
        reference.load_state_dict(state)
        after = reference.decode(latent).sample
    np.testing.assert_array_equal(before.numpy(), after.numpy())
