"""Step-distilled LoRAs and checkpoints: recognised, obeyed, kept out of training."""

import json
import math

import numpy as np
import pytest
from safetensors.numpy import save_file

from tbstar_jax.convert.lora_file import (
    LoraFile,
    lightning_of,
    refuse_distilled_base,
    refuse_distilled_files,
)
from tbstar_jax.diffusion.timesteps import lightning_timesteps, sampling_times
from tbstar_jax.errors import UserError


def _file(path, **metadata):
    save_file({"x": np.zeros(1, np.float32)}, path, metadata)
    return LoraFile(path=path, scale=1.0)


@pytest.mark.parametrize(
    ("name", "num_steps"),
    [
        ("Qwen-Image-Lightning-8steps-V1.1-bf16.safetensors", 8),
        ("Qwen-Image-Edit-2509-Lightning-4steps-V1.0-fp32.safetensors", 4),
        ("qwen_image_lightning_4-step.safetensors", 4),
        ("FireRed-Image-Edit-1.0-Lightning-8steps-v1.2.safetensors", 8),
    ],
)
def test_a_lightning_lora_says_its_steps_in_its_name(tmp_path, name, num_steps):
    assert lightning_of([_file(tmp_path / name)]).num_steps == num_steps


def test_a_renamed_lightning_lora_says_it_in_its_title(tmp_path):
    title = {"ss_output_name": "Qwen-Image-Lightning-8steps"}
    assert lightning_of([_file(tmp_path / "fast.safetensors", **title)]).num_steps == 8


def test_other_loras_leave_the_sampler_alone(tmp_path):
    files = [_file(tmp_path / n) for n in ("a-4steps.safetensors", "b.safetensors")]
    assert lightning_of(files) is None
    assert lightning_of([]) is None


@pytest.mark.parametrize(
    "name", ["lightning.safetensors", "lightning-6steps.safetensors"]
)
def test_lightning_without_known_steps_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="whether for 4 or 8 steps"):
        lightning_of([_file(tmp_path / name)])


def test_two_lightning_loras_must_agree(tmp_path):
    names = ("lightning-4steps.safetensors", "lightning-8steps.safetensors")
    with pytest.raises(UserError, match=r"4 steps and .* for 8; use one of them"):
        lightning_of([_file(tmp_path / name) for name in names])


def test_what_contradicts_a_lightning_lora_is_refused(tmp_path):
    lightning = lightning_of([_file(tmp_path / "Lightning-4steps.safetensors")])
    lightning.require(None, None)
    lightning.require(4, 1.0)
    with pytest.raises(UserError, match="distilled for 4 steps, not 16"):
        lightning.require(16, None)
    with pytest.raises(UserError, match="guidance=4 would spoil"):
        lightning.require(None, 4.0)


def test_the_times_of_lightning_are_those_of_its_scheduler():
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler(
        base_shift=math.log(3),
        max_shift=math.log(3),
        base_image_seq_len=256,
        max_image_seq_len=8192,
        shift=1.0,
        shift_terminal=None,
        time_shift_type="exponential",
        use_dynamic_shifting=True,
    )
    for num_steps in (4, 8):
        sigmas = np.linspace(1.0, 1 / num_steps, num_steps)
        scheduler.set_timesteps(sigmas=sigmas.tolist(), mu=math.log(3))
        for num_tokens in (64, 4096):
            times = sampling_times(num_steps, num_tokens, lightning_timesteps())
            np.testing.assert_allclose(times, scheduler.sigmas.numpy(), atol=1e-6)


@pytest.mark.parametrize("word", ["Lightning-4steps", "turbo", "distilled", "lcm"])
def test_a_distilled_lora_is_kept_out_of_training(tmp_path, word):
    refuse_distilled_files([_file(tmp_path / "style.safetensors")])
    file = _file(tmp_path / f"x-{word}.safetensors")
    with pytest.raises(UserError, match="cannot be trained on or continued"):
        refuse_distilled_files([file])


def test_a_distilled_checkpoint_is_kept_out_of_training(tmp_path):
    path = tmp_path / "base" / "scheduler" / "scheduler_config.json"
    path.parent.mkdir(parents=True)
    public = {"base_shift": 0.5, "max_shift": 0.9, "shift_terminal": 0.02}
    path.write_text(json.dumps(public))
    refuse_distilled_base(tmp_path / "base")
    shift = math.log(3)
    lightning = {"base_shift": shift, "max_shift": shift, "shift_terminal": None}
    path.write_text(json.dumps(lightning))
    with pytest.raises(UserError, match="shift ln 3 and no terminal"):
        refuse_distilled_base(tmp_path / "base")
    with pytest.raises(UserError, match="its name says `Turbo`"):
        refuse_distilled_base(tmp_path / "Some-Edit-Turbo")
