"""A weights folder opened by diffusers' own loaders, against our model, fp32."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.convert.folder import load_weights
from tbstar_jax.model.presets import tiny
from tbstar_jax.model.tbstar import TBStar, abstract_variables
from tbstar_jax.model.vae import VAE
from tbstar_jax.training.objective import with_statistics
from tbstar_jax.training.pretrain import as_bfloat16, export
from tbstar_jax.trees import flatten, unflatten

TOLERANCE = 5e-5
GRID = (3, 2)
CONTEXT_LENGTHS = (7, 4)


def _config():
    config = tiny()
    transformer = dataclasses.replace(
        config.transformer, num_layers=2, num_attention_heads=2, joint_attention_dim=24
    )
    vae = dataclasses.replace(config.vae, base_dim=8)
    config = dataclasses.replace(config, transformer=transformer, vae=vae)
    mean, std = np.linspace(-1, 1, 16), np.linspace(0.5, 3, 16)
    return with_statistics(config, mean.tolist(), std.tolist())


def _drawn(shapes, rng):
    """Every parameter drawn, so that each one matters."""

    def draw(name, leaf):
        spread = 0.1 if leaf.ndim <= 2 else float(np.prod(leaf.shape[-4:-1])) ** -0.5
        centre = 1.0 if name.endswith(("scale", "gamma")) else 0.0
        return rng.normal(centre, spread, leaf.shape).astype(np.float32)

    return unflatten({name: draw(name, leaf) for name, leaf in flatten(shapes).items()})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as `experiments.pretrain` writes it, with random weights."""
    config, rng = _config(), np.random.default_rng(0)
    image = jnp.zeros((1, 16, 16, 3))
    vae = jax.eval_shape(lambda: VAE(config.vae).init(jax.random.key(0), image))
    shapes = {
        "params": abstract_variables(TBStar(config))["params"],
        "vae": vae["params"],
    }
    parts = _drawn(shapes, rng)
    parts["conditioner"] = {"bytes": np.ones((3, 2), np.float32)}
    directory = tmp_path_factory.mktemp("export") / "weights"
    export(directory, config, as_bfloat16(parts))
    return directory


def _float32(tree):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), tree)


def test_the_exported_transformer_is_the_same_in_diffusers(folder):
    import torch
    from diffusers import QwenImageTransformer2DModel

    reference = QwenImageTransformer2DModel.from_pretrained(
        folder, subfolder="transformer", torch_dtype=torch.float32
    ).eval()
    rng = np.random.default_rng(1)
    tokens = rng.standard_normal((2, GRID[0] * GRID[1], 64), np.float32)
    context = rng.standard_normal((2, max(CONTEXT_LENGTHS), 24), np.float32)
    time = np.asarray([0.83, 0.21], np.float32)
    mask = np.arange(context.shape[1])[None] < np.asarray(CONTEXT_LENGTHS)[:, None]
    with torch.no_grad():
        expected = reference(
            hidden_states=torch.from_numpy(tokens),
            encoder_hidden_states=torch.from_numpy(context),
            encoder_hidden_states_mask=torch.from_numpy(mask),
            timestep=torch.from_numpy(time),
            img_shapes=[[(1, *GRID)]] * 2,
            return_dict=False,
        )[0].numpy()

    weights = load_weights(folder, verify=True)
    inputs = (tokens, time, context, np.asarray(CONTEXT_LENGTHS, np.int32))
    model = TBStar(weights.config)
    output = jax.jit(lambda p, *x: model.apply({"params": p}, *x, target_grid=GRID))(
        _float32(weights.parts["params"]), *inputs
    )
    assert np.abs(expected).mean() > 0.1
    np.testing.assert_allclose(output.velocity, expected, rtol=0, atol=TOLERANCE)


def test_the_exported_autoencoder_is_the_same_in_diffusers(folder):
    import torch
    from diffusers import AutoencoderKLQwenImage

    reference = AutoencoderKLQwenImage.from_pretrained(
        folder, subfolder="vae", torch_dtype=torch.float32
    ).eval()
    rng = np.random.default_rng(2)
    image = rng.uniform(-1, 1, (1, 32, 24, 3)).astype(np.float32)
    frames = torch.from_numpy(image.transpose(0, 3, 1, 2)[:, :, None].copy())
    with torch.no_grad():
        mode = reference.encode(frames).latent_dist.mode()
        decoded = reference.decode(mode).sample.numpy()[:, :, 0]
    # Public pipelines normalise by the statistics of the folder's config.
    mean = np.asarray(reference.config.latents_mean, np.float32)
    std = np.asarray(reference.config.latents_std, np.float32)
    expected = mode.numpy()[:, :, 0].transpose(0, 2, 3, 1)
    expected = (expected - mean) / std

    weights = load_weights(folder)
    vae, params = VAE(weights.config.vae), _float32(weights.parts["vae"])

    @jax.jit
    def both(tree, image, latent):
        variables = {"params": tree}
        encoded = vae.apply(variables, image, method=VAE.encode)
        return encoded, vae.apply(variables, latent, method=VAE.decode)

    latent, ours = both(params, image, expected)
    assert decoded.std() > 0.1
    np.testing.assert_allclose(latent, expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(
        ours, decoded.transpose(0, 2, 3, 1), rtol=0, atol=TOLERANCE
    )


def test_the_exported_scheduler_loads_with_its_shift(folder):
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(
        folder, subfolder="scheduler"
    )
    assert scheduler.config.use_dynamic_shifting
    assert scheduler.config.shift_terminal == 0.02
