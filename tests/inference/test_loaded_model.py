"""What is read of a public checkpoint's schedule and flags before it runs."""

import json
import sys

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from PIL import Image

from tbstar_jax.diffusion.timesteps import TimestepConfig, lightning_timesteps
from tbstar_jax.errors import UserError
from tbstar_jax.inference import cli
from tbstar_jax.inference.loaded_model import load_model, read_timesteps
from tbstar_jax.inference.pipeline import SHIPPED_WEIGHTS, EditPipeline
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh
from tests.support.public_pipeline import SCHEDULER

PUBLIC = {"_class_name": "FlowMatchEulerDiscreteScheduler", **SCHEDULER}


def _write(folder, **fields):
    path = folder / "scheduler_config.json"
    path.write_text(json.dumps({**PUBLIC, **fields}))
    return path


def test_the_public_schedule_is_the_default(tmp_path):
    assert read_timesteps(_write(tmp_path)) == TimestepConfig()


def test_the_schedule_of_a_distilled_checkpoint_is_its_own(tmp_path):
    shift = lightning_timesteps().base_shift
    path = _write(tmp_path, base_shift=shift, max_shift=shift, shift_terminal=None)
    assert read_timesteps(path) == lightning_timesteps()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"use_dynamic_shifting": False}, "no use_dynamic_shifting"),
        ({"time_shift_type": "linear"}, "time_shift_type .* 'linear'"),
        ({"_class_name": "DPMSolverMultistepScheduler"}, "_class_name"),
        ({"base_shift": "large"}, "no scheduler's config"),
    ],
)
def test_a_schedule_that_is_not_implemented_is_refused(tmp_path, fields, sentence):
    with pytest.raises(UserError, match=sentence):
        read_timesteps(_write(tmp_path, **fields))


def test_a_folder_that_is_neither_form_is_refused(tmp_path):
    with pytest.raises(UserError, match="is not a weights folder"):
        load_model(tmp_path / "nothing")


def test_weights_shared_by_devices_make_the_same_edit():
    """Four devices hold a quarter of the blocks' kernels each, and edit one photo."""
    photo = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    mesh = make_mesh(parse_mesh("2x2"))
    model = load_model(SHIPPED_WEIGHTS, mesh=mesh)
    blocks = model.parts["params"]["transformer_blocks"]
    kernel = blocks["img_mlp"]["linear_in"]["kernel"]
    assert kernel.sharding.spec == PartitionSpec(None, "data", "model")
    assert len({shard.device for shard in kernel.addressable_shards}) == 4
    options = {"num_steps": 2, "seed": 1, "guidance": 2.0, "preserve": "off"}
    shared = EditPipeline(model)(photo, "remove the watermark", **options)
    alone = EditPipeline.from_checkpoint()(photo, "remove the watermark", **options)
    scale = np.abs(alone.latent).max()
    # Sums over devices are added in another order.
    assert np.abs(shared.latent - alone.latent).max() < 1e-4 * scale
    assert np.abs(shared.image.astype(int) - alone.image).max() <= 1


def test_the_command_takes_a_mesh(tmp_path, monkeypatch, capsys):
    Image.new("RGB", (64, 64), (200, 90, 40)).save(tmp_path / "in.png")
    monkeypatch.chdir(tmp_path)
    command = ["tbstar-edit", "in.png", "make it blue", "-o", "out.png", "--steps=1"]
    monkeypatch.setattr(sys, "argv", [*command, "--mesh=1x2", "--attention=xla"])
    assert cli.main() == 0
    assert "bit-identical" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [*command, "--mesh=1x7"])
    assert cli.main() == 2
    assert "the mesh axis model of size 7 does not divide" in capsys.readouterr().err


def test_without_a_mesh_all_lies_on_the_first_device():
    model = load_model(SHIPPED_WEIGHTS)
    devices = {x.devices().pop() for x in jax.tree.leaves(model.parts)}
    assert devices == {jax.devices()[0]}
    assert model.config.transformer.attention_kernel == "xla"
